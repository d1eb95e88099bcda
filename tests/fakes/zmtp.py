"""The messages in the bytes of a ZeroMQ connection (ZMTP 3, without keys): for whoever listens on the road."""
GREETING_BYTES = 64
MORE, LONG, COMMAND = 1, 2, 4


class Messages:
    """One direction of a connection: feed() takes what came and returns the messages that are whole by then."""

    def __init__(self):
        self.bytes = bytearray()
        self.greeted = False
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
