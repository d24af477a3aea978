// The chat room: a socket of its own that speaks the JSON protocol described in this crate's
// README. Everything a member says is shown as text, never as markup.

import { meaning } from "./close-codes.js";
import { appendFollowing, byId, make } from "./dom.js";

const LINES_KEPT = 500;

export class Chat {
  #socket = null;
  #nick = byId("chat-nick");
  #room = byId("chat-room");
  #log = byId("chat-log");
  #members = new Set();
  #joined = null;
  #leaving = false;
  // The line that was said last, until the server has told what became of it.
  #mine = null;

  constructor() {
    this.#nick.value = `guest-${100 + Math.floor(Math.random() * 900)}`;
    byId("chat-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#join(this.#room.value.trim(), this.#nick.value.trim());
    });
    byId("chat-leave").addEventListener("click", () => this.#leave());
    byId("say-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#say();
    });
    this.#show();
  }

  #join(room, nick) {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}/chat`);
    this.#socket = socket;
    socket.addEventListener("open", () => socket.send(JSON.stringify({ type: "join", room, nick })));
    socket.addEventListener("message", ({ data }) => this.#take(data));
    socket.addEventListener("close", ({ code, reason }) => this.#ended(code, reason));
    this.#show();
  }

  #leave() {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify({ type: "leave" }));
    if (this.#joined) this.#line("note", `You left ${this.#joined.room}.`);
    this.#joined = null;
    this.#leaving = true;
    this.#members.clear();
    this.#socket.close(1000);
    this.#show();
  }

  #say() {
    const input = byId("chat-input");
    if (input.value.trim() === "" || !this.#joined) return;
    this.#socket.send(JSON.stringify({ type: "say", text: input.value }));
    input.value = "";
  }

  #take(data) {
    let event;
    try {
      event = JSON.parse(data);
    } catch {
      this.#line("error", "The server said something that is not JSON.");
      return;
    }
    switch (event.type) {
      case "joined":
        this.#joined = { room: event.room, nick: event.nick };
        this.#members = new Set(event.members);
        this.#line("note", `You are in ${event.room} as ${event.nick}.`);
        this.#show();
        byId("chat-input").focus();
        break;
      case "arrived":
        this.#members.add(event.nick);
        this.#line("note", `${event.nick} joined.`);
        this.#show();
        break;
      case "departed":
        this.#members.delete(event.nick);
        this.#line("note", `${event.nick} left.`);
        this.#show();
        break;
      case "said":
        this.#said(event);
        break;
      case "published":
        this.#published(event);
        break;
      case "notice":
        this.#line("push", event.text);
        break;
      case "tick":
        this.#tick(event);
        break;
      case "error":
        this.#line("error", event.text);
        // Refused at the door: the form is free again for another name or room.
        if (!this.#joined) this.#socket.close(1000);
        break;
      default:
        this.#line("note", `The server sent “${event.type}”, which this page does not know.`);
    }
  }

  #said({ nick, text, at }) {
    const mine = nick === this.#joined?.nick;
    const line = make(
      "div",
      { className: mine ? "said mine" : "said", data: { nick } },
      make("span", { className: "who", text: nick }),
      make("time", { text: hours(at), datetime: new Date(at).toISOString() }),
      make("span", { className: "words", text }),
    );
    appendFollowing(this.#log, line, LINES_KEPT);
    if (mine) this.#mine = line;
  }

  // Behind each line of one's own: how many members have it, and how many do not read as fast as the others talk.
  #published({ delivered, queued, disconnected }) {
    if (!this.#mine) return;
    const parts = [`delivered to ${delivered}`];
    if (queued > 0) parts.push(`waiting for ${queued}`);
    if (disconnected > 0) parts.push(`too much for ${disconnected}`);
    const data = { delivered, queued, disconnected };
    this.#mine.querySelector("time").after(make("span", { className: "reached", data, text: parts.join(", ") }));
    this.#mine = null;
  }

  #tick({ seq, at }) {
    const push = byId("chat-push");
    push.dataset.seq = String(seq);
    push.textContent = `Server push ${seq}, ${hours(at)}`;
  }

  #ended(code, reason) {
    if (code !== 1000 && !this.#leaving) {
      const why = reason ? `“${reason}”` : meaning(code);
      this.#line("error", `Connection closed: ${code}, ${why}.`);
    }
    this.#socket = null;
    this.#joined = null;
    this.#leaving = false;
    this.#members.clear();
    byId("chat-push").textContent = "";
    this.#show();
  }

  #line(kind, text) {
    appendFollowing(this.#log, make("p", { className: kind, data: { kind }, text }), LINES_KEPT);
  }

  #show() {
    const inside = this.#joined !== null;
    const busy = this.#socket !== null;
    this.#nick.disabled = busy;
    this.#room.disabled = busy;
    byId("chat-join").disabled = busy;
    byId("chat-leave").disabled = !busy;
    byId("chat-send").disabled = !inside;
    const input = byId("chat-input");
    input.disabled = !inside;
    input.placeholder = inside ? `Say something in ${this.#joined.room}` : "Join first, then say something";
    byId("chat-lamp").dataset.state = inside ? "OPEN" : busy ? "CONNECTING" : "CLOSED";
    byId("chat-state").textContent = inside ? `in ${this.#joined.room}` : busy ? "joining" : "not in a room";
    byId("chat-count").textContent = String(this.#members.size);
    const names = [...this.#members].sort((a, b) => a.localeCompare(b));
    byId("chat-members").replaceChildren(
      ...names.map((name) =>
        make("li", { className: name === this.#joined?.nick ? "me" : "", data: { nick: name }, text: name }),
      ),
    );
  }
}

function hours(at) {
  return new Date(at).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}
