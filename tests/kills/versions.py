"""Which version of the protocol is spoken on a link, and whether nothing newer is said there."""
import collections

from fake_link import VERSION, common_pb2       # noqa: F401  (it knows where the generated modules lie)
import logits_pb2
import text_pb2
import tokens_pb2
from zmtp import Messages

NEXT_VERSION = VERSION + 1
# What the next build says with a field more (NEWER in the Makefile), but for the Hello, which always has it.
NEWER_BODIES = ("generate", "chunk", "open", "token", "sample")
# link → what is said to the side that binds, and what that side says
SCHEMAS = {"clients": (text_pb2.TextRequest, text_pb2.TextReply), "models": (tokens_pb2.TokensReply, tokens_pb2.TokensRequest),
           "samplers": (logits_pb2.LogitsReply, logits_pb2.LogitsRequest)}


def has_newer(message):
    """Whether it holds what the schemas of today do not know; they do not from then on."""
    n_bytes = message.ByteSize()
    message.DiscardUnknownFields()
    return message.ByteSize() != n_bytes


class Versions:
    """What the Relay of a link hears, both ways."""

    def __init__(self, link):
        self.link = link
        self.messages = collections.defaultdict(Messages)   # (connection, side) → its bytes so far
        self.newest = {}                                    # the same → what its Hello said
        self.n_newer = collections.Counter()                # side → messages with something newer
        self.spoken = set()                                 # versions that were, on all connections
        self.wrong = collections.Counter()                  # sentences

    def said(self, connection, piece):
        self.take(connection, 0, piece)

    def heard(self, connection, piece):
        self.take(connection, 1, piece)

    def take(self, connection, side, piece):
        for frames in self.messages[connection, side].feed(piece):
            self.take_message(connection, side, SCHEMAS[self.link][side].FromString(frames[0]))

    def take_message(self, connection, side, message):
        newer = has_newer(message)
        if message.control.WhichOneof("word") == "hello":
            self.newest[connection, side] = message.control.hello.version
            if newer != (message.control.hello.version == NEXT_VERSION):
                self.wrong[f"{self.link}: a Hello of version {message.control.hello.version}, newer {newer}"] += 1
            return
        version = min(self.newest.get((connection, one), 0) for one in (0, 1))
        self.n_newer[side] += newer
        body = message.WhichOneof("body")
        if body:
            self.spoken.add(version)
        if newer != (body in NEWER_BODIES and version == NEXT_VERSION):
            self.wrong[f"{self.link}: {body} {'with' if newer else 'without'} what is newer, where {version} is spoken"] += 1
