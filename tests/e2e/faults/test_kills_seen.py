"""A process that is killed is missed because its connection breaks, on either side of each link: silence would be noticed
only after minutes, and a step's deadline is a day. (Samplerds: test_lost_samplers.py.)"""
import re

import pytest

from conftest import caught_running, wait_until
from fake_client import FakeClient
from roads import RoadStack, road            # noqa: F401: road is a fixture

HEARTBEAT_MS = "60000"          # the most: three of them may be missed
STEP_DEADLINE_MS = str(24 * 3600 * 1000)
TEXT = ("generate", "Once upon a time", "--seed", "3", "--temperature", "1.5", "--ignore-eos", "--max-new-tokens", "3000")


class Unhurried(RoadStack):
    def start(self, role, *arguments, **keywords):
        """The default model would be known only after two of these heartbeats."""
        named = {"tokenizerd": ("--default-model", "m"), "modeld": ("--name", "m")}.get(role, ())
        return super().start(role, *arguments, *named, "--log", "debug", "--heartbeat-ms", HEARTBEAT_MS, **keywords)

    def binds(self):
        """Of the tokenizerd that comes after the first."""
        return ("--bind-clients", self.clients, "--bind-models", self.models, *self.client_flags)

    def sees(self, process, event):
        """Its log has a loss, and says why."""
        line = wait_until(lambda: re.search(rf".* {event} .*", self.log(process)), what=f"{event} in a log")[0]
        assert 'why="the connection broke"' in line

    def begin(self):
        """A text that is written, and all of it as it is when nothing happens."""
        alone = self.run(*TEXT).stdout
        client, first = caught_running(lambda: (one := self.popen(*TEXT, "--wait", "60", bufsize=0), one.stdout.read(1)))
        return client, first, alone

    def is_whole(self, client, first, alone):
        rest, errors = client.communicate(timeout=100)
        assert client.returncode == 0, errors
        assert first + rest == alone


class Idle(FakeClient):
    heartbeat_ms = int(HEARTBEAT_MS)


@pytest.fixture
def stack(road, models):                     # noqa: F811
    with Unhurried(road, models(type="Q8_0", seed=3, context=100000), "--step-deadline-ms", STEP_DEADLINE_MS) as one:
        yield one


def test_a_modeld_while_a_text_is_written(stack, models):
    """Seen by its tokenizerd, which is bound, and by its samplerd, which joined it."""
    written = stack.begin()
    stack.kill(stack.modeld)
    stack.sees(stack.tokenizerd, "modeld_left")
    stack.sees(stack.samplerd, "left")
    bind = ("--bind-samplers", stack.samplers) if stack.road == "tcp" else ()
    stack.start("modeld", "--model", models(type="Q8_0", seed=3, context=100000), "--join", stack.models, *bind,
                *stack.client_flags)
    stack.is_whole(*written)


def test_a_tokenizerd_while_a_text_is_written(stack):
    """Seen by its modeld and by its client, both of which joined it."""
    written = stack.begin()
    stack.kill(stack.tokenizerd)
    stack.sees(stack.modeld, "left")
    wait_until(lambda: " reason=lost " in stack.log(stack.modeld), what="the end of its text there")
    stack.tokenizerd = stack.start("tokenizerd", *stack.binds())
    stack.is_whole(*written)


def test_a_client_while_its_text_is_written(stack):
    """Seen by its tokenizerd, which tells the modeld."""
    client, _, _ = stack.begin()
    stack.kill(client)
    stack.sees(stack.tokenizerd, 'client_left(?!.*it left)')
    wait_until(lambda: stack.model()["sequences"] == 0, what="the end of its text")


def test_whoever_is_idle(stack, fakes):
    """Nothing is sent to them, nor do they send anything."""
    client = fakes(Idle, stack.clients, name="idle")
    client.wait_joined()
    client.close()
    stack.sees(stack.tokenizerd, 'client_left name="idle"')
    stack.kill(stack.modeld)
    stack.sees(stack.tokenizerd, "modeld_left")
    stack.sees(stack.samplerd, "left")


def test_a_tokenizerd_that_is_idle(stack):
    stack.kill(stack.tokenizerd)
    stack.sees(stack.modeld, "left")
