"""The library `websockets`, in its blocking form, as client and as server."""
import sys
import threading

from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import (ClientPerMessageDeflateFactory,
                                                     ServerPerMessageDeflateFactory)
from websockets.frames import CTRL_OPCODES
from websockets.sync.client import connect
from websockets.sync.server import serve

import scenarios
from scenarios import TIMEOUT


def watch(extension, wire):
    """Shows each data frame to `wire`, as it is outside of the extension."""
    decode, encode = extension.decode, extension.encode

    def note(direction, frame):
        if frame.opcode not in CTRL_OPCODES:
            way = getattr(wire, direction)
            way.frame(frame.rsv1, len(frame.data))
            if frame.fin:
                way.finish()
        return frame

    extension.decode = lambda frame, **limits: decode(note("received", frame), **limits)
    extension.encode = lambda frame: note("sent", encode(frame))


class Peer:
    def __init__(self, connection, is_client):
        self.connection = connection
        self.is_client = is_client
        self.subprotocol = connection.subprotocol
        self.deflate = None
        self.wire = scenarios.Wire()
        for extension in connection.protocol.extensions:
            ends = ("local", "remote") if is_client else ("remote", "local")
            self.deflate = {"%s_%s" % (role, what): getattr(extension, "%s_%s" % (end, what))
                            for what in ("no_context_takeover", "max_window_bits")
                            for role, end in zip(("client", "server"), ends)}
            watch(extension, self.wire)

    def send_text(self, text):
        self.connection.send(text)

    def send_binary(self, data):
        self.connection.send(data)

    def send_fragments(self, parts):
        self.connection.send(iter(parts))

    def receive(self):
        return self.connection.recv(timeout=TIMEOUT)

    def ping(self, data):
        if not self.connection.ping(data).wait(TIMEOUT):
            raise TimeoutError("no Pong")

    def close(self, code, reason):
        if code is None:
            # The method has a default code, so the frame without one goes out below it.
            with self.connection.send_context():
                self.connection.protocol.send_close()
            try:
                self.receive()
            except ConnectionClosed:
                pass
        else:
            self.connection.close(code, reason)
        return self.connection.protocol.close_rcvd.code

    def closed(self):
        try:
            message = self.receive()
        except ConnectionClosed as closed:
            return closed.rcvd.code, closed.rcvd.reason
        raise ConnectionError("%r where a Close was due" % (message,))

    def echo(self):
        try:
            while True:
                self.connection.send(self.receive())
        except ConnectionClosed:
            pass  # It has been answered.


def open_client(url, subprotocols, deflate=None):
    # Each connection outlives this function: `legacy` is the library's word for that.
    extensions = None if deflate is None else [ClientPerMessageDeflateFactory(**deflate)]
    connection = connect(url, legacy=True, subprotocols=subprotocols or None, open_timeout=TIMEOUT,
                         close_timeout=TIMEOUT, max_size=None, compression=None, extensions=extensions)
    return Peer(connection, is_client=True)


def select(connection, subprotocols):
    return scenarios.SUBPROTOCOL if scenarios.SUBPROTOCOL in subprotocols else None


def run_server(server):
    def choose(connection, request):
        wanted = server.wanted(request.path)
        if wanted is not None:
            # The server's own would be the same for every path.
            connection.protocol.available_extensions = [ServerPerMessageDeflateFactory(**wanted)]

    def handle(connection):
        server.serve(Peer(connection, is_client=False), connection.request.path)

    with serve(handle, "127.0.0.1", 0, max_size=None, ping_interval=None, compression=None,
               process_request=choose, select_subprotocol=select) as listener:
        print("listening on ws://127.0.0.1:%d" % listener.socket.getsockname()[1], flush=True)
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        return server.finish()


if __name__ == "__main__":
    sys.exit(scenarios.main(open_client, run_server))
