"""A modeld on samplerd's side whose every message the test itself sends and receives: nothing is said unasked."""
import array

import zmq

from fake_link import VERSION, common_pb2
import logits_pb2

ROW = [5, 3, 2, 1, 0.5]
GREEDY = common_pb2.Strategy(steps=[common_pb2.Step(name="greedy")])


def joined_by_hand(stack, fakes):
    """One that a samplerd of ours has joined, in a folder of its own: the stack's modeld is where samplerds look by themselves."""
    stack.folder.joinpath("sockets").mkdir()
    address = f"ipc://{stack.folder}/sockets/samplers"
    one = fakes(ModeldByHand, address)
    stack.start("samplerd", "--join", address)
    return one.join()


class ModeldByHand:
    """A bound socket, read and written by the test itself."""

    def __init__(self, address, incarnation=77):
        self.context, self.incarnation, self.sampler, self.hello = zmq.Context(), incarnation, None, None
        self.socket = self.context.socket(zmq.ROUTER)
        self.socket.linger = 0
        self.socket.bind(address)

    def receive(self, seconds=60):
        assert self.socket.poll(seconds * 1000), f"nothing came within {seconds} s"
        self.sampler, header, *raw = self.socket.recv_multipart()
        return logits_pb2.LogitsReply.FromString(header), raw

    def send(self, raw=(), **fields):
        message = logits_pb2.LogitsRequest(**fields)
        setattr(message.control, "from", self.incarnation)
        message.control.to = self.theirs
        self.socket.send_multipart([self.sampler, message.SerializeToString(), *raw])

    def join(self):
        self.hello = None
        while self.hello is None:
            message, _ = self.receive()
            self.theirs = getattr(message.control, "from")
            word = message.control.WhichOneof("word")
            if word == "hello":
                self.hello = message.control.hello
            elif word == "heartbeat":       # it asks who is here, or means the modeld that was here before
                self.send(control=common_pb2.Control(say_hello=common_pb2.SayHello()))
        return self.welcome()

    def welcome(self):
        hello = common_pb2.Hello(version=VERSION, role=common_pb2.MODELD, name="m", heartbeat_ms=20000)
        self.send(control=common_pb2.Control(hello=hello))
        return self

    def sample(self, *rows, ids=(), raw=None, **fields):
        """Send these rows. Fields of the request override what follows from the rows."""
        numbers = dict(ticket=4242, request=b"r" * 16, attempt=3, n_rows=len(rows), n_vocab=len(rows[0]), n_ids=len(ids),
                       n_prompt=len(ids))
        if raw is None:
            raw = [array.array("f", [z for row in rows for z in row]).tobytes(), array.array("i", ids).tobytes()]
        self.send(raw, sample=logits_pb2.SampleRequest(**{**numbers, **fields}))

    def sampled(self):
        """The next reply, and its raw frames."""
        while True:
            message, frames = self.receive()
            if message.HasField("sample"):
                return message.sample, frames

    def ask(self, *rows, ticket=4242, **fields):
        """The reply to these rows, and its raw frames."""
        self.sample(*rows, ticket=ticket, **fields)
        reply, frames = self.sampled()
        assert reply.ticket == ticket and reply.attempt == 3
        return reply, frames

    def close(self):
        self.socket.close(0)
        self.context.term()


def ids_of(reply):
    assert not reply.HasField("error"), reply.error
    return [drawn.id for drawn in reply.drawn]
