// The demo page in Chromium: `page.mjs DEMO_PROGRAM FOLDER`. It starts the program, uses the page as
// a person would, and leaves pictures of it in the folder. The last line tells the number of checks.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

import { Checks } from '../node/scenarios.mjs';

// For one step on the page, in milliseconds.
const STEP_LIMIT = 30_000;
// From the signal to the end of the program, pages and all.
const SHUTDOWN_LIMIT = 10_000;

const CHROMIUM = {
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  headless: true,
  // The sandbox needs a user other than root; the rest keeps the browser from calling home.
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
};

// What this server answers to the offer of a browser.
const AGREED = 'permessage-deflate; client_max_window_bits=12';

/** The program under test: where its page is, and how it ended. */
class Demo {
  static async start(program, options = []) {
    const demo = new Demo();
    demo.program = program;
    demo.child = spawn(program, ['--port', '0', ...options], { stdio: ['ignore', 'pipe', 'inherit'] });
    demo.exit = once(demo.child, 'exit').then(([code, signal]) => signal ?? code);
    const lines = createInterface({ input: demo.child.stdout });
    for await (const line of lines) {
      const found = line.match(/^open (http:\S+)$/);
      if (found) {
        demo.url = found[1];
        break;
      }
    }
    demo.child.stdout.resume();
    if (!demo.url) throw new Error(`the program ended with ${await demo.exit}`);
    return demo;
  }

  socket(path) {
    return new URL(path, this.url.replace('http:', 'ws:')).href;
  }

  interrupt() {
    this.child.kill('SIGINT');
  }

  kill() {
    this.child.kill('SIGKILL');
  }
}

/** One page, and what a test asks of it. */
class Scope {
  constructor(page) {
    this.page = page;
    this.complaints = [];
    page.setDefaultTimeout(STEP_LIMIT);
    page.on('pageerror', (error) => this.complaints.push(`error in the page: ${error.message}`));
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) this.complaints.push(message.text());
    });
  }

  /** `#name` is the `data-testid`. */
  get(name) {
    return this.page.getByTestId(name);
  }

  async open(url) {
    this.requests = [];
    this.page.on('request', (request) => this.requests.push(request.url()));
    await this.page.goto(url, { waitUntil: 'load' });
  }

  async connect(path = '/echo', subprotocol = '') {
    await this.get('route-select').selectOption(path);
    await this.get('subprotocol-input').fill(subprotocol);
    await this.get('connect-button').click();
  }

  /** Waits until the lamp shows a state. */
  async state(name) {
    await this.page.locator(`[data-testid=state-lamp][data-state=${name}]`).waitFor();
  }

  /** The facts of close event number `count` of this page. */
  async closeEvent(count) {
    const row = this.get('event-log').locator('[data-event=close]').nth(count - 1);
    await row.waitFor();
    return row.evaluate(({ dataset }) => ({
      code: Number(dataset.code),
      reason: dataset.reason,
      wasClean: dataset.wasClean === 'true',
    }));
  }

  closeEvents() {
    return this.get('event-log').locator('[data-event=close]').count();
  }

  /** Waits until so many echoes were compared. */
  async verified(count) {
    await this.page.waitForFunction(
      (expected) => {
        const { dataset } = document.querySelector('[data-testid=echo-status]');
        return Number(dataset.verified) + Number(dataset.differs) >= expected;
      },
      count,
    );
    return this.get('echo-status').evaluate(({ dataset }) => ({
      verified: Number(dataset.verified),
      differs: Number(dataset.differs),
    }));
  }
}

async function theSocketOpens(scope, demo, checks) {
  await scope.open(demo.url);
  const foreign = scope.requests.filter((url) => !url.startsWith(demo.url) && !url.startsWith('data:'));
  checks.equal('requests to elsewhere', foreign, []);
  await scope.connect();
  await scope.state('OPEN');
  checks.equal('open events', await scope.get('event-log').locator('[data-event=open]').count(), 1);
  checks.equal('extensions', await scope.get('negotiated-extensions').innerText(), AGREED);
}

/** The newest message of a direction, once the server has told what it was on the wire. */
async function onTheWire(scope, direction) {
  const row = scope.get('message-log').locator(`[data-direction=${direction}]`).first();
  await row.and(scope.page.locator('[data-payload]')).waitFor();
  return row.evaluate(({ dataset }) => ({
    compressed: dataset.compressed === 'true',
    size: Number(dataset.size),
    frames: Number(dataset.frames),
    header: Number(dataset.header),
    payload: Number(dataset.payload),
    ratio: dataset.ratio === undefined ? undefined : Number(dataset.ratio),
  }));
}

