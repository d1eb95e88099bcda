"""What keys cost: tcp with them against tcp without, on loopback, in pairs. Asserts none. make bench-hosts runs it.

PAIRS=15            of each figure: one measurement with keys and one without, in turns which comes first
WHAT="decode"       of decode and clients these alone
TRIVIUM_BUILD, TRIVIUM_MODEL are set by make.
"""
import contextlib
import os
import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from kills.kept_stack import KeptStack      # noqa: E402

FIGURES = {"decode": ("decode_tok_s", "--tokens", 128), "clients": ("tok_s", "--clients", 8, "--tokens", 48, "--runs", 1)}
ROWS = {"mapped": (), "sent": ("--no-mapping",)}


def rate(stack, what):
    name, *arguments = FIGURES[what]
    line, = stack.lines("bench", what, *arguments)
    return line[name]


def show(what, rows, pairs):
    ratios = sorted(keys / plain for keys, plain in pairs)
    quarter = len(ratios) // 4
    keys, plain = (statistics.median(side) for side in zip(*pairs))
    print(f"rows {rows:6} {what:7} ratio {statistics.median(ratios):.3f} ({ratios[quarter]:.3f}–{ratios[-1 - quarter]:.3f})  "
          f"keys {keys:.1f}, without {plain:.1f} tok/s, load {os.getloadavg()[0]:.1f}", flush=True)


def measure(rows, n_pairs):
    model = os.environ["TRIVIUM_MODEL"]
    with contextlib.ExitStack() as stacks:
        both = []
        for transport in ("keys", "tcp"):
            both.append(stacks.enter_context(KeptStack(model, transport, modeld_arguments=ROWS[rows])))
            both[-1].begin_all()
        for what in os.environ.get("WHAT", "").split() or FIGURES:
            pairs = []
            for number in range(n_pairs + 1):       # the first pair warms up
                order = both if number % 2 else both[::-1]
                rates = {stack.transport: rate(stack, what) for stack in order}
                pairs.append((rates["keys"], rates["tcp"]))
            show(what, rows, pairs[1:])


def main():
    for rows in ROWS:
        measure(rows, int(os.environ.get("PAIRS") or 15))


if __name__ == "__main__":
    main()
