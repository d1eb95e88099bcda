"""What waits for whoever does not read, full: that one is let go, and nobody else is worse off."""
import array
import contextlib
import random

import pytest

from conftest import wait_until
from fake_link import VERSION
from tables import GREEDY, TinyClient, tables  # noqa: F401 (a fixture)
import common_pb2
import text_pb2
import zmtp

FINISH_LENGTH = 2


class DeafClient:
    """Asks, and reads nothing but its Hello. It says that it will beat so rarely that it is not lost as silent."""

    def __init__(self, address, name):
        self.name, self.incarnation, self.n_asked = name, random.getrandbits(63) | 1, 0
        self.connection = zmtp.greeted(address)
        self.theirs = 0
        self.send(text_pb2.TextRequest(control={"hello": common_pb2.Hello(
            version=VERSION, role=common_pb2.CLIENT, name=name, heartbeat_ms=60000)}))
        n_bytes = self.hello_bytes()
        self.theirs = getattr(text_pb2.TextReply.FromString(zmtp.take(self.connection, n_bytes)).control, "from")

    def hello_bytes(self):
        """Of the one frame that it is answered with."""
        self.connection.settimeout(60)
        flags, n_bytes = zmtp.take(self.connection, 2)
        return n_bytes if not flags & zmtp.LONG else int.from_bytes(bytes([n_bytes]) + zmtp.take(self.connection, 7), "big")

    def send(self, message, raw=()):
        setattr(message.control, "from", self.incarnation)
        message.control.to = self.theirs
        frames = [message.SerializeToString(), *raw]
        for i, frame in enumerate(frames):
            self.connection.sendall(zmtp.frame(frame, zmtp.MORE if i + 1 < len(frames) else 0))

    def ask_status(self):
        self.n_asked += 1
        self.send(text_pb2.TextRequest(status={"call": self.n_asked}))

    def ask_probe(self):
        """As many probabilities come as it brings logits, twice as large."""
        self.n_asked += 1
        row = array.array("f", range(10000))
        self.send(text_pb2.TextRequest(probe={"call": self.n_asked, "strategy": GREEDY}), [row.tobytes(), b""])

    def close(self):
        self.connection.close()


@pytest.mark.parametrize("ask", [DeafClient.ask_status, DeafClient.ask_probe], ids=["small answers", "large answers"])
def test_clients_that_do_not_read(tables, fakes, ask):  # noqa: F811
    """Ann has one short text after the other meanwhile: so little waits for her that she is never one of them, however
    long the connection's own thread stands still."""
    ann = fakes(TinyClient, tables.clients, "ann")
    deaf = [fakes(DeafClient, tables.clients, name) for name in ("bob", "carl")]

    def are_gone():
        log = tables.log(tables.tokenizerd)
        left = [one for one in deaf if f'client_left name="{one.name}"' in log]
        for one in deaf:
            if one not in left:
                with contextlib.suppress(ConnectionError):
                    ask(one)
        ann.generate()
        assert ann.done().reason == FINISH_LENGTH
        return len(left) == len(deaf)
    wait_until(are_gone, what="an end of those who do not read")
    assert 'client_left name="ann"' not in tables.log(tables.tokenizerd)
    assert tables.run("tokenize", "somebody else").returncode == 0
    fakes(DeafClient, tables.clients, "bob once more")      # is accepted
