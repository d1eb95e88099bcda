"""Clients that ask for much at once, by hand: large calls, one after the other, none of them awaited; and what holds of
tokenizerd after that."""
import array
import os
import re

from conftest import wait_until
from fake_client import FakeClient
from witness import Witness, held_bytes, peak_bytes
import text_pb2

WORDS = b"The quick brown fox jumps over the lazy dog, again and again. "
MEMORY_MAX = 512 << 20          # PROTOCOL.md, "Memory"
LEFT_MAX = 48 << 20             # what tokenizerd may still hold after a flood


def text_of(n_bytes):
    return (WORDS * (n_bytes // len(WORDS) + 1))[:n_bytes]


def ids_of(n_ids):
    return (array.array("i", range(5, 205)) * (n_ids // 200 + 1))[:n_ids].tobytes()


def start_at(stack, kind, model, modeld=True):
    """The daemons, with clients at ipc or tcp. The address for clients."""
    flags = ("--bind-clients", "tcp://127.0.0.1:*", "--insecure") if kind == "tcp" else ()
    stack.client_flags = flags[2:]
    stack.tokenizerd = stack.start("tokenizerd", *flags)
    ready = wait_until(lambda: re.search(r" ready .*clients=(\S+)", stack.log(stack.tokenizerd)), what="a tokenizerd")
    stack.environment["TRIVIUM_ENDPOINT"] = ready.group(1)
    if modeld:
        stack.modeld = stack.start("modeld", "--model", model)
        stack.start("samplerd")
        stack.wait_ready()
    return ready.group(1)


class Pipelining(FakeClient):
    n_calls = 0

    def call(self, kind, raw=(), messages=(), **fields):
        self.n_calls += 1
        message = text_pb2.TextRequest()
        body = getattr(message, kind)
        body.call = self.n_calls
        for name, value in fields.items():
            setattr(body, name, value)
        for text in messages:
            body.messages.add(role="user", n_bytes=len(text))
        self.send(message, raw=[b"".join(messages)] if messages else raw)

    def generate(self, text=b"", raw=(), **fields):
        self.n_calls += 1
        message = text_pb2.TextRequest()
        body = message.generate
        body.request, body.attempt, body.max_new_tokens = os.urandom(16), 1, 4
        body.strategy.SetInParent()
        if text:
            body.segments.add(n_bytes=len(text))
            raw = [text]
        for name, value in fields.items():
            if name == "strategy":
                body.strategy.CopyFrom(value)
            else:
                setattr(body, name, value)
        self.send(message, raw=raw)

    def ends(self, seconds=120):
        """How each of them ended: (kind, sentence of its error)."""
        ended = []
        while len(ended) < self.n_calls:
            kind, message, _ = self.answers.get(timeout=seconds)
            if kind in ("tokenized", "detokenized", "rendered", "scored", "failed", "done"):
                body = getattr(message, kind)
                ended.append((kind, body.error.message if kind in ("failed", "done") else ""))
        return ended


def flood(stack, fakes, address, ask, n_clients=2):
    """Clients that ask(client) while a witness reads on. How their calls ended."""
    with Witness(stack):
        clients = [fakes(Pipelining, address, name=f"flood {i}") for i in range(n_clients)]
        for client in clients:
            client.wait_joined()
            ask(client)
        ended = [end for client in clients for end in client.ends()]
        assert stack.run("tokenize", "a later one").returncode == 0
    nobody_was_lost(stack)
    memory_is_bounded(stack.tokenizerd)
    return ended


def nobody_was_lost(stack):
    log = stack.log(stack.tokenizerd)
    assert "modeld_left" not in log, log
    assert stack.tokenizerd.poll() is None


def memory_is_bounded(process):
    assert peak_bytes(process) <= MEMORY_MAX
    wait_until(lambda: held_bytes(process) <= LEFT_MAX, what="memory given back")