const QUOTE = JSON.stringify({
  type: 'quote', symbol: 'WSX', bid: '101.25', ask: '101.50', last: '101.37', high: '101.90', low: '100.11',
  open: '101.02', currency: 'EUR',
});

/** What the page says of all messages of a connection, against what they were. Probes must rest. */
async function totals(scope, direction, messages, checks) {
  const sum = (of) => messages.reduce((all, message) => all + of(message), 0);
  const [plain, payload] = [sum(({ size }) => size), sum((message) => message.payload)];
  // One frame each: two bytes, two more for a length beyond 125, and the masking key of what the browser sends.
  const key = direction === 'sent' ? 4 : 0;
  const header = sum((message) => (message.payload > 125 ? 4 : 2) + key);
  const carried = scope.get(`${direction}-carried`);
  const shown = await carried.evaluate(({ dataset }) => ({ ...dataset }));
  const expected = { told: messages.length, header, plain, payload };
  for (const [name, value] of Object.entries(expected)) {
    checks.equal(`in all, ${direction}: ${name}`, Number(shown[name]), value);
  }
  checks.equal(`in all, ${direction}`, await carried.innerText(), `${grouped(payload)} B of ${grouped(plain)} B`);
  const percent = (100 * payload) / plain;
  const share = `(${percent.toFixed(percent < 10 ? 1 : 0)}\u00a0%)`;
  checks.equal(`the share of all, ${direction}`, await scope.get(`${direction}-share`).innerText(), share);
  checks.equal(`headers, ${direction}`, await scope.get(`${direction}-header`).innerText(), `${grouped(header)} B`);
}

/** A number as the page writes it. */
function grouped(number) {
  return String(number).replace(/\B(?=(\d{3})+$)/g, '\u202f');
}

/** RSV1 in both directions, as the server saw it, and a repeated message that refers to the first. */
async function theBrowserCompresses(scope, demo, checks) {
  // A probe would count too.
  await scope.get('rtt-pause').click();
  await disconnected(scope);
  await scope.connect();
  await scope.state('OPEN');
  const seen = { sent: [], received: [] };
  let echoes = (await scope.verified(0)).verified;
  for (let times = 0; times < 3; times += 1) {
    await scope.get('text-input').fill(QUOTE);
    await scope.get('send-text').click();
    echoes += 1;
    await scope.verified(echoes);
    for (const direction of Object.keys(seen)) seen[direction].push(await onTheWire(scope, direction));
  }
  for (const [direction, messages] of Object.entries(seen)) {
    checks.equal(`RSV1, ${direction}`, messages.map(({ compressed }) => compressed), [true, true, true]);
    const [first, second, third] = messages.map(({ payload }) => payload);
    checks.equal(`the first is shorter than its text, ${direction}`, first < QUOTE.length, true);
    checks.equal(`the second is much shorter, ${direction}`, second * 4 < first && third * 4 < first, true);
    const ratios = messages.map(({ payload }) => Number((payload / QUOTE.length).toFixed(4)));
    checks.equal(`ratio, ${direction}`, messages.map(({ ratio }) => ratio), ratios);
    const shown = await scope.get('message-log').locator(`[data-direction=${direction}] .carried`).first().innerText();
    const percent = ((100 * third) / QUOTE.length).toFixed(1);
    checks.equal(`what is shown, ${direction}`, shown, `compressed: ${third} B of ${QUOTE.length} B (${percent}\u00a0%)`);
    checks.equal(`sizes, ${direction}`, messages.map(({ size }) => size), Array(3).fill(QUOTE.length));
    await totals(scope, direction, messages, checks);
  }
}

/** The server's answers are compressed as the page asks, from one message to the next. */
async function answersAreAsAskedFor(scope, demo, checks) {
  let echoes = (await scope.verified(0)).verified;
  for (const [asked, text, compressed] of [
    ['always', 'short', true], ['never', QUOTE, false], ['auto', 'short', false], ['auto', QUOTE, true],
  ]) {
    await scope.get('answers-select').selectOption(asked);
    await scope.page.locator(`[data-testid=answers-select][data-holds=${asked}]`).waitFor();
    await scope.get('text-input').fill(text);
    await scope.get('send-text').click();
    echoes += 1;
    await scope.verified(echoes);
    checks.equal(`the echo of ${text}, ${asked}`, (await onTheWire(scope, 'received')).compressed, compressed);
    checks.equal('what the browser sent', (await onTheWire(scope, 'sent')).compressed, true);
  }
}

