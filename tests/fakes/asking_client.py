"""A client that asks for what a test says, and acknowledges nothing unasked."""
import array
import os

from fake_client import FakeClient
import common_pb2
import text_pb2

GREEDY = common_pb2.Strategy(steps=[common_pb2.Step(name="greedy")])
FINISH_LENGTH, FINISH_CANCELLED = 2, 3
ENOUGH = 100000                     # tokens: the text is there until it is cancelled

VERBS = {                           # whoever may not do these to a text must not learn of it either
    "list": {},
    "tune": {"strategy": GREEDY},
    "cancel": {},
    "watch": {"n_candidates": 1},
}


class AskingClient(FakeClient):
    def __init__(self, address, name="asking", owner="", joins_now=True):
        self.n_calls = 0
        super().__init__(address, name, owner)
        if joins_now:
            self.wait_joined()

    def ask(self, kind, raw=(), **fields):
        """The number of the call."""
        self.n_calls += 1
        self.send(text_pb2.TextRequest(**{kind: {"call": self.n_calls, **fields}}), raw)
        return self.n_calls

    def generate(self, request=None, attempt=1, n_tokens=4, n_ids=0, **fields):
        """The id of the request: of a short text, or of that many ids."""
        request = request or os.urandom(16)
        prompt = {"n_prompt": n_ids} if n_ids else {"segments": [text_pb2.Segment(n_bytes=4)]}
        self.send(text_pb2.TextRequest(generate=text_pb2.Generate(
            request=request, attempt=attempt, max_new_tokens=n_tokens, strategy=GREEDY, ignore_eos=True, **prompt, **fields)),
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

    def answer_to(self, kind, request):
        """All of what comes back of a verb, but for the number of the call."""
        call = self.ask(kind, **({} if kind == "list" else {"request": request, **VERBS[kind]}))
        while True:
            body, message, raw = self.answers.get(timeout=60)
            answer = getattr(message, body)
            if getattr(answer, "call", None) == call:
                answer.call = 0
                return body, answer.SerializeToString(), [bytes(one) for one in raw]

    def answers_about(self, request):
        return {kind: self.answer_to(kind, request) for kind in VERBS}

    def hides_a_text_from(self, other, stack, n_bytes=16):
        """Asked about its text, by so many bytes of the id, the other one is answered as before there was one, and so it is afterwards."""
        request = os.urandom(16)
        asked = request[:n_bytes]
        before = other.answers_about(asked)
        with stack.held():
            self.begun(request, n_tokens=ENOUGH)
            assert other.answers_about(asked) == before
            other.pause(request)
            other.acknowledge(request, 1)
            assert not other.is_heard()
            one, = self.is_heard()
            assert (one.request, one.state, one.owner) == (request, "running", "")
        self.ask("cancel", request=request)
        assert self.done().reason == FINISH_CANCELLED
        assert other.answers_about(asked) == before

    def text(self, request, attempt=1):
        """All of its chunks, and its Done."""
        text = b""
        while True:
            body, message, _ = self.answers.get(timeout=60)
            said = getattr(message, body)
            if body == "chunk" and (said.request, said.attempt) == (request, attempt):
                text += said.text
            if body == "done" and (said.request, said.attempt) == (request, attempt):
                return text, said

    def chunks(self, request):
        """Of its text so far, those in which something was drawn."""
        said = [message.chunk for _, message, _ in self.seen if message.WhichOneof("body") == "chunk"]
        return [chunk for chunk in said if chunk.request == request and chunk.drawn]

    def is_writing(self, request):
        """It has begun, and is not over."""
        return bool(self.chunks(request)) and not any(message.WhichOneof("body") == "done" and message.done.request == request
                                                      for _, message, _ in self.seen)

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
