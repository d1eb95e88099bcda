"""A stand-in for samplerd: greedy where it behaves, and it need not."""
import array
import time

from fake_link import Fake, common_pb2
import logits_pb2


def likeliest(request, frame):
    """The id of the largest logit of each row, or of what is left of a cut one."""
    if request.HasField("cut"):
        n = request.cut.n_left
        ids, logits = array.array("i", frame[:4 * n]), array.array("d", frame[8 * n:])
        return [ids[max(range(n), key=logits.__getitem__)]]
    row, n = array.array("f", frame), request.n_vocab
    return [max(range(n), key=row[r * n:(r + 1) * n].__getitem__) for r in range(request.n_rows)]


class FakeSamplerd(Fake):
    sends_whole = True
    incoming, outgoing, role = logits_pb2.LogitsRequest, logits_pb2.LogitsReply, common_pb2.SAMPLERD

    def __init__(self, address, name="fake", pool="", semantics="fake/1", misbehave=None, takes_cut_rows=False):
        self.pool, self.semantics, self.takes_cut_rows = pool, semantics, takes_cut_rows
        self.has_state = not takes_cut_rows    # one that nobody else can read: modeld must, to cut a row
        self.misbehave = misbehave             # misbehave(self, request, reply, n) → True: it was dealt with
        self.n_steps = 0
        super().__init__(address, name)

    def offer(self, hello):
        hello.sampler.pool, hello.sampler.semantics = self.pool, self.semantics
        hello.sampler.takes_cut_rows = self.takes_cut_rows

    def serve(self, sender, message, raw):
        if message.WhichOneof("body") != "sample":
            return
        request = message.sample
        reply = self.outgoing()
        answer = reply.sample
        answer.ticket, answer.request, answer.attempt, answer.step = (
            request.ticket, request.request, request.attempt, request.step)
        for id in likeliest(request, raw[0]):
            answer.drawn.add(id=id, logprob=-1.0, state=b"steps:%d" % (request.step + 1) if self.has_state else b"")
        self.n_steps += 1
        if self.misbehave is None or not self.misbehave(self, request, reply, self.n_steps):
            self.send(reply)


def late(seconds):
    """Every answer comes so late."""
    def do(fake, request, reply, n):
        time.sleep(seconds)
        return False
    return do


def drops(every):
    """Each such step is never answered."""
    return lambda fake, request, reply, n: n % every == 0


def garbage(every):
    """Each such step is answered with bytes that are no message."""
    def do(fake, request, reply, n):
        if n % every:
            return False
        fake.send_garbage()
        return True
    return do


def changes(field, value, every=1):
    """Each such answer has a wrong field: "ticket", or "id", "logprob", "state" of what it drew."""
    def do(fake, request, reply, n):
        if n % every == 0:
            setattr(reply.sample if field == "ticket" else reply.sample.drawn[0], field, value)
        return False
    return do


def dies(at):
    """At this step it is gone, without a word."""
    def do(fake, request, reply, n):
        if n >= at:
            fake.ending.set()
            return True
        return False
    return do


def drains(at):
    """At this step it says that it takes nothing new, and answers."""
    def do(fake, request, reply, n):
        if n == at:
            fake.drain()
        return False
    return do


def twice():
    """Every answer is sent two times."""
    def do(fake, request, reply, n):
        fake.send(reply)
        return False
    return do


def changes_its_mind(at, **offer):
    """At this step it says Hello again, and offers something else."""
    def do(fake, request, reply, n):
        if n == at:
            vars(fake).update(offer)
            fake.hello()
        return False
    return do


def refuses(code):
    """Every step is answered with an error."""
    def do(fake, request, reply, n):
        del reply.sample.drawn[:]
        reply.sample.error.code, reply.sample.error.message = code, "this fake refuses"
        return False
    return do