/** The switch: the browser offers, the server declines. */
async function theServerDeclinesCompression(scope, demo, checks) {
  await disconnected(scope);
  await scope.get('compression-switch').uncheck();
  checks.equal('the path', new URL(await scope.get('url-input').inputValue()).pathname, '/plain/echo');
  await scope.get('connect-button').click();
  await scope.state('OPEN');
  checks.equal('extensions without compression', await scope.get('negotiated-extensions').innerText(), 'none');
  checks.equal('nothing to choose', await scope.get('answers-select').isDisabled(), true);
  const expected = { compressed: false, size: QUOTE.length, frames: 1, payload: QUOTE.length, ratio: undefined };
  const headers = { sent: 8, received: 4 };
  let echoes = (await scope.verified(0)).verified;
  for (let times = 0; times < 2; times += 1) {
    await scope.get('text-input').fill(QUOTE);
    await scope.get('send-text').click();
    echoes += 1;
    await scope.verified(echoes);
    for (const [direction, header] of Object.entries(headers)) {
      const { compressed, size, frames, payload, ratio, ...rest } = await onTheWire(scope, direction);
      checks.equal(`without compression, ${direction}`, { compressed, size, frames, payload, ratio }, expected);
      checks.equal(`header without compression, ${direction}`, rest, { header });
    }
  }
  // Those of the connection before do not count.
  for (const direction of Object.keys(headers)) await totals(scope, direction, [expected, expected], checks);
  await disconnected(scope);
  await scope.get('compression-switch').check();
  checks.equal('the path', new URL(await scope.get('url-input').inputValue()).pathname, '/echo');
  await scope.connect();
  await scope.state('OPEN');
  checks.equal('extensions again', await scope.get('negotiated-extensions').innerText(), AGREED);
}

/** Of another server nobody tells, and the page neither guesses nor changes its path. */
async function anotherServerIsNotWatched(scope, demo, checks) {
  const other = await Demo.start(demo.program, ['--allow-origin', new URL(demo.url).origin]);
  try {
    await disconnected(scope);
    const url = `${other.socket('/echo')}?x=1`;
    const own = await scope.get('url-input').inputValue();
    await scope.get('url-input').fill(url);
    checks.equal('no switch for another server', await scope.get('compression-switch').isDisabled(), true);
    await scope.get('connect-button').click();
    await scope.state('OPEN');
    checks.equal('extensions of another server', await scope.get('negotiated-extensions').innerText(), AGREED);
    checks.equal('no asking another server', await scope.get('answers-select').isDisabled(), true);
    const echoes = (await scope.verified(0)).verified;
    await scope.get('text-input').fill(QUOTE);
    await scope.get('send-text').click();
    await scope.verified(echoes + 1);
    for (const direction of ['sent', 'received']) {
      const row = scope.get('message-log').locator(`[data-direction=${direction}]`).first();
      checks.equal(`not known, ${direction}`, await row.locator('.carried').innerText(), 'not known on the wire');
      checks.equal(`no header, ${direction}`, await row.locator('.byte').count(), 0);
      checks.equal(`no headers, ${direction}`, await scope.get(`${direction}-header`).innerText(), '–');
      checks.equal(`no payload, ${direction}`, await scope.get(`${direction}-carried`).innerText(), '–');
    }
    checks.equal('the URL of another server', await scope.get('url-input').inputValue(), url);
    await disconnected(scope);
    await scope.get('url-input').fill(`${own}?x=1`);
    await scope.get('compression-switch').uncheck();
    const { pathname, search } = new URL(await scope.get('url-input').inputValue());
    checks.equal('the query stays', [pathname, search], ['/plain/echo', '?x=1']);
    await scope.get('compression-switch').check();
    await scope.get('url-input').fill(own);
    await scope.connect();
    await scope.state('OPEN');
  } finally {
    other.kill();
    await scope.get('rtt-pause').click();
  }
}

