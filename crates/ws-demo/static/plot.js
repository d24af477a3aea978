// The round-trip plot: time to the right, round trip upwards on a logarithmic scale because a
// loopback and an ocean differ by four decades, and the distribution along the right edge.
// SVG with classes, so that colours follow the style sheet and nothing is styled inline.

import { duration } from "./format.js";

const SVG = "http://www.w3.org/2000/svg";
const MARGIN = { top: 10, right: 8, bottom: 24, left: 52 };
const HISTOGRAM = { width: 56, gap: 14, bins: 36 };
const TICKS_MS = [0.001, 0.01, 0.1, 1, 10, 100, 1000, 10_000, 100_000];

export function drawPlot(container, samples, { p50, p95 }, now, windowMs) {
  const width = container.clientWidth;
  const height = container.clientHeight;
  if (width === 0 || height === 0) return;
  const area = {
    left: MARGIN.left,
    right: width - MARGIN.right - HISTOGRAM.width - HISTOGRAM.gap,
    top: MARGIN.top,
    bottom: height - MARGIN.bottom,
  };
  const scale = verticalScale(samples, area);
  const x = (at) => area.right - ((now - at) / windowMs) * (area.right - area.left);

  const svg = shape("svg", { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
  svg.append(...grid(area, scale, windowMs, width));
  for (const kind of ["probe", "message"]) {
    const dots = samples.filter((sample) => sample.kind === kind);
    // A dot is a path of no length with round caps: one element however many samples.
    const d = dots.map(({ at, roundTrip }) => `M${x(at).toFixed(1)} ${scale.y(roundTrip).toFixed(1)}h0`).join("");
    if (d) svg.append(shape("path", { d, class: `dots dots-${kind}` }));
  }
  svg.append(...histogram(samples, scale, area, width));
  for (const [name, value] of [["median", p50], ["high", p95]]) {
    if (value === undefined) continue;
    const y = scale.y(value);
    svg.append(shape("line", { x1: area.left, x2: width - MARGIN.right, y1: y, y2: y, class: `level level-${name}` }));
  }
  if (samples.length === 0) {
    const middle = { x: (area.left + area.right) / 2, y: (area.top + area.bottom) / 2, class: "nothing" };
    svg.append(shape("text", middle, "Connect to an echo route"));
  }
  container.replaceChildren(svg);
}

/** Whole decades around the samples, two at the least. */
function verticalScale(samples, area) {
  const values = samples.map(({ roundTrip }) => Math.max(roundTrip, 0.001));
  let low = Math.floor(Math.log10(values.length ? Math.min(...values) : 0.1));
  let high = Math.ceil(Math.log10(values.length ? Math.max(...values) : 10));
  if (high - low < 2) {
    low = Math.min(low, high - 1);
    high = low + 2;
  }
  const share = (ms) => (Math.log10(Math.max(ms, 10 ** low)) - low) / (high - low);
  return { low, high, share, y: (ms) => area.bottom - share(ms) * (area.bottom - area.top) };
}

function* grid(area, { low, high, y }, windowMs, width) {
  for (const tick of TICKS_MS) {
    const decade = Math.round(Math.log10(tick));
    if (decade < low || decade > high) continue;
    yield shape("line", { x1: area.left, x2: width - MARGIN.right, y1: y(tick), y2: y(tick), class: "grid" });
    yield shape("text", { x: area.left - 8, y: y(tick) + 4, class: "tick tick-y" }, axisLabel(tick));
    if (decade === high) continue;
    for (const part of [2, 5]) {
      const at = y(tick * part);
      yield shape("line", { x1: area.left, x2: area.right, y1: at, y2: at, class: "grid fine" });
    }
  }
  for (let seconds = 0; seconds <= windowMs / 1000; seconds += 15) {
    const at = area.right - (seconds * 1000 * (area.right - area.left)) / windowMs;
    yield shape("line", { x1: at, x2: at, y1: area.top, y2: area.bottom, class: "grid fine" });
    yield shape("text", { x: at, y: area.bottom + 17, class: "tick tick-x" }, seconds === 0 ? "now" : `−${seconds} s`);
  }
}

function* histogram(samples, scale, area, width) {
  if (samples.length === 0) return;
  const bins = new Array(HISTOGRAM.bins).fill(0);
  for (const { roundTrip } of samples) {
    const bin = Math.floor(scale.share(roundTrip) * bins.length);
    bins[Math.min(Math.max(bin, 0), bins.length - 1)] += 1;
  }
  const most = Math.max(...bins);
  const step = (area.bottom - area.top) / bins.length;
  const left = width - MARGIN.right - HISTOGRAM.width;
  for (const [i, n] of bins.entries()) {
    if (n === 0) continue;
    const length = Math.max(2, (n / most) * HISTOGRAM.width);
    const y = area.bottom - (i + 1) * step + 0.5;
    yield shape("rect", { x: left, y, width: length, height: Math.max(1, step - 1), class: "bin" });
  }
}

function axisLabel(ms) {
  return duration(ms).replace(/\.0+(?= )/, "");
}

function shape(tag, attributes, text) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  if (text !== undefined) element.textContent = text;
  return element;
}
