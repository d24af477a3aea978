// The event log: the four events of the API, in order, with their times.

import { meaning } from "./close-codes.js";
import { appendFollowing, byId, make } from "./dom.js";
import { TEXT } from "./frame.js";
import { bytes, clockTime, count, preview } from "./format.js";

const ROWS_KEPT = 300;

export class EventLog {
  #list = byId("event-log");
  #empty = byId("events-empty");
  #unlisted = byId("unlisted");
  #probes = 0;

  constructor() {
    byId("clear-events").addEventListener("click", () => {
      this.#list.replaceChildren();
      this.#empty.hidden = false;
      this.#probes = 0;
      this.#unlisted.textContent = "";
    });
  }

  open(url, { protocol, extensions }) {
    const facts = [`${url.host}${url.pathname}${url.search}`];
    if (protocol) facts.push(`subprotocol ${protocol}`);
    if (extensions) facts.push(extensions);
    this.#add("open", {}, make("span", { text: facts.join(", ") }));
  }

  message({ opcode, length, content }) {
    const kind = opcode === TEXT ? "text" : "binary";
    this.#add(
      "message",
      { kind, size: length },
      make("b", { text: `${kind}, ${bytes(length)}` }),
      make("span", { className: "snippet", text: preview(content) }),
    );
  }

  error() {
    this.#add("error", {}, make("span", { text: "The API gives no detail here; the close event follows." }));
  }

  close({ code, reason, wasClean }) {
    const facts = [make("b", { text: `code ${code}` }), make("span", { text: meaning(code) })];
    if (reason) facts.push(make("span", { className: "reason", text: `“${reason}”` }));
    facts.push(make("span", { className: wasClean ? "good" : "bad", text: `wasClean ${wasClean}` }));
    this.#add("close", { code, reason, wasClean }, ...facts);
  }

  /** A probe's echo is a message event too; it is counted and not listed. */
  probe() {
    this.#probes += 1;
    this.#unlisted.textContent = `${count(this.#probes)} probe ${this.#probes === 1 ? "echo" : "echoes"} not listed`;
  }

  #add(event, data, ...facts) {
    this.#empty.hidden = true;
    const now = new Date();
    const row = make(
      "li",
      { className: "row", data: { event, ...data } },
      make("time", { text: clockTime(now), datetime: now.toISOString() }),
      make("span", { className: `event event-${event}`, text: event }),
      make("span", { className: "facts" }, ...facts),
    );
    appendFollowing(this.#list, row, ROWS_KEPT);
  }
}