/** What the server does not tell, or not any more, is given up: of each message the page hears once. */
async function lostReportsAreGivenUp(scope, demo, checks) {
  const heard = await scope.page.evaluate(watchWithGaps);
  checks.equal('a report is lost', heard.gap, [['sent', 1, 11], ['sent', 2, null], ['sent', 3, 33]]);
  checks.equal('reports come first', heard.early, [['received', 1, 11], ['received', 2, null], ['received', 3, 33]]);
  checks.equal('too many wait', heard.bound, [['sent', 1, null], ['sent', 2, null]]);
  checks.equal('the watcher is closed', heard.closed, [1000, true, false]);
  checks.equal('after that', heard.after, [['sent', 7, null]]);
  checks.equal('another server, a path that is no route, a refused watcher', heard.unchanged, [true, true, true]);
}

/** In a page: its `Watch`, with a server that this plays. */
async function watchWithGaps() {
  const { Watch } = await import('/watch.js');
  const real = window.WebSocket;
  const wires = [];
  // Only what the watcher uses of it.
  window.WebSocket = class extends EventTarget {
    static OPEN = 1;
    readyState = 1;
    constructor() {
      super();
      wires.push(this);
    }
    tell(told) {
      this.dispatchEvent(new MessageEvent('message', { data: JSON.stringify(told) }));
    }
    end() {
      this.readyState = 3;
      this.dispatchEvent(new CloseEvent('close', { code: 1008 }));
    }
  };
  try {
    const scope = new EventTarget();
    const watch = new Watch(scope);
    const facts = [];
    watch.addEventListener('facts', ({ detail }) => {
      facts.push([detail.direction, detail.shape.length, detail.facts && detail.facts.payload]);
    });
    const taken = () => facts.splice(0);
    const url = `ws://${location.host}/echo`;
    let connection = 0;
    const connect = (to = url) => {
      connection += 1;
      return watch.address(to);
    };
    const message = (type, length) => scope.dispatchEvent(new CustomEvent(type, { detail: { shape: { length } } }));
    const report = (direction, number) => {
      wires.at(-1).tell({ type: 'message', connection, direction, number, payload: 11 * number });
    };
    const heard = {};
    wires[0].tell({ type: 'watching' });
    connect();
    for (const number of [1, 2, 3]) message('sent', number);
    report('received', 1);
    report('received', 3);
    heard.gap = taken();
    report('sent', 1);
    report('sent', 3);
    for (const number of [1, 2, 3]) message('message', number);
    heard.early = taken();
    connect();
    for (let number = 1; number <= 1002; number += 1) message('sent', number);
    heard.bound = taken();
    wires[0].end();
    const closed = taken();
    heard.closed = [closed.length, closed.every(([, , told]) => told === null), watch.isWatched];
    message('sent', 7);
    heard.after = taken();
    watch.ready();
    wires[1].tell({ type: 'watching' });
    const strangers = ['ws://127.0.0.1:1/echo', `ws://${location.host}/elsewhere?x=1`];
    heard.unchanged = strangers.map((stranger) => connect(stranger) === stranger);
    wires[1].end();
    heard.unchanged.push(connect() === url);
    return heard;
  } finally {
    window.WebSocket = real;
  }
}

const SIZES = { empty: 0, 125: 125, 126: 126, 65535: 65535, 65536: 65536, '1mib': 1 << 20 };

async function echoesComeBackEqual(scope, demo, checks) {
  let sent = (await scope.verified(0)).verified;
  for (const text of ['hello', '你好，世界', '🦀👩‍👩‍👧‍👦', 'κόσμε']) {
    await scope.get('text-input').fill(text);
    await scope.get('send-text').click();
    await scope.get('send-binary').click();
    sent += 2;
    checks.equal(`echoes of ${text}`, await scope.verified(sent), { verified: sent, differs: 0 });
  }
  for (const name of ['zh', 'emoji', 'surrogate', 'bom']) {
    await scope.get(`preset-${name}`).click();
    sent += 1;
    checks.equal(`echo of preset ${name}`, await scope.verified(sent), { verified: sent, differs: 0 });
  }
  for (const [name, size] of Object.entries(SIZES)) {
    for (const [preset, kind] of [[name, 'text'], [`${name}-binary`, 'binary']]) {
      await scope.get(`preset-${preset}`).click();
      sent += 1;
      checks.equal(`echo of ${preset}`, await scope.verified(sent), { verified: sent, differs: 0 });
      const newest = scope.get('message-log').locator('[data-direction=received]').first();
      const facts = await newest.evaluate(({ dataset }) => [dataset.kind, Number(dataset.size)]);
      checks.equal(`what came back for ${preset}`, facts, [kind, size]);
    }
  }
}

