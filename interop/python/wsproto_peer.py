"""The library `wsproto`, which does no IO: the same code below is its client and its server."""
import socket
import sys
import threading
import urllib.parse

from wsproto import ConnectionType, WSConnection
from wsproto.events import (AcceptConnection, BytesMessage, CloseConnection, Message, Ping, Pong,
                            RejectConnection, Request, TextMessage)
from wsproto.extensions import PerMessageDeflate
from wsproto.frame_protocol import CloseReason

import scenarios
from scenarios import TIMEOUT


class WatchedDeflate(PerMessageDeflate):
    """The library's extension, which shows each data frame to `wire` as it is outside of it."""

    def __init__(self, wire, **parameters):
        super().__init__(**parameters)
        self.wire = wire

    def frame_inbound_header(self, proto, opcode, rsv, payload_length):
        if not opcode.iscontrol():
            self.wire.received.frame(rsv.rsv1, payload_length)
        return super().frame_inbound_header(proto, opcode, rsv, payload_length)

    def frame_inbound_complete(self, proto, fin):
        if fin and self._inbound_is_compressible:
            self.wire.received.finish()
        return super().frame_inbound_complete(proto, fin)

    def frame_outbound(self, proto, opcode, rsv, data, fin):
        rsv, data = super().frame_outbound(proto, opcode, rsv, data, fin)
        if not opcode.iscontrol():
            self.wire.sent.frame(rsv.rsv1, len(data))
            if fin:
                self.wire.sent.finish()
        return rsv, data

    def agreed(self):
        """What was agreed on, or None."""
        if not self.enabled():
            return None
        return {name: getattr(self, name) for name in scenarios.agreed({})}


class Peer:
    def __init__(self, stream, role):
        stream.settimeout(TIMEOUT)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream = stream
        self.connection = WSConnection(role)
        self.ended = False
        self.is_client = role is ConnectionType.CLIENT
        self.subprotocol = None
        self.deflate = None
        self.wire = scenarios.Wire()

    def extensions(self, wanted):
        """The library's list of extensions for these parameters; none of them for None."""
        return [] if wanted is None else [WatchedDeflate(self.wire, **wanted)]

    def put(self, event):
        self.stream.sendall(self.connection.send(event))

    def next_event(self):
        """The next event that is for us; a Ping is answered on the way."""
        while True:
            for event in self.connection.events():
                if isinstance(event, Ping):
                    self.put(event.response())
                else:
                    return event
            if self.ended:
                raise ConnectionError("the stream ended")
            data = self.stream.recv(65536)
            self.ended = not data
            self.connection.receive_data(data or None)

    def send_text(self, text):
        self.put(TextMessage(data=text))

    def send_binary(self, data):
        self.put(BytesMessage(data=data))

    def send_fragments(self, parts):
        for number, part in enumerate(parts):
            self.put(Message(data=part, message_finished=number == len(parts) - 1))

    def receive(self):
        parts = []
        while True:
            event = self.next_event()
            if not isinstance(event, (TextMessage, BytesMessage)):
                raise ConnectionError("%r where a message was due" % (event,))
            parts.append(event.data)
            if event.message_finished:
                # No parts at all cannot be: the last one is there, if empty.
                return parts[0][:0].join(parts) if isinstance(parts[0], str) else b"".join(parts)

    def ping(self, data):
        self.put(Ping(payload=data))
        event = self.next_event()
        if not isinstance(event, Pong) or bytes(event.payload) != data:
            raise ConnectionError("%r where a Pong was due" % (event,))

    def close(self, code, reason):
        # This one stands for a frame without a code.
        self.put(CloseConnection(code=code or CloseReason.NO_STATUS_RCVD, reason=reason or None))
        event = self.next_event()
        if not isinstance(event, CloseConnection):
            raise ConnectionError("%r where a Close was due" % (event,))
        if self.connection.client:
            # The server ends TCP first.
            while self.stream.recv(65536):
                pass
        self.stream.close()
        return int(event.code)

    def closed(self):
        event = self.next_event()
        if not isinstance(event, CloseConnection):
            raise ConnectionError("%r where a Close was due" % (event,))
        self.put(event.response())
        self.stream.close()
        return int(event.code), event.reason or ""

    def echo(self):
        while True:
            event = self.next_event()
            if isinstance(event, CloseConnection):
                self.put(event.response())
                self.stream.close()
                return
            self.put(Message(data=event.data, message_finished=event.message_finished))


def open_client(url, subprotocols, deflate=None):
    parts = urllib.parse.urlsplit(url)
    stream = socket.create_connection((parts.hostname, parts.port), TIMEOUT)
    peer = Peer(stream, ConnectionType.CLIENT)
    extensions = peer.extensions(deflate)
    target = (parts.path or "/") + ("?" + parts.query if parts.query else "")
    peer.put(Request(host=parts.netloc, target=target, subprotocols=subprotocols, extensions=extensions))
    event = peer.next_event()
    if not isinstance(event, AcceptConnection):
        raise ConnectionError("%r where an AcceptConnection was due" % (event,))
    peer.subprotocol = event.subprotocol
    peer.deflate = extensions[0].agreed() if extensions else None
    return peer


def run_server(server):
    def handle(stream):
        peer = Peer(stream, ConnectionType.SERVER)
        request = peer.next_event()
        if isinstance(request, Request):
            spoken = scenarios.SUBPROTOCOL
            extensions = peer.extensions(server.wanted(request.target))
            peer.put(AcceptConnection(subprotocol=spoken if spoken in request.subprotocols else None,
                                      extensions=extensions))
            peer.deflate = extensions[0].agreed() if extensions else None
            server.serve(peer, request.target)
        else:
            peer.put(RejectConnection())

    def accept():
        while True:
            stream, _ = listener.accept()
            threading.Thread(target=handle, args=(stream,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        print("listening on ws://127.0.0.1:%d" % listener.getsockname()[1], flush=True)
        threading.Thread(target=accept, daemon=True).start()
        return server.finish()


if __name__ == "__main__":
    sys.exit(scenarios.main(open_client, run_server, names_server_window=False))
