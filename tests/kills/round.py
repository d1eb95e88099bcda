"""A round: the model, the texts, and what goes wrong, all of it from a name like kill-modeld-17.

kill-modeld-17-keys is the same over that transport, whatever the one of kill-modeld-17 is.
"""
import dataclasses
import random

from .fault import DAEMONS, KINDS, PREFILL, SINGLE, Fault
from .kept_stack import TRANSPORTS
from .strategy import STRATEGIES, TUNABLE, TUNED

N_SEEDS = 4             # of texts: few, because each undisturbed text is written once
N_CLIENTS = 8

# A text takes most of a second or more on an idle machine, so that a fault finds it under way.
N_TOKENS = {"real": 100, "made": 300, "chapter": 240}
N_TOKENS_PREFILL = 40
SHORT_PROMPT = "Once upon a time"
LONG_PROMPT = "".join(f"Day {n} of the journey: the wind came from the north, and the ship made {n * 7 % 12} knots. "
                      for n in range(25))     # some 700 tokens of the real model

# Longer than any silence that is allowed (kept_stack.py), shorter than what a step's tries or a text's wait last.
STOPPED_MS = (1300, 2000)
GONE_MS = (0, 400)


@dataclasses.dataclass(frozen=True)
class Text:
    """What one client asks for."""
    model: str
    strategy: str       # of STRATEGIES
    seed: int
    n_tokens: int
    prompt: str = SHORT_PROMPT

    @property
    def no_cache(self):
        """The chapter's model is so small that its texts would be over before anything can happen."""
        return self.model == "chapter"


@dataclasses.dataclass(frozen=True)
class Tune:
    """Text 0 gets another strategy when it has shown token `step`."""
    strategy: str       # of TUNED
    step: int


@dataclasses.dataclass(frozen=True)
class Round:
    name: str
    kind: str
    transport: str      # of TRANSPORTS
    texts: tuple        # of Text; a client each
    tune: Tune          # or None
    faults: tuple       # of Fault
    relayed: frozenset  # links that go through a relay: those that a fault falls on, and often the clients', where the
                        # Dones are counted

    def __str__(self):
        first = self.texts[0]
        tune = f", tune to {self.tune.strategy} at token {self.tune.step}" if self.tune else ""
        return (f"{self.name}: {first.model}, {self.transport}, {len(self.texts)} × {first.n_tokens} tokens, "
                f"first {first.strategy} seed {first.seed}{tune}; {'; '.join(map(str, self.faults))}")

    @property
    def model(self):
        return self.texts[0].model


def fault_of(rng, kind, step):
    how, who = SINGLE[kind]
    away_ms = rng.randint(*(STOPPED_MS if how in ("stop", "stall") else GONE_MS))
    return Fault(how, who, step, away_ms)


def texts_of(rng, kind, model, n_texts, tunable):
    """All strategies in turn, beginning anywhere; the first one can be tuned where it has to be."""
    names = rng.sample(sorted(STRATEGIES), len(STRATEGIES))
    if tunable:
        names.sort(key=lambda name: name not in TUNABLE)
    in_prefill = kind == "kill-in-prefill"
    n_tokens = N_TOKENS_PREFILL if in_prefill else N_TOKENS[model]
    return tuple(Text(model, names[i % len(names)], rng.randint(1, N_SEEDS), n_tokens,
                      LONG_PROMPT if in_prefill and i == 0 else SHORT_PROMPT) for i in range(n_texts))


def faults_of(rng, kind, n_tokens, tune):
    earliest = tune.step + 1 if tune else 1
    step = rng.randint(earliest, max(earliest, n_tokens // 2))
    if kind == "kill-in-prefill":
        return (Fault("kill", rng.choice([*((one,) for one in DAEMONS), DAEMONS]), PREFILL, rng.randint(*GONE_MS),
                      rng.randint(0, 150)),)
    if kind == "kill-in-tune":
        return (Fault("kill", rng.choice([*((one,) for one in DAEMONS), DAEMONS]), tune.step, rng.randint(*GONE_MS),
                      rng.randint(0, 12)),)
    if kind == "two-faults":
        first, second = rng.sample(sorted(SINGLE), 2)
        later = step + rng.choice((0, 1, rng.randint(2, n_tokens // 5)))
        return fault_of(rng, first, step), fault_of(rng, second, later)
    return (fault_of(rng, kind, step),)


def round_of(name):
    """KIND-NUMBER, or KIND-NUMBER-TRANSPORT → the round of that name, always the same."""
    plain, _, wanted = name.rpartition("-")
    if wanted not in TRANSPORTS:
        plain, wanted = name, None
    kind = plain.rpartition("-")[0]
    if kind not in KINDS:
        raise ValueError(f"{name}: a round is called KIND-NUMBER, and a KIND is one of {', '.join(KINDS)}; after it may come "
                         f"a transport, -{', -'.join(TRANSPORTS)}")
    rng = random.Random(plain)
    model = "real" if kind == "kill-in-prefill" else rng.choice(("real", "real", "made", "made", "chapter"))
    transport = rng.choice(("ipc", "ipc", "keys"))
    n_texts = rng.choice((1, N_CLIENTS))
    is_tuned = kind == "kill-in-tune" or (kind in SINGLE and rng.random() < 0.25)
    texts = texts_of(rng, kind, model, n_texts, is_tuned)
    n_tokens = texts[0].n_tokens
    tune = Tune(rng.choice(sorted(TUNED)), rng.randint(1, n_tokens // 3)) if is_tuned else None
    faults = faults_of(rng, kind, n_tokens, tune)
    relayed = {fault.who[0] for fault in faults if fault.how in ("cut", "stall")} | rng.choice(({"clients"}, set()))
    return Round(name, kind, wanted or transport, texts, tune, faults, frozenset(relayed))
