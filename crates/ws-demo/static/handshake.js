// The opening handshake, step by step. Browsers hide Sec-WebSocket-Key from scripts, so the route
// /inspect tells in its first message what it read and what it answered; the page then computes
// the accept value itself and compares.

import { byId, make } from "./dom.js";

const WAIT_MS = 10_000;

/** The fields the handshake turns on (RFC 6455 sections 4.1, 4.2, 11.3). */
const TELLING = new Set(["host", "origin", "upgrade", "connection"]);

export class HandshakePanel {
  #button = byId("handshake-run");

  constructor() {
    this.#button.addEventListener("click", () => this.run());
  }

  async run() {
    this.#button.disabled = true;
    this.#verdict("pending", "Waiting for the server.");
    try {
      const seen = await inspect();
      this.#show(seen);
      await this.#verify(seen);
    } catch (error) {
      this.#verdict("failed", `${error.message} Nothing to compare.`);
    }
    this.#button.disabled = false;
  }

  #show(seen) {
    byId("handshake-key").textContent = seen.key;
    byId("handshake-joined").replaceChildren(seen.key, make("span", { className: "guid", text: seen.guid }));
    byId("handshake-sha1").replaceChildren(...pairs(seen.sha1_hex).map((pair) => make("span", { text: pair })));
    byId("handshake-accept").textContent = seen.accept;
    showHead(byId("request-head"), seen.request_line, seen.headers);
    showHead(byId("response-head"), seen.status_line, seen.response_headers);
    byId("handshake-note").textContent = `seen by the server at ${new Date().toLocaleTimeString("en-GB")}`;
  }

  async #verify(seen) {
    if (!globalThis.crypto?.subtle) {
      this.#verdict("unavailable", "This page cannot check it: crypto.subtle exists only on https or localhost. Shown is the server’s word.");
      return;
    }
    const joined = new TextEncoder().encode(seen.key + seen.guid);
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-1", joined));
    const hex = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
    const accept = btoa(String.fromCharCode(...digest));
    const sent = seen.response_headers.find(([name]) => name.toLowerCase() === "sec-websocket-accept")?.[1];
    if (hex === seen.sha1_hex && accept === seen.accept && accept === sent) {
      this.#verdict("true", "Computed again in this page with crypto.subtle: the same value, and the one in the response.");
    } else {
      this.#verdict("false", `Computed in this page: ${accept}. The server’s value differs.`);
    }
  }

  #verdict(verified, text) {
    const line = byId("handshake-verified");
    line.dataset.verified = verified;
    line.textContent = text;
  }
}

/** One connection to /inspect: its first message is the answer, then it is closed. */
function inspect() {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(`${scheme}//${location.host}/inspect`);
  return new Promise((resolve, reject) => {
    const deadline = setTimeout(() => {
      socket.close();
      reject(new Error("The server did not tell within ten seconds."));
    }, WAIT_MS);
    socket.addEventListener("message", ({ data }) => {
      clearTimeout(deadline);
      socket.close(1000);
      try {
        resolve(JSON.parse(data));
      } catch {
        reject(new Error("What the server told is not JSON."));
      }
    });
    socket.addEventListener("close", ({ code }) => {
      clearTimeout(deadline);
      reject(new Error(`The connection to /inspect closed with ${code} before it told anything.`));
    });
  });
}

function showHead(container, firstLine, fields) {
  const lines = fields.map(([name, value]) => {
    const telling = TELLING.has(name.toLowerCase()) || name.toLowerCase().startsWith("sec-websocket-");
    return make(
      "p",
      { className: telling ? "header-line telling" : "header-line" },
      make("span", { className: "name", text: `${name}: ` }),
      make("span", { text: value }),
    );
  });
  container.replaceChildren(make("p", { className: "header-line first-line", text: firstLine }), ...lines);
}

function pairs(hex) {
  return hex.match(/../g) ?? [];
}