async function roundTripsAreDrawn(scope, demo, checks) {
  await scope.get('rtt-interval').selectOption('100');
  const enough = 10;
  await scope.page.waitForFunction(
    (points) => Number(document.querySelector('[data-testid=rtt-plot]').dataset.points) >= points,
    enough,
  );
  const median = await scope.get('rtt-p50').innerText();
  checks.equal('a median', /\d/.test(median), true);
}

async function theHandshakeIsVerified(scope, demo, checks) {
  await scope.get('handshake-run').click();
  await scope.page.locator('[data-testid=handshake-verified][data-verified=true]').waitFor();
  const accept = await scope.get('handshake-accept').innerText();
  checks.equal('an accept value', /^[A-Za-z0-9+/]{27}=$/.test(accept), true);
  const response = await scope.get('handshake-response').innerText();
  checks.equal('the accept value is in the response', response.includes(accept), true);
}

async function thePageCloses(scope, demo, checks) {
  for (const [code, reason, seen] of [
    ['1000', '', { code: 1000, reason: '', wasClean: true }],
    ['3001', '再见', { code: 3001, reason: '', wasClean: true }],
    ['4999', 'private', { code: 4999, reason: '', wasClean: true }],
    // An empty Close frame is answered with an empty one.
    ['', '', { code: 1005, reason: '', wasClean: true }],
  ]) {
    const before = await scope.closeEvents();
    await connected(scope);
    await scope.get('close-code').fill(code);
    await scope.get('close-reason').fill(reason);
    await scope.get('close-button').click();
    checks.equal(`closed by the page with ${code || 'no code'}`, await scope.closeEvent(before + 1), seen);
    await scope.state('CLOSED');
  }
}

/** What a script may not say, it cannot: the API throws, and the connection stays. */
async function theApiRefuses(scope, demo, checks) {
  await connected(scope);
  for (const [code, reason, error] of [
    ['1001', '', 'InvalidAccessError'],
    ['5000', '', 'InvalidAccessError'],
    ['1000', '€'.repeat(42), 'SyntaxError'],
  ]) {
    await scope.get('close-code').fill(code);
    await scope.get('close-reason').fill(reason);
    await scope.get('close-button').click();
    await scope.get('api-error').waitFor();
    const said = await scope.get('api-error').innerText();
    checks.equal(`close(${code})`, said.startsWith(error), true);
    await scope.state('OPEN');
  }
  await scope.get('close-code').fill('1000');
  await scope.get('close-reason').fill('');
}

async function subprotocolsAreAgreedOn(scope, demo, checks) {
  await disconnected(scope);
  await scope.connect('/echo', 'unknown, superchat, chat');
  await scope.state('OPEN');
  checks.equal('subprotocol', await scope.get('negotiated-protocol').innerText(), 'superchat');
  await disconnected(scope);
  // A browser fails by itself when it offers and nothing is selected.
  const before = await scope.closeEvents();
  await scope.connect('/echo', 'unknown');
  const seen = await scope.closeEvent(before + 1);
  checks.equal('nothing selected', seen, { code: 1006, reason: '', wasClean: false });
  expectComplaint(scope, 'Sent non-empty');
}

async function theServerCloses(scope, demo, checks) {
  const before = await scope.closeEvents();
  await scope.connect('/reverse-001');
  await scope.state('OPEN');
  await scope.get('text-input').fill('你好');
  await scope.get('send-text').click();
  const answer = scope.get('message-log').locator('[data-direction=received]').first();
  await answer.filter({ hasText: '你好aaaa' }).waitFor();
  await scope.get('send-binary').click();
  const seen = await scope.closeEvent(before + 1);
  checks.equal('binary where text is asked for', [seen.code, seen.wasClean], [1003, true]);
}

