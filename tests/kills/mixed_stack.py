"""Daemons and clients of two versions of the protocol: those of the build, and those that the next one will have."""
import collections
import random
import re

from conftest import BUILD

from .fault import DAEMONS, LINKS, Fault
from .kept_stack import READABLE, KeptStack
from .round import GONE_MS, N_TOKENS, Round, texts_of
from .versions import Versions

TODAY, NEXT = BUILD, BUILD / "next"
N_TEXTS = 2
ENDS = {"clients": ("client", "tokenizerd"), "models": ("modeld", "tokenizerd"), "samplers": ("samplerd", "modeld")}
# Where each link's version stands in the logs.
SAID = {("tokenizerd", "models"): " modeld_joined ", ("modeld", "models"): " joined tokenizerd=",
        ("modeld", "samplers"): " joined samplerd=", ("samplerd", "samplers"): " joined modeld="}


def round_of_kills(name):
    """Each daemon is killed once, in any order, at any token."""
    rng = random.Random(name)
    texts = texts_of(rng, "kill-each", rng.choice(("made", "chapter")), N_TEXTS, False)
    steps = sorted(rng.sample(range(1, N_TOKENS[texts[0].model] * 2 // 3), len(DAEMONS)))
    faults = tuple(Fault("kill", (who,), step, rng.randint(*GONE_MS))
                   for who, step in zip(rng.sample(DAEMONS, len(DAEMONS)), steps))
    return Round(name, "kill-each", rng.choice(READABLE), texts, None, faults, frozenset(LINKS))


class MixedStack(KeptStack):
    """`builds`: role → the folders of its program, one a start; the last one is that of all later starts."""

    def __init__(self, builds, *arguments):
        self.builds = builds
        self.n_starts = collections.Counter()
        self.versions = {link: Versions(link) for link in LINKS}
        super().__init__(*arguments)

    def program(self, name):
        role = "client" if name == "trivium" else name
        return self.builds[role][min(self.n_starts[role], len(self.builds[role]) - 1)] / name

    def begin(self, role):
        super().begin(role)
        self.n_starts[role] += 1

    def ears(self, link):
        ears = [ear for ear in (super().ears(link)[0], self.versions[link].heard) if ear]
        return lambda *heard: [ear(*heard) for ear in ears], self.versions[link].said

    def logged(self, role, link):
        """The versions that its daemons have told of, in order."""
        logs = sorted(self.folder.glob(f"{role}-*.log"), key=lambda path: int(path.stem.rpartition("-")[2]))
        text = "".join(log.read_text(errors="replace") for log in logs)
        return [int(version) for version in re.findall(rf"{SAID[role, link]}.* protocol=(\d+)", text)]

    def end(self):
        return super().end() + [sentence for link in LINKS for sentence in self.versions[link].wrong]
