// What a Node peer does with the echo on the other side, whichever end opened the connection. The
// table of values is the same as for the Python peers.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

export const table = JSON.parse(readFileSync(new URL('../scenarios.json', import.meta.url), 'utf8'));

/** Counts what was compared, and keeps what differed. */
export class Checks {
  count = 0;
  failures = [];

  equal(what, found, expected) {
    this.count += 1;
    try {
      assert.deepEqual(found, expected);
    } catch {
      this.failures.push(`${what}: ${shorten(found)}, and not ${shorten(expected)}`);
    }
  }

  failed(what, error) {
    this.failures.push(`${what}: ${error.stack ?? error}`);
  }

  /** Prints the result and returns the status to exit with. */
  finish() {
    for (const failure of this.failures) console.log(`FAILED ${failure}`);
    console.log(`${this.count - this.failures.length} checks passed, ${this.failures.length} failed`);
    return this.failures.length > 0 || this.count === 0 ? 1 : 0;
  }
}

function shorten(value) {
  const text = Buffer.isBuffer(value) ? value.toString('hex') : JSON.stringify(value);
  return text.length < 80 ? text : `${text.slice(0, 60)}... of length ${text.length}`;
}

/** Bytes in which no two neighbours and no two masking phases look alike. */
export function payload(size) {
  const bytes = Buffer.alloc(size);
  for (let i = 0; i < size; i += 1) bytes[i] = (i % 65536) * 31 + ((i % 65536) >> 8) * 7 + 5;
  return bytes;
}

/** Text that compresses well, and in which most of what repeats is near. */
function quotes(size) {
  const lines = [];
  for (let length = 0; length < size; length += lines.at(-1).length) {
    const number = lines.length;
    lines.push(`{"id":${number},"price":${(number * 7) % 1000},"volume":${(number * 7919) % 100003}}\n`);
  }
  return lines.join('').slice(0, size);
}

