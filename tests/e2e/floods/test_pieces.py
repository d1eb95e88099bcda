"""Messages in pieces of which the last never comes, on many connections: what came of them shares one budget, whoever comes
when it is full is told `busy`, and those that are slow make room for others."""
import pytest

from conftest import wait_until
from few_files import LONG
from pipelining import Pipelining, memory_is_bounded, nobody_was_lost, start_at, text_of
from witness import Witness
import common_pb2
import text_pb2

MIB = 1 << 20
PIECE = bytes(256 << 10)
N_CLIENTS, N_PIECES = 90, 3             # more than PIECES_BYTES_MAX together
LARGE = text_of(MIB)


@pytest.fixture(params=["ipc", "tcp"])
def address(request, stack, models):
    return start_at(stack, request.param, models(**LONG))


class Halfway(Pipelining):
    """Says heartbeats as others do, and after them a byte of its message, if it drips."""
    drips = True
    index = None

    def begin(self, message, pieces):
        message.control.more.append(2 * MIB)
        self.send(message)
        for index, piece in enumerate(pieces):
            self.send_piece(index, piece)
        self.index = len(pieces)

    def begin_text(self):
        self.n_calls += 1
        self.begin(text_pb2.TextRequest(tokenize={"call": self.n_calls}), [PIECE] * N_PIECES)

    def begin_biases(self):
        """Its header is what takes the room."""
        self.n_calls += 1
        ids = common_pb2.IdList(ids=range(3, 60003))
        biases = common_pb2.Step(name="logit_bias", lists=[ids], numbers=[1.5] * len(ids.ids))
        self.begin(text_pb2.TextRequest(generate={
            "request": self.name_on_link.rjust(16).encode(), "attempt": 1, "max_new_tokens": 4,
            "segments": [text_pb2.Segment(n_bytes=2 * MIB)], "strategy": common_pb2.Strategy(steps=[biases])}), [])

    def heartbeat(self, to=b""):
        super().heartbeat(to)
        if self.index is not None and self.drips:
            self.send_piece(self.index, b"x")
            self.index += 1


def sentences(clients):
    """What they were told of their messages so far."""
    told = []
    for client in clients:
        told += [answer[1] for answer in list(client.answers.queue) if answer[0] in ("failed", "done")]
    return [getattr(one, one.WhichOneof("body")).error for one in told]


def is_tokenized(stack):
    return stack.run("tokenize", input=LARGE).returncode == 0


@pytest.mark.parametrize("begin", [Halfway.begin_text, Halfway.begin_biases], ids=["frames", "headers"])
def test_messages_that_never_become_whole(stack, fakes, address, begin):
    with Witness(stack) as witness:
        clients = [fakes(Halfway, address, name=f"half {i}") for i in range(N_CLIENTS)]
        for client in clients:
            client.wait_joined()
        for client in clients:
            begin(client)
        # Whoever came last is refused; on a busy machine all may be so late by then that one of them goes instead.
        full = ("hold 50 MiB already", "others needed its room")
        wait_until(lambda: any(sentence in one.message for one in sentences(clients) for sentence in full), what="a full budget")
        wait_until(lambda: is_tokenized(stack), what="room for another")
        wait_until(lambda: any("others needed its room" in one.message for one in sentences(clients)), what="one that had to go")
        assert {one.code for one in sentences(clients)} == {common_pb2.BUSY}
        witness.reads_on()
        for client in clients:
            client.close()
        wait_until(lambda: is_tokenized(stack), what="a later one")
    nobody_was_lost(stack)
    memory_is_bounded(stack.tokenizerd)


def test_one_that_stands_still_is_told(stack, fakes, address):
    one = fakes(Halfway, address, name="still")
    one.drips = False
    one.wait_joined()
    one.begin_text()
    failed, _ = one.answer("failed")
    assert failed.error.code == common_pb2.TIMEOUT and "its next piece did not come" in failed.error.message
    assert is_tokenized(stack)
    assert one.answers.empty()
