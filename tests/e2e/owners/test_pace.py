"""However much one owner wants, another's text is in short passes, and in nearly all of them. Told from modeld's log, by counts."""
import re

import pytest

from asking_client import AskingClient
from conftest import Stack, wait_until

ENOUGH = 3000                       # tokens of each of Ann's, which are still there when Bob's text is over
N_TEXTS, N_SCORES, N_IDS = 60, 20, 16000
N_TOKENS = 100                      # of Bob's
SHARED_ROWS = 4                     # of modeld's scheduler


@pytest.fixture
def stack(models):
    with Stack() as one:
        one.tokenizerd = one.start("tokenizerd")
        one.modeld = one.start("modeld", "--model", models(type="Q8_0", seed=3, context=100000), "--log", "debug",
                               "--step-deadline-ms", "60000")
        one.samplerd = one.start("samplerd", "--threads", "1")
        one.wait_ready()
        yield one


def passes_during(stack, request):
    """Rows of each pass in which that text may decode: the first had begun before it, the second may have its prompt."""
    log, name = stack.log(stack.modeld), request.hex()
    begin, end = (re.search(rf" {event} .*request={name}.*\n", log) for event in ("opened", "closed"))
    return [int(n) for n in re.findall(r" pass rows=(\d+) ", log[begin.end():end.start()])][2:]


def bobs_passes(stack, fakes):
    bob = fakes(AskingClient, f"ipc://{stack.runtime}/clients", "bob", "bob")
    request = bob.generate(n_tokens=N_TOKENS)
    bob.done()
    wait_until(lambda: re.search(rf" closed .*request={request.hex()}", stack.log(stack.modeld)), what="its end in the log")
    return passes_during(stack, request)


def test_beside_many_texts(stack, fakes):
    ann = fakes(AskingClient, f"ipc://{stack.runtime}/clients", "ann", "ann")
    for _ in range(N_TEXTS):
        ann.generate(n_tokens=ENOUGH)
    wait_until(lambda: (stack.model()["sequences"], stack.model()["waiting"]) == (N_TEXTS, 0), what="all of Ann's texts")
    n_rows = bobs_passes(stack, fakes)
    assert max(n_rows) <= SHARED_ROWS + 1, "those of Ann, and Bob's"
    assert N_TOKENS * 3 / 2 < sum(n_rows) < N_TOKENS * N_TEXTS / 3, "Ann's go on, but not each with a row for each of Bob's"


def test_beside_many_scores(stack, fakes):
    ann = fakes(AskingClient, f"ipc://{stack.runtime}/clients", "ann", "ann")
    for _ in range(N_SCORES):
        ann.ask("score", [b"\3\0\0\0" * N_IDS], has_ids=True)
    wait_until(lambda: stack.model()["sequences"] == N_SCORES, what="all of Ann's scores")
    n_rows = bobs_passes(stack, fakes)
    assert max(n_rows) <= SHARED_ROWS + 1, "those of Ann, and Bob's"