/** Bytes that nothing makes shorter. */
function noise(size) {
  const bytes = Buffer.alloc(size);
  let state = 1;
  for (let i = 0; i < size; i += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

/** The messages of one direction of which RSV1 was set, as the number of frames and the bytes of payload. */
export class Way {
  messages = [];
  #unfinished = [0, 0];
  #told = 0;

  frame(payload, fin) {
    this.#unfinished[0] += 1;
    this.#unfinished[1] += payload;
    if (!fin) return;
    this.messages.push(this.#unfinished);
    this.#unfinished = [0, 0];
  }

  /** Those since the last call. */
  since() {
    const messages = this.messages.slice(this.#told);
    this.#told = this.messages.length;
    return messages;
  }
}

/** What is agreed on if one end wants these parameters, and the other takes them. */
export function agreed(wanted) {
  return {
    server_no_context_takeover: wanted.server_no_context_takeover ?? false,
    client_no_context_takeover: wanted.client_no_context_takeover ?? false,
    server_max_window_bits: wanted.server_max_window_bits ?? 15,
    client_max_window_bits: wanted.client_max_window_bits ?? 15,
  };
}

/** The same as the query of a URL: what the server there is to want. */
function query(wanted) {
  const items = Object.entries(wanted).map(([name, value]) => (value === true ? name : `${name}=${value}`));
  return `?${['deflate', ...items].join('&')}`;
}

async function texts(peer, checks) {
  for (const text of table.texts) {
    peer.sendText(text);
    checks.equal('text', await peer.receive(), text);
  }
}

async function binaries(peer, checks) {
  for (const size of table.binary_sizes) {
    const data = payload(size);
    peer.sendBinary(data);
    checks.equal(`binary of ${size} bytes`, await peer.receive(), data);
  }
}

async function fragments(peer, checks) {
  for (const parts of table.fragmented_texts) {
    peer.sendFragments(parts);
    checks.equal('text in fragments', await peer.receive(), parts.join(''));
  }
  const parts = table.fragment_sizes.map(payload);
  peer.sendFragments(parts);
  checks.equal('binary in fragments', await peer.receive(), Buffer.concat(parts));
}

async function pings(peer, checks) {
  for (const size of table.ping_payload_sizes) {
    const data = payload(size);
    checks.equal(`the Pong for a Ping of ${size} bytes`, await peer.ping(data), data);
  }
  peer.sendText('still here');
  checks.equal('text after the Pings', await peer.receive(), 'still here');
}

async function manyInARow(peer, checks) {
  const count = table.messages_in_a_row;
  for (let number = 0; number < count; number += 1) peer.sendText(`message ${number}`);
  for (let number = 0; number < count; number += 1) {
    checks.equal('order', await peer.receive(), `message ${number}`);
  }
}

/** On one connection: what a window is for, and what must not disturb it. */
async function compressed(peer, checks) {
  const [own, other] = peer.isClient ? ['client', 'server'] : ['server', 'client'];
  const ways = () => [peer.sent.since(), peer.received.since()];
  const text = table.repeated_text;

  // With takeover a repeated message is next to nothing, without it is as long as before.
  const repeat = async () => {
    for (let times = 0; times < 2; times += 1) {
      peer.sendText(text);
      checks.equal('compressed text', await peer.receive(), text);
    }
    for (const [number, way] of ways().entries()) {
      const who = [own, other][number];
      checks.equal(`RSV1 on repeated text of the ${who}`, way.length, 2);
      const [[, first], [, again]] = way;
      const takeover = !peer.deflate[`${who}_no_context_takeover`];
      checks.equal(`repeated text of the ${who} is shorter`, again * 4 < first, takeover);
      checks.equal(`repeated text of the ${who} is as long`, again === first, !takeover);
    }
  };

  await repeat();
  for (const [send, empty] of [
    [() => peer.sendText(''), ''],
    [() => peer.sendBinary(Buffer.alloc(0)), Buffer.alloc(0)],
    [() => peer.sendFragments(['', '']), ''],
  ]) {
    send();
    checks.equal('empty message', await peer.receive(), empty);
  }
  checks.equal('RSV1 on empty messages', ways()[0].length, 3);

  const longText = quotes(table.long_text_size);
  const parts = [longText.slice(0, 1), '', longText.slice(1, 5000), longText.slice(5000)];
  for (const [send, frames] of [
    [() => peer.sendText(longText), 1],
    [() => peer.sendFragments(parts), parts.length],
  ]) {
    send();
    checks.equal('long text', (await peer.receive()) === longText, true);
    const [sent, received] = ways();
    checks.equal('RSV1 on long text, both ways', [sent.length, received.length], [1, 1]);
    checks.equal('frames of long text', sent[0][0], frames);
    checks.equal('long text is short', [sent, received].map(([[, size]]) => size * 4 < longText.length), [true, true]);
  }

  const data = noise(table.incompressible_size);
  peer.sendBinary(data);
  checks.equal('incompressible binary', await peer.receive(), data);
  const [sent, received] = ways();
  checks.equal('RSV1 on incompressible binary, from the library alone', [sent.length, received.length], [1, 0]);
  await repeat();
}

function closeWith(code, reason) {
  return async function close(peer, checks) {
    peer.sendText('before the end');
    checks.equal('text before closing', await peer.receive(), 'before the end');
    checks.equal(`the answer to Close ${code}`, await peer.close(code, reason), code ?? 1005);
  };
}

const closes = [[undefined, ''], ...table.closes].map(([code, reason]) => closeWith(code, reason));
// What compression must not change.
const plainCases = [texts, binaries, fragments, pings, manyInARow];
export const cases = [...plainCases, ...closes];

/** What a server runs: each case with the parameters that it imposes, or with null for no compression. */
export const servedCases = [
  ...cases.map((action) => [action, null]),
  ...table.deflate.map((wanted) => [compressed, wanted]),
  ...plainCases.map((action) => [action, {}]),
];

/** One case on one connection, which is closed at its end; `ask` is what to do before that. */
export async function runCase(action, peer, checks, ask) {
  try {
    await action(peer, checks);
    await ask?.(peer);
    if (!closes.includes(action)) {
      checks.equal('the answer to Close 1000', await peer.close(1000, ''), 1000);
    }
  } catch (error) {
    checks.failed(`${action.name}, ${JSON.stringify(peer.deflate)}`, error);
  }
}

/** What the server does when it is asked: it pings, and it closes. */
export async function commands(connect, checks) {
  const peer = await connect([]);
  peer.sendText('!ping');
  checks.equal("after the server's Ping", await peer.receive(), 'pong');
  await peer.close(1000, '');
  for (const [code, reason] of table.closes) {
    const peer = await connect([]);
    peer.sendText(`!close ${code} ${reason}`);
    checks.equal("the server's Close", await peer.ended(), [code, reason]);
  }
}

/** Each line of the table: what is offered, and what the server then speaks. */
export async function subprotocols(connect, checks) {
  for (const [offered, expected] of table.subprotocols) {
    if (offered.length > 0 && expected === null) {
      // This library does what browsers do: with an offer and no answer it fails by itself.
      const refused = await connect(offered).then(() => 'opened', (error) => error.message);
      checks.equal('subprotocol', refused, 'Server sent no subprotocol');
      continue;
    }
    const peer = await connect(offered);
    checks.equal(`subprotocol for ${offered}`, peer.socket.protocol, expected ?? '');
    peer.sendText('!subprotocol');
    checks.equal("the server's view of it", await peer.receive(), expected ?? 'none');
    await peer.close(1000, '');
  }
}

/** Compression takes two: neither is it forced on who does not offer it, nor on who declines. */
export async function notCompressed(connect, checks) {
  for (const [where, offered] of [['?deflate', null], ['', {}]]) {
    const peer = await connect([], offered, where);
    checks.equal('agreed without an offer or without an answer', peer.deflate, null);
    const text = table.repeated_text.repeat(10);
    for (let times = 0; times < 2; times += 1) {
      peer.sendText(text);
      checks.equal('text without compression', await peer.receive(), text);
    }
    peer.sendText('!deflate');
    checks.equal("the server's view of it", await peer.receive(), 'null');
    peer.sendText('!wire');
    const whole = [false, 1, text.length];
    // What was sent before, and the question about the agreement.
    const expected = { received: [whole, whole, [false, 1, 8]], sent: [whole, whole, [false, 1, 4]] };
    checks.equal("the server's view of the wire", JSON.parse(await peer.receive()), expected);
    await peer.close(1000, '');
  }
}

/** Each set of parameters, offered by this end and then imposed by the other. */
export async function deflate(connect, checks) {
  const expectAgreed = async (peer, wanted) => {
    const name = JSON.stringify(wanted);
    checks.equal(`agreed for ${name}`, peer.deflate, agreed(wanted));
    peer.sendText('!deflate');
    checks.equal("the server's view of it", JSON.parse(await peer.receive()), agreed(wanted));
    // The questions are forgotten on both sides.
    peer.sendText('!wire');
    await peer.receive();
    [peer.sent, peer.received] = [new Way(), new Way()];
  };
  // What one end has sent is what the other has received.
  const ask = async (peer) => {
    const [sent, received] = [[...peer.sent.messages], [...peer.received.messages]];
    peer.sendText('!wire');
    const seen = JSON.parse(await peer.receive());
    const compressedOnes = (messages) => messages.filter(([rsv1]) => rsv1).map(([, ...sizes]) => sizes);
    checks.equal("the server's view of what was sent", compressedOnes(seen.received), sent);
    checks.equal("the server's view of what was received", compressedOnes(seen.sent), received);
  };
  for (const wanted of table.deflate) {
    // A server does not say how it limits itself if it was not asked to.
    const { server_max_window_bits: _, ...imposed } = wanted;
    for (const [expected, offered, where] of [[wanted, wanted, {}], [imposed, {}, imposed]]) {
      const peer = await connect([], offered, query(where));
      await expectAgreed(peer, expected);
      await runCase(compressed, peer, checks, ask);
    }
  }
  for (const action of plainCases) {
    const peer = await connect([], {}, query({}));
    await expectAgreed(peer, {});
    await runCase(action, peer, checks, ask);
  }
}
