#!/usr/bin/python3
"""Writes the seeds of the links' targets: each kind of message, all its fields filled. usage: make_corpus.py BUILD

They go below tests/fuzz/corpus, beside what fuzzing found; input/link_input.h tells their form."""
import pathlib
import struct
import sys

sys.path.insert(0, str(pathlib.Path(sys.argv[1]) / "gen/python"))
sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "fakes"))
import common_pb2
import logits_pb2
import text_pb2
import tokens_pb2
import zmtp

HERE = pathlib.Path(__file__).parent
TEXT_ID = bytes([0xab] + [0] * 14 + [0xcd])      # of no text that is written
IDS = struct.pack("<3i", 5, 6, 7)
HISTORY = struct.pack("<3i", 5, 0, 2)            # within the row
ROW = struct.pack("<6f", 0, 1, 2, 3, 4, 5)
LOGPROBS = struct.pack("<3d", -1, -2, -3)
VALUES = {"request": TEXT_ID, "attempt": 1, "n_vocab": 6, "n_ids": 3, "n_prompt": 3, "n_rows": 1, "model": "", "pool": "",
         "max_new_tokens": 4, "step": 0, "seed": 7, "role": "user", "semantics": "", "state": b"", "n_top": 2, "call": 1,
         "n_candidates": 2, "n_watched": 1, "deadline_ms": 900, "wait_ms": 1000, "session": "", "fingerprint": "",
         "template": "", "change": 0, "ticket": 1, "reason": 1, "given": -1, "vocabulary": "bytes",
         "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "version": 2, "version_oldest": 2,
         "heartbeat_ms": 60000, "index": 0, "n_ids_max": 0, "n_reply": 0}

# A step of each kind, with numbers within its bounds.
CHAINS = [("repetition_penalty", 1.1), ("presence_penalty", 0.5), ("frequency_penalty", 0.5), ("dry", 0.8, 1.75, 2, 0),
          ("dynatemp", 0.5, 1.5, 1), ("top_n_sigma", 1), ("top_k", 2), ("typical_p", 0.9), ("top_p", 0.9), ("min_p", 0.1),
          ("xtc", 0.5, 0.1), ("greedy",), ("mirostat", 5, 0.1), ("adaptive_p", 0.5, 0.9)]
NUMBERS = {name: numbers for name, *numbers in CHAINS}


def fill(message, depth=0):
    """Each field, of a oneof the first; a strategy is one step of temperature."""
    if message.DESCRIPTOR.name == "Step":
        message.name = "temperature"
        message.numbers.append(0.5)
        return
    for field in message.DESCRIPTOR.fields:
        if field.name == "control" or (field.message_type and depth > 3):
            continue
        if field.containing_oneof and field != field.containing_oneof.fields[0]:
            continue
        repeated = field.label == field.LABEL_REPEATED
        if field.message_type:
            fill(getattr(message, field.name).add() if repeated else getattr(message, field.name), depth + 1)
            if not repeated:
                getattr(message, field.name).SetInParent()
            continue
        value = 1 if field.cpp_type == field.CPPTYPE_ENUM else VALUES.get(field.name, {field.CPPTYPE_STRING: "a", field.CPPTYPE_BOOL: False}.get(field.cpp_type, 1))
        if field.type == field.TYPE_BYTES and isinstance(value, str):
            value = value.encode()
        if field.type == field.TYPE_STRING and isinstance(value, bytes):
            value = value.decode("latin-1")
        if repeated:
            getattr(message, field.name).append(value)
        else:
            setattr(message, field.name, value)


IN_PIECES, NAMED = 0x04, 0x40


def packed(header, frames, way=0):
    lengths = [len(header), *map(len, frames)]
    return bytes([way | len(frames)]) + struct.pack(f"<{len(lengths)}H", *lengths) + header + b"".join(frames)


def named(kind, body, which=0, frames=(), way=0, **fields):
    """A message whose text, call or ticket the target puts in, number `which`; of its fields these differ (None: empty)."""
    part = getattr(kind(), body)
    fill(part)
    for key in ("request", "attempt", "call", "ticket", *fields):
        if key in part.DESCRIPTOR.fields_by_name:
            part.ClearField(key)
    for key, value in fields.items():
        if isinstance(value, list):
            getattr(part, key).extend(value)
        elif hasattr(value, "DESCRIPTOR"):
            getattr(part, key).CopyFrom(value)
        elif value is not None:
            setattr(part, key, value)
    number = kind.DESCRIPTOR.fields_by_name[body].number
    return packed(bytes([number]) + part.SerializeToString(), frames, NAMED | which << 3 | way)


