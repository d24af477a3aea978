// What was on the wire, as the server saw it. Scripts are shown messages and never frames, so this
// page asks the server: a second connection, to /wire, tells of each message of the first what it was
// as frames. The two go by a name that this page has made up.

const WAIT_MS = 2_000;

export class Watch extends EventTarget {
  #name = randomName();
  #socket = null;
  #ready = null;
  #connection = 0;
  // Messages and reports that wait for their counterpart, by direction and number.
  #waiting = new Map();
  #numbers = { sent: 0, received: 0 };

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

  get isWatching() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** The address under which a connection to `url` is watched; the same where this server is not asked. */
  address(url) {
    this.#connection += 1;
    this.#waiting.clear();
    this.#numbers = { sent: 0, received: 0 };
    if (!this.isWatching || !URL.canParse(url) || new URL(url).host !== location.host) return url;
    const address = new URL(url);
    address.searchParams.set("watch", this.#name);
    address.searchParams.set("connection", String(this.#connection));
    return address.href;
  }

  /** Asks for answers that are compressed `auto`, `always` or `never`; the event `answers` says since when. */
  ask(compress) {
    if (this.isWatching) this.#socket.send(JSON.stringify({ type: "answers", compress }));
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
      socket.addEventListener("close", () => {
        this.#announce("state");
        settle();
      });
    });
  }

  #hear(told) {
    if (told.type === "watching") this.#announce("state");
    else if (told.type === "answers") this.#announce("answers", told.compress);
    else if (told.type === "message" && told.connection === this.#connection) {
      // What the server received was sent here.
      const direction = told.direction === "received" ? "sent" : "received";
      this.#meet(`${direction} ${told.number}`, { facts: told });
    }
  }

  #count(direction, message) {
    this.#numbers[direction] += 1;
    if (this.isWatching) this.#meet(`${direction} ${this.#numbers[direction]}`, { direction, message });
  }

  /** A message and what the server saw of it come in either order: they are two connections. */
  #meet(key, half) {
    const other = this.#waiting.get(key);
    if (other === undefined) {
      this.#waiting.set(key, half);
      return;
    }
    this.#waiting.delete(key);
    this.#announce("facts", { ...other, ...half });
  }

  #announce(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** 128 random bits: nobody else is to watch, or to be taken for this page. */
function randomName() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
