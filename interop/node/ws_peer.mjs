// The package `ws`, as client and as server: `ws_peer.mjs client URL` or `ws_peer.mjs server`. The
// server answers the same paths as the Python peers.

import { once } from 'node:events';
import { createServer } from 'node:http';
import process from 'node:process';
import { PerMessageDeflate, WebSocket, WebSocketServer } from 'ws';

import {
  Checks, Way, agreed, cases, commands, deflate, notCompressed, runCase, servedCases, subprotocols,
} from './scenarios.mjs';

// For one message or one handshake, in milliseconds. Everything happens on the loopback.
const TIMEOUT = 20_000;

// What this peer speaks as a server, beside no subprotocol at all.
const SUBPROTOCOL = 'chat.v1';

/** One connection: its messages, Pongs and end wait in queues until they are asked for. */
class Peer {
  constructor(socket, isClient) {
    this.socket = socket;
    this.isClient = isClient;
    this.sent = new Way();
    this.received = new Way();
    // Before the handshake is over a client does not know.
    this.deflate = null;
    if (!isClient) this.watch();
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

  /** Takes down what was agreed on, and shows each compressed frame to `sent` and `received`. */
  watch() {
    // The library has no other way to tell either.
    const extension = this.socket._extensions[PerMessageDeflate.extensionName];
    if (!extension) return;
    const { params } = extension;
    this.deflate = agreed(params);
    const compress = extension.compress.bind(extension);
    extension.compress = (data, fin, done) => compress(data, fin, (error, compressed) => {
      if (!error) this.sent.frame(compressed.length, fin);
      done(error, compressed);
    });
    const decompress = extension.decompress.bind(extension);
    extension.decompress = (data, fin, done) => {
      this.received.frame(data.length, fin);
      decompress(data, fin, done);
    };
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

/** The library's options for these parameters; no compression for null. */
function options(wanted) {
  return wanted && {
    serverNoContextTakeover: wanted.server_no_context_takeover,
    clientNoContextTakeover: wanted.client_no_context_takeover,
    serverMaxWindowBits: wanted.server_max_window_bits,
    clientMaxWindowBits: wanted.client_max_window_bits,
    // By default short messages are not compressed where there is no takeover.
    threshold: 0,
  };
}

async function runClient(url) {
  const checks = new Checks();
  const connect = async (offered, wanted = null, query = '') => {
    const perMessageDeflate = options(wanted) ?? false;
    const socket = new WebSocket(url + query, offered, { handshakeTimeout: TIMEOUT, perMessageDeflate });
    const peer = new Peer(socket, true);
    await once(socket, 'open');
    peer.watch();
    return peer;
  };
  for (const action of cases) {
    await runCase(action, await connect([]), checks);
  }
  for (const more of [commands, subprotocols, notCompressed, deflate]) {
    await more(connect, checks).catch((error) => checks.failed(more.name, error));
  }
  return checks.finish();
}

async function runServer() {
  const checks = new Checks();
  const handleProtocols = (offered) => offered.has(SUBPROTOCOL) && SUBPROTOCOL;
  const listener = createServer();
  const serving = new Set();
  const finished = new Promise((resolve) => {
    listener.on('upgrade', (request, stream, head) => {
      const url = new URL(request.url, 'ws://localhost');
      // One for each connection, because it is the server that has the parameters.
      const perMessageDeflate = options(wanted(url)) ?? false;
      const server = new WebSocketServer({ noServer: true, handleProtocols, perMessageDeflate });
      server.handleUpgrade(request, stream, head, (socket) => {
        const served = serve(new Peer(socket, false), url, checks)
          .catch((error) => checks.failed(request.url, error))
          .then((isLast) => {
            serving.delete(served);
            // The client may be through with the last case a moment before this end is.
            if (isLast) resolve(Promise.all(serving));
          });
        serving.add(served);
      });
    });
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  console.log(`listening on ws://127.0.0.1:${listener.address().port}`);
  await finished;
  listener.close();
  return checks.finish();
}

/** What is to be accepted of the compression that the client offers: parameters, or null. */
function wanted(url) {
  const { case: number, ...items } = Object.fromEntries(url.searchParams);
  if (url.pathname === '/runCase') return servedCases[Number(number) - 1][1];
  const { deflate: accepts, ...parameters } = items;
  if (url.pathname !== '/echo' || accepts === undefined) return null;
  return Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, Number(value) || true]));
}

/** One connection; tells whether it was the last. */
async function serve(peer, url, checks) {
  const query = Object.fromEntries(url.searchParams);
  switch (url.pathname) {
    case '/getCaseCount':
      peer.sendText(String(servedCases.length));
      await peer.close(1000, '');
      return false;
    case '/runCase': {
      const [action, imposed] = servedCases[Number(query.case) - 1];
      checks.equal('agreed', peer.deflate, imposed && agreed(imposed));
      await runCase(action, peer, checks);
      return false;
    }
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
