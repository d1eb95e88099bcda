"""What is larger than a message goes in pieces (PROTOCOL.md): cutting it up, and putting it together again."""

RAWS_BYTES_MAX, PIECE_BYTES_MAX = 128 << 10, 256 << 10      # limits.h


def needed(raw):
    return sum(map(len, raw)) > RAWS_BYTES_MAX


def cut(raw):
    """Its pieces, in order: each lies within one frame."""
    for frame in raw:
        for at in range(0, len(frame), PIECE_BYTES_MAX):
            yield frame[at:at + PIECE_BYTES_MAX]


class Arrival:
    """A message of which the pieces are still to come."""

    def __init__(self, message):
        self.message = message
        self.sizes = list(message.control.more)
        self.raw = [bytearray() for _ in self.sizes]

    def take(self, piece):
        frame = next(i for i, size in enumerate(self.sizes) if len(self.raw[i]) < size)
        self.raw[frame] += piece
        assert len(self.raw[frame]) <= self.sizes[frame]

    def whole(self):
        return all(len(frame) == size for frame, size in zip(self.raw, self.sizes))
