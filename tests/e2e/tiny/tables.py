"""A stack of small tables, clients that fill them by hand, and what limits.h says."""
import re

import pytest

from conftest import ROOT, Stack, wait_until
from asking_client import GREEDY, AskingClient    # noqa: F401 (for tests)

PATIENT = ("--heartbeat-ms", "20000")       # nobody is lost who is held


def tiny_limit(name):
    """Of a build with TINY_LIMITS=1."""
    text = (ROOT / "proto" / "base" / "limits.h").read_text()
    return int(re.search(rf"\b{name} = TINY_LIMITS \? (\d+) :", text)[1])


class TinyStack(Stack):
    def __init__(self, model):
        super().__init__()
        self.model_path = model
        self.tokenizerd, self.clients, self.models = self.start_tokenizerd()
        self.start_model()
        self.samplerd = self.start("samplerd", *PATIENT)
        self.wait_ready()

    def start_model(self, *tokenizerds):
        """It has joined all of them (none: the one that is here) before any samplerd: it says soon who has joined it
        then, not with its next heartbeat, which is far."""
        joins = [flag for models in tokenizerds for flag in ("--join", models)]
        self.modeld = self.start("modeld", "--model", self.model_path, "--step-deadline-ms", "60000", "--log", "debug",
                                 "--insecure", *joins, *PATIENT)
        n_all = len(tokenizerds) or 1
        wait_until(lambda: self.log(self.modeld).count("joined tokenizerd=") == n_all, what="a modeld that has joined")

    def start_tokenizerd(self, *arguments):
        """The process, and where clients and modelds join it."""
        process = self.start("tokenizerd", "--log", "debug", *arguments)
        ready = wait_until(lambda: re.search(r" ready clients=(\S+) models=(\S+)", self.log(process)), what="a tokenizerd")
        return process, *ready.groups()


@pytest.fixture
def tables(models):
    with TinyStack(models(type="Q8_0", seed=3, context=100000)) as one:
        yield one


class TinyClient(AskingClient):
    """Each name is an owner, who gets a share of its own; with owner "" it asks in its own name, which is that of all who are
    started here."""
    heartbeat_ms = 20000

    def __init__(self, address, name="tiny", joins_now=True, owner=None):
        super().__init__(address, name, name if owner is None else owner, joins_now)
