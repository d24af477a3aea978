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

function closeWith(code, reason) {
  return async function close(peer, checks) {
    peer.sendText('before the end');
    checks.equal('text before closing', await peer.receive(), 'before the end');
    checks.equal(`the answer to Close ${code}`, await peer.close(code, reason), code ?? 1005);
  };
}

const closes = [[undefined, ''], ...table.closes].map(([code, reason]) => closeWith(code, reason));
export const cases = [texts, binaries, fragments, pings, manyInARow, ...closes];

/** One case on one connection, which is closed at its end. */
export async function runCase(number, peer, checks) {
  try {
    await cases[number](peer, checks);
    if (!closes.includes(cases[number])) {
      checks.equal('the answer to Close 1000', await peer.close(1000, ''), 1000);
    }
  } catch (error) {
    checks.failed(`case ${number}, ${cases[number].name}`, error);
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
