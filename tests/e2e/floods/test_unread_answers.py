"""Clients that ask for large answers and never read them: what lies in ZeroMQ's queues counts, so those are cut; a text
that was there before goes on, later ones are served, and the memory is given back."""
import re
import time

import pytest

from conftest import wait_until
from pipelining import Pipelining, ids_of, memory_is_bounded, nobody_was_lost, start_at, text_of
from witness import Witness

MB = 1000 * 1000
N_CLIENTS = 4


class Unreading(Pipelining):
    """It reads until it has joined, and goes on saying that it is there."""
    receive_mark = 1

    def joined(self, sender):
        self.reads = False


# A text of 3 MB would have more than TOKENIZE_IDS_MAX ids of this model's: the answer to that is a short sentence.
ASKS = {
    "tokenize": lambda client: client.call("tokenize", raw=[text_of(MB)]),
    "detokenize": lambda client: client.call("detokenize", raw=[ids_of(MB)]),
}


@pytest.fixture(params=["ipc", "tcp"])
def address(request, stack, models):
    return start_at(stack, request.param, models(type="Q4_1", seed=1, context=100000))


def n_cut(stack):
    return sum(int(n) for n in re.findall(r" unread=(\d+)", stack.log(stack.tokenizerd)))


def ask_all(clients, ask):
    """Again: what was asked for before may have been told to try again later."""
    for client in clients:
        ask(client)
    time.sleep(0.2)


@pytest.mark.parametrize("kind", ASKS)
def test_large_answers(stack, fakes, address, kind):
    with Witness(stack):
        clients = [fakes(Unreading, address, name=f"unreading {i}") for i in range(N_CLIENTS)]
        for client in clients:
            client.wait_joined()
        wait_until(lambda: ask_all(clients, ASKS[kind]) or n_cut(stack) > 0, what="a cut")
        assert stack.run("tokenize", "a later one").returncode == 0
        for client in clients:
            client.close()
    nobody_was_lost(stack)
    memory_is_bounded(stack.tokenizerd)
