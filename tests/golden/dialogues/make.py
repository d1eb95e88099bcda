#!/usr/bin/python3
"""Makes text.jsonl and logits.jsonl, the dialogues of PROTOCOL.md as bytes, and writes them into the page.

    TRIVIUM_BUILD=$PWD/build /usr/bin/python3 tests/golden/dialogues/make.py        (wants `make programs tools`)

What the asker says stands here; what the daemon answers is what it answers, with what varies left out.
"""
import array
import json
import math
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path[:0] = [str(ROOT / "tests" / name) for name in ("e2e", "fakes")]

from conftest import BUILD, Stack  # noqa: E402
import dialogue  # noqa: E402
import common_pb2  # noqa: E402
import talking  # noqa: E402

TEXT, OTHER = b"a text of mine..", b"another of mine."
ROW = [5, 3, 2, 1, 0.5]


def chain(**steps):
    return common_pb2.Strategy(steps=[common_pb2.Step(name=name, numbers=numbers) for name, numbers in steps.items()])


def ints(*ids):
    return array.array("i", ids).tobytes()


def rows(*logits):
    return array.array("f", sum(logits, [])).tobytes()


class Recorder:
    def __init__(self, link, saying, then):
        self.link, self.saying, self.happens, self.lines = link, saying, then, []

    def note(self, who, message, raw):
        self.lines.append({"from": who, "frames": [message.SerializeToString().hex(), *(frame.hex() for frame in raw)]})

    def say(self, *raw, **fields):
        message = self.link.types[self.link.asker](**fields)
        setattr(message.control, "from", dialogue.ASKER)
        message.control.to = dialogue.DAEMON if self.saying.theirs else 0
        self.note(self.link.asker, message, raw)
        self.saying.say(message, raw)

    def hear(self, kind):
        message, raw = self.saying.hear(kind)
        assert dialogue.kind_of(message) == kind, message
        self.note(self.link.daemon, message, raw)
        return getattr(message, kind, None), raw

    def then(self, what):
        self.lines.append({"then": what})
        self.happens[what]()


def hello(**fields):
    return common_pb2.Control(hello=common_pb2.Hello(version=2, version_oldest=2, heartbeat_ms=60000, **fields))


def talk_of_a_client(one):
    asked = dict(seed=3, max_new_tokens=6, ignore_eos=True, wait_ms=60000, strategy=chain(temperature=[0.8], top_p=[0.9]))
    prompt = b"Once upon a time"
    one.say(control=hello(role=common_pb2.CLIENT, name="mine"))
    one.hear("hello")
    one.say(prompt, tokenize=dict(call=1, model="tiny"))
    one.hear("tokenized")
    one.say(prompt, generate=dict(request=TEXT, attempt=1, model="tiny", segments=[dict(n_bytes=len(prompt))], **asked))
    started, (ids,) = one.hear("started")
    one.say(tune=dict(call=2, request=TEXT[:4], strategy=chain(temperature=[1.5])))
    change = one.hear("chunk")[0].change
    one.say(acknowledge=dict(request=TEXT, attempt=1, change=1))
    one.hear("tuned")
    one.then(talking.SAMPLER)
    chunks = [one.hear("chunk")[0] for _ in range(6)]
    one.hear("done")
    asked.update(strategy=change.strategy, change=1, state=chunks[2].drawn[0].state, semantics=chunks[2].semantics)
    one.say(ids + ints(*(chunk.drawn[0].id for chunk in chunks[:3])),
            generate=dict(request=TEXT, attempt=2, model=started.model, fingerprint=started.fingerprint,
                          n_prompt=started.n_prompt, **asked))
    one.hear("started")
    again = [one.hear("chunk")[0] for _ in range(3)]
    assert [chunk.drawn for chunk in again] == [chunk.drawn for chunk in chunks[3:]]
    one.hear("done")
    one.say(prompt, generate=dict(request=OTHER, attempt=1, model="tiny", pool="elsewhere", segments=[dict(n_bytes=16)],
                                  seed=1, max_new_tokens=6, wait_ms=60000))
    one.hear("started")
    one.say(cancel=dict(call=3, request=OTHER))
    one.hear("done")
    one.hear("cancelled")
    one.say(cancel=dict(call=4, request=b"nobody's"))
    one.hear("failed")
    one.say(control=common_pb2.Control(leave=common_pb2.Leave()))


