// The composer and the list of messages: what was sent, what it was on the wire, and whether the echo
// gave back the same contents.

import { byId, make } from "./dom.js";
import { BINARY, TEXT, headerBytes, headerSize, hexByte, utf8Bytes, utf8Length } from "./frame.js";
import { bytes, clockTime, count, duration, preview, share } from "./format.js";

const ROWS_KEPT = 200;
const MASK_KEY = 4;

/** Sizes on both sides of each step of the length field, and one large message. */
const SIZES = [
  ["empty", 0],
  ["125", 125],
  ["126", 126],
  ["65535", 65_535],
  ["65536", 65_536],
  ["1mib", 1_048_576],
];

const SPECIALS = [
  ["zh", "中文", "你好,世界。WebSocket 的文本是 UTF-8。"],
  ["emoji", "emoji", "👋🏽 👩‍👩‍👧‍👦 🏳️‍🌈 🧭"],
  ["surrogate", "lone surrogate", "before \ud83d after"],
  ["bom", "leading BOM", "\ufeffkept"],
];

const STATUS = {
  pending: "waiting",
  verified: "echo equal",
  differs: "echo differs",
  lost: "no echo: closed",
  unasked: "",
};

export class MessagePanel extends EventTarget {
  #scope;
  #ledger;
  #text = byId("text");
  #list = byId("message-log");
  #sends = [byId("send-text"), byId("send-binary")];
  #answers = byId("answers");
  // The rows of messages of which the server has not told yet, by their shapes.
  #rows = new WeakMap();
  #sent = 0;
  #tally = { pending: 0, verified: 0, differs: 0, lost: 0 };

  constructor(scope, ledger, watch) {
    super();
    this.#scope = scope;
    this.#ledger = ledger;
    this.#buildKeypad();
    byId("send-text").addEventListener("click", () => this.#send(this.#text.value));
    byId("send-binary").addEventListener("click", () => this.#send(utf8Bytes(this.#text.value)));
    this.#text.addEventListener("input", () => this.#showCost());
    this.#text.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        byId("send-text").click();
      }
    });
    scope.addEventListener("state", () => this.#enable(watch));
    watch.addEventListener("facts", ({ detail: { shape, facts } }) => this.#showFacts(shape, facts));
    this.#followAnswers(watch);
    this.#showCost();
    this.#enable(watch);
  }

  received(message, { status, answers }) {
    const to = answers ? `answers ${answers.number}` : "unasked for";
    this.#addRow("received", message, make("span", { className: "outcome", data: { status }, text: to }));
  }

  #send(data) {
    const outcome = make("span", { className: "outcome", data: { status: "pending" }, text: STATUS.pending });
    const settle = ({ status, roundTrip }) => {
      this.#tally.pending -= 1;
      if (status in this.#tally) this.#tally[status] += 1;
      outcome.dataset.status = status;
      outcome.textContent = roundTrip === undefined ? STATUS[status] : `${STATUS[status]}, ${duration(roundTrip)}`;
      if (roundTrip !== undefined) {
        outcome.dataset.roundTripMs = roundTrip.toFixed(3);
        this.dispatchEvent(new CustomEvent("echo", { detail: roundTrip }));
      }
      this.#showTally();
    };
    this.#tally.pending += 1;
    const message = this.#ledger.send(data, settle);
    this.#sent += 1;
    message.number = this.#sent;
    this.#showTally();
    this.#addRow("sent", message, outcome);
    this.dispatchEvent(new CustomEvent("sent"));
  }

  #addRow(direction, message, outcome) {
    const { opcode, length, content, shape } = message;
    const sent = direction === "sent";
    const kind = opcode === TEXT ? "text" : "binary";
    const carried = make("span", { className: "carried", data: { known: "no" } });
    const row = make(
      "li",
      { className: "row message", data: { direction, kind, size: length } },
      make("time", { text: clockTime(new Date()) }),
      make("span", { className: "arrow", "aria-label": direction, role: "img", text: sent ? "↑" : "↓" }),
      make("span", { className: "kind", text: sent ? `${message.number} ${kind}` : kind }),
      make("span", { className: "size", text: bytes(length) }),
      outcome,
      make(
        "span",
        { className: "onwire" },
        make("span", { className: "frame" }),
        carried,
        make("span", { className: "snippet", text: preview(content) }),
      ),
    );
    this.#rows.set(shape, row);
    if (shape.facts !== undefined) this.#showFacts(shape, shape.facts);
    this.#list.prepend(row);
    while (this.#list.children.length > ROWS_KEPT) this.#list.lastElementChild.remove();
  }

  /** What the server saw, null where it does not tell. It may come before the message has its row. */
  #showFacts(shape, facts) {
    shape.facts = facts;
    const row = this.#rows.get(shape);
    if (!row) return;
    this.#rows.delete(shape);
    const carried = row.querySelector(".carried");
    if (facts === null) {
      carried.dataset.known = "never";
      carried.textContent = "not known on the wire";
      return;
    }
    const { opcode, length } = shape;
    const { compressed, frames, header, payload } = facts;
    Object.assign(row.dataset, { header, payload, compressed, frames });
    const masked = row.dataset.direction === "sent";
    // Of several frames there is no one header to draw.
    const drawn = frames === 1 ? [this.#header(opcode, payload, masked, header, compressed)] : [];
    row.querySelector(".frame").replaceWith(...drawn);
    const parts = ["not compressed"];
    if (compressed) {
      // What got longer by it is no share of what it was.
      const percent = payload < length ? ` (${share(payload, length)})` : "";
      parts[0] = `compressed: ${bytes(payload)} of ${bytes(length)}${percent}`;
      if (length > 0) row.dataset.ratio = (payload / length).toFixed(4);
    }
    if (frames > 1) parts.push(`${count(frames)} frames, ${bytes(header)} of headers`);
    carried.dataset.known = "yes";
    carried.textContent = parts.join(", ");
  }

  /** How the server compresses its answers, from one message to the next: asked for there, and shown when it holds. */
  #followAnswers(watch) {
    this.#answers.addEventListener("change", () => {
      this.#answers.dataset.holds = "";
      watch.ask(this.#answers.value);
    });
    watch.addEventListener("answers", ({ detail }) => {
      this.#answers.dataset.holds = detail;
    });
    // A new watch has forgotten what the one before was asked.
    watch.addEventListener("state", () => {
      this.#enable(watch);
      if (watch.isWatching) watch.ask(this.#answers.value);
    });
  }

