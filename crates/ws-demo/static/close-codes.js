// What a close code means (RFC 6455 section 7.4). The last three never travel: the browser
// reports them itself.

const MEANINGS = new Map([
  [1000, "normal closure"],
  [1001, "going away"],
  [1002, "protocol error"],
  [1003, "cannot accept this type of data"],
  [1007, "data does not fit its type, as text that is not UTF-8"],
  [1008, "policy violation"],
  [1009, "message too big"],
  [1010, "an extension was expected and not negotiated"],
  [1011, "the server met an unexpected condition"],
  [1012, "service restart"],
  [1013, "try again later"],
  [1014, "bad gateway"],
  [1005, "the Close frame carried no code"],
  [1006, "no Close frame arrived; the API hides the cause"],
  [1015, "the TLS handshake failed"],
]);

export function meaning(code) {
  const known = MEANINGS.get(code);
  if (known) return known;
  if (code >= 3000 && code <= 3999) return "registered with IANA by a library or framework";
  if (code >= 4000 && code <= 4999) return "private use";
  return "not assigned";
}