/** A page from elsewhere must not reach the sockets with this one's cookies. */
async function aForeignOriginIsRefused(scope, demo, checks) {
  await scope.connect('/origin-checked');
  await scope.state('OPEN');
  checks.equal('own origin', await scope.closeEvents() > 0, true);
  await disconnected(scope);

  const elsewhere = createServer((request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/html' });
    response.end('<!doctype html><title>elsewhere</title>');
  });
  elsewhere.listen(0, '127.0.0.1');
  await once(elsewhere, 'listening');
  const page = await scope.page.context().newPage();
  try {
    await page.goto(`http://127.0.0.1:${elsewhere.address().port}/`);
    for (const path of ['/echo', '/chat', '/origin-checked']) {
      const seen = await page.evaluate(closeOf, demo.socket(path));
      checks.equal(`${path} from another origin`, seen, ['error', 1006, false]);
    }
  } finally {
    await page.close();
    elsewhere.closeAllConnections();
    elsewhere.close();
  }
}

/** In a page: the events of a socket up to its close. */
function closeOf(url) {
  return new Promise((resolve) => {
    const events = [];
    const socket = new WebSocket(url);
    socket.onopen = () => {
      events.push('open');
      socket.close();
    };
    socket.onerror = () => events.push('error');
    socket.onclose = ({ code, wasClean }) => resolve([...events, code, wasClean]);
  });
}

async function manySocketsAtOnce(scope, demo, checks) {
  const echoed = await scope.page.evaluate(async (url) => {
    const one = (number) => new Promise((resolve, reject) => {
      const socket = new WebSocket(url);
      socket.onopen = () => socket.send(`socket ${number}`);
      socket.onmessage = ({ data }) => {
        socket.close(1000);
        socket.onclose = ({ wasClean }) => resolve(wasClean && data === `socket ${number}`);
      };
      socket.onerror = () => reject(new Error(`socket ${number}`));
    });
    const all = await Promise.all(Array.from({ length: 50 }, (_, number) => one(number)));
    return all.filter(Boolean).length;
  }, demo.socket('/echo'));
  checks.equal('sockets at once', echoed, 50);
}

async function twoPagesTalk(ada, bob, demo, checks) {
  await bob.open(demo.url);
  for (const [scope, nick] of [[ada, 'ada'], [bob, 'bob']]) {
    await scope.get('chat-nick').fill(nick);
    await scope.get('chat-room').fill('lobby');
    await scope.get('chat-join').click();
    await scope.get('chat-members').locator(`[data-nick=${nick}]`).waitFor();
  }
  await ada.get('chat-members').locator('[data-nick=bob]').waitFor();
  const said = [[ada, 'ada', '你好 bob 👋'], [bob, 'bob', '<b>not bold</b> & κόσμε'], [ada, 'ada', 'bye']];
  for (const [speaker, nick, words] of said) {
    await speaker.get('chat-input').fill(words);
    await speaker.get('chat-send').click();
    for (const listener of [ada, bob]) {
      const line = listener.get('chat-log').locator('.said').filter({ hasText: words });
      await line.waitFor();
      checks.equal(`who said ${words}`, await line.getAttribute('data-nick'), nick);
    }
  }
  // Each speaker is told that a line has reached both.
  for (const [speaker, , words] of said) {
    const line = speaker.get('chat-log').locator('.said.mine').filter({ hasText: words });
    const reached = line.locator('.reached');
    await reached.waitFor();
    checks.equal(`whom ${words} reached`, await reached.getAttribute('data-delivered'), '2');
  }
  for (const listener of [ada, bob]) {
    const heard = await listener.get('chat-log').locator('.said .words').allInnerTexts();
    checks.equal('the conversation', heard, said.map(([, , words]) => words));
    checks.equal('no markup came through', await listener.get('chat-log').locator('b').count(), 0);
  }
  // The server speaks without being asked.
  await ada.page.locator('[data-testid=chat-push][data-seq]').waitFor();
}

async function whoLeavesIsGone(ada, bob, demo, checks) {
  await bob.page.reload();
  await ada.get('chat-members').locator('[data-nick=bob]').waitFor({ state: 'detached' });
  checks.equal('members', await ada.get('chat-members').locator('[data-nick]').count(), 1);
}

/** Ctrl-C: every page hears 1001, and the program ends well and soon. */
async function stoppingTellsThePages(ada, bob, demo, checks) {
  const pages = [ada, bob];
  const before = [];
  for (const scope of pages) {
    before.push(await scope.closeEvents());
    await connected(scope);
  }
  const begun = performance.now();
  demo.interrupt();
  for (const [number, scope] of pages.entries()) {
    const { code, wasClean } = await scope.closeEvent(before[number] + 1);
    checks.equal('the server stops', [code, wasClean], [1001, true]);
  }
  const ended = await Promise.race([demo.exit, timeout(SHUTDOWN_LIMIT, 'still running')]);
  checks.equal('how the program ended', ended, 0);
  console.log(`stopped ${Math.round(performance.now() - begun)} ms after the signal`);
}