  #header(opcode, length, masked, size, compressed = false) {
    const cells = headerBytes(opcode, length, masked, compressed).map((byte, i) =>
      make("span", { className: `byte ${i === 0 ? "first" : "length"}`, text: hexByte(byte) }),
    );
    if (masked) for (let i = 0; i < MASK_KEY; i += 1) cells.push(make("span", { className: "byte mask", text: "••" }));
    const label = `header ${size} bytes${masked ? ", four of them the mask key" : ""}${compressed ? ", RSV1 set" : ""}`;
    return make("span", { className: "frame", role: "img", "aria-label": label, title: label }, ...cells);
  }

  #buildKeypad() {
    for (const [name, size] of SIZES) {
      const label = size === 1_048_576 ? "1 MiB" : count(size);
      byId("keypad-sizes").append(make("th", { scope: "col", text: label }));
      byId("keypad-text").append(make("td", {}, this.#key(name, TEXT, size, label)));
      byId("keypad-binary").append(make("td", {}, this.#key(`${name}-binary`, BINARY, size, label)));
      byId("keypad-cost").append(make("td", { text: `${headerSize(size, false)} + ${MASK_KEY}` }));
    }
    for (const [name, label, text] of SPECIALS) {
      const button = make("button", { type: "button", className: "chip", data: { testid: `preset-${name}` }, text: label });
      button.addEventListener("click", () => this.#send(text));
      this.#sends.push(button);
      byId("specials").append(button);
    }
  }

  #key(name, opcode, size, label) {
    const kind = opcode === TEXT ? "text" : "binary";
    const face = headerBytes(opcode, size, true).slice(0, 2).map(hexByte).join(" ");
    const button = make("button", { type: "button", className: "key", data: { testid: `preset-${name}` }, text: face });
    button.setAttribute("aria-label", `${face}: send ${label === "1 MiB" ? label : `${label} bytes`} of ${kind}`);
    button.addEventListener("click", () => this.#send(opcode === TEXT ? pattern(size) : binaryPattern(size)));
    this.#sends.push(button);
    return button;
  }

  #showCost() {
    const length = utf8Length(this.#text.value);
    byId("text-cost").textContent = `${bytes(length)} payload, ${headerSize(length, true)} B header`;
  }

  #enable(watch) {
    const closed = this.#scope.state !== "OPEN";
    // Where nothing was agreed on there is nothing to choose.
    this.#answers.disabled = !(watch.isWatched && this.#scope.compresses);
    for (const button of this.#sends) button.disabled = closed;
  }

  #showTally() {
    const { pending, verified, differs, lost } = this.#tally;
    const output = byId("echo-status");
    const status = differs + lost > 0 ? "differs" : pending > 0 ? "pending" : verified > 0 ? "verified" : "none";
    Object.assign(output.dataset, { status, pending, verified, differs, lost });
    const parts = [`${count(verified)} ${verified === 1 ? "echo" : "echoes"} equal to what was sent`];
    if (pending > 0) parts.push(`${count(pending)} waiting`);
    if (differs > 0) parts.push(`${count(differs)} different`);
    if (lost > 0) parts.push(`${count(lost)} lost`);
    output.textContent = status === "none" ? "No echo yet" : parts.join(", ");
  }
}

/** Text in which a shifted or missing piece shows: the numbers 0, 1, 2 … one after the other. */
function pattern(size) {
  let text = "";
  for (let n = 0; text.length < size; n += 1) text += `${n} `;
  return text.slice(0, size);
}

/** Bytes that repeat with a period no power of two divides. */
function binaryPattern(size) {
  return Uint8Array.from({ length: size }, (_, i) => i % 251);
}
