"""Clients that said Hello and ask for nothing: whoever comes later is served, and whoever has work keeps its place."""
import contextlib
import random
import selectors

import pytest

from conftest import wait_until
from few_files import LONG, LimitedTo256, files_enough  # noqa: F401
from roads import RoadStack, road  # noqa: F401
from witness import Witness, held_bytes, n_descriptors
import zmtp
from fake_link import VERSION, common_pb2
import text_pb2

N_IDLE = 1300
PEERS_MAX = 768                             # limits.h
LEFT_BYTES_MAX = 48 << 20                   # beside what was held before
HEARTBEAT_MS = 60000                        # so that none counts as silent within the test


def hello(number):
    message = text_pb2.TextRequest()
    setattr(message.control, "from", random.getrandbits(63) | 1)
    said = message.control.hello
    said.version, said.role, said.name = VERSION, common_pb2.CLIENT, f"idle {number}"
    said.heartbeat_ms, said.pid, said.host = HEARTBEAT_MS, 1, "here"
    return zmtp.frame(message.SerializeToString())


class Idle:
    """One connection of a client that only says Hello, and what it was told: the words in order."""

    def __init__(self, address, number):
        self.socket = zmtp.greeted(address)
        self.socket.sendall(hello(number))
        self.read = zmtp.Messages(greeted=True)
        self.words, self.why = [], ""

    def take(self):
        """False: the connection ended."""
        with contextlib.suppress(BlockingIOError, ConnectionError):
            self.socket.setblocking(False)
            if not (piece := self.socket.recv(65536)):
                return False
            for frames in self.read.feed(piece):
                reply = text_pb2.TextReply()
                reply.ParseFromString(frames[0])
                self.words.append(reply.control.WhichOneof("word"))
                self.why = reply.control.refused.message or self.why
        return True


def joined_idle(address, held):
    """N_IDLE of them, each answered before the next one comes."""
    made = []
    selector = held.enter_context(selectors.DefaultSelector())
    for number in range(N_IDLE):
        one = Idle(address, number)
        held.enter_context(one.socket)
        selector.register(one.socket, selectors.EVENT_READ, one)
        made.append(one)
        while "hello" not in one.words and "refused" not in one.words:
            ready = selector.select(60)
            assert ready, f"no answer to {number}"
            for key, _ in ready:
                if not key.data.take():
                    selector.unregister(key.fileobj)
    return made


@pytest.mark.parametrize("kind", [RoadStack, LimitedTo256])
def test_idle_clients_make_room(road, models, kind):
    with kind(road, models(**LONG)) as stack:
        n_before, held_before = n_descriptors(stack.tokenizerd), held_bytes(stack.tokenizerd)
        with Witness(stack) as witness, contextlib.ExitStack() as held:
            made = joined_idle(stack.clients, held)
            witness.reads_on()
            assert all(one.words[0] == "hello" for one in made)
            assert stack.text("Once", "--max-new-tokens", "3")
            for one in made:
                one.take()
            gone = [one for one in made if "leave" in one.words]
            assert N_IDLE - PEERS_MAX <= len(gone) < N_IDLE
            assert all("refused" in one.words and "place was needed" in one.why for one in gone)
            assert gone[0] is made[0], "the one that was idle the longest"
        wait_until(lambda: n_descriptors(stack.tokenizerd) <= n_before + 20, what="their descriptors")
        wait_until(lambda: held_bytes(stack.tokenizerd) <= held_before + LEFT_BYTES_MAX, what="their memory")