def write_named(target, **seeds):
    for name, messages in seeds.items():
        (HERE / "corpus" / target / f"named-{name}").write_bytes(b"".join(messages))


def write(target, kind, *choices_of_frames):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    whole = b""
    for body in kind.DESCRIPTOR.oneofs_by_name["body"].fields:
        for number, frames in enumerate(choices_of_frames):
            message = kind()
            part = getattr(message, body.name)
            part.SetInParent()
            fill(part)
            seed = packed(message.SerializeToString(), frames)
            (folder / f"{body.name}-{number}").write_bytes(seed)
        whole += seed
    for word in ("hello", "heartbeat", "say_hello", "leave", "refused", "draining"):
        (folder / f"word-{word}").write_bytes(spoken(kind, word))
    for name, newest, oldest in (("old", 1, 0), ("newer", 3, 2), ("new", 9, 8), ("none", 2, 3)):
        (folder / f"hello-{name}").write_bytes(spoken(kind, "hello", version=newest, version_oldest=oldest))
    (folder / "all").write_bytes(whole)
    for name, messages in pieces_of(message, frames).items():
        (folder / f"pieces-{name}").write_bytes(b"".join(messages))


def spoken(kind, word, frames=(), **fields):
    message = kind()
    part = getattr(message.control, word)
    part.SetInParent()
    fill(part)
    for key, value in fields.items():
        setattr(part, key, value)
    return packed(message.SerializeToString(), frames)


def pieces_of(message, frames):
    """Such a message in pieces, right and wrong."""
    whole = packed(message.SerializeToString(), frames, IN_PIECES)
    begun = type(message)()
    begun.CopyFrom(message)
    begun.control.more.extend(len(frame) for frame in frames)
    header, begun_twice = packed(begun.SerializeToString(), []), packed(begun.SerializeToString(), frames)
    begun.control.more[:] = [16 << 20, 1 << 60]
    first, odd = (spoken(type(message), "piece", frame, index=i) for i, frame in enumerate(([b"1234"], [b"5"])))
    beat = spoken(type(message), "heartbeat")
    return {"whole": [whole, whole], "beat": [header, first, beat, odd], "order": [header, odd, first, whole],
            "missing": [header, first, whole], "twice": [header, first, first], "begun": [header, header, begun_twice],
            "large": [packed(begun.SerializeToString(), []), first], "none": [first, whole],
            "bare": [header, spoken(type(message), "piece"), spoken(type(message), "piece", [b"1", b"2"])]}


write("clients", text_pb2.TextRequest, [], [b"h"], [IDS], [ROW, IDS])
write("replies", text_pb2.TextReply, [], [IDS], [IDS, LOGPROBS])
write("tokens", tokens_pb2.TokensRequest, [IDS], [ROW, IDS])
write("modelds", tokens_pb2.TokensReply, [], [LOGPROBS])
write("logits", logits_pb2.LogitsRequest, [ROW, HISTORY], [ROW])
for name, *numbers in CHAINS:
    order = logits_pb2.LogitsRequest()
    fill(order.sample)
    for field in "given", "shared", "drafts", "cut":    # each of them asks for something else than one row that is sent
        order.sample.ClearField(field)
    step = order.sample.strategy.steps[0]
    step.name, step.numbers[:] = name, numbers
    (HERE / "corpus/logits" / name).write_bytes(packed(order.SerializeToString(), [ROW, HISTORY]))
step.name, step.numbers[:], order.sample.n_rows, order.sample.drafts[:] = "greedy", [], 3, [5, 4]
(HERE / "corpus/logits/drafts").write_bytes(packed(order.SerializeToString(), [3 * ROW, HISTORY]))
order.sample.n_rows, order.sample.n_candidates, order.sample.n_watched, order.sample.drafts[:] = 1, 0, 0, []
order.sample.cut.CopyFrom(logits_pb2.CutRow(n_stages=1, n_left=2, raw_max=5, raw_total=3 << 43))
LEFT = struct.pack("<2i2f2d", 4, 5, 4, 5, 8, 10)
for name, steps in ("done", ["greedy"]), ("begun", ["top_k", "presence_penalty", "top_p"]), ("remembers", ["mirostat"]):
    del order.sample.strategy.steps[:]
    for step in steps:
        order.sample.strategy.steps.add(name=step, numbers=NUMBERS[step])
    (HERE / f"corpus/logits/cut-{name}").write_bytes(packed(order.SerializeToString(), [LEFT, HISTORY]))
