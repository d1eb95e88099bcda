"""Rounds of faults (tests/kills) as tests: each counts once it came in time, and none may write another text."""
import pytest

from kills.kept_stack import KeptStack
from kills.models import model_paths
from kills.trial import run_round
from kills.undisturbed import Undisturbed

N_TRIES = 5     # of a round whose faults came too late: where the test itself stood still, its texts may be over


@pytest.fixture(scope="module")
def paths(models):
    return model_paths(models)


@pytest.fixture(scope="module")
def undisturbed(paths):
    one = Undisturbed(paths)
    yield one
    one.close()


def hold(plan, paths, undisturbed, make_stack=KeptStack):
    for _ in range(N_TRIES):
        outcome = run_round(plan, paths, undisturbed, make_stack)
        assert not outcome.wrong, outcome.report()
        if outcome.counted:
            return
    pytest.fail(f"{plan}: the faults came too late {N_TRIES} times")
