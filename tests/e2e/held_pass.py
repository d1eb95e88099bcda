"""A stack whose modeld can be held in the middle of a pass, for as long as a test wants."""
import pathlib
import re

import pytest

from conftest import BUILD, Stack, wait_until

PASS_S = 60                     # that a pass is held at most: far longer than anybody is waited for
HEARTBEAT_MS = "500"            # three of them: a machine that is busy with others may keep a daemon waiting that long, hardly longer
SLOW_MODELD = BUILD / "tests" / "slow_modeld"


def lost_in(stack):
    """What the logs of its daemons say of peers that they lost."""
    return [line for process in stack.processes if process.pid in stack.logs
            for line in stack.log(process).splitlines() if re.search(r" (modeld_)?left ", line)]


class HeldStack(Stack):
    """Its passes are held while its file `hold` is there."""

    def __init__(self):
        super().__init__()
        self.hold = pathlib.Path(self.folder / "hold")
        self.environment.update(PASS_MS=str(PASS_S * 1000), SLOW_FROM=str(self.hold))

    def start_daemons(self, model, *modeld_arguments):
        self.tokenizerd = self.start("tokenizerd", "--heartbeat-ms", HEARTBEAT_MS)
        self.path = model
        self.modeld = self.start("modeld", "--model", model, "--heartbeat-ms", HEARTBEAT_MS, "--log", "debug",
                                 *modeld_arguments, program=SLOW_MODELD)
        self.samplerd = self.start("samplerd", "--heartbeat-ms", HEARTBEAT_MS)
        self.wait_ready()

    def n_passes(self):
        """That are over."""
        return self.log(self.modeld).count(" pass ")

    def hold_pass(self):
        """The pass that is computed now, or will be next, is not over before `release`."""
        self.hold.touch()

    def wait_held(self):
        """How many passes were over before the one that is held."""
        wait_until(pathlib.Path(f"{self.hold}.held").exists, what="a pass that is held")
        return self.n_passes()

    def release(self):
        self.hold.unlink()

    def step(self, request):
        return next(one["step"] for one in self.lines("ps")[0]["requests"] if one["request"] == request)


@pytest.fixture
def held(models):
    with HeldStack() as one:
        one.start_daemons(models(type="Q8_0", seed=3, context=100000))
        yield one
