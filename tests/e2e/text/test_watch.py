"""Watching a generation of somebody else's: what is seen is what was, and nobody who watches slows it."""
import json
import os
import pty
import re
import signal
import termios

import pytest

from conftest import Stack, wait_until
from fake_client import FakeClient
from fake_samplerd import FakeSamplerd
from terminal import pieces
from watcher import Watcher, tokens

WATCHES_MAX = 256                   # limits.h
PROMPT = "Once upon a time"
LONG = ["--seed", "11", "--ignore-eos"]
CHAIN = ["--chain", '[{"temperature": 0.8}, {"top_k": 4}]']


@pytest.fixture(scope="module")
def long(models):
    """A stack whose texts may be long, and stand still while their samplerd does."""
    with Stack() as one:
        one.start_all(models(type="Q8_0", seed=3, context=100000), "--step-deadline-ms", "60000", "--heartbeat-ms", "20000")
        yield one


def start(stack, *arguments, n_tokens=3000):
    process = stack.popen("generate", PROMPT, *LONG, "--max-new-tokens", n_tokens, *arguments, "--json")
    return process, json.loads(process.stdout.readline())["start"]["request"]


def drawn_by(process):
    """Its tokens, read as `start` began to: communicate() would miss what came with the first line."""
    with process.stdout:
        lines = process.stdout.readlines()
    process.wait(timeout=60)
    return tokens(map(json.loads, lines))


def watch(stack, request, *arguments):
    return Watcher(stack, request, *arguments).read()


def test_what_is_seen_is_what_was_drawn(long):
    with long.held():
        process, request = start(long, *CHAIN)
        watcher = watch(long, request, "--candidates", "6")
    drawn = drawn_by(process)
    seen, over = watcher.end()
    assert watcher.begin["request"] == request and watcher.begin["prompt_tokens"] > 0
    assert over == {"finish_reason": "length", "completion_tokens": 3000}
    assert list(seen) == sorted(seen) and min(seen) >= watcher.begin["step"]
    for step, line in seen.items():
        assert set(line) == {"step", "id", "text", "logprob", "candidates", "n_left", "strategy"}
        assert (line["id"], line["logprob"]) == (drawn[step]["id"], drawn[step]["logprob"])
        assert line["strategy"] == [{"temperature": 0.8}, {"top_k": 4}]
        assert [one["removed_by"] for one in line["candidates"]] == [None] * 4 + ["top_k"] * 2
        assert line["n_left"][1:] == [line["n_left"][0], 4]
        assert [one["text"] for one in line["candidates"] if one["id"] == line["id"]] == [line["text"]]


def test_watching_changes_nothing(long):
    alone = tokens(long.lines("generate", PROMPT, *LONG, "--max-new-tokens", "1500"))
    with long.held():
        process, request = start(long, n_tokens=1500)
        watchers = [watch(long, request) for _ in range(3)]
    assert {step: line["id"] for step, line in drawn_by(process).items()} == {
        step: line["id"] for step, line in alone.items()}
    assert all(watcher.end()[0] for watcher in watchers)


def test_a_tuned_strategy_is_seen(long):
    process, request = start(long, n_tokens=90000)
    watcher = watch(long, request)
    chain = [{"top_k": 3}, {"temperature": 2.0}, {"top_k": 2}]       # in an order of its own, and a kind twice
    tuned = long.lines("tune", request, "--chain", json.dumps(chain))[0]
    assert tuned["strategy"] == chain
    from_step = tuned["step"]
    wait_until(lambda: any(line.get("step", 0) > from_step for line in watcher.lines), what="a step after it")
    assert long.run("cancel", request).returncode == 0
    drawn_by(process)
    seen, _ = watcher.end()
    after = [line for step, line in seen.items() if step >= from_step]
    assert after and all(line["strategy"] == chain for line in after)
    assert all(line["strategy"] != chain for step, line in seen.items() if step < from_step)


def test_a_watcher_that_stops_reading_slows_nobody(long):
    """Its pipe is full, or it is stopped altogether: the text ends all the same, and another watcher sees it."""
    with long.held():
        process, request = start(long, n_tokens=6000)
        blocked = Watcher(long, request, "--candidates", "200")     # nobody reads its stdout for now
        stopped = watch(long, request)
        stopped.process.send_signal(signal.SIGSTOP)
        reader = watch(long, request)
    assert len(drawn_by(process)) == 6000
    seen, _ = reader.end()
    assert len(seen) > 100
    missed, over = blocked.read().end()                         # what there was no room for is missing, in order
    assert list(missed) == sorted(missed) and 0 < len(missed) < len(seen)
    assert over["completion_tokens"] == 6000
    stopped.process.send_signal(signal.SIGCONT)


