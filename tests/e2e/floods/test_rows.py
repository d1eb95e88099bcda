"""A tokenizerd that pipelines whatever is large at modeld, and a modeld that does so at samplerd: each keeps within what
PROTOCOL.md says of its memory, and serves the others."""
import array
import contextlib
import os
import pathlib
import re
import socket
import threading

import pytest

from conftest import wait_until
from fake_link import Fake, common_pb2
from modeld_by_hand import ModeldByHand
from roads import RoadStack, road  # noqa: F401 (a fixture)
from witness import SANITIZED, Witness, peak_bytes
import logits_pb2
import tokens_pb2

MIB = 1 << 20
KV_BYTES = 128 * MIB
MODELD_BYTES, SAMPLERD_BYTES = 512 * MIB, 256 * MIB     # beside weights and KV
N_CTX = 100000
N_VOCAB_MAX, N_CTX_MAX = 512 * 1024, 1024 * 1024


def zeros(n):
    return array.array("i", bytes(4 * n)).tobytes()


def another_address(road, folder, name):  # noqa: F811
    if road == "ipc":
        return f"ipc://{folder}/{name}"
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{one.getsockname()[1]}"


class LargeAsker(Fake):
    """A tokenizerd that asks for more than anybody has room for, and counts what it is told."""
    incoming, outgoing, role = tokens_pb2.TokensReply, tokens_pb2.TokensRequest, common_pb2.TOKENIZERD
    joins = False

    def __init__(self, address):
        self.ended = {}                 # what was asked for under this name: how often it has ended
        super().__init__(address, "large asker")

    def serve(self, sender, message, raw):
        kind = message.WhichOneof("body")
        if kind in ("scored", "probed", "failed", "closed"):
            body = getattr(message, kind)
            name = body.request if kind == "closed" else body.call
            self.ended[name] = self.ended.get(name, 0) + 1
        self.seen.clear()

    def ask(self, n):
        """Returns the names of what was asked for."""
        names, (to,) = [], self.peers
        row, history, ids = bytes(4 * N_VOCAB_MAX), zeros(N_CTX), zeros(N_CTX // 2)
        for i in range(n):
            message = self.outgoing()
            message.probe.call = 2 * i + 1
            self.send(message, [row, history], to)
            message = self.outgoing()
            message.score.call = 2 * i + 2
            self.send(message, [ids], to)
            message = self.outgoing()
            message.open.request, message.open.attempt = os.urandom(16), 1
            message.open.n_prompt, message.open.max_new_tokens = N_CTX // 2, N_CTX // 2
            message.open.strategy.steps.add(name="dry", numbers=[1, 2, 2, -1])
            self.send(message, [ids], to)
            names += [2 * i + 1, 2 * i + 2, message.open.request]
        return names


@pytest.fixture
def stack(road, models):  # noqa: F811
    with RoadStack(road, models(type="Q8_0", seed=3, context=N_CTX), "--kv-memory", KV_BYTES, "--log", "debug") as one:
        yield one


def nobody_was_lost(stack):
    for daemon in (stack.tokenizerd, stack.modeld, stack.samplerd):
        lines = [line for line in stack.log(daemon).splitlines() if re.search(r" (modeld_)?left ", line)]
        assert not [line for line in lines if "large" not in line and '"m"' not in line], lines


def later_ones_are_served(stack):
    scored, = stack.lines("score", "Once upon a time")
    assert len(scored["ids"]) > 1
    stack.text("Once upon a time", "--max-new-tokens", "5")


def test_whatever_a_tokenizerd_asks_modeld_keeps_within_its_memory(road, models, fakes, tmp_path):  # noqa: F811
    address = another_address(road, tmp_path, "models")
    model = models(type="Q8_0", seed=3, context=N_CTX)
    large = fakes(LargeAsker, address)
    with RoadStack(road, model, "--kv-memory", KV_BYTES, "--log", "debug", "--join", address) as stack, Witness(stack) as witness:
        large.wait_joined()
        n = 6 if SANITIZED else 60      # each of their steps takes a second there, and the witness has its turn after them
        names = large.ask(n)
        wait_until(lambda: sum(large.ended.values()) >= n, what="answers to most, or refusals")
        witness.reads_on()
        large.close()
        wait_until(lambda: stack.model()["sequences"] == 1, what="nothing of a tokenizerd that is gone")
        assert all(n == 1 and name in names for name, n in large.ended.items())
        assert peak_bytes(stack.modeld) < MODELD_BYTES + KV_BYTES + pathlib.Path(model).stat().st_size
        witness.reads_on()
        nobody_was_lost(stack)
        later_ones_are_served(stack)


def large_requests(modeld, n, n_vocab, n_rows):
    rows, history = bytes(4 * n_rows * n_vocab), zeros(N_CTX_MAX)
    for ticket in range(1, n + 1):
        sample = logits_pb2.SampleRequest(ticket=ticket, request=b"r" * 16, attempt=1, n_rows=n_rows, n_vocab=n_vocab,
                                          n_ids=N_CTX_MAX, n_prompt=1)
        sample.strategy.steps.add(name="repetition_penalty", numbers=[1.1])
        sample.strategy.steps.add(name="dry", numbers=[1, 2, 2, -1])
        modeld.send([rows, history], sample=sample)


def test_whatever_a_modeld_sends_samplerd_keeps_within_its_memory(stack, road, tmp_path):  # noqa: F811
    address = another_address(road, tmp_path, "samplers")
    n_vocab, n_rows, n = N_VOCAB_MAX // 4, 16, 24
    with contextlib.closing(ModeldByHand(address)) as large, Witness(stack) as witness:
        both = stack.start("samplerd", "--join", stack.samplers, "--join", address, *stack.client_flags)
        large.join()
        stack.wait_ready(n_daemons=4)
        stack.stop(stack.samplerd)              # the text goes on with the one that serves both
        witness.reads_on()
        tickets = []

        def take():
            while len(tickets) < n:
                message, _ = large.receive()
                if message.HasField("sample"):
                    tickets.append(message.sample.ticket)
        large_requests(large, n, n_vocab, n_rows)
        taker = threading.Thread(target=take, daemon=True)
        taker.start()
        while taker.is_alive():
            witness.reads_on()
            taker.join(timeout=0.1)
        assert tickets == list(range(1, n + 1))
        assert peak_bytes(both) < SAMPLERD_BYTES
        stack.samplerd = both
        assert stack.log(both).count(" left ") == 0
        later_ones_are_served(stack)
