// The package `ws`, as client and as server: `ws_peer.mjs client URL` or `ws_peer.mjs server`. The
// server answers the same paths as the Python peers.

import { once } from 'node:events';
import process from 'node:process';
import { WebSocket, WebSocketServer } from 'ws';

import { Checks, cases, commands, runCase, subprotocols } from './scenarios.mjs';

// For one message or one handshake, in milliseconds. Everything happens on the loopback.
const TIMEOUT = 20_000;

// What this peer speaks as a server, beside no subprotocol at all.
const SUBPROTOCOL = 'chat.v1';

/** One connection: its messages, Pongs and end wait in queues until they are asked for. */
class Peer {
  constructor(socket) {
    this.socket = socket;
    this.messages = new Queue();
    this.pongs = new Queue();
    this.closed = new Queue();
    socket.on('message', (data, isBinary) => {
      this.messages.put(isBinary ? data : data.toString('utf8'));
    });
    socket.on('pong', (data) => this.pongs.put(data));
    socket.on('close', (code, reason) => {
      this.closed.put([code, reason.toString('utf8')]);
      this.messages.end(new Error(`closed with ${code}`));
    });
    socket.on('error', (error) => this.messages.end(error));
  }

  sendText(text) {
    this.socket.send(text);
  }

  sendBinary(data) {
    this.socket.send(data);
  }

  sendFragments(parts) {
    parts.forEach((part, number) => {
      this.socket.send(part, { fin: number === parts.length - 1, binary: typeof part !== 'string' });
    });
  }

  receive() {
    return this.messages.take();
  }

  async ping(data) {
    this.socket.ping(data);
    return this.pongs.take();
  }

  /** The code in the Close of the other side: `ws` reports it when both have closed. */
  async close(code, reason) {
    this.socket.close(code, reason);
    const [answered] = await this.closed.take();
    return answered;
  }

  /** The code and the reason of a closing handshake that the other side begins. */
  ended() {
    return this.closed.take();
  }
}

/** What has arrived, and one reader who waits for it. */
class Queue {
  items = [];
  ended = undefined;
  waiting = undefined;

  put(item) {
    if (this.waiting) {
      // Its reader goes on later; another item may come before that.
      this.waiting.resolve(item);
      this.waiting = undefined;
    } else {
      this.items.push(item);
    }
  }

  end(error) {
    this.ended ??= error;
    this.waiting?.reject(this.ended);
  }

  async take() {
    if (this.items.length > 0) return this.items.shift();
    if (this.ended) throw this.ended;
    let timer;
    try {
      return await new Promise((resolve, reject) => {
        this.waiting = { resolve, reject };
        timer = setTimeout(() => reject(new Error('nothing came')), TIMEOUT);
      });
    } finally {
      clearTimeout(timer);
    }
  }
}

async function runClient(url) {
  const checks = new Checks();
  const connect = async (offered) => {
    const socket = new WebSocket(url, offered, { handshakeTimeout: TIMEOUT });
    const peer = new Peer(socket);
    await once(socket, 'open');
    return peer;
  };
  for (let number = 0; number < cases.length; number += 1) {
    await runCase(number, await connect([]), checks);
  }
  for (const more of [commands, subprotocols]) {
    await more(connect, checks).catch((error) => checks.failed(more.name, error));
  }
  return checks.finish();
}

async function runServer() {
  const checks = new Checks();
  const handleProtocols = (offered) => offered.has(SUBPROTOCOL) && SUBPROTOCOL;
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, handleProtocols });
  const finished = new Promise((resolve) => {
    server.on('connection', (socket, request) => {
      serve(new Peer(socket), new URL(request.url, 'ws://localhost'), checks)
        .catch((error) => checks.failed(request.url, error))
        .then((isLast) => isLast && resolve());
    });
  });
  await once(server, 'listening');
  console.log(`listening on ws://127.0.0.1:${server.address().port}`);
  await finished;
  server.close();
  return checks.finish();
}

/** One connection; tells whether it was the last. */
async function serve(peer, url, checks) {
  const query = Object.fromEntries(url.searchParams);
  switch (url.pathname) {
    case '/getCaseCount':
      peer.sendText(String(cases.length));
      await peer.close(1000, '');
      return false;
    case '/runCase':
      await runCase(Number(query.case) - 1, peer, checks);
      return false;
    case '/updateReports':
      await peer.close(1000, '');
      return true;
    case '/echo':
      peer.socket.on('message', (data, isBinary) => peer.socket.send(data, { binary: isBinary }));
      await peer.closed.take();
      return false;
    case '/closing': {
      const [, code, reason] = (await peer.receive()).match(/^(\d+) ?(.*)$/);
      checks.equal('the answer to Close', await peer.close(Number(code), reason), Number(code));
      return false;
    }
    default:
      throw new Error(`nothing is served at ${url.pathname}`);
  }
}

const [role, url] = process.argv.slice(2);
if (role === 'client' && url) process.exitCode = await runClient(url);
else if (role === 'server') process.exitCode = await runServer();
else {
  console.error('usage: ws_peer.mjs client URL | server');
  process.exitCode = 2;
}
