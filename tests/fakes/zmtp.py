"""The bytes of a ZeroMQ connection (ZMTP 3, without keys): for whoever listens on the road, and for whoever speaks by
hand."""
import socket

GREETING_BYTES = 64
MORE, LONG, COMMAND = 1, 2, 4
SOCKET_TYPE = b"\x0bSocket-Type" + len(b"DEALER").to_bytes(4, "big") + b"DEALER"
GREETING = (b"\xff" + bytes(8) + b"\x7f" + b"\x03\x01" + b"NULL").ljust(GREETING_BYTES, b"\0")


def frame(body, flags=0):
    """A frame as it goes over the road."""
    if len(body) > 255:
        return bytes([flags | LONG]) + len(body).to_bytes(8, "big") + body
    return bytes([flags, len(body)]) + body


READY = frame(b"\x05READY" + SOCKET_TYPE, COMMAND)


def bare(address):
    """A connected socket on which nothing was said yet."""
    kind, place = address.split("://")
    if kind == "ipc":
        one = socket.socket(socket.AF_UNIX)
        one.connect(place)
        return one
    host, port = place.rsplit(":", 1)
    return socket.create_connection((host, int(port)))


def greeted(address):
    """A connection over which messages may go. The other side has said all that comes before them, too: what is sent
    earlier counts as part of its handshake."""
    one = bare(address)
    one.sendall(GREETING + READY)
    take(one, GREETING_BYTES)
    flags, n_bytes = take(one, 2)
    assert flags == COMMAND
    take(one, n_bytes)
    return one


def take(one, n_bytes):
    piece = one.recv(n_bytes, socket.MSG_WAITALL)
    if len(piece) < n_bytes:
        raise ConnectionResetError("cut within the handshake")
    return piece


class Messages:
    """One direction of a connection: feed() takes what came and returns the messages that are whole by then."""

    def __init__(self, greeted=False):
        self.bytes = bytearray()
        self.greeted = greeted
        self.frames = []                    # of the message that is under way

    def feed(self, piece):
        self.bytes += piece
        if not self.greeted:
            if len(self.bytes) < GREETING_BYTES:
                return []
            del self.bytes[:GREETING_BYTES]
            self.greeted = True
        whole = []
        while (frame := self.next_frame()) is not None:
            flags, body = frame
            if flags & COMMAND:
                continue
            self.frames.append(body)
            if not flags & MORE:
                whole.append(self.frames)
                self.frames = []
        return whole

    def next_frame(self):
        head_bytes = 9 if self.bytes and self.bytes[0] & LONG else 2
        if len(self.bytes) < head_bytes:
            return None
        end = head_bytes + int.from_bytes(self.bytes[1:head_bytes], "big")
        if len(self.bytes) < end:
            return None
        flags, body = self.bytes[0], bytes(self.bytes[head_bytes:end])
        del self.bytes[:end]
        return flags, body
