"""Daemons on one host whose links are tcp with keys."""
import re

import pytest

from conftest import Stack, wait_until
from key_sets import KeySet

ANY_PORT = "tcp://127.0.0.1:0"
LONG = ("--seed", "1", "--ignore-eos", "--max-new-tokens", "8000")


class GuardedStack(Stack):
    """`keys` is the folder of all three, and of clients that say nothing else."""

    def __init__(self, model, authorised=True):
        super().__init__()
        self.model_path = model
        self.keys = KeySet(self.folder / "keys", authorised)
        self.environment["TRIVIUM_KEYS"] = str(self.keys.folder)
        self.tokenizerd = self.start("tokenizerd", "--bind-clients", ANY_PORT, "--bind-models", ANY_PORT, "--log", "debug")
        self.clients, self.models = self.said(self.tokenizerd, r" ready clients=(\S+) models=(\S+)")
        self.environment["TRIVIUM_ENDPOINT"] = self.clients

    def said(self, process, pattern, seconds=60):
        """What a line of its log says."""
        return wait_until(lambda: re.search(pattern, self.log(process)), seconds, f"{pattern} in {self.log(process)}").groups()

    def start_model(self):
        self.modeld = self.start("modeld", "--model", self.model_path, "--name", "m", "--join", self.models, "--bind-samplers",
                                 ANY_PORT, "--log", "debug")
        self.samplers, = self.said(self.modeld, r" samplers=(\S+)")
        self.samplerd = self.start("samplerd", "--join", self.samplers, "--log", "debug")
        self.wait_ready()

    def client(self, name, authorised=True, rights=""):
        """The flags of a client with a key of its own."""
        pair = self.keys.joiner(self.folder / name, "client")
        if authorised:
            self.keys.authorise("text", name, pair, rights)
        return "--keys", str(self.folder / name)

    def serves(self, *flags):
        """Somebody whose key is good gets a text."""
        return self.text("hello", "--seed", "1", "--max-new-tokens", "3", *flags)


@pytest.fixture
def guarded(models):
    with GuardedStack(models(type="Q4_1", seed=1, context=100000)) as one:
        one.start_model()
        yield one
