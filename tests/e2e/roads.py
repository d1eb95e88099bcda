"""A stack whose daemons and clients meet over ipc, over tcp, or over tcp with keys."""
import re

import pytest

from conftest import Stack, wait_until
from key_sets import KeySet


class RoadStack(Stack):
    """`road` is "ipc", "tcp" or "keys", whose folder of keys is `keys`. `clients`, `models` and `samplers` are the addresses where others join."""

    def __init__(self, road, model, *modeld_arguments):
        super().__init__()
        self.road = road
        self.client_flags = ("--insecure",) if road == "tcp" else ()
        if road == "keys":
            self.keys = KeySet(self.folder / "keys")
            self.environment["TRIVIUM_KEYS"] = str(self.keys.folder)
        binds = ("--bind-clients", "tcp://127.0.0.1:0", "--bind-models", "tcp://127.0.0.1:0") if road != "ipc" else ()
        self.tokenizerd = self.start("tokenizerd", *binds, *self.client_flags)
        self.clients, self.models = self.said(self.tokenizerd, r" ready clients=(\S+) models=(\S+)")
        self.environment["TRIVIUM_ENDPOINT"] = self.clients
        bind = ("--bind-samplers", "tcp://127.0.0.1:0") if road != "ipc" else ()
        self.modeld = self.start("modeld", "--model", model, "--join", self.models, *bind, *self.client_flags,
                                 *modeld_arguments)
        self.samplers, = self.said(self.modeld, r" samplers=(\S+)")
        self.samplerd = self.start("samplerd", "--join", self.samplers, *self.client_flags)
        self.wait_ready()

    def said(self, process, pattern):
        """What a line of its log says."""
        return wait_until(lambda: re.search(pattern, self.log(process)), what=pattern).groups()


@pytest.fixture(params=["ipc", "tcp"])
def road(request):
    return request.param
