// The wire between this page and the server: a pulse for each message, and what both directions
// have carried since the page was loaded, payload and frame headers apart. What the payload was on the
// wire is known of the messages that the server told of; the share is that of these.

import { byId, make } from "./dom.js";
import { bytes, count, share } from "./format.js";

const PULSES_AT_ONCE = 24;
const calm = matchMedia("(prefers-reduced-motion: reduce)");

export class Wire {
  #wire = byId("wire");
  #pulses = byId("pulses");
  #sent = { messages: 0, payload: 0, header: 0, plain: 0, carried: 0 };
  #received = { messages: 0, payload: 0, header: 0, plain: 0, carried: 0 };

  constructor(scope, watch) {
    byId("wire-origin").textContent = location.host;
    scope.addEventListener("state", () => {
      this.#wire.dataset.state = scope.state;
      byId("wire-host").textContent = scope.url.host;
      byId("wire-path").textContent = scope.url.pathname;
    });
    scope.addEventListener("sent", ({ detail }) => {
      this.#add("sent", this.#sent, detail);
      this.#pulse("sent", detail);
    });
    scope.addEventListener("message", ({ detail }) => {
      this.#add("received", this.#received, detail);
      this.#pulse("received", detail);
    });
    watch.addEventListener("facts", ({ detail: { direction, message, facts } }) => {
      this.#weigh(direction, direction === "sent" ? this.#sent : this.#received, message, facts);
    });
  }

  #weigh(direction, tally, { length, header }, facts) {
    tally.plain += length;
    tally.carried += facts.payload;
    // Until now the header was guessed.
    tally.header += facts.header - header;
    byId(`${direction}-header`).textContent = bytes(tally.header);
    const output = byId(`${direction}-carried`);
    Object.assign(output.dataset, { plain: tally.plain, payload: tally.carried });
    output.textContent = bytes(tally.carried);
    byId(`${direction}-share`).textContent = tally.plain > 0 ? share(tally.carried, tally.plain) : "–";
  }

  #add(direction, tally, { length, header }) {
    tally.messages += 1;
    tally.payload += length;
    tally.header += header;
    byId(`${direction}-messages`).textContent = count(tally.messages);
    byId(`${direction}-payload`).textContent = bytes(tally.payload);
    byId(`${direction}-header`).textContent = bytes(tally.header);
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
