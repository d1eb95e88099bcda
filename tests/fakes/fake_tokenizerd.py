"""A stand-in for tokenizerd on the client's side: it starts a text, and what then happens is up to it."""
import array
import os

from fake_link import Fake, common_pb2
import text_pb2


class FakeTokenizerd(Fake):
    incoming, outgoing, role = text_pb2.TextRequest, text_pb2.TextReply, common_pb2.TOKENIZERD
    joins = False

    def __init__(self, address, chunk=None, n_tokens=26, decode_ms=0, name="fake"):
        self.chunk = chunk                     # chunk(self, sender, generate, step) → True: it was dealt with
        self.n_tokens, self.decode_ms = n_tokens, decode_ms
        self.generates = []
        self.heartbeat_ms = getattr(chunk, "heartbeat_ms", self.heartbeat_ms)
        super().__init__(address, name)

    def serve(self, sender, message, raw):
        if message.WhichOneof("body") != "generate":
            return
        generate = message.generate
        self.generates.append((generate, raw))
        has_ids = raw and not generate.segments and not generate.messages
        n_ids = len(array.array("i", raw[0])) if has_ids else 0
        started = self.outgoing()
        body = started.started
        body.request, body.attempt, body.model, body.fingerprint = generate.request, generate.attempt, "fake", "f1"
        body.seed, body.n_prompt = generate.seed, 3
        body.template, body.origin, body.max_new_tokens = "chatml", text_pb2.TEMPLATE_OWN, generate.max_new_tokens
        self.send(started, [array.array("i", [1, 2, 3]).tobytes()], sender)
        for step in range(max(0, n_ids - 3), self.n_tokens):
            if self.chunk and self.chunk(self, sender, generate, step):
                return
            self.send_chunk(sender, generate, step)
        done = self.outgoing()
        done.done.request, done.done.attempt = generate.request, generate.attempt
        done.done.reason, done.done.n_tokens = text_pb2.FINISH_LENGTH, self.n_tokens
        done.done.timings.decode_ms = self.decode_ms
        self.send(done, to=sender)

    def send_chunk(self, sender, generate, step, **changes):
        reply = self.outgoing()
        chunk = reply.chunk
        chunk.request, chunk.attempt, chunk.step = generate.request, generate.attempt, step
        chunk.text, chunk.semantics = bytes([ord("a") + step % 26]), "fake/1"
        drawn = chunk.drawn.add()
        drawn.id, drawn.logprob, drawn.state = 10 + step, -0.5, b"after %d" % step
        for field, value in changes.items():
            setattr(chunk, field, value)
        self.send(reply, to=sender)


def strays():
    """Before each chunk: one of another attempt, of a stranger, and of steps that are over or not yet due."""
    def do(fake, sender, generate, step):
        fake.send_chunk(sender, generate, step, attempt=generate.attempt + 7, text=b"#")
        fake.send_chunk(sender, generate, step, request=os.urandom(16), text=b"#")
        fake.send_chunk(sender, generate, step + 3, text=b"#")
        if step:
            fake.send_chunk(sender, generate, step - 1, text=b"#")
        return False
    return do


def lets_go(at, text):
    """At this step it lets go text that was held back, and is gone before its Done."""
    def do(fake, sender, generate, step):
        if step < at:
            return False
        reply = fake.outgoing()
        chunk = reply.chunk
        chunk.request, chunk.attempt, chunk.step, chunk.text = generate.request, generate.attempt, step, text
        fake.send(reply, to=sender)
        fake.die()
        return True
    return do