def test_who_is_not_there_cannot_be_watched(long):
    process, request = start(long, n_tokens=90000)
    watcher = Watcher(long, request)
    watcher.process.kill()
    watcher.process.wait()
    assert long.run("cancel", request).returncode == 0          # the text went on without its watcher
    process.wait(timeout=60)
    assert request in long.refused("watch", request)
    assert "abcdef" in long.refused("watch", "abcdef")
    assert "hexadecimal" in long.refused("watch", "xyz", code=2)
    long.refused("watch", "ab", "--candidates", "0", code=2)


def test_what_an_onlooker_may_ask(long, fakes):
    """By hand: what is out of bounds is answered, so are more watchers than a client has its share of; none harms the text."""
    process, request = start(long, n_tokens=90000)
    client = fakes(FakeClient, f"ipc://{long.runtime}/clients")
    client.wait_joined()

    def ask(named, n_candidates):
        message = client.outgoing()
        message.watch.call, message.watch.request, message.watch.n_candidates = 7, named, n_candidates
        client.send(message)

    whole = bytes.fromhex(request)
    for named, n_candidates, sentence in ((b"", 3, "not 0"), (whole + b"x", 3, "not 17"), (whole, 0, "not 0"),
                                          (whole, 1025, "not 1025"), (b"\0" * 16, 3, "no running request")):
        ask(named, n_candidates)
        assert sentence in client.answer("failed")[0].error.message
    with long.held():
        for _ in range(WATCHES_MAX + 1):
            ask(whole[:6], 1)
        assert "share of the 256 texts" in client.answer("failed")[0].error.message
    assert client.answer("glimpse")[0].drawn.n_left
    client.close()

    def may_watch():
        """Several at once: a single place may be that of another test's watcher, which is lost by now."""
        watchers = [long.popen("watch", request, "--json") for _ in range(3)]
        begun = [watcher.stdout.readline() for watcher in watchers]
        for watcher in watchers:
            watcher.kill()
        return all(begun)
    wait_until(may_watch, what="the places of whoever has gone are free")
    assert long.run("cancel", request).returncode == 0
    drawn_by(process)


def test_cancelled_is_told(long):
    with long.held():
        process, request = start(long, n_tokens=90000)
        watcher = watch(long, request)
    assert long.run("cancel", request).returncode == 0
    assert watcher.end()[1]["finish_reason"] == "cancelled"
    drawn_by(process)


def test_a_lost_owner_may_come_back(long):
    """Stopped until it counts as lost, it goes on with the next attempt: its watcher sees that, too."""
    with long.held():
        process, request = start(long, n_tokens=5000)
        watcher = watch(long, request)
    process.send_signal(signal.SIGSTOP)
    wait_until(lambda: json.loads(long.run("ps", "--json").stdout)["requests"] == [], what="the owner is lost")
    process.send_signal(signal.SIGCONT)
    drawn = drawn_by(process)
    seen, over = watcher.end()
    assert over == {"finish_reason": "length", "completion_tokens": 5000}
    assert max(seen) > 4000 and all(line["id"] == drawn[step]["id"] for step, line in seen.items())


@pytest.mark.parametrize("daemon", ["samplerd", "modeld", "tokenizerd"])
def test_a_lost_daemon_is_a_gap(models, stack, daemon):
    model = models(type="Q8_0", seed=3, context=100000)
    stack.start_all(model)
    with stack.held():
        process, request = start(stack, n_tokens=8000)
        watcher = watch(stack, request)
    stack.kill(getattr(stack, daemon))
    stack.start(daemon, *(["--model", model] if daemon == "modeld" else []))
    drawn = drawn_by(process)
    seen, over = watcher.end()
    assert over["completion_tokens"] == 8000 and max(seen) > 7000
    assert all(line["id"] == drawn[step]["id"] for step, line in seen.items())


def test_a_sampler_need_not_glimpse(models, stack, fakes):
    """One in another language that knows nothing of watchers: its steps are not shown, the end is."""
    stack.start("tokenizerd")
    stack.start("modeld", "--model", models(type="Q8_0", seed=3, context=100000))
    fakes(FakeSamplerd, f"ipc://{stack.runtime}/samplers")
    stack.wait_ready()
    process, request = start(stack, n_tokens=300)
    watcher = watch(stack, request)
    process.communicate(timeout=60)
    assert watcher.end() == ({}, {"finish_reason": "length", "completion_tokens": 300})