order.sample.ClearField("cut")
order.sample.n_rows, order.sample.given[:], order.sample.scored = 2, [4, -1], True
(HERE / "corpus/logits/scored").write_bytes(packed(order.SerializeToString(), [struct.pack("<QffQff", 3 << 43, 5, 4, 1 << 44, 5, 5), HISTORY]))
write("samplerds", logits_pb2.LogitsReply, [], [LOGPROBS])


# What is at the samplerd: a score of 10 ids from 5 on (0, the newest), a text (1), a probe of 16 logits (2).
def sample(which, *ids, frames=(), **fields):
    drawn = [common_pb2.Drawn(id=id, logprob=-1) for id in ids]
    return named(logits_pb2.LogitsReply, "sample", which, frames, **{"drawn": drawn, "error": None} | fields)


def failed(which, code):
    return named(logits_pb2.LogitsReply, "sample", which, drawn=None, error=common_pb2.Error(code=code, message="no"))


PROBABILITIES = struct.pack("<16d", *[1 / 16] * 16)
write_named("samplerds",
            vocabulary=[named(logits_pb2.LogitsReply, "vocabulary", vocabulary=None), sample(1, 6)],
            draining=[spoken(logits_pb2.LogitsReply, "draining"), sample(1, 6), sample(0, 7), sample(2, 3, frames=[PROBABILITIES])],
            draining_fails=[spoken(logits_pb2.LogitsReply, "draining"), failed(1, 18), failed(0, 18)],
            probe_in_pieces=[sample(2, 3, frames=[PROBABILITIES], way=IN_PIECES), sample(1, 6)],
            text=[sample(1, 6), sample(0, 7), sample(0, 8), sample(0, 9)], text_fails=[failed(1, 17)],
            text_failed_often=[failed(1, 18), *[failed(0, 18)] * 5],
            text_of_another_id=[sample(1, 100000), sample(0, 6)],
            score=[sample(0, *range(6, 14)), sample(0, 14, 0)], score_fails=[failed(0, 10)],
            probe=[sample(2, 3, frames=[PROBABILITIES])], probe_of_too_few=[sample(2, 3), sample(0, 3, frames=[PROBABILITIES])],
            all=[sample(2, 3, frames=[PROBABILITIES]), sample(1, 6), sample(0, *range(6, 14)), sample(0, 7), sample(0, 14, 0)])


# What is at the modeld: a text, a score of 3 ids, a probe of 4 logits.
def told(body, which=0, frames=(), **fields):
    return named(tokens_pb2.TokensReply, body, which, frames, **fields)


def token(step, id, **fields):
    return told("token", **{"step": step, "drawn": common_pb2.Drawn(id=id, logprob=-1)} | fields)


def closed(reason, code=0):
    return told("closed", reason=reason, error=common_pb2.Error(code=code, message="no"))


LETTERS = [token(step, 100 + step) for step in range(8)]
FOUR = struct.pack("<4d", .1, .2, .3, .4)
CANDIDATES = [common_pb2.Candidate(id=100, logprob=-1), common_pb2.Candidate(id=101, logprob=-2)]
DRAINING = spoken(tokens_pb2.TokensReply, "draining")
DOT = token(1, ord(".") + 3)
write_named("modelds",
            text=[*LETTERS, closed(2)], text_stops=[LETTERS[0], DOT, closed(3)], text_ends=[token(0, 2), closed(1)],
            text_with_candidates=[token(0, 100, drawn=common_pb2.Drawn(id=100, candidates=CANDIDATES, n_left=[9, 2]))],
            text_tuned=[LETTERS[0], told("tuned", change=1, step=1), token(1, 101, change=1)],
            text_glimpsed=[told("glimpse", drawn=common_pb2.Drawn(id=100, candidates=CANDIDATES))],
            draining=[DRAINING, *LETTERS, told("scored", frames=[LOGPROBS], top=CANDIDATES), told("probed", frames=[FOUR])],
            draining_is_full=[LETTERS[0], DRAINING, closed(5, 7)],
            text_crowded_out=[LETTERS[0], closed(5, 7)], text_fails=[closed(5, 18)], text_superseded=[closed(4)],
            text_skips=[token(3, 100)], half_a_letter=[token(0, 0xe2 + 3), token(1, 0x82 + 3), token(2, 0xac + 3)],
            score_in_pieces=[told("scored", frames=[LOGPROBS], top=CANDIDATES, way=IN_PIECES)],
            probe_in_pieces=[told("probed", frames=[FOUR], way=IN_PIECES)],
            score=[told("scored", frames=[LOGPROBS], top=CANDIDATES)], score_of_too_few=[told("scored", top=CANDIDATES)],
            probe=[told("probed", frames=[FOUR])], probe_fails=[told("failed")],
            all=[LETTERS[0], told("scored", frames=[LOGPROBS]), told("failed"), closed(2)])


