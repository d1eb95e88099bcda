"""A stack of small tables, clients that fill them by hand, and what limits.h says."""
import array
import os
import re

import pytest

from conftest import ROOT, Stack, wait_until
from fake_client import FakeClient
import common_pb2
import text_pb2

GREEDY = common_pb2.Strategy(steps=[common_pb2.Step(name="greedy")])
PATIENT = ("--heartbeat-ms", "20000")       # nobody is lost who is held


def tiny_limit(name):
    """Of a build with TINY_LIMITS=1."""
    text = (ROOT / "proto" / "base" / "limits.h").read_text()
    return int(re.search(rf"\b{name} = TINY_LIMITS \? (\d+) :", text)[1])


class TinyStack(Stack):
    def __init__(self, model):
        super().__init__()
        self.model_path = model
        self.tokenizerd, self.clients, self.models = self.start_tokenizerd()
        self.start_model()
        self.samplerd = self.start("samplerd", *PATIENT)
        self.wait_ready()

    def start_model(self, *tokenizerds):
        """It has joined all of them (none: the one that is here) before any samplerd: it says soon who has joined it
        then, not with its next heartbeat, which is far."""
        joins = [flag for models in tokenizerds for flag in ("--join", models)]
        self.modeld = self.start("modeld", "--model", self.model_path, "--step-deadline-ms", "60000", "--log", "debug",
                                 "--insecure", *joins, *PATIENT)
        n_all = len(tokenizerds) or 1
        wait_until(lambda: self.log(self.modeld).count("joined tokenizerd=") == n_all, what="a modeld that has joined")

    def start_tokenizerd(self, *arguments):
        """The process, and where clients and modelds join it."""
        process = self.start("tokenizerd", "--log", "debug", *arguments)
        ready = wait_until(lambda: re.search(r" ready clients=(\S+) models=(\S+)", self.log(process)), what="a tokenizerd")
        return process, *ready.groups()


@pytest.fixture
def tables(models):
    with TinyStack(models(type="Q8_0", seed=3, context=100000)) as one:
        yield one


class TinyClient(FakeClient):
    """Asks for what a test says, and acknowledges nothing unasked."""
    heartbeat_ms = 20000

    def __init__(self, address, name="tiny", joins_now=True):
        self.n_calls = 0
        super().__init__(address, name)
        if joins_now:
            self.wait_joined()

    def ask(self, kind, raw=(), **fields):
        """The number of the call."""
        self.n_calls += 1
        self.send(text_pb2.TextRequest(**{kind: {"call": self.n_calls, **fields}}), raw)
        return self.n_calls

    def generate(self, request=None, attempt=1, n_tokens=4, n_ids=0):
        """The id of the request: of a short text, or of that many ids."""
        request = request or os.urandom(16)
        prompt = {"n_prompt": n_ids} if n_ids else {"segments": [text_pb2.Segment(n_bytes=4)]}
        self.send(text_pb2.TextRequest(generate=text_pb2.Generate(
            request=request, attempt=attempt, max_new_tokens=n_tokens, strategy=GREEDY, ignore_eos=True, **prompt)),
            [array.array("i", [3] * n_ids).tobytes() if n_ids else b"Once"])
        return request

    def is_heard(self):
        """What was said before is in the tables now: others who ask come later."""
        self.ask("list")
        _, (listed,) = self.answer("listed")
        return text_pb2.RequestList.FromString(listed).requests

    def score(self):
        return self.ask("score", [array.array("i", range(3, 40)).tobytes()], has_ids=True)

    def begun(self, *arguments, **keywords):
        """A text that is under way."""
        request = self.generate(*arguments, **keywords)
        while (said := self.answers.get(timeout=60))[0] != "started":
            assert said[0] != "done", said[1]
        assert said[1].started.request == request
        return request

    def done(self):
        return self.answer("done")[0]

    def busy(self, kind="failed"):
        """The sentence of an error that says so."""
        error = self.answer(kind)[0].error
        assert error.code == common_pb2.BUSY, error
        return error.message

    def cancel_call(self, call):
        self.send(text_pb2.TextRequest(cancel_call={"call": call}))
        failed = self.answer("failed")[0]
        assert (failed.call, failed.error.code) == (call, common_pb2.CANCELLED)

    def pause(self, request):
        """It rests from its first step on."""
        self.send(text_pb2.TextRequest(pause={"request": request, "attempt": 1}))

    def leave(self):
        message = text_pb2.TextRequest()
        message.control.leave.SetInParent()
        self.silent = True
        self.send(message)

    def acknowledge(self, request, change):
        message = text_pb2.TextRequest()
        message.acknowledge.request, message.acknowledge.attempt, message.acknowledge.change = request, 1, change
        self.send(message)
