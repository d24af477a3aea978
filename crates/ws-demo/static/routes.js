// The server's routes are there twice: below /plain it declines compression.

const PLAIN = "/plain";

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
