"""Daemons that may open few files, and a test process that may open many."""
import resource

import pytest

from roads import RoadStack

LONG = {"type": "Q4_1", "seed": 1, "context": 131072}    # for the witness


class Limited(RoadStack):
    """Whose daemons may open no more than `limit` files; None: as many as this process."""
    limit = None

    def start(self, role, *arguments, **keywords):
        if self.limit:
            keywords["preexec_fn"] = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (self.limit, self.limit))
        return super().start(role, *arguments, **keywords)


class LimitedTo1024(Limited):
    limit = 1024


class LimitedTo256(Limited):
    limit = 256


@pytest.fixture(autouse=True)
def files_enough():
    """All these connections are this process's, too."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, before[1]), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)
