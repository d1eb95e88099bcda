"""make soak: many rounds of each kind of fault, and what they came to.

SOAK=100          rounds of each kind
SEED=1            the number of each kind's first round; or the name of a round, as kill-modeld-17: that one alone
KINDS="A B"       of these kinds only
TRANSPORT=keys    all of them over tcp with keys; or ipc, or tcp. Else each over what its name says
TRIVIUM_BUILD, TRIVIUM_MODEL are set by make.
"""
import os
import pathlib
import signal
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from kills.fault import KINDS                                   # noqa: E402
from kills.models import make_model_in, model_paths             # noqa: E402
from kills.round import round_of                                # noqa: E402
from kills.table import table                                   # noqa: E402
from kills.trial import run_round                               # noqa: E402
from kills.undisturbed import Undisturbed                       # noqa: E402


def names_of(environment):
    """The rounds, kind after kind within each number, so that a soak that is ended early has had all kinds."""
    seed = environment.get("SEED") or "1"
    if not seed.isdigit():
        return [seed]
    kinds = environment.get("KINDS", "").split() or KINDS
    n_rounds = int(environment.get("SOAK") or "100")
    transport = f"-{environment['TRANSPORT']}" if environment.get("TRANSPORT") else ""
    return [f"{kind}-{number}{transport}" for number in range(int(seed), int(seed) + n_rounds) for kind in kinds]


def soak(rounds, paths, undisturbed, outcomes):
    for n, plan in enumerate(rounds, 1):
        begun_s = time.monotonic()
        outcome = run_round(plan, paths, undisturbed)
        outcomes.append(outcome)
        word = "WRONG" if outcome.wrong else "fine" if outcome.counted else "too late"
        print(f"{n}/{len(rounds)} {time.monotonic() - begun_s:.1f} s {word:8} {plan}", flush=True)
        if outcome.wrong:
            print(outcome.report(), flush=True)


def conclude(outcomes, seconds):
    """The table, and the exit code: 1 where anything was wrong, or where nothing was put to the test."""
    print(f"\n{table(outcomes)}\n{len(outcomes)} rounds in {seconds:.0f} s")
    wrong = [outcome.round.name for outcome in outcomes if outcome.wrong]
    for name in wrong:
        print(f"wrong: make soak SEED={name}")
    kinds = dict.fromkeys(outcome.round.kind for outcome in outcomes)
    untested = [kind for kind in kinds if not any(o.counted for o in outcomes if o.round.kind == kind)]
    for kind in untested:
        print(f"no round of {kind} had its fault in the middle of a text")
    return 1 if wrong or untested or not outcomes else 0


def main():
    try:
        rounds = [round_of(name) for name in names_of(os.environ)]
    except ValueError as error:
        sys.exit(str(error))
    for how in (signal.SIGINT, signal.SIGTERM):     # also where they were ignored: the table so far is shown
        signal.signal(how, signal.default_int_handler)
    outcomes, begun_s = [], time.monotonic()
    with tempfile.TemporaryDirectory(prefix="trv-soak-") as folder:
        paths = model_paths(make_model_in(pathlib.Path(folder)))
        undisturbed = Undisturbed(paths)
        try:
            soak(rounds, paths, undisturbed, outcomes)
        except KeyboardInterrupt:
            print("interrupted", flush=True)
        finally:
            undisturbed.close()
    sys.exit(conclude(outcomes, time.monotonic() - begun_s))


if __name__ == "__main__":
    main()
