"""Texts whose strategies together are larger than the frame of a list: they are listed all the same."""
import pytest

from conftest import wait_until
from pipelining import Pipelining, start_at
import common_pb2

N_TEXTS, N_BIASES = 34, 49152           # within REQUESTS_BYTES_MAX, past RAW_BYTES_MAX


@pytest.fixture
def address(stack):
    return start_at(stack, "ipc", None, modeld=False)


def test_they_are_listed(stack, fakes, address):
    ids = common_pb2.IdList(ids=range(100000, 100000 + N_BIASES))
    strategy = common_pb2.Strategy(steps=[common_pb2.Step(name="logit_bias", lists=[ids], numbers=[1.5] * N_BIASES)])
    clients = [fakes(Pipelining, address, name=f"client {i}", owner=f"owner {i}") for i in range(N_TEXTS)]  # few would fill their shares
    for client in clients:
        client.wait_joined()
        client.generate(b"hello", model="later", wait_ms=600000, max_new_tokens=5, strategy=strategy)

    def listed():
        requests = stack.lines("ps")[0]["requests"]
        return len(requests) == N_TEXTS and requests
    requests = wait_until(listed, what="a list of all")
    assert len({request["request"] for request in requests}) == N_TEXTS
