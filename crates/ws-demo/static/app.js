// Puts the instrument together: one connection under study (`Scope`), what the server saw of it
// (`Watch`), a ledger that checks its echoes, and a panel each for what there is to see. The handshake and the chat open sockets of
// their own.

import { Chat } from "./chat.js";
import { ConnectionPanel } from "./connection.js";
import { EchoLedger } from "./echo.js";
import { EventLog } from "./events.js";
import { HandshakePanel } from "./handshake.js";
import { MessagePanel } from "./messages.js";
import { RoundTripPanel } from "./round-trip.js";
import { Scope } from "./socket.js";
import { Watch } from "./watch.js";
import { Wire } from "./wire.js";

const scope = new Scope();
const watch = new Watch(scope);
const ledger = new EchoLedger(scope);
const log = new EventLog();
const messages = new MessagePanel(scope, ledger, watch);
const roundTrip = new RoundTripPanel(scope, ledger);
const connection = new ConnectionPanel(scope, watch);
new Wire(scope, watch);

scope.addEventListener("open", ({ detail }) => log.open(scope.url, detail));
scope.addEventListener("error", () => log.error());
scope.addEventListener("close", ({ detail }) => log.close(detail));
scope.addEventListener("message", ({ detail }) => {
  const outcome = ledger.receive(detail);
  if (outcome.probe) {
    log.probe();
    return;
  }
  log.message(detail, outcome);
  messages.received(detail, outcome);
  connection.heard();
});
messages.addEventListener("echo", ({ detail }) => roundTrip.mark(detail));
messages.addEventListener("sent", () => connection.heard());

new HandshakePanel().run();
new Chat();
