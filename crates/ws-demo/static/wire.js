// The wire between this page and the server: a pulse for each message, and what both directions
// of the present connection have carried, payload and frame headers apart. What was on the wire is known
// of the messages that the server told of: headers and share are those of these.

import { byId, make } from "./dom.js";
import { bytes, count, share } from "./format.js";

const PULSES_AT_ONCE = 24;
const calm = matchMedia("(prefers-reduced-motion: reduce)");

export class Wire {
  #wire = byId("wire");
  #pulses = byId("pulses");
  #tallies = {};

  constructor(scope, watch) {
    byId("wire-origin").textContent = location.host;
    scope.addEventListener("state", () => {
      if (scope.state === "CONNECTING") this.#clear();
      this.#wire.dataset.state = scope.state;
      byId("wire-host").textContent = scope.url.host;
      byId("wire-path").textContent = scope.url.pathname;
    });
    scope.addEventListener("sent", ({ detail }) => {
      this.#add("sent", detail);
      this.#pulse("sent", detail);
    });
    scope.addEventListener("message", ({ detail }) => {
      this.#add("received", detail);
      this.#pulse("received", detail);
    });
    watch.addEventListener("facts", ({ detail: { direction, shape, facts } }) => {
      if (facts !== null) this.#weigh(direction, shape, facts);
    });
    this.#clear();
  }

  #clear() {
    for (const direction of ["sent", "received"]) {
      this.#tallies[direction] = { messages: 0, payload: 0, told: 0, header: 0, plain: 0, carried: 0 };
      this.#show(direction);
    }
  }

  #add(direction, { length }) {
    const tally = this.#tallies[direction];
    tally.messages += 1;
    tally.payload += length;
    this.#show(direction);
  }

  #weigh(direction, { length }, { header, payload }) {
    const tally = this.#tallies[direction];
    tally.told += 1;
    tally.header += header;
    tally.plain += length;
    tally.carried += payload;
    this.#show(direction);
  }

  #show(direction) {
    const { messages, payload, told, header, plain, carried } = this.#tallies[direction];
    byId(`${direction}-messages`).textContent = count(messages);
    byId(`${direction}-payload`).textContent = bytes(payload);
    byId(`${direction}-header`).textContent = told > 0 ? bytes(header) : "–";
    const output = byId(`${direction}-carried`);
    Object.assign(output.dataset, { told, header, plain, payload: carried });
    output.textContent = told > 0 ? `${bytes(carried)} of ${bytes(plain)}` : "–";
    byId(`${direction}-share`).textContent = plain > 0 ? `(${share(carried, plain)})` : "";
  }

  /** A longer message is a longer pulse, by the logarithm of its size. */
  #pulse(direction, { length }) {
    if (calm.matches || document.hidden || this.#pulses.children.length >= PULSES_AT_ONCE) return;
    const pulse = make("i", { className: `pulse pulse-${direction}` });
    pulse.style.width = `${6 + 5 * Math.log2(1 + length / 16)}px`;
    this.#pulses.append(pulse);
    const ends = [{ left: "0%", transform: "translateX(-100%)" }, { left: "100%", transform: "translateX(0)" }];
    if (direction === "received") ends.reverse();
    const run = pulse.animate(ends, { duration: 700, easing: "cubic-bezier(.45,.05,.55,.95)" });
    run.addEventListener("finish", () => pulse.remove());
  }
}
