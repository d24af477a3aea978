// The server's routes are there twice: below /plain it declines compression.

const PLAIN = "/plain";

const ROUTES = new Set(["/echo", "/chat", "/reverse-001", "/origin-checked"]);

/** Whether a URL leads to the server of this page. */
export function isHere(url) {
  return URL.canParse(url) && new URL(url).host === location.host;
}

/** Whether this page knows what is at this path of its server. */
export function isKnown(path) {
  return ROUTES.has(routeOf(path));
}

/** Whether the server declines compression at this path. */
export function isPlain(path) {
  return path.startsWith(`${PLAIN}/`);
}

/** The route, with compression or without. */
export function routeOf(path) {
  return isPlain(path) ? path.slice(PLAIN.length) : path;
}

/** The path of a route with compression, or without. */
export function pathOf(route, plain) {
  return plain ? PLAIN + route : route;
}
