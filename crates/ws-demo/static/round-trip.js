// Round-trip times, measured by this page on its own clock: a probe carries its sending time, and
// its echo is timed when the `message` event fires. The server's clock plays no part.

import { byId } from "./dom.js";
import { count, duration } from "./format.js";
import { drawPlot } from "./plot.js";

const WINDOW_MS = 60_000;
/** Probes on their way at once; beyond that the path is the bottleneck and more would only queue. */
const PROBES_IN_FLIGHT = 8;

export class RoundTripPanel {
  #scope;
  #ledger;
  #plot = byId("rtt-plot");
  #samples = [];
  #inFlight = 0;
  #sequence = 0;
  #paused = false;
  #pausedAt = 0;
  #timer = null;

  constructor(scope, ledger) {
    this.#scope = scope;
    this.#ledger = ledger;
    byId("rtt-pause").addEventListener("click", () => this.#pause());
    byId("probe-interval").addEventListener("change", () => this.#schedule());
    scope.addEventListener("open", () => this.#schedule());
    scope.addEventListener("close", () => this.#schedule());
    new ResizeObserver(() => this.#draw()).observe(this.#plot);
    setInterval(() => this.#slide(), 1000);
    byId("clock-step").textContent = `clock step ${duration(clockStep())}`;
    this.#draw();
  }

  /** One of the user's own messages came back. */
  mark(roundTrip) {
    this.#record(roundTrip, "message");
  }

  #schedule() {
    clearInterval(this.#timer);
    this.#timer = null;
    const measuring = this.#scope.state === "OPEN" && this.#ledger.echoes && !this.#paused;
    if (!measuring) return;
    this.#timer = setInterval(() => this.#probe(), Number(byId("probe-interval").value));
    this.#probe();
  }

  #probe() {
    if (this.#scope.state !== "OPEN" || this.#inFlight >= PROBES_IN_FLIGHT) return;
    this.#sequence += 1;
    this.#inFlight += 1;
    const settle = ({ status, roundTrip }) => {
      this.#inFlight -= 1;
      if (status === "verified") this.#record(roundTrip, "probe");
    };
    this.#ledger.send(`probe ${this.#sequence} ${performance.now().toFixed(3)}`, settle, true);
  }

  #record(roundTrip, kind) {
    if (this.#paused) return;
    this.#samples.push({ at: performance.now(), roundTrip, kind });
    this.#draw();
  }

  #pause() {
    this.#paused = !this.#paused;
    this.#pausedAt = performance.now();
    const button = byId("rtt-pause");
    button.setAttribute("aria-pressed", String(this.#paused));
    button.textContent = this.#paused ? "Resume" : "Pause";
    this.#schedule();
    this.#draw();
  }

  #slide() {
    if (!this.#paused && this.#samples.length > 0 && !document.hidden) this.#draw();
  }

  #draw() {
    const now = this.#paused ? this.#pausedAt : performance.now();
    const oldest = this.#samples.findIndex(({ at }) => at >= now - WINDOW_MS);
    this.#samples.splice(0, oldest < 0 ? this.#samples.length : oldest);
    const sorted = this.#samples.map(({ roundTrip }) => roundTrip).sort((a, b) => a - b);
    const figures = {
      p50: percentile(sorted, 0.5),
      p95: percentile(sorted, 0.95),
      min: sorted.at(0),
      max: sorted.at(-1),
    };
    for (const [name, value] of Object.entries(figures)) {
      byId(`rtt-${name}`).textContent = value === undefined ? "–" : duration(value);
    }
    byId("rtt-count").textContent = count(sorted.length);
    this.#plot.dataset.points = String(sorted.length);
    this.#plot.setAttribute("aria-label", describe(sorted.length, figures));
    drawPlot(this.#plot, this.#samples, figures, now, WINDOW_MS);
  }
}

/** Nearest rank: a value that was really measured. */
function percentile(sorted, share) {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
}

function describe(samples, { p50, p95 }) {
  if (samples === 0) return "Round-trip times of the last minute: no samples yet";
  return `Round-trip times of the last minute: ${samples} samples, p50 ${duration(p50)}, p95 ${duration(p95)}`;
}

/** Browsers coarsen `performance.now()`; the smallest step seen says how far to trust the plot. */
function clockStep() {
  let least = Infinity;
  let last = performance.now();
  const until = last + 4;
  while (last < until) {
    const now = performance.now();
    if (now > last) least = Math.min(least, now - last);
    last = now;
  }
  return least;
}
