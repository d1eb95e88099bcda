"""A stand-in for modeld: a vocabulary of 256 bytes and a few control tokens, and a token for every step."""
import array
import os

from fake_link import Fake, common_pb2
import tokens_pb2

CONTROL = [b"<|endoftext|>", b"<|im_start|>", b"<|im_end|>"]


def byte_letters():
    """GPT-2's letters for the 256 bytes, as the files spell them."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters, n = {}, 0
    for byte in range(256):
        if byte in kept:
            letters[byte] = chr(byte)
        else:
            letters[byte] = chr(256 + n)
            n += 1
    return [letters[byte].encode() for byte in range(256)]


class FakeModeld(Fake):
    incoming, outgoing, role = tokens_pb2.TokensReply, tokens_pb2.TokensRequest, common_pb2.MODELD
    incoming, outgoing = outgoing, incoming    # what tokenizerd sends comes in here

    def __init__(self, address, name="fake", fingerprint="f1", n_ctx=512, kind="gpt2", split="gpt-2",
                 next_token=None, vocabulary="v1", deadly=(), chat_template=b"", add_bos=False,
                 default_model=("", 0)):
        self.fingerprint, self.n_ctx, self.kind, self.split, self.vocabulary = fingerprint, n_ctx, kind, split, vocabulary
        self.tokens = CONTROL + byte_letters()
        self.next_token = next_token           # next_token(self, sender, open, step) → True: it was dealt with
        self.heartbeat_ms = getattr(next_token, "heartbeat_ms", self.heartbeat_ms)
        self.chat_template, self.add_bos = chat_template, add_bos
        self.default_model = default_model     # (name, since) that it was told before
        self.deadly = deadly                   # bodies that end it without a word
        super().__init__(address, name)

    def offer(self, hello):
        hello.model.fingerprint, hello.model.vocabulary = self.fingerprint, self.vocabulary
        hello.model.n_vocab, hello.model.n_ctx = len(self.tokens), self.n_ctx
        hello.default_model.name, hello.default_model.since_ms = self.default_model

    def serve(self, sender, message, raw):
        body = message.WhichOneof("body")
        if body in self.deadly:
            self.ending.set()
        elif body == "vocabulary":
            self.send_vocabulary(sender)
        elif body == "open":
            self.generate(sender, message.open, array.array("i", raw[0]))
        elif body == "close":
            self.close_sequence(sender, message.close, tokens_pb2.CLOSE_ASKED)

    def send_vocabulary(self, sender):
        reply = self.outgoing()
        piece = reply.vocabulary
        piece.vocabulary, piece.n_tokens_all, piece.n_merges_all = self.vocabulary, len(self.tokens), 0
        piece.tokens.extend(self.tokens)
        piece.types = bytes([3] * len(CONTROL) + [1] * 256)
        piece.meta.kind, piece.meta.split = self.kind, self.split
        piece.meta.bos, piece.meta.eos, piece.meta.eot, piece.meta.eom = 0, 2, -1, -1
        piece.meta.chat_template, piece.meta.add_bos = self.chat_template, self.add_bos
        self.send(reply, to=sender)

    def generate(self, sender, sequence, ids):
        """Token n is the letter 'a' + n mod 26, until max_new_tokens."""
        for step in range(len(ids) - sequence.n_prompt, sequence.max_new_tokens):
            if self.ending.is_set():
                return
            if self.next_token and self.next_token(self, sender, sequence, step):
                return
            self.send_token(sender, sequence, step)
        self.close_sequence(sender, sequence, tokens_pb2.CLOSE_LENGTH)

    def send_token(self, sender, sequence, step, **changes):
        reply = self.outgoing()
        token = reply.token
        token.request, token.attempt, token.step = sequence.request, sequence.attempt, step
        token.drawn.id = len(CONTROL) + ord("a") + step % 26
        token.drawn.logprob = -0.5
        token.drawn.state = b"after %d" % step
        token.semantics, token.change = "fake/1", sequence.change
        for field, value in changes.items():
            setattr(token.drawn if field in ("id", "logprob", "state") else token, field, value)
        self.send(reply, to=sender)

    def close_sequence(self, sender, which, reason, code=0, message=""):
        reply = self.outgoing()
        reply.closed.request, reply.closed.attempt, reply.closed.reason = which.request, which.attempt, reason
        if code:
            reply.closed.error.code, reply.closed.error.message = code, message
        self.send(reply, to=sender)


def strays():
    """Before each token: one of an older attempt, of a stranger, of a wrong step, and with an impossible id."""
    def do(fake, sender, sequence, step):
        fake.send_token(sender, sequence, step, attempt=sequence.attempt + 7)
        fake.send_token(sender, sequence, step, request=os.urandom(16))
        fake.send_token(sender, sequence, step + 3)
        if step:
            fake.send_token(sender, sequence, step - 1)
        return False
    return do


def holds(at, go_on=None):
    """At this step it waits, alive and listening: until the event `go_on`, or until it is told to close."""
    def do(fake, sender, sequence, step):
        def is_closed():
            this = (sequence.request, sequence.attempt)
            return fake.ending.is_set() or any((m.close.request, m.close.attempt) == this for _, m, _ in fake.seen)
        while step == at and not is_closed() and not (go_on and go_on.is_set()):
            fake.heartbeat(sender)
            fake.socket.poll(20)
            fake.receive_all()
        return is_closed()
    return do


def fails(code, message, at=0):
    """The modeld ends the text with this error when this step is due."""
    def do(fake, sender, sequence, step):
        if step >= at:
            fake.close_sequence(sender, sequence, tokens_pb2.CLOSE_ERROR, code, message)
        return step >= at
    return do
