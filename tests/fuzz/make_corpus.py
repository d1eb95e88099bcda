#!/usr/bin/python3
"""Writes the seeds of the links' targets: each kind of message, all its fields filled. usage: make_corpus.py BUILD

They go below tests/fuzz/corpus, beside what fuzzing found; input/link_input.h tells their form."""
import pathlib
import struct
import sys

sys.path.insert(0, str(pathlib.Path(sys.argv[1]) / "gen/python"))
import logits_pb2
import text_pb2
import tokens_pb2

HERE = pathlib.Path(__file__).parent
TEXT_ID = bytes([0xab] + [0] * 14 + [0xcd])      # of the text that the modelds' target has written
IDS = struct.pack("<3i", 5, 6, 7)
ROW = struct.pack("<6f", 0, 1, 2, 3, 4, 5)
LOGPROBS = struct.pack("<3d", -1, -2, -3)
NAMED = {"request": TEXT_ID, "attempt": 1, "n_vocab": 6, "n_ids": 3, "n_prompt": 3, "n_rows": 1, "model": "", "pool": "",
         "max_new_tokens": 4, "step": 0, "seed": 7, "role": "user", "semantics": "", "state": b"", "n_top": 2, "call": 1,
         "n_candidates": 2, "n_watched": 1, "deadline_ms": 900, "wait_ms": 1000, "session": "", "fingerprint": "",
         "template": "", "change": 0, "ticket": 1, "reason": 1, "given": -1, "vocabulary": "bytes"}

# A step of each kind, with numbers within its bounds.
CHAINS = [("repetition_penalty", 1.1), ("presence_penalty", 0.5), ("frequency_penalty", 0.5), ("dry", 0.8, 1.75, 2, 0),
          ("dynatemp", 0.5, 1.5, 1), ("top_n_sigma", 1), ("top_k", 2), ("typical_p", 0.9), ("top_p", 0.9), ("min_p", 0.1),
          ("xtc", 0.5, 0.1), ("greedy",), ("mirostat", 5, 0.1), ("adaptive_p", 0.5, 0.9)]


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
        value = 1 if field.cpp_type == field.CPPTYPE_ENUM else NAMED.get(field.name, {field.CPPTYPE_STRING: "a", field.CPPTYPE_BOOL: False}.get(field.cpp_type, 1))
        if field.type == field.TYPE_BYTES and isinstance(value, str):
            value = value.encode()
        if field.type == field.TYPE_STRING and isinstance(value, bytes):
            value = value.decode("latin-1")
        if repeated:
            getattr(message, field.name).append(value)
        else:
            setattr(message, field.name, value)


def packed(header, frames):
    lengths = [len(header), *map(len, frames)]
    return bytes([len(frames)]) + struct.pack(f"<{len(lengths)}H", *lengths) + header + b"".join(frames)


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
    for word in ("heartbeat", "say_hello", "refused"):
        message = kind()
        part = getattr(message.control, word)
        part.SetInParent()
        fill(part)
        (folder / f"word-{word}").write_bytes(packed(message.SerializeToString(), []))
    (folder / "all").write_bytes(whole)


write("clients", text_pb2.TextRequest, [], [IDS], [ROW, IDS])
write("replies", text_pb2.TextReply, [], [IDS], [IDS, LOGPROBS])
write("tokens", tokens_pb2.TokensRequest, [IDS], [ROW, IDS])
write("modelds", tokens_pb2.TokensReply, [], [LOGPROBS])
write("logits", logits_pb2.LogitsRequest, [ROW, IDS], [ROW])
for name, *numbers in CHAINS:
    order = logits_pb2.LogitsRequest()
    fill(order.sample)
    step = order.sample.strategy.steps[0]
    step.name, step.numbers[:] = name, numbers
    (HERE / "corpus/logits" / name).write_bytes(packed(order.SerializeToString(), [ROW, IDS]))
write("samplerds", logits_pb2.LogitsReply, [], [LOGPROBS])
