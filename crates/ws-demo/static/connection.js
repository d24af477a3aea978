// The connection panel: where to connect, how to close, and what the API tells meanwhile.

import { byId } from "./dom.js";
import { elapsed, count } from "./format.js";
import { utf8Length } from "./frame.js";
import { isHere, isKnown, isPlain, pathOf, routeOf } from "./routes.js";

/** Reason text of a Close frame: 125 bytes of payload less two for the code (section 5.5). */
const REASON_BYTES = 123;

const ROUTES = {
  "/echo": "Answers every message with itself.",
  "/chat": "Speaks the chat’s JSON: a first message {\"type\":\"join\",\"room\":\"lobby\",\"nick\":\"you\"} lets you in by hand.",
  "/reverse-001": "Answers text with the same text and “aaaa”, as the first tutorial’s server did. Binary is refused with 1003.",
  "/origin-checked": "An echo that insists on an Origin it knows: a page from elsewhere gets 403, which the API shows as 1006.",
};

export class ConnectionPanel {
  #scope;
  #watch;
  #route = byId("route");
  #compression = byId("compression");
  #url = byId("url");
  #subprotocol = byId("subprotocol");
  #code = byId("close-code");
  #reason = byId("close-reason");
  #complaint = byId("complaint");
  #buffered = byId("buffered");
  #since = byId("since");
  #heardAt = null;

  constructor(scope, watch) {
    this.#scope = scope;
    this.#watch = watch;
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    this.#url.value = `${scheme}//${location.host}${this.#route.value}`;
    this.#explainRoute();

    this.#route.addEventListener("change", () => this.#takeRoute());
    this.#compression.addEventListener("change", () => this.#takeCompression());
    this.#url.addEventListener("input", () => this.#explainRoute());
    this.#reason.addEventListener("input", () => this.#measureReason());
    byId("connect-form").addEventListener("submit", (event) => this.#connect(event));
    byId("close-form").addEventListener("submit", (event) => this.#close(event));
    scope.addEventListener("state", () => this.#showState());
    scope.addEventListener("open", ({ detail }) => this.#showNegotiated(detail));
    scope.addEventListener("sent", () => this.#watchBuffer());
    setInterval(() => this.#tick(), 100);
    this.#showState();
  }

  /** A message of the user's went out or came in: the clock of silence starts again. */
  heard() {
    this.#heardAt = performance.now();
    this.#tick();
  }

  async #connect(event) {
    event.preventDefault();
    await this.#watch.ready();
    // A second press may have come meanwhile.
    if (this.#scope.state !== "CLOSED") return;
    const protocols = this.#subprotocol.value.split(",").map((name) => name.trim()).filter(Boolean);
    this.#attempt(() => {
      this.#heardAt = null;
      this.#showNegotiated({ protocol: "", extensions: "" });
      const url = this.#url.value.trim();
      this.#scope.connect(url, protocols, this.#watch.address(url));
    });
  }

  #close(event) {
    event.preventDefault();
    const code = this.#code.value.trim();
    const reason = this.#reason.value;
    this.#attempt(() => {
      if (code === "") this.#scope.close();
      else this.#scope.close(Number(code), reason);
    });
  }

  /** The API refuses by throwing; what it says is shown in its own words. */
  #attempt(action) {
    this.#complaint.hidden = true;
    try {
      action();
    } catch (error) {
      this.#complaint.textContent = `${error.name}: ${error.message}`;
      this.#complaint.hidden = false;
    }
  }

  /** The routes are this server's: to choose one leads back to it. */
  #takeRoute() {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    this.#url.value = `${scheme}//${location.host}${pathOf(this.#route.value, !this.#compression.checked)}`;
    this.#explainRoute();
  }

  /** Only where it is known what stands at the path: elsewhere the switch is disabled. */
  #takeCompression() {
    const url = new URL(this.#url.value);
    url.pathname = pathOf(routeOf(url.pathname), !this.#compression.checked);
    this.#url.value = url.href;
  }

  #explainRoute() {
    const path = URL.canParse(this.#url.value) ? new URL(this.#url.value).pathname : "";
    const route = routeOf(path);
    byId("route-hint").textContent = ROUTES[route] ?? "Not one of this server’s routes: echoes cannot be checked there.";
    this.#compression.disabled = !isHere(this.#url.value) || !isKnown(path);
    if (this.#compression.disabled) return;
    this.#route.value = route;
    this.#compression.checked = !isPlain(path);
  }

  #measureReason() {
    const size = utf8Length(this.#reason.value);
    const label = byId("reason-size");
    label.textContent = `${size} of ${REASON_BYTES} B`;
    label.classList.toggle("bad", size > REASON_BYTES);
  }

  #showState() {
    const state = this.#scope.state;
    byId("state-lamp").dataset.state = state;
    byId("state-name").textContent = state;
    for (const step of byId("rail").children) {
      if (step.dataset.state === state) step.setAttribute("aria-current", "step");
      else step.removeAttribute("aria-current");
    }
    byId("connect").disabled = state !== "CLOSED";
    byId("close").disabled = state !== "CONNECTING" && state !== "OPEN";
    this.#tick();
  }

  #showNegotiated({ protocol, extensions }) {
    byId("protocol").textContent = protocol || "none";
    byId("extensions").textContent = extensions || "none";
  }

  #watchBuffer() {
    this.#tick();
    if (this.#scope.bufferedAmount > 0) requestAnimationFrame(() => this.#watchBuffer());
  }

  #tick() {
    this.#buffered.textContent = count(this.#scope.bufferedAmount);
    this.#since.textContent = this.#heardAt === null ? "–" : elapsed(performance.now() - this.#heardAt);
  }
}
