"""A dialogue of two peers: as bytes in tests/golden/dialogues, as text in PROTOCOL.md, and said again to a real daemon.

One side is asked for by a test (`asker`), the other one is the daemon. A line of the bytes is a message, {"from": who,
"frames": [hexadecimal]}, or {"then": what happens}. In both forms the fields that vary from run to run are left out,
and the daemon's incarnation is DAEMON.
"""
import array
import json
import re
import textwrap

from google.protobuf import text_format
import zmq

import fake_link        # noqa: F401: where the generated modules lie
import common_pb2
import logits_pb2
import text_pb2

ASKER, DAEMON = 1, 2
# message → fields that no two runs have in common: who and where a process is, and how long things took
VARYING = {"Hello": ["pid", "host", "uptime_ms"], "Chunk": ["forward_ms", "sample_ms"], "SampleReply": ["sample_ms"],
           "Timings": ["queue_ms", "prefill_ms", "decode_ms", "forward_ms", "sample_ms"]}
# words that come when they come, and are passed over where another message is due
PASSING = {"heartbeat", "hello", "waiting"}


class Link:
    def __init__(self, name, asker, daemon, asked, answered, binds, frames):
        self.name, self.asker, self.daemon, self.binds, self.frames = name, asker, daemon, binds, frames
        self.types = {asker: asked, daemon: answered}


LINKS = {
    "text": Link("text", "client", "tokenizerd", text_pb2.TextRequest, text_pb2.TextReply, False,
                 {"tokenize": ["text"], "generate": ["text"], "tokenized": ["int32"], "started": ["int32"]}),
    "logits": Link("logits", "modeld", "samplerd", logits_pb2.LogitsRequest, logits_pb2.LogitsReply, True,
                   {"sample": ["float32", "int32"]}),
}
CODES = {"int32": "i", "float32": "f", "float64": "d"}


def kind_of(message):
    """Its body, or its word."""
    return message.WhichOneof("body") or message.control.WhichOneof("word")


def settle(message):
    """Take out what varies, in it and in all that it holds."""
    for name in VARYING.get(message.DESCRIPTOR.name, []):
        message.ClearField(name)
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            for one in value if field.label == field.LABEL_REPEATED else [value]:
                settle(one)


def settled(message):
    """A copy of a daemon's message as the bytes have it."""
    copy = type(message).FromString(message.SerializeToString())
    settle(copy)
    setattr(copy.control, "from", DAEMON)
    return copy


# ---- the two forms ----

def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def messages(link, lines):
    """(who, message, raw frames), or (None, what happens, None)."""
    for line in lines:
        if "then" in line:
            yield None, line["then"], None
        else:
            header, *raw = map(bytes.fromhex, line["frames"])
            yield line["from"], link.types[line["from"]].FromString(header), raw


def frame_kinds(link, message, n_raw):
    kind = kind_of(message)
    kinds = link.frames.get(kind, [])
    if kind == "generate" and not message.generate.segments:
        kinds = ["int32"]
    if kind == "sample" and n_raw > 0 and message.sample.HasField("cut"):
        kinds = ["left", "int32"]
    return kinds[:n_raw]


def split_cut(frame):
    """The three arrays that are left of a row."""
    n = len(frame) // 16
    return array.array("i", frame[:4 * n]), array.array("f", frame[4 * n:8 * n]), array.array("d", frame[8 * n:])


def frame_text(kind, frame):
    if kind == "text":
        return "text " + json.dumps(frame.decode())
    if kind == "left":
        return "left " + " | ".join(" ".join(f"{number:.9g}" for number in part) for part in split_cut(frame))
    return " ".join([kind, *(f"{number:.9g}" for number in array.array(CODES[kind], frame))])


def text(link, lines):
    """As the page has it."""
    out = []
    for who, message, raw in messages(link, lines):
        if who is None:
            out.append(f"({message})")
            continue
        out.append(f"{who}: " + text_format.MessageToString(message, as_one_line=True))
        out += ["  + " + frame_text(*one) for one in zip(frame_kinds(link, message, len(raw)), raw, strict=True)]
    wrapped = [textwrap.wrap(line, 118, subsequent_indent="      ", break_long_words=False, break_on_hyphens=False,
                             drop_whitespace=True) for line in out]
    return "\n".join(part for lines in wrapped for part in lines) + "\n"


def frame_of(words):
    kind, rest = words.split(" ", 1) if " " in words else (words, "")
    if kind == "text":
        return json.loads(rest).encode()
    if kind == "left":
        parts = [part.split() for part in rest.split("|")]
        return b"".join(array.array(code, map(number, part)).tobytes()
                        for code, number, part in zip("ifd", (int, float, float), parts, strict=True))
    return array.array(CODES[kind], map(int if kind == "int32" else float, rest.split())).tobytes()


def parse(link, page):
    """The same as messages(), from the text of the page."""
    found = []
    for line in re.sub(r"\n {6}", " ", page).splitlines():
        if line.startswith("("):
            found.append((None, line[1:-1], None))
        elif line.startswith("  + "):
            found[-1][2].append(frame_of(line[4:]))
        else:
            who, said = line.split(": ", 1)
            found.append((who, text_format.Parse(said, link.types[who]()), []))
    return found


def blocks(page):
    """name → text, of a page's fenced blocks."""
    return dict(re.findall(r"^```dialogue (\w+)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL))


# ---- saying it ----

class Saying:
    """One side's socket."""

    def __init__(self, link, address):
        self.link, self.theirs, self.route = link, 0, []
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.ROUTER if link.binds else zmq.DEALER)
        self.socket.linger = 0
        if link.binds:
            self.socket.bind(address)
        else:
            self.socket.connect(address)

    def say(self, message, raw=()):
        """As it stands, but for whom it is to: that is another one in each run."""
        if message.control.to:
            message.control.to = self.theirs
        self.socket.send_multipart([*self.route, message.SerializeToString(), *raw])

    def hear(self, due=None, seconds=60):
        """The next message, settled, and its raw frames; `due`: its kind, if that is known."""
        while True:
            assert self.socket.poll(seconds * 1000), f"nothing came within {seconds} s; due is {due}"
            frames = self.socket.recv_multipart()
            if self.link.binds:
                self.route = [frames.pop(0)]
            message = self.link.types[self.link.daemon].FromString(frames[0])
            self.theirs = getattr(message.control, "from")
            if kind_of(message) == due or kind_of(message) not in PASSING:
                return settled(message), frames[1:]

    def close(self):
        self.socket.close(0)
        self.context.term()


def replay(link, lines, address, begin, then):
    """Say what the asker says, and compare what the daemon answers. begin(): the daemon may be started; then[what]() lets
    it happen."""
    one = Saying(link, address)
    try:
        begin()
        for at, (who, message, raw) in enumerate(messages(link, lines)):
            if who is None:
                then[message]()
            elif who == link.asker:
                one.say(message, raw)
            else:
                heard, frames = one.hear(kind_of(message))
                assert str(heard) == str(message), f"message {at}"
                assert [heard.SerializeToString().hex(), *(frame.hex() for frame in frames)] == lines[at]["frames"]
    finally:
        one.close()