def asked(body, frames=(), which=0, **fields):
    return named(text_pb2.TextRequest, body, which, frames, **fields)


BARE = {"n_prompt": None, "session": None, "semantics": None, "stop_ids": None}
BARE_TEXT = BARE | {"messages": None, "template": None, "segments": [text_pb2.Segment(n_bytes=2, special=True)]}
GENERATE = asked("generate", [b"hi"], **BARE_TEXT | {"segments": [text_pb2.Segment(n_bytes=2)]})
GENERATE_IN_PIECES = asked("generate", [b"hi"], way=IN_PIECES, **BARE_TEXT)


def talk(body, *said, way=0, **fields):
    """Of messages, by turns of the user and the assistant."""
    messages = [text_pb2.Message(role=("user", "assistant")[i % 2], n_bytes=len(one)) for i, one in enumerate(said)]
    return asked(body, [b"".join(said)], way=way, **BARE | {"messages": messages, "segments": None} | fields)


TALKS = {"short": talk("generate", b"hi", template="plain"), "of_own_form": talk("generate", b"hi", b"ho", b"hi"),
         "that_drops": talk("generate", b"hi", b"ho", b"ho", b"hi", b"ha", template="plain", n_ids_max=30),
         "that_is_cut": talk("generate", b"hi hi hi", template="plain", n_ids_max=20),
         "with_room": talk("generate", b"hi", b"h" * 40, b"hi", template="plain", n_reply=20, as_room_allows=True),
         "too_long": talk("generate", b"hi" * 60, template="plain", n_ids_max=3), "of_none": talk("generate", template="plain"),
         "that_waits": talk("generate", b"hi", template="plain", model="elsewhere", wait_ms=0),
         "in_pieces": talk("generate", b"hi", b"ho", b"hi", template="chatml", way=IN_PIECES)}
GENERATE_IDS = asked("generate", [IDS], n_prompt=2, messages=None, segments=None, semantics=None)
QUESTIONS = (("score", [b"hi"]), ("probe", [ROW, IDS]), ("tokenize", [b"hi"]), ("detokenize", [IDS]), ("render", [b"h"]))
CALLS = [asked(name, frames) for name, frames in QUESTIONS] + [asked("score", [IDS], has_ids=True)]
write_named("clients",
            text=[GENERATE, asked("acknowledge"), asked("cancel")], text_of_ids=[GENERATE_IDS, asked("tune"), asked("cancel")],
            text_again=[GENERATE, GENERATE_IDS, asked("acknowledge")], text_paused=[GENERATE, asked("pause"), GENERATE_IDS],
            text_watched=[GENERATE, asked("watch"), asked("tune"), asked("list"), asked("acknowledge")],
            text_in_pieces=[GENERATE_IN_PIECES, asked("acknowledge"), asked("cancel")],
            render_that_drops=[talk("render", b"hi", b"ho", b"ho", b"hi", b"ha", template="plain", n_ids_max=30)],
            **{f"talk_{name}": [one, asked("acknowledge"), asked("watch"), asked("tune"), asked("cancel")]
               for name, one in TALKS.items()},
            talk_again=[TALKS["short"], GENERATE_IDS, asked("acknowledge")],
            talk_superseded=[TALKS["that_drops"], TALKS["with_room"], asked("pause"), GENERATE_IDS],
            calls_in_pieces=[asked(name, frames, way=IN_PIECES) for name, frames in QUESTIONS],
            calls=[*CALLS, asked("status")], all=[GENERATE, asked("watch"), *CALLS, asked("list"), asked("cancel")])


def replied(body, frames=(), which=0, **fields):
    return named(text_pb2.TextReply, body, which, frames, **fields)


def frame_of(kind):
    message = kind()
    fill(message)
    return message.SerializeToString()


ANSWERS = {"tokenized": [IDS], "detokenized": [b"hi"], "scored": [IDS, LOGPROBS], "probed": [FOUR],
           "listed": [frame_of(text_pb2.RequestList)], "status": [frame_of(text_pb2.DaemonList)], "cancelled": [],
           "rendered": [IDS], "tuned": []}