async function timeout(milliseconds, value) {
  await new Promise((resolve) => {
    setTimeout(resolve, milliseconds).unref();
  });
  return value;
}

async function connected(scope) {
  const state = await scope.get('state-lamp').getAttribute('data-state');
  if (state !== 'OPEN') await scope.connect();
  await scope.state('OPEN');
}

async function disconnected(scope) {
  const state = await scope.get('state-lamp').getAttribute('data-state');
  if (state === 'OPEN') await scope.get('close-button').click();
  await scope.state('CLOSED');
}

/** The browser writes failed handshakes to its console, where a test brought them about. */
function expectComplaint(scope) {
  scope.complaints = scope.complaints.filter((text) => !text.includes('WebSocket connection to'));
}

const VIEWS = [
  ['desktop-light', { width: 1280, height: 900 }, 'light'],
  ['desktop-dark', { width: 1280, height: 900 }, 'dark'],
  ['phone-light', { width: 390, height: 844 }, 'light'],
];

/** Pictures for a person to look at, and one thing that a program can see: nothing sticks out. */
async function thePageLooksRight(scope, folder, checks) {
  await connected(scope);
  for (const [name, size, colorScheme] of VIEWS) {
    await scope.page.setViewportSize(size);
    await scope.page.emulateMedia({ colorScheme });
    const overflow = await scope.page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    checks.equal(`${name}: width that sticks out`, overflow, 0);
    // As high as the page: the bar that sticks to the top of the window stays there.
    const height = await scope.page.evaluate(() => document.documentElement.scrollHeight);
    await scope.page.setViewportSize({ width: size.width, height });
    await scope.page.screenshot({ path: join(folder, `${name}.png`), animations: 'disabled' });
  }
  await scope.page.setViewportSize(VIEWS[0][1]);
}

async function run(program, folder) {
  const checks = new Checks();
  const profile = mkdtempSync(join(tmpdir(), 'ws-browser-'));
  const demo = await Demo.start(program);
  let context;
  try {
    context = await chromium.launchPersistentContext(profile, CHROMIUM);
    const ada = new Scope(context.pages()[0] ?? (await context.newPage()));
    const step = async (name, action) => {
      const begun = performance.now();
      await action();
      console.log(`${name} (${Math.round(performance.now() - begun)} ms)`);
    };
    const alone = [
      theSocketOpens, theBrowserCompresses, answersAreAsAskedFor, theServerDeclinesCompression,
      anotherServerIsNotWatched, lostReportsAreGivenUp, echoesComeBackEqual, roundTripsAreDrawn,
      theHandshakeIsVerified, thePageCloses, theApiRefuses, subprotocolsAreAgreedOn, theServerCloses,
      aForeignOriginIsRefused, manySocketsAtOnce,
    ];
    for (const test of alone) await step(test.name, () => test(ada, demo, checks));
    // Opened only now: a page behind another one is slowed down by the browser.
    const bob = new Scope(await context.newPage());
    await step(twoPagesTalk.name, () => twoPagesTalk(ada, bob, demo, checks));
    await ada.page.bringToFront();
    await step(thePageLooksRight.name, () => thePageLooksRight(ada, folder, checks));
    await step(whoLeavesIsGone.name, () => whoLeavesIsGone(ada, bob, demo, checks));
    await step(stoppingTellsThePages.name, () => stoppingTellsThePages(ada, bob, demo, checks));
    for (const scope of [ada, bob]) checks.equal('complaints in the console', scope.complaints, []);
  } catch (error) {
    checks.failed('the browser', error);
    const pages = context?.pages() ?? [];
    for (const [number, page] of pages.entries()) {
      await page.screenshot({ path: join(folder, `failed-${number}.png`) }).catch(() => {});
    }
  } finally {
    await context?.close();
    demo.kill();
    rmSync(profile, { recursive: true, force: true });
  }
  return checks.finish();
}

const [program, folder] = process.argv.slice(2);
if (!folder) {
  console.error('usage: page.mjs DEMO_PROGRAM FOLDER');
  process.exitCode = 2;
} else {
  process.exitCode = await run(program, folder);
}
