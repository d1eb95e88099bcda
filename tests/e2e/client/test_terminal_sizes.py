"""At 30 columns and at 80, after a resize, after Ctrl-Z and fg: nothing wraps, nothing is missing, nothing is drawn over."""
import contextlib
import json
import os
import re

import pytest

from conftest import BUILD, Stack
from sized_terminal import SEQUENCE, SizedTerminal, widest, written_lines

PROMPT = "Once upon a time"
NAME = "a-model-with-a-name-of-forty-characters-日本"
DRAWN = "\x1b[?7h"              # after lines that are drawn in place


@pytest.fixture(scope="module")
def long(models):
    """A stack whose texts may be long, and stand still while their samplerd does."""
    with Stack() as one:
        one.start_all(models(type="Q8_0", seed=3, context=100000), "--step-deadline-ms", "60000", "--heartbeat-ms", "20000",
                      "--name", NAME)
        yield one


@contextlib.contextmanager
def text_that_runs(stack):
    """Its id. Nobody reads it."""
    process = stack.popen("generate", PROMPT, "--seed", "11", "--ignore-eos", "--max-new-tokens", 90000, "--json")
    request = json.loads(process.stdout.readline())["start"]["request"]
    try:
        yield request
    finally:
        process.kill()
        process.communicate()


def raw_on_terminal(stack, n_columns, *arguments):
    """What a command writes to a terminal of so many columns."""
    terminal = SizedTerminal(stack, *arguments, n_columns=n_columns)
    assert terminal.end() == 0, terminal.raw
    return terminal.raw


def on_terminal(*arguments):
    """The lines of that."""
    return written_lines(raw_on_terminal(*arguments))


def packed(lines):
    """Without blanks: a value that goes on in the next line is one again."""
    return re.sub(r"\s", "", "".join(lines))


@pytest.mark.parametrize("n_columns", [30, 80, 200])
def test_status(long, n_columns):
    lines = on_terminal(long, n_columns, "status")
    assert widest(lines) <= n_columns
    status = long.lines("status")[0]
    shown = packed(lines)
    for daemon in status["daemons"]:
        for key in ("role", "name", "pid", "host", "state", "model", "pool"):
            assert str(daemon[key] or "-") in shown, key
    model = status["models"][0]
    for words in (NAME, model["n_vocab"], model["n_ctx"], f"of{model['kv_pages']}", model["kv_page_tokens"],
                  "tokensapage", "vocabulary", "KVpages", "unreadablemessagesdropped"):
        assert str(words) in shown, (words, lines)
    assert (lines[0].split()[:2] == ["daemon", "tokenizerd"]) == (n_columns == 30)      # a fact a line, or a table


@pytest.mark.parametrize("n_columns", [30, 80])
def test_ps(long, n_columns):
    assert on_terminal(long, n_columns, "ps")[0] == "nothing runs"
    with text_that_runs(long) as request:
        lines = on_terminal(long, n_columns, "ps")
        piped = long.run("ps").stdout.decode().splitlines()
    assert widest(lines) <= n_columns
    shown = packed(lines)
    for words in (request[:8], NAME, "running", "session", "step", "tok/s", "prompt",
                  '[{"repetition_penalty":1.1},{"temperature":0.8},{"top_p":0.9}]'):
        assert words in shown, words
    assert len(piped) == 2 and piped[0].startswith("request  ") and len(piped[1]) > 120     # for scripts as ever


@pytest.mark.parametrize("n_columns", [30, 80])
def test_what_is_shown_of_each_token(long, n_columns):
    lines = on_terminal(long, n_columns, "generate", PROMPT, "-n", 5, "--show-probs", 3, "--seed", 3)
    rows = [line for line in lines if line.startswith('  "')]
    assert widest(rows) <= n_columns and sum(row.endswith(" ← drawn") for row in rows) == 5
    with text_that_runs(long) as request:
        terminal = SizedTerminal(long, "watch", request, "--all", "--candidates", 3, n_columns=n_columns)
        for _ in range(5):
            terminal.wait_for(" ← drawn")
        terminal.kill()
    assert widest(written_lines(terminal.raw)[:-1]) <= n_columns


@pytest.mark.parametrize("n_columns", [30, 80])
def test_bench(long, n_columns):
    raw = raw_on_terminal(long, n_columns, "bench", "kv-cache", "--prompts", "2,17", "-n", 3, "--runs", 2)
    lines = written_lines(raw)
    told = SEQUENCE.split(raw.replace("\r", ""))
    assert widest(line for piece in told for line in piece.split("\n")) <= n_columns
    assert any(piece.startswith("prompt of 17, without the") for piece in told)         # while it takes its time
    assert widest(lines) <= n_columns
    shown = " ".join(lines)
    for words in ("uncached, s", "ms/token", "speed-up", "spread", "same text", "medians of 2 runs", "×", "yes"):
        assert words in shown, words
    for what in (("decode", "-n", 3), ("prefill", "--tokens", 3), ("clients", "--clients", "1,2", "-n", 3)):
        lines = on_terminal(long, n_columns, "bench", *what)
        assert widest(lines) <= n_columns and "tok/s" in " ".join(lines)


