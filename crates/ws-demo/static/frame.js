// What one frame costs on the wire (RFC 6455 section 5.2). A page never sees frames, so this is
// arithmetic on the payload length: one unfragmented frame, uncompressed unless something else is known.

export const TEXT = 0x1;
export const BINARY = 0x2;

const FIN = 0x80;
// The message is compressed (RFC 7692 section 6).
const RSV1 = 0x40;
const MASK = 0x80;
const MASK_KEY_BYTES = 4;

const encoder = new TextEncoder();
// Without `ignoreBOM` the decoder would drop a leading U+FEFF, which the wire keeps.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** The header bytes before the masking key: 2, 4 or 10 of them. */
export function headerBytes(opcode, length, masked, compressed = false) {
  const mask = masked ? MASK : 0;
  const first = FIN | (compressed ? RSV1 : 0) | opcode;
  if (length <= 125) return [first, mask | length];
  if (length <= 0xffff) return [first, mask | 126, length >> 8, length & 0xff];
  const bytes = [first, mask | 127];
  for (let shift = 56; shift >= 0; shift -= 8) bytes.push(Math.floor(length / 2 ** shift) % 256);
  return bytes;
}

/** Header bytes in all: a client adds the masking key. */
export function headerSize(length, masked) {
  return (length <= 125 ? 2 : length <= 0xffff ? 4 : 10) + (masked ? MASK_KEY_BYTES : 0);
}

/** A message as the other side must give it back: what `send()` really puts on the wire. */
export function wireForm(data) {
  if (typeof data !== "string") {
    return { opcode: BINARY, length: data.byteLength, content: new Uint8Array(data) };
  }
  const bytes = encoder.encode(data);
  // Lone surrogates leave as U+FFFD, so the comparison must expect that.
  return { opcode: TEXT, length: bytes.length, content: decoder.decode(bytes) };
}

export function sameContent(a, b) {
  if (typeof a === "string" || typeof b === "string") return a === b;
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

export function utf8Length(text) {
  return encoder.encode(text).length;
}

export function utf8Bytes(text) {
  return encoder.encode(text);
}

export function hexByte(byte) {
  return byte.toString(16).toUpperCase().padStart(2, "0");
}
