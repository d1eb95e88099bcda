"""Daemons on one host whose links are tcp with keys."""
import re

import pytest

from asking_client import AskingClient
from conftest import Stack, wait_until
from key_sets import KeySet

ANY_PORT = "tcp://127.0.0.1:0"
LONG = ("--seed", "1", "--ignore-eos", "--max-new-tokens", "8000")


class GuardedStack(Stack):
    """`keys` is the folder of all three, and of clients that say nothing else."""

    def __init__(self, model, authorised=True, tokenizerd=(), modeld=()):
        super().__init__()
        self.model_path, self.modeld_flags = model, modeld
        self.pairs = {}             # of clients
        self.keys = KeySet(self.folder / "keys", authorised)
        self.environment["TRIVIUM_KEYS"] = str(self.keys.folder)
        self.tokenizerd = self.start("tokenizerd", "--bind-clients", ANY_PORT, "--bind-models", ANY_PORT, "--log", "debug",
                                     *tokenizerd)
        self.clients, self.models = self.said(self.tokenizerd, r" ready clients=(\S+) models=(\S+)")
        self.environment["TRIVIUM_ENDPOINT"] = self.clients

    def said(self, process, pattern, seconds=60):
        """What a line of its log says."""
        return wait_until(lambda: re.search(pattern, self.log(process)), seconds, f"{pattern} in {self.log(process)}").groups()

    def start_modeld(self, samplers):
        self.modeld = self.start("modeld", "--model", self.model_path, "--name", "m", "--join", self.models, "--bind-samplers",
                                 samplers, "--log", "debug", *self.modeld_flags)
        self.samplers, = self.said(self.modeld, r" samplers=(\S+)")

    def start_samplerd(self):
        self.samplerd = self.start("samplerd", "--join", self.samplers, "--log", "debug")

    def start_model(self):
        self.start_modeld(ANY_PORT)
        self.start_samplerd()
        self.wait_ready()

    def start_again(self, role):
        """Another one, where the others look for it."""
        if role == "modeld":
            self.start_modeld(self.samplers)
        else:
            self.start_samplerd()

    def client(self, name, authorised=True, rights=""):
        """The flags of a client with a key of its own."""
        pair = self.pairs[name] = self.keys.joiner(self.folder / name, "client")
        if authorised:
            self.keys.authorise("text", name, pair, rights)
        return "--keys", str(self.folder / name)

    def let_in(self, *names):
        """Clients with a key of their own, each of which is known by now."""
        for name, flags in [(name, self.client(name)) for name in names]:
            wait_until(lambda: self.run("status", "--wait", "1", *flags).returncode == 0, what=f"an authorised {name}")

    def asking(self, fakes, name):
        """A client that is built by hand, with the key of that one."""
        server, own = self.keys.servers["tokenizerd"], self.pairs[name]

        class Keyed(AskingClient):
            keys = [key.encode() for key in (server.public, own.public, own.secret)]
        return fakes(Keyed, self.clients, name)

    def serves(self, *flags):
        """Somebody whose key is good gets a text."""
        return self.text("hello", "--seed", "1", "--max-new-tokens", "3", *flags)


@pytest.fixture
def guarded(models):
    with GuardedStack(models(type="Q4_1", seed=1, context=100000)) as one:
        one.start_model()
        yield one
