// Numbers and times as the page shows them.

import { hexByte } from "./frame.js";

const grouped = new Intl.NumberFormat("en", { useGrouping: true });

export function count(n) {
  return grouped.format(n).replaceAll(",", "\u202f");
}

/** Bytes: exact up to 64 KiB and a bit, where the frame header's steps are, then KiB and MiB. */
export function bytes(n) {
  if (n <= 65_536) return `${count(n)} B`;
  if (n < 1024 * 1024) return `${(n / 1024).toFixed(1)} KiB`;
  const mib = n / (1024 * 1024);
  return `${Number.isInteger(mib) ? mib : mib.toFixed(2)} MiB`;
}

/** What is left of something, as a share of it, in percent. */
export function share(part, whole) {
  const percent = (100 * part) / whole;
  return `${percent < 10 ? percent.toFixed(1) : percent.toFixed(0)}\u00a0%`;
}

/** A duration in milliseconds, with three significant digits. */
export function duration(ms) {
  if (ms < 1) return `${Math.round(ms * 1000)} µs`;
  if (ms < 10) return `${ms.toFixed(2)} ms`;
  if (ms < 100) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${ms.toFixed(0)} ms`;
  return `${(ms / 1000).toFixed(2)} s`;
}

/** Time gone by since something, coarse enough to read while it moves. */
export function elapsed(ms) {
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.floor(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

export function clockTime(date) {
  const two = (n) => String(n).padStart(2, "0");
  const ms = String(date.getMilliseconds()).padStart(3, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${ms}`;
}

/** The beginning of a message on one line; control characters become visible. */
export function preview(content) {
  if (typeof content === "string") {
    if (content === "") return "(empty)";
    const shown = content.slice(0, 160).replace(/\p{Cc}/gu, (c) => String.fromCharCode(0x2400 + (c.charCodeAt(0) & 0x1f)));
    return content.length > 160 ? `${shown}…` : shown;
  }
  if (content.length === 0) return "(empty)";
  const shown = Array.from(content.subarray(0, 24), hexByte).join(" ");
  return content.length > 24 ? `${shown} …` : shown;
}