def talk_of_a_modeld(one):
    def sample(ticket, *logits, ids, **fields):
        one.say(rows(*logits), ints(*ids), sample=dict(ticket=ticket, request=TEXT, attempt=1, n_rows=len(logits), n_vocab=5,
                                                       n_ids=len(ids), n_prompt=2, seed=7, deadline_ms=2000, **fields))
        return one.hear("sample")[0]
    one.hear("hello")
    one.say(control=hello(role=common_pb2.MODELD, name="tiny",
                          model=dict(fingerprint="f", vocabulary="v", n_vocab=5, n_ctx=256)))
    first = sample(256, ROW, ids=[4, 2], step=0, strategy=chain(temperature=[1.5]), n_candidates=2)
    ids = [4, 2, first.drawn[0].id]
    second = sample(512, ROW, ids=ids, step=1, strategy=chain(mirostat=[2, 0.5]))
    ids.append(second.drawn[0].id)
    sample(768, ROW, ids=ids, step=2, strategy=chain(mirostat=[2, 0.5]), state=second.drawn[0].state)
    sample(1024, ROW, ROW, ROW, ids=ids, step=2, strategy=chain(presence_penalty=[9], greedy=[]), drafts=[1, 2])
    steps = chain(temperature=[2], top_k=[2])
    whole = sample(1280, ROW, ids=ids, step=3, strategy=steps)
    weights = [round(math.exp(logit - ROW[0]) * 2**44) for logit in ROW]
    left = ints(0, 1) + rows(ROW[:2]) + array.array("d", [ROW[0] / 2, ROW[1] / 2]).tobytes()
    one.say(left, sample=dict(ticket=1408, request=TEXT, attempt=1, n_rows=1, n_vocab=5, step=3, strategy=steps, seed=7,
                              deadline_ms=2000, cut=dict(n_stages=2, n_left=2, raw_max=ROW[0], raw_total=sum(weights))))
    assert one.hear("sample")[0].drawn == whole.drawn
    sample(1536, ROW, ids=[4, 9], step=0)
    one.say(control=common_pb2.Control(heartbeat=common_pb2.Heartbeat()))
    one.hear("heartbeat")
    one.say(control=common_pb2.Control(leave=common_pb2.Leave()))


TALKS = {"text": talk_of_a_client, "logits": talk_of_a_modeld}


def record(name, model):
    link = dialogue.LINKS[name]
    with Stack() as stack:
        address, begin, then = talking.DAEMONS[name](stack, model)
        saying = dialogue.Saying(link, address)
        begin()
        recorder = Recorder(link, saying, then)
        TALKS[name](recorder)
        saying.close()
    return recorder.lines


def write_into(page, name, lines):
    block = f"```dialogue {name}\n{dialogue.text(dialogue.LINKS[name], lines)}```"
    return re.sub(rf"^```dialogue {name}\n.*?^```$", lambda _: block, page, count=1, flags=re.MULTILINE | re.DOTALL)


def main():
    page = ROOT / "proto" / "PROTOCOL.md"
    with tempfile.TemporaryDirectory() as folder:
        model = pathlib.Path(folder) / "tiny.gguf"
        flags = [word for flag, value in talking.MODEL.items() for word in (f"--{flag}", str(value))]
        subprocess.run([BUILD / "tests" / "make_model", model, *flags], check=True)
        for name in TALKS:
            lines = record(name, model)
            (HERE / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
            page.write_text(write_into(page.read_text(), name, lines))


main()
