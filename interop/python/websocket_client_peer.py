"""The library `websocket-client`, which is a client only."""
import struct
import sys

import websocket
from websocket import ABNF

import scenarios
from scenarios import TIMEOUT


class Peer:
    deflate = None

    def __init__(self, socket):
        self.socket = socket
        self.subprotocol = socket.getsubprotocol()

    def send_text(self, text):
        self.socket.send(text)

    def send_binary(self, data):
        self.socket.send_binary(data)

    def send_fragments(self, parts):
        opcode = ABNF.OPCODE_TEXT if isinstance(parts[0], str) else ABNF.OPCODE_BINARY
        for number, part in enumerate(parts):
            data = part.encode() if isinstance(part, str) else part
            last = number == len(parts) - 1
            frame = ABNF(int(last), 0, 0, 0, opcode if number == 0 else ABNF.OPCODE_CONT, 1, data)
            self.socket.send_frame(frame)

    def receive(self):
        opcode, data = self.socket.recv_data()
        if opcode == ABNF.OPCODE_TEXT:
            return data.decode()
        if opcode == ABNF.OPCODE_BINARY:
            return data
        raise ConnectionError("opcode %d" % opcode)

    def ping(self, data):
        self.socket.ping(data)
        opcode, frame = self.socket.recv_data_frame(control_frame=True)
        if (opcode, frame.data) != (ABNF.OPCODE_PONG, data):
            raise ConnectionError("opcode %d where a Pong was due" % opcode)

    def close(self, code, reason):
        body = b"" if code is None else struct.pack("!H", code) + reason.encode()
        self.socket.send(body, ABNF.OPCODE_CLOSE)
        opcode, data = self.socket.recv_data(control_frame=True)
        if opcode != ABNF.OPCODE_CLOSE:
            raise ConnectionError("opcode %d where a Close was due" % opcode)
        self.socket.shutdown()
        return struct.unpack("!H", data[:2])[0] if data else 1005

    def closed(self):
        # The library answers by itself.
        opcode, data = self.socket.recv_data(control_frame=True)
        if opcode != ABNF.OPCODE_CLOSE:
            raise ConnectionError("opcode %d where a Close was due" % opcode)
        self.socket.shutdown()
        return struct.unpack("!H", data[:2])[0], data[2:].decode()


def open_client(url, subprotocols):
    return Peer(websocket.create_connection(url, timeout=TIMEOUT, subprotocols=subprotocols))


if __name__ == "__main__":
    sys.exit(scenarios.main(open_client, refusal=websocket.WebSocketException,
                            knows_deflate=False))
