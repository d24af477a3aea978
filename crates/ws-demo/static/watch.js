// What was on the wire, as the server saw it. Scripts are shown messages and never frames, so this
// page asks the server: a second connection, to /wire, tells of each message of the first what it was
// as frames. The two go by a name that this page has made up.
//
// Events it dispatches: `state` when the server begins or ceases to watch, `answers`, and `facts` once for
// each message, when the server has told of it or it is clear that it will not.

import { isHere, isKnown } from "./routes.js";

const WAIT_MS = 2_000;
/** Messages of a direction that wait for their report, or the other way around: beyond that the oldest is given up. */
const WAITING = 1_000;

export class Watch extends EventTarget {
  #name = randomName();
  #socket = null;
  #ready = null;
  #isWatching = false;
  #connection = 0;
  // Whether the present connection was opened by an address that says who watches it.
  #isWatched = false;
  #ways = { sent: new Way(), received: new Way() };

  constructor(scope) {
    super();
    scope.addEventListener("sent", ({ detail }) => this.#count("sent", detail));
    scope.addEventListener("message", ({ detail }) => this.#count("received", detail));
    this.ready();
  }

  /** Resolves when the server watches, or when it is clear that it does not; never rejects. */
  ready() {
    if (this.#socket === null || this.#socket.readyState > WebSocket.OPEN) this.#ready = this.#open();
    return this.#ready;
  }

  /** Whether this server tells of connections that are opened from now on. */
  get isWatching() {
    return this.#isWatching;
  }

  /** Whether it tells of the present one. */
  get isWatched() {
    return this.#isWatched;
  }

  /** The address under which a connection to `url` is watched; the same where this server does not tell of it. */
  address(url) {
    this.#giveUp();
    this.#connection += 1;
    this.#ways = { sent: new Way(), received: new Way() };
    this.#isWatched = this.#isWatching && isRoute(url);
    if (!this.#isWatched) return url;
    const address = new URL(url);
    address.searchParams.set("watch", this.#name);
    address.searchParams.set("connection", String(this.#connection));
    return address.href;
  }

  /** Asks for answers that are compressed `auto`, `always` or `never`; the event `answers` says since when. */
  ask(compress) {
    if (this.#isWatching) this.#socket.send(JSON.stringify({ type: "answers", compress }));
  }

  #open() {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}/wire?watch=${this.#name}`);
    this.#socket = socket;
    return new Promise((resolve) => {
      const settle = () => {
        clearTimeout(deadline);
        resolve();
      };
      const deadline = setTimeout(settle, WAIT_MS);
      socket.addEventListener("message", ({ data }) => {
        this.#hear(JSON.parse(data));
        settle();
      });
      // Refused (1008), or over: of what is sent now nobody tells.
      socket.addEventListener("close", () => {
        this.#isWatching = false;
        this.#giveUp();
        this.#announce("state");
        settle();
      });
    });
  }

  #hear(told) {
    if (told.type === "watching") {
      this.#isWatching = true;
      this.#announce("state");
    } else if (told.type === "answers") this.#announce("answers", told.compress);
    else if (told.type === "message" && told.connection === this.#connection) {
      // What the server received was sent here.
      const direction = told.direction === "received" ? "sent" : "received";
      this.#ways[direction].reports.push(told);
      this.#meet(direction);
    }
  }

  #count(direction, { shape }) {
    if (!this.#isWatched) {
      this.#tell(direction, shape, null);
      return;
    }
    const way = this.#ways[direction];
    way.count += 1;
    way.messages.push({ number: way.count, shape });
    this.#meet(direction);
  }

  /** A message and what the server saw of it come in either order: they are two connections. Each keeps its own. */
  #meet(direction) {
    const { messages, reports } = this.#ways[direction];
    while (messages.length > 0 && reports.length > 0) {
      const [message, report] = [messages[0], reports[0]];
      if (message.number <= report.number) messages.shift();
      if (message.number >= report.number) reports.shift();
      // A later number tells that the report of this message was lost.
      if (message.number <= report.number) {
        this.#tell(direction, message.shape, message.number === report.number ? report : null);
      }
    }
    while (messages.length > WAITING) this.#tell(direction, messages.shift().shape, null);
    while (reports.length > WAITING) reports.shift();
  }

  /** Nobody will tell of the messages that wait, nor of any that follow. */
  #giveUp() {
    this.#isWatched = false;
    for (const [direction, { messages }] of Object.entries(this.#ways)) {
      for (const { shape } of messages.splice(0)) this.#tell(direction, shape, null);
    }
  }

  /** `facts` is null where it is clear that they will not come. */
  #tell(direction, shape, facts) {
    this.#announce("facts", { direction, shape, facts });
  }

  #announce(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** One direction of the present connection: how many messages there were, and what waits for its counterpart. */
class Way {
  count = 0;
  messages = [];
  reports = [];
}

/** Whether `url` leads to a route of this server, which may be watched. */
function isRoute(url) {
  return isHere(url) && isKnown(new URL(url).pathname);
}

/** 128 random bits: nobody else is to watch, or to be taken for this page. */
function randomName() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
