"""Clients that ask for scores of long texts and go: nothing of that is computed any more, and the next ones find room."""
import array
import contextlib
import re
import signal

import pytest

from conftest import TIMEOUT_S, wait_until
from fake_client import FakeClient
from roads import RoadStack, road  # noqa: F401 (a fixture)
from witness import Witness

N_IDS = 16000                   # some hundred passes each; all of them fit in an owner's share of OPEN_CALLS_BYTES_MAX
N_SCORES = 22                   # of each client
N_CLIENTS, N_COMMANDS = 4, 2
N_WAVES = 4                     # each leaves as much as the ones before


@pytest.fixture
def stack(road, models):  # noqa: F811
    with RoadStack(road, models(type="Q8_0", seed=3, context=100000), "--log", "debug") as one:
        yield one


class Scorer(FakeClient):
    def ask(self):
        ids = array.array("i", [1 + i % 90 for i in range(N_IDS)]).tobytes()
        for number in range(1, N_SCORES + 1):
            message = self.outgoing()
            message.score.call, message.score.has_ids = number, True
            self.send(message, [ids])

    def end_kindly(self):
        message = self.outgoing()
        message.control.leave.SetInParent()
        self.send(message)
        self.linger_ms = 10000
        self.close()

    def cancel(self):
        """Every call ends with exactly one answer."""
        for number in range(1, N_SCORES + 1):
            message = self.outgoing()
            message.cancel_call.call = number
            self.send(message)
        ended = [self.answer("failed")[0] for _ in range(N_SCORES)]
        assert sorted(failed.call for failed in ended) == list(range(1, N_SCORES + 1))
        assert all("cancelled" in failed.error.message for failed in ended)
        assert self.answers.empty()


def kill(clients, commands):
    for one in clients:
        one.close()
    for one in commands:
        one.kill()


def leave(clients, commands):
    for one in clients:
        one.end_kindly()
    for one in commands:
        one.send_signal(signal.SIGINT)


def cancel(clients, commands):
    for one in clients:
        one.cancel()
    for one in commands:
        one.send_signal(signal.SIGINT)


def wave(stack, go):
    with contextlib.ExitStack() as ends:
        clients = [Scorer(stack.clients) for _ in range(N_CLIENTS)]
        for one in clients:
            ends.callback(one.close)
            one.wait_joined()
            one.ask()
        commands = [stack.popen("score", "word " * (N_IDS // 5)) for _ in range(N_COMMANDS)]
        wait_until(lambda: stack.model()["sequences"] == 1 + N_CLIENTS * N_SCORES + N_COMMANDS, what="all scores in modeld")
        go(clients, commands)
        for one in commands:
            one.wait(timeout=TIMEOUT_S)
            assert one.returncode in (130, -signal.SIGKILL)
        wait_until(lambda: stack.model()["sequences"] == 1, what="no score in modeld")


def n_wide_passes(stack):
    """Passes with more than the one row of the text that is written beside all this."""
    return len(re.findall(r" pass rows=(?!1 )", stack.log(stack.modeld)))


@pytest.mark.parametrize("go", [kill, leave, cancel])
def test_scores_end_with_whoever_wants_them(stack, go):
    with Witness(stack) as witness:
        for _ in range(N_WAVES):
            wave(stack, go)
        n_passes = n_wide_passes(stack)
        assert n_passes > 0
        for _ in range(3):
            witness.reads_on()
        assert n_wide_passes(stack) == n_passes, "nobody wants what is computed"
        assert stack.model()["waiting"] == 0
        scored, = stack.lines("score", "Once upon a time")
        assert len(scored["ids"]) > 1
        stack.text("Once upon a time", "--max-new-tokens", "5")


def test_scores_end_with_their_tokenizerd(stack):
    one = Scorer(stack.clients)
    with contextlib.closing(one):
        one.wait_joined()
        one.ask()
        wait_until(lambda: stack.model()["sequences"] == N_SCORES, what="all scores in modeld")
        stack.kill(stack.tokenizerd)
        wait_until(lambda: " left " in stack.log(stack.modeld), what="a lost tokenizerd")
        n_passes = n_wide_passes(stack)
    kept = {"ipc": (), "tcp": ("--bind-clients", stack.clients, "--bind-models", stack.models)}[stack.road]
    stack.tokenizerd = stack.start("tokenizerd", *kept, *stack.client_flags)
    stack.wait_ready()
    assert stack.model()["sequences"] == 0
    assert n_wide_passes(stack) <= n_passes + 1, "one more may have run when it was lost"
    stack.lines("score", "Once upon a time")
