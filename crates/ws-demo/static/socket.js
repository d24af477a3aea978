// The one connection under study: a WebSocket that says what happens to it.
//
// Events it dispatches: `state` after every change of readyState, the API's own four (`open`,
// `message`, `error`, `close`, each with `detail`), and `sent`.

import { TEXT, BINARY, wireForm } from "./frame.js";

export const STATES = ["CONNECTING", "OPEN", "CLOSING", "CLOSED"];

export class Scope extends EventTarget {
  #socket = null;
  #url = null;

  /**
   * Throws what the WebSocket constructor throws: SyntaxError for a URL or subprotocol it refuses.
   * `address` is `url` with what this page adds to it.
   */
  connect(url, protocols, address = url) {
    const socket = new WebSocket(address, protocols);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    this.#url = new URL(url, location.href);
    socket.addEventListener("open", () => {
      this.#announce("state");
      this.#announce("open", { protocol: socket.protocol, extensions: socket.extensions });
    });
    socket.addEventListener("message", (event) => this.#take(event));
    socket.addEventListener("error", () => this.#announce("error"));
    socket.addEventListener("close", (event) => {
      this.#announce("state");
      const { code, reason, wasClean } = event;
      this.#announce("close", { code, reason, wasClean });
    });
    this.#announce("state");
  }

  /** Throws what `close()` throws: InvalidAccessError for the code, SyntaxError for the reason. */
  close(code, reason) {
    if (code === undefined) this.#socket?.close();
    else this.#socket?.close(code, reason);
    this.#announce("state");
  }

  /** Puts one message on the wire; the answer describes it. Only while OPEN. */
  send(data) {
    const message = wireForm(data);
    message.shape = shape(message);
    message.at = performance.now();
    this.#socket.send(data);
    this.#announce("sent", message);
    return message;
  }

  #take(event) {
    const at = performance.now();
    const text = typeof event.data === "string";
    const content = text ? event.data : new Uint8Array(event.data);
    const length = text ? wireForm(content).length : content.length;
    const opcode = text ? TEXT : BINARY;
    this.#announce("message", { at, opcode, length, content, shape: shape({ opcode, length }) });
  }

  get state() {
    return STATES[this.#socket?.readyState ?? WebSocket.CLOSED];
  }

  /** Whether compression was agreed on for the connection that is open. */
  get compresses() {
    return this.state === "OPEN" && this.#socket.extensions.startsWith("permessage-deflate");
  }

  get bufferedAmount() {
    return this.#socket?.bufferedAmount ?? 0;
  }

  get url() {
    return this.#url;
  }

  #announce(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** A message without its content: what may be kept of it for long. */
function shape({ opcode, length }) {
  return { opcode, length };
}