REPLIES = [replied(name, frames) for name, frames in ANSWERS.items()]
IN_PIECES_TOO = [replied(name, frames, way=IN_PIECES) for name, frames in ANSWERS.items() if frames]
CHUNKS = [replied("chunk", step=step, drawn=[common_pb2.Drawn(id=9, text=b"a")], text=b"a", change=None) for step in range(3)]
write_named("replies",
            text=[replied("started", [IDS], n_prompt=3), *CHUNKS, replied("done")],
            text_changed=[replied("started", [IDS]), replied("chunk")],
            talk=[replied("started", [IDS], n_prompt=3, template="plain", origin=1, stops=[b"b"], max_new_tokens=2), *CHUNKS,
                  replied("done")],
            talk_of_no_ids=[replied("started", n_prompt=0, template="plain"), replied("chunk")],
            draining=[spoken(text_pb2.TextReply, "draining"), replied("started", [IDS], n_prompt=3), *CHUNKS, *REPLIES,
                      replied("done")],
            watch=[replied("watched", over=0), replied("glimpse"), replied("watched", over=1)],
            fails=[replied("failed", which=which) for which in range(8)], waits=[replied("waiting")],
            text_in_pieces=[replied("started", [IDS], n_prompt=3, way=IN_PIECES), *CHUNKS, replied("done")],
            calls_in_pieces=IN_PIECES_TOO,
            **{f"call_{i}": [one] for i, one in enumerate(REPLIES)}, all=REPLIES)

# A tokenizerd's, with the turns of the modeld and its samplerd between.
def ordered(body, frames=(), which=0, **fields):
    return named(tokens_pb2.TokensRequest, body, which, frames, **fields)


OPEN = ordered("open", [IDS], end_ids=None, semantics=None, session=None, state=None)
TO_SCORE, TO_PROBE = ordered("score", [IDS]), ordered("probe", [ROW, IDS])
TURN = ordered("vocabulary", which=1)
write_named("tokens",
            vocabulary=[ordered("vocabulary", vocabulary=None), TURN],
            in_pieces=[ordered("open", [IDS], end_ids=None, semantics=None, session=None, state=None, way=IN_PIECES),
                       ordered("score", [IDS], way=IN_PIECES), ordered("probe", [ROW, IDS], way=IN_PIECES), TURN, TURN],
            text=[OPEN, *[TURN] * 5], text_tuned=[OPEN, ordered("tune"), TURN],
            text_closed=[OPEN, ordered("watch"), ordered("close")],
            calls=[TO_SCORE, TO_PROBE, TURN, TURN, ordered("close_call")], all=[OPEN, TO_SCORE, TO_PROBE, TURN, TURN])

# What comes in on a connection, as fuzz_frames.c reads it: the length of a slice, which kind, bytes.
BARE, WITH_KEYS, HANDSHAKEN = 0x80, 1, 2
HELLO = zmtp.frame(b"\x05HELLO".ljust(200, b"\0"), zmtp.COMMAND)
INITIATE = zmtp.frame(b"\x08INITIATE".ljust(292, b"\0"), zmtp.COMMAND)
CURVE = zmtp.GREETING[:12] + b"CURVE".ljust(20, b"\0") + bytes(32)
PLAIN = zmtp.GREETING[:12] + b"PLAIN".ljust(20, b"\0") + bytes(32)
PARTS = zmtp.frame(b"a", zmtp.MORE) + zmtp.frame(b"", zmtp.MORE) + zmtp.frame(bytes(300))


def boxes(*sizes):
    return b"".join(zmtp.frame(b"\x07MESSAGE".ljust(33 + n_bytes, b"\0")) for n_bytes in sizes)


for name, first, kind, came in (
        ("clear", 9, 0, zmtp.READY + PARTS), ("clear-bare", BARE | 9, 0, zmtp.GREETING + zmtp.READY + PARTS),
        ("clear-of-keys", BARE | 9, 0, CURVE + HELLO), ("keys-of-clear", BARE | 9, WITH_KEYS, zmtp.GREETING + zmtp.READY),
        ("keys-of-plain", BARE | 9, WITH_KEYS, PLAIN), ("keys-bare", BARE | 60, WITH_KEYS, CURVE + HELLO + INITIATE + boxes(7, 100)),
        ("keys", 60, WITH_KEYS, HELLO + INITIATE + boxes(0, 300)), ("keys-no-initiate", 60, WITH_KEYS, HELLO + boxes(7)),
        ("boxes", 9, WITH_KEYS | HANDSHAKEN, boxes(0, 7, 8, 222, 223, 9000, 7)),
        ("boxes-cut", 9, WITH_KEYS | HANDSHAKEN, boxes(300)[:-100]),
        ("boxes-more", 9, WITH_KEYS | HANDSHAKEN, boxes(7) + zmtp.frame(bytes(100), zmtp.MORE)),
        ("boxes-command", 9, WITH_KEYS | HANDSHAKEN, boxes(7) + zmtp.frame(bytes(100), zmtp.COMMAND))):
    (HERE / "corpus" / "frames" / name).write_bytes(bytes([first, kind]) + came)
