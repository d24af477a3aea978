// Pairs what came back with what went out. A WebSocket keeps order, so the oldest message still
// waiting is the one an echo answers; its contents are compared, not only its size.

import { sameContent } from "./frame.js";
import { routeOf } from "./routes.js";

/** What each route of the server answers, or null where it is no echo. */
const ANSWERS = {
  "/echo": (content) => content,
  "/origin-checked": (content) => content,
  "/reverse-001": (content) => (typeof content === "string" ? `${content}aaaa` : null),
};

export class EchoLedger {
  #scope;
  #answer = null;
  #waiting = [];

  constructor(scope) {
    this.#scope = scope;
    scope.addEventListener("open", () => {
      this.#answer = ANSWERS[routeOf(scope.url.pathname)] ?? null;
    });
    scope.addEventListener("close", () => {
      this.#answer = null;
      for (const entry of this.#waiting.splice(0)) entry.settle({ status: "lost" });
    });
  }

  /** True when the route of the open connection answers each message with a known one. */
  get echoes() {
    return this.#answer !== null;
  }

  /**
   * Sends `data`. `settle` is called once with `{status, roundTrip}`: "verified", "differs",
   * "lost" when the connection ended first, or "unasked" where the route is no echo.
   */
  send(data, settle, probe = false) {
    const expected = { content: null, probe, settle, at: 0, message: null };
    const message = this.#scope.send(data);
    expected.content = this.#answer?.(message.content) ?? null;
    expected.at = message.at;
    expected.message = message;
    message.probe = probe;
    if (expected.content === null) settle({ status: "unasked" });
    else this.#waiting.push(expected);
    return message;
  }

  /** Settles the oldest waiting message against `message`; tells whether that was a probe. */
  receive(message) {
    const entry = this.#waiting.shift();
    if (!entry) return { probe: false, status: "unasked" };
    const status = sameContent(entry.content, message.content) ? "verified" : "differs";
    const roundTrip = message.at - entry.at;
    entry.settle({ status, roundTrip });
    return { probe: entry.probe, status, roundTrip, answers: entry.message };
  }
}
