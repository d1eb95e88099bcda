"""tokenizerd between clients and modelds that are made by hand."""
import pytest

from conftest import wait_until
from fake_client import FakeClient
from fake_modeld import FakeModeld


class Front:
    def __init__(self, stack, fakes):
        self.runtime, self.fakes = stack.runtime, fakes
        stack.start("tokenizerd", "--heartbeat-ms", "100")
        wait_until((stack.runtime / "models").exists, what="tokenizerd")

    def client(self):
        return self.join(FakeClient, "clients")

    def modeld(self, **keywords):
        return self.join(FakeModeld, "models", **keywords)

    def join(self, kind, endpoint, **keywords):
        fake = self.fakes(kind, f"ipc://{self.runtime}/{endpoint}", **keywords)
        fake.wait_joined()
        return fake


@pytest.fixture
def front(stack, fakes):
    return Front(stack, fakes)