def on_terminal(stack, request, colour, *arguments, size=(24, 80), n_lines=100):
    """What `watch` writes to a terminal of so many rows and columns; after that many lines the text is cancelled."""
    environment = dict(stack.environment, TERM="xterm")
    if colour:
        del environment["NO_COLOR"]
    main, side = pty.openpty()
    termios.tcsetwinsize(side, size)
    process = stack.popen("watch", request, *arguments, env=environment, stdin=side, stdout=side, stderr=side)
    os.close(side)
    shown, ended = b"", False
    for piece in pieces(main):
        shown += piece
        if shown.count(b"\n") >= n_lines and not ended:
            ended = stack.run("cancel", request).returncode == 0
    os.close(main)
    assert process.wait(timeout=60) == 0
    return shown.decode()


def test_on_a_terminal(long):
    process, request = start(long, *CHAIN, n_tokens=90000)
    shown = on_terminal(long, request, True, "--candidates", "5")
    process.communicate(timeout=60)
    assert "\x1b[" in shown and "A\x1b[?7l" in shown             # in place, and in colour
    assert "\x1b[2m" in shown and "\x1b[36m" in shown
    assert re.search(r"\x1b\[\?7hover after \d+ tokens: cancelled\r\n$", shown)
    process, request = start(long, *CHAIN, n_tokens=90000)
    shown = on_terminal(long, request, False, "--candidates", "5", "--all")
    process.communicate(timeout=60)
    assert "\x1b[" not in shown
    lines = shown.replace("\r", "").splitlines()
    assert max(map(len, lines)) <= 80
    assert re.fullmatch(r"over after \d+ tokens: cancelled", lines[-1])
    assert sum(line.endswith(" ← drawn") for line in lines) > 10


def test_each_step_shows_what_was_drawn(long):
    """Also a token that is none of the candidates: it stands below them."""
    process, request = start(long, "--chain", '[{"temperature": 3}]', n_tokens=4000)
    watcher = long.popen("watch", request, "--candidates", "2")
    lines = watcher.communicate(timeout=60)[0].decode().splitlines()
    process.communicate(timeout=60)
    n_rows = []
    for line in lines:
        if re.match(r'".* step \d', line):
            n_rows.append(0)
        elif line.startswith('  "'):
            n_rows[-1] += 1
    assert len(n_rows) > 10 and set(n_rows) == {2, 3}
    assert sum(line.endswith(" ← drawn") for line in lines) == len(n_rows)


def test_a_narrow_terminal_shows_whole_lines(long):
    """Headings go on in the next line, bars are shorter; what is too long all the same ends in an ellipsis."""
    chain = '[{"temperature": 0.1}, {"top_k": 4}, {"typical_p": 0.5}, {"top_p": 0.9}]'
    process, request = start(long, "--chain", chain, n_tokens=2000)
    shown = on_terminal(long, request, False, "--candidates", "5", size=(24, 40))
    process.communicate(timeout=60)
    lines = re.sub("\x1b\\[(\\?7[lh]|[0-9]*[AKJ])", "", shown.replace("\r", "")).splitlines()[1:-1]
    assert max(map(len, lines)) <= 40           # what stands before and after them is on stderr
    headings = [line for line in lines if re.search(r" step \d+(  \d+)?$", line)]
    assert headings
    assert sum("→ top_k 4" in line for line in lines) == len(headings)
    assert sum(line.endswith(" ← drawn") for line in lines) == len(headings)


@pytest.mark.parametrize("size", [(24, 40), (5, 80), (2, 20)])
def test_what_is_drawn_over_fits_the_terminal(long, size):
    """Nothing wraps or scrolls away: the next block lies over all lines of this one; the last word is last."""
    process, request = start(long, n_tokens=90000)
    shown = on_terminal(long, request, False, "--candidates", "20", size=size, n_lines=15)
    process.communicate(timeout=60)
    begin, *blocks, end = re.split("\x1b\\[\\?7[lh]", shown.replace("\r", ""))
    heights = [block.count("\n") for block in blocks[::2]]
    assert heights and all(0 < height < size[0] for height in heights)
    assert blocks[1::2] == [f"\x1b[{height}A" for height in heights[:-1]]
    assert re.fullmatch(r"over after \d+ tokens: cancelled", " ".join(end.split()))
    assert max(map(len, (begin + end).splitlines())) <= size[1] or size[1] < len(long.model()["name"]) + 1
