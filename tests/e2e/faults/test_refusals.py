"""Tokenizerds that refuse a modeld: it goes on with the others, and ends when there is none left."""

import pytest

from conftest import wait_until
from fake_link import Fake, common_pb2
import tokens_pb2

TEXT = ("generate", "hello", "--seed", "3", "--max-new-tokens", "5", "--ignore-eos")


class Refuser(Fake):
    """A tokenizerd's socket that answers the first Hellos with a refusal."""
    incoming, outgoing, role, joins = tokens_pb2.TokensRequest, tokens_pb2.TokensReply, common_pb2.TOKENIZERD, False

    def __init__(self, address, code, n_refusals):
        self.code, self.n_refusals, self.n_hellos = code, n_refusals, 0
        super().__init__(address, "refuser")

    def hello(self, to=b""):
        self.n_hellos += 1
        if self.n_hellos > self.n_refusals:
            super().hello(to)
            return
        message = self.outgoing()
        message.control.refused.code, message.control.refused.message = self.code, "no\nroom"
        self.send(message, to=to)


@pytest.fixture
def refuser(stack, fakes):
    def make(code, n_refusals):
        address = f"ipc://{stack.folder}/refuser"
        return fakes(Refuser, address, code, n_refusals), address
    return make


def test_one_of_two_tokenizerds_refuses_and_the_other_is_served(stack, models):
    ends = {name: (f"ipc://{stack.folder}/{name}-clients", f"ipc://{stack.folder}/{name}-models") for name in "ab"}
    for clients, joins in ends.values():
        stack.start("tokenizerd", "--bind-clients", clients, "--bind-models", joins)
    first = stack.start("modeld", "--model", models(type="Q4_1", seed=1), "--name", "m", "--join", ends["a"][1])
    stack.start("samplerd")
    wait_until(lambda: "joined" in stack.log(first) and stack.run(*TEXT, "--endpoint", ends["a"][0]).returncode == 0)

    both = ("--join", ends["a"][1], "--join", ends["b"][1], "--bind-samplers", f"ipc://{stack.folder}/s2")
    second = stack.start("modeld", "--model", models(type="Q4_1", seed=2), "--name", "m", *both)
    stack.start("samplerd", "--join", f"ipc://{stack.folder}/s2")
    assert stack.text(*TEXT[1:], "--endpoint", ends["b"][0])
    wait_until(lambda: "refused" in stack.log(second), what="the other tokenizerd's refusal")
    assert second.poll() is None

    third = stack.start("modeld", "--model", models(type="Q4_1", seed=3), "--name", "m", *both[:4], "--bind-samplers",
                        f"ipc://{stack.folder}/s3")
    assert third.wait(timeout=60) == 1
    assert "modeld: refused by the tokenizerd at" in stack.log(third)


def test_a_full_tokenizerd_is_asked_again(stack, models, refuser):
    fake, address = refuser(common_pb2.BUSY, 3)
    modeld = stack.start("modeld", "--model", models(type="Q4_1", seed=1), "--join", address, "--heartbeat-ms", "50")
    wait_until(lambda: "joined" in stack.log(modeld), what="modeld joined")
    assert fake.n_hellos > 3 and stack.log(modeld).count(" refused ") == 1


def test_the_reason_of_the_last_one_is_told_in_one_line(stack, models, refuser):
    _, address = refuser(common_pb2.BAD_VERSION, 9)
    modeld = stack.start("modeld", "--model", models(type="Q4_1", seed=1), "--join", address)
    assert modeld.wait(timeout=60) == 1
    assert stack.log(modeld).splitlines()[-1] == f"modeld: refused by the tokenizerd at {address}: no room"