@pytest.mark.parametrize("command", [("bench", "kv-cache"), ("watch",), ("explore", "temperature")])
def test_help(long, command):
    lines = on_terminal(long, 30, *command, "--help")
    piped = long.run(*command, "--help").stdout.decode().splitlines()
    assert [line for line in lines if widest([line]) > 30 and len(line.split()) > 1] == []     # but for a single long word
    assert packed(lines) == packed(piped) and widest(piped) <= 80


@pytest.mark.parametrize("n_columns", [30, 80])
def test_probe(long, n_columns):
    probe = ("probe", "--logits", "5,3,2,1,0.5", "--labels", "sunny,cloudy,rain,snow,日本語日本語日本語日本語")
    for more in ((), ("--repetition-penalty", "1.5", "--history", "0,1")):
        lines = on_terminal(long, n_columns, *probe, *more)
        assert widest(lines) <= n_columns
        assert lines[0].startswith("sunny ") and ("█" in lines[0]) and "drawn with seed 0 at step 0" in " ".join(lines)
        assert not more or lines[6].endswith("←" if n_columns == 30 else "← penalized")


def check_still(terminal, n_columns, after=""):
    """One block, whole, below what was there before it."""
    lines = terminal.lines()
    if after:
        at = max(i for i, line in enumerate(lines) if after in line)
        lines = lines[at + 1:]
    shown = "\n".join(lines)
    assert sum(bool(re.match(r'".* step \d+', line)) for line in lines) == 1, shown
    assert sum(line.endswith("← drawn") for line in lines) == 1, shown
    rows = [line for line in lines if line.startswith('  "')]
    assert len(rows) in (4, 5) and rows == lines[-len(rows):], shown
    assert widest(lines) <= n_columns


def test_watch_after_a_resize(long):
    with text_that_runs(long) as request:
        terminal = SizedTerminal(long, "watch", request, "--candidates", 4, n_rows=24, n_columns=80)
        for _ in range(3):
            terminal.wait_for(DRAWN)
        for n_columns in (30, 80, 50, 24, 80):
            with long.held():                       # only the new size is a reason to draw
                terminal.quiet()
                terminal.resize(24, n_columns)
                terminal.wait_for(DRAWN)
                terminal.quiet()
                check_still(terminal, n_columns)
                assert NAME + ":13promptids,fromstep" in packed(terminal.lines()), terminal.lines()
            for _ in range(2):
                terminal.wait_for(DRAWN)
        assert long.run("cancel", request).returncode == 0
        assert terminal.end() == 0
    assert "cancelled" in terminal.lines()[-1]


@pytest.mark.parametrize("n_columns", [80, 60])
def test_watch_after_ctrl_z_and_fg(long, n_columns):
    """The terminal may have become narrower meanwhile."""
    environment = {"PATH": f"{BUILD}:{os.environ['PATH']}", "PS1": "$ ", "HISTFILE": ""}
    shell = SizedTerminal(long, "--norc", "--noprofile", "-i", program="bash", environment=environment, n_rows=60)
    with text_that_runs(long) as request:
        shell.type(f"stty noflsh; trivium watch {request} --candidates 4\r")
        for _ in range(3):
            shell.wait_for(DRAWN)
        with long.held():           # what it was sent and has not shown a terminal may throw away at Ctrl-Z, half of a block, too
            shell.quiet()
            shell.type("\x1a")
            shell.wait_for("Stopped")
            shell.wait_for("$ ")
        if n_columns != 80:
            shell.quiet()
            shell.resize(60, n_columns)
            shell.wait_for("$ ")            # which the shell draws anew
        shell.type("fg\r")
        for _ in range(4):
            shell.wait_for(DRAWN)
        with long.held():
            shell.quiet()
            shown = "\n".join(shell.lines())
            assert "Stopped" in shown and "$ fg" in shown, shown        # nothing was drawn over what the shell said
            before = packed(shown[:shown.index("Stopped")].splitlines())   # whose rows the terminal may have broken anew
            assert before.count("←drawn") == 1, shown
            check_still(shell, n_columns, after="trivium watch")
        assert long.run("cancel", request).returncode == 0
        shell.wait_for("over after")
    shell.kill()
