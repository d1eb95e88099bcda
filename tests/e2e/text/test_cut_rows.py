"""Rows that are sent, as what the first stages leave of them or whole: the same texts, and few bytes where it can be."""
import json

import pytest

from conftest import wait_until
from relay import Relay
from roads import RoadStack, road      # noqa: F401 (a fixture)

N_VOCAB, N_STEPS = 20000, 40
WHOLE_BYTES = 4 * N_VOCAB
REQUEST = ("hello", "--seed", "3", "--max-new-tokens", str(N_STEPS), "--ignore-eos")
# name: flags, and whether they leave few enough
CHAINS = {"default": ((), True), "greedy": (("--greedy",), True), "top-k": (("--top-k", "40", "--temperature", "1.3"), True),
          "min-p": (("--min-p", "0.1"), True), "looks-back": (("--chain", '[{"top_k": 50}, {"presence_penalty": 0.5}]'), True),
          "mirostat": (("--mirostat", '{"tau": 3, "eta": 0.1}'), True), "plain": (("--chain", "[]"), False),
          "adaptive-p": (("--chain", '[{"top_k": 30}, {"adaptive_p": {"target": 0.4, "decay": 0.9}}]'), True)}


class Sampler:
    """A samplerd that reads no row in place, and how many bytes it was sent since it was last asked. Nothing passes any more
    once it has said so many things."""

    def __init__(self, stack, *flags, n_said_most=None):
        self.stack, self.n_bytes, self.n_said, self.n_said_most = stack, 0, 0, n_said_most
        address = f"ipc://{stack.folder}/road-{len(stack.processes)}"
        self.relay = Relay(address, stack.samplers, heard=self.count, said=self.count_said)
        self.process = stack.start("samplerd", "--join", address, "--no-mapping", *flags)

    def count(self, _, piece):
        self.n_bytes += len(piece)

    def count_said(self, _, piece):
        self.n_said += 1
        if self.n_said == self.n_said_most:
            self.relay.moving.clear()

    def taken(self):
        n_bytes, self.n_bytes = self.n_bytes, 0
        return n_bytes

    def close(self):
        self.stack.stop(self.process)
        self.relay.close()


@pytest.fixture
def stack(road, models):                # noqa: F811
    """A modeld and a tokenizerd, and `mapped`: what each chain writes with rows that are read in place."""
    with RoadStack(road, models(type="Q4_1", seed=1, vocab=N_VOCAB)) as one:
        one.mapped = {name: steps_of(one, *flags) for name, (flags, _) in CHAINS.items()}
        one.watched = steps_of(one, "--show-probs", "5")
        one.stop(one.samplerd)
        wait_until(lambda: len(one.daemons()) == 2, what="the samplerd is gone")
        yield one


def steps_of(stack, *flags):
    """All that is told of a text's steps but how long they took."""
    lines = stack.lines("generate", *REQUEST, *flags)
    return [{key: value for key, value in line.items() if not key.endswith("_ms")} for line in lines if "id" in line]


def test_what_is_sent_changes_no_text(stack):
    for flags, whole in (((), False), (("--whole-rows",), True)):
        sampler = Sampler(stack, *flags)
        stack.wait_ready()
        for name, (chain, leaves_few) in CHAINS.items():
            sampler.taken()
            assert steps_of(stack, *chain) == stack.mapped[name], name
            n_bytes = sampler.taken()
            if leaves_few and not whole:
                assert n_bytes < N_STEPS * WHOLE_BYTES / 8, name
            else:
                assert n_bytes > N_STEPS * WHOLE_BYTES, name
        sampler.close()


def test_what_is_sent_changes_no_score(stack):
    """Candidates, where they are wanted, come with the last rows of a text, which go whole."""
    told = []
    for flags in (), ("--whole-rows",):
        sampler = Sampler(stack, *flags)
        stack.wait_ready()
        sampler.taken()
        scored, = stack.lines("score", "Once upon a time. " * 8)
        n_bytes, n_rows = sampler.taken(), len(scored["ids"])
        assert n_bytes > n_rows * WHOLE_BYTES if flags else n_bytes < n_rows * WHOLE_BYTES / 8
        told.append([scored, *stack.lines("score", "Once upon a time. " * 8, "--top", "5")])
        sampler.close()
    assert told[0] == told[1] and len(told[0][1]["top"]) == 5


def test_who_watches_has_whole_rows_looked_at(stack):
    sampler = Sampler(stack)
    stack.wait_ready()
    assert steps_of(stack, "--show-probs", "5") == stack.watched
    assert sampler.taken() > N_STEPS * WHOLE_BYTES
    sampler.close()


def test_a_text_goes_on_where_rows_come_in_another_form(stack):
    """Samplerds that are killed in turn, of which every other one takes whole rows."""
    client = stack.popen("generate", *REQUEST, "--json", "--wait", "60")
    for flags in (), ("--whole-rows",), (), ("--whole-rows",):
        sampler = Sampler(stack, *flags, n_said_most=9)
        wait_until(lambda: sampler.n_said >= 9, what="some steps")
        stack.kill(sampler.process)
        sampler.relay.close()
    last = Sampler(stack)
    told = [json.loads(line) for line in client.communicate(timeout=60)[0].splitlines()]
    assert [line["id"] for line in told if "id" in line] == [step["id"] for step in stack.mapped["default"]]
    last.close()
