"""explore: the chapter's exercises 1 and 2, on a tiny random model for their form, once on the real one."""
import os
import pty
import re
import signal
import statistics
import subprocess
import time
import unicodedata

import pytest

from conftest import BUILD, TIMEOUT_S, caught_running, wait_until
from terminal import pieces

PROMPT = "hello there"
TEMPERATURES = (0.2, 0.5, 0.8, 1.0, 1.5)


def plain(done):
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def width(line):
    """Cells, near enough: wide ones count twice, marks not at all."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)


def explored(stack, what, *arguments, prompt=PROMPT):
    return stack.lines("explore", what, prompt, *arguments)


def samples_of(lines):
    """Without the lines on what the samples of a temperature are together."""
    return [line for line in lines if "together" not in line]


def repeated_share(texts):
    """Of the pairs of tokens in a row, those that were there before."""
    pairs = [pair for ids in texts for pair in zip(ids, ids[1:])]
    return 1 - len(set(pairs)) / len(pairs) if pairs else 0


# ---- temperatures ----

def written_alone(stack, seed, temperature, n_tokens):
    """What generate writes: ids, log-probabilities, how it ended."""
    lines = stack.lines("generate", PROMPT, "--max-new-tokens", n_tokens, "--seed", seed, "--temperature", temperature,
                        "--top-p", 0.95)
    drawn = [line for line in lines if "id" in line]
    return [token["id"] for token in drawn], [token["logprob"] for token in drawn], lines[-1]["done"]


def test_a_sample_is_what_generate_writes(tiny):
    lines = samples_of(explored(tiny, "temperature", "--max-new-tokens", 24, "--seed", 7, "--samples", 2))
    assert [(line["temperature"], line["sample"]) for line in lines] == [(t, s) for t in TEMPERATURES for s in (1, 2)]
    for line in lines:
        assert line["seed"] == 7 + line["sample"] - 1
        ids, logprobs, done = written_alone(tiny, line["seed"], line["temperature"], 24)
        assert line["text"] == done["text"]
        assert line["finish_reason"] == done["finish_reason"]
        assert line["completion_tokens"] == len(ids)
        assert line["distinct_tokens"] == len(set(ids))
        assert line["repeated"] == pytest.approx(repeated_share([ids]))
        assert line["mean_logprob"] == pytest.approx(statistics.fmean(logprobs))


def test_the_figures_of_a_temperature_are_of_all_its_samples_together(tiny):
    flags = ("--temperatures", "0.1,1.5", "--max-new-tokens", 40, "--samples", 3)
    lines = explored(tiny, "temperature", *flags)
    assert ["together" in line for line in lines] == 2 * [False, False, False, True]
    shown = plain(tiny.run("explore", "temperature", PROMPT, *flags)).splitlines()
    for at, temperature in enumerate((0.1, 1.5)):
        texts, logprobs, dones = zip(*(written_alone(tiny, seed, temperature, 40) for seed in (1, 2, 3)))
        together = lines[4 * at + 3]["together"]
        every = [token for ids in texts for token in ids]
        assert together == {
            "temperature": temperature, "samples": 3, "texts": len({done["text"] for done in dones}),
            "completion_tokens": len(every), "distinct_tokens": len(set(every)),
            "repeated": pytest.approx(repeated_share(texts)),
            "mean_logprob": pytest.approx(statistics.fmean(one for some in logprobs for one in some))}
        assert f"{len(set(every))}/{len(every)} tokens" in shown[1]
        assert f"{100 * repeated_share(texts):.0f}% repeated" in shown[2]


def test_the_same_command_prints_the_same(tiny):
    command = ("explore", "temperature", PROMPT, "--max-new-tokens", "20")
    assert plain(tiny.run(*command)) == plain(tiny.run(*command))


def test_flags_of_steps_are_merged(tiny):
    flags = ("--top-k", 5, "--repetition-penalty", 1.3)
    one = ("--temperatures", "0.7", "--samples", 1, "--max-new-tokens", 20)
    line, = samples_of(explored(tiny, "temperature", *one, *flags))
    alone = tiny.text(PROMPT, "--temperature", 0.7, "--top-p", 0.95, "--seed", 1, "--max-new-tokens", 20, *flags)
    assert line["text"] == alone[:-1].decode(errors="replace")
    chain = '[{"top_p": 0.5}]'
    line, = samples_of(explored(tiny, "temperature", *one, "--chain", chain))
    alone = tiny.text(PROMPT, "--seed", 1, "--max-new-tokens", 20, "--chain", '[{"temperature": 0.7}, {"top_p": 0.5}]')
    assert line["text"] == alone[:-1].decode(errors="replace")


@pytest.mark.parametrize("columns, n_bands", [(80, 1), (77, 2), (200, 1), (30, 3), (20, 5)])
def test_columns_fit_the_width(tiny, columns, n_bands):
    environment = dict(tiny.environment, COLUMNS=str(columns))
    done = subprocess.run([BUILD / "trivium", "explore", "temperature", PROMPT, "--max-new-tokens", "30"],
                          env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_S)
    text = plain(done)
    assert max(map(width, text.splitlines())) <= columns
    assert len(re.findall(r"^sample 1, seed 1$", text, re.MULTILINE)) == n_bands
    heads = re.findall(r"T = [0-9.]+", text)
    assert heads == ["T = 0.2", "T = 0.5", "T = 0.8", "T = 1", "T = 1.5"]
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text), "a control character"
    assert all(line == line.rstrip() for line in text.splitlines())


def test_a_terminal_has_colour_unless_told_not_to(tiny):
    for no_colour, expected in (("", True), ("1", False)):
        ours, theirs = pty.openpty()
        environment = dict(tiny.environment, TERM="xterm", NO_COLOR=no_colour, COLUMNS="80")
        process = tiny.popen("explore", "temperature", PROMPT, "--max-new-tokens", "5", env=environment, stdin=theirs,
                             stdout=theirs, stderr=subprocess.DEVNULL)
        os.close(theirs)
        written = b"".join(pieces(ours))
        os.close(ours)
        assert process.wait(timeout=TIMEOUT_S) == 0
        assert (b"\x1b[1m" in written) == expected


@pytest.mark.parametrize("arguments, code", [
    (("sideways", "x"), 2), ((), 2), (("temperature", "x", "--temperatures", "0.5,"), 2),
    (("temperature", "x", "--temperatures", "0"), 2), (("temperature", "x", "--temperatures", ",".join(["1"] * 17)), 2),
    (("temperature", "x", "--temperature", "1"), 2), (("temperature", "x", "--samples", "0"), 2),
    (("temperature", "x", "--seed", str(2**53)), 2), (("temperature", ""), 1), (("top-p", ""), 1),
    (("top-p", "x", "--top-p", "2"), 2), (("top-p", "x", "--samples", "2"), 2),
    (("temperature", "x", "--model", "no-such-model", "--wait", "0.5"), 1),
])
def test_refused(tiny, arguments, code):
    refused = tiny.refused_soon if "--wait" in arguments else tiny.refused
    sentence = refused("explore", *arguments, code=code)
    assert sentence.startswith("trivium: ") and sentence.count("\n") == 1, sentence
    if arguments in ((), ("sideways", "x")):
        assert "temperature, top-p" in sentence and '"' not in sentence


def test_more_texts_than_run_at_once(tiny):
    lines = samples_of(explored(tiny, "temperature", "--temperatures", "0.5,1", "--samples", 20, "--max-new-tokens", 3))
    assert [(line["temperature"], line["seed"]) for line in lines] == [(t, s) for t in (0.5, 1) for s in range(1, 21)]


def test_ctrl_c_ends_all(stack, models):
    stack.start_all(models(type="Q8_0", seed=3, context=100000))
    process = stack.popen("explore", "temperature", PROMPT, "--max-new-tokens", "4000")
    stack.running(n_steps=3)
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, b""), errors
    wait_until(lambda: not stack.lines("ps")[0]["requests"], what="nothing is computed any more")


# ---- top-p ----

def by_step(lines):
    assert list(lines[-1]) == ["done"]
    assert [line["step"] for line in lines[:-1]] == list(range(len(lines) - 1))
    return lines[:-1], lines[-1]["done"]


def check_counts(steps, done, k):
    for line in steps:
        both, alone = line["top_k_top_p"], line["top_p"]
        if both:
            assert 1 <= both["left"] <= both["top_k"]
            assert both["top_k"] == k           # without ties at the last place
        if alone:
            assert alone["left"] >= 1
        if line["comparable"]:
            assert both["left"] <= min(k, alone["left"])
            assert both["id"] == alone["id"] or line["step"] == done["parted_at"]
        else:
            assert done["parted_at"] is None or line["step"] > done["parted_at"]


@pytest.mark.parametrize("k, p", [(50, 0.9), (8, 0.99), (3, 0.5)])
def test_what_each_step_leaves(tiny, k, p):
    flags = ("--top-k", k, "--top-p", p, "--seed", 11, "--max-new-tokens", 40)
    steps, done = by_step(explored(tiny, "top-p", *flags))
    check_counts(steps, done, k)
    whole = ("--seed", 11, "--max-new-tokens", 40, "--top-p", p)
    for key, more in (("top_k_top_p", ("--top-k", k)), ("top_p", ())):
        assert done[key] == tiny.text(PROMPT, *whole, *more)[:-1].decode(errors="replace")
    assert done["seed"] == 11


def test_the_table_marks_where_the_texts_part(tiny):
    command = ("explore", "top-p", PROMPT, "--top-k", "3", "--seed", "11")
    text = plain(tiny.run(*command))
    assert text == plain(tiny.run(*command))
    steps, done = by_step(explored(tiny, "top-p", "--top-k", 3, "--seed", 11))
    assert done["parted_at"] is not None
    rows = text.splitlines()
    mark = next(i for i, row in enumerate(rows) if "here they part" in row)
    assert rows[mark - 1].split()[0] == str(done["parted_at"])
    assert max(map(width, rows)) <= 80
    assert rows == [row.rstrip() for row in rows]
    counts = sorted(line["top_p"]["left"] for line in steps if line["comparable"])
    row = next(row for row in rows if row.startswith("top-p alone") and "until they part" in row)
    assert row.split()[-4:] == [str(len(counts)), str(counts[0]), f"{statistics.median(counts):g}", str(counts[-1])]


def test_texts_that_do_not_differ_are_said_to_be_the_same(tiny):
    """Top-k before a top-p of almost nothing leaves what that leaves alone: two equal columns, and a sentence."""
    flags = ("--top-k", "50", "--top-p", "0.001", "--seed", "11", "--max-new-tokens", 6)
    _, done = by_step(explored(tiny, "top-p", *flags))
    assert done["parted_at"] is None and done["top_k_top_p"] == done["top_p"]
    shown = plain(tiny.run("explore", "top-p", PROMPT, *flags))
    assert "Both are the same text" in shown and "here they part" not in shown
    parted = plain(tiny.run("explore", "top-p", PROMPT, "--top-k", "3", "--seed", "11"))
    assert "Both are the same text" not in parted


def test_a_sample_that_was_there_is_named(tiny):
    """Of two temperatures that draw the same, and of samples that do: a sentence in place of the text."""
    flags = ("--temperatures", "0.0001,0.0002", "--samples", 2, "--max-new-tokens", 6)
    texts = [line["text"] for line in samples_of(explored(tiny, "temperature", *flags))]
    assert len(set(texts)) == 1
    for columns in ("80", "20"):
        done = subprocess.run([BUILD / "trivium", "explore", "temperature", PROMPT, *map(str, flags)], capture_output=True,
                              env=dict(tiny.environment, COLUMNS=columns), stdin=subprocess.DEVNULL, timeout=TIMEOUT_S)
        shown = " ".join(plain(done).split())
        assert shown.count("(the same as at T = 0.0001)") == 2 and shown.count("(the same as sample 1)") == 1


@pytest.mark.parametrize("columns", [30, 20])
def test_a_very_narrow_terminal_has_all_of_it(tiny, columns):
    done = subprocess.run([BUILD / "trivium", "explore", "top-p", PROMPT, "--top-k", "3", "--seed", "11"],
                          env=dict(tiny.environment, COLUMNS=str(columns)), stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=TIMEOUT_S)
    shown = plain(done)
    if columns >= 23:                           # a step is as narrow as that
        assert max(map(width, shown.splitlines())) <= columns
    steps, done = by_step(explored(tiny, "top-p", "--top-k", 3, "--seed", 11))
    counts = sorted(line["top_p"]["left"] for line in steps if line["comparable"])
    facts = " ".join(shown.split())
    assert (f"top-p alone of until they part steps {len(counts)} min {counts[0]} median {statistics.median(counts):g} "
            f"max {counts[-1]}") in facts


@pytest.mark.parametrize("columns", [73, 40])
def test_a_narrow_terminal_has_the_sides_under_each_other(tiny, columns):
    environment = dict(tiny.environment, COLUMNS=str(columns))
    done = subprocess.run([BUILD / "trivium", "explore", "top-p", PROMPT, "--top-k", "3", "--seed", "11"], env=environment,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_S)
    rows = plain(done).splitlines()
    assert max(map(width, rows)) <= columns
    assert rows == [row.rstrip() for row in rows]
    steps, done = by_step(explored(tiny, "top-p", "--top-k", 3, "--seed", 11))
    first = next(i for i, row in enumerate(rows) if row.startswith("   0  "))
    for i, line in enumerate(steps[:done["parted_at"]]):
        both, alone = rows[first + 2 * i], rows[first + 2 * i + 1]
        assert both.split()[0] == str(line["step"])
        assert both.split()[-2:] == [str(line["top_k_top_p"]["top_k"]), str(line["top_k_top_p"]["left"])]
        assert alone.strip().startswith("the same ") and alone.split()[-1] == str(line["top_p"]["left"])
    counts = sorted(line["top_p"]["left"] for line in steps if line["comparable"])
    table = rows[rows.index("until they part"):]
    assert table[2].split() == ["top-p", "alone", str(len(counts)), str(counts[0]), f"{statistics.median(counts):g}",
                                str(counts[-1])]


# ---- the real model ----

@pytest.mark.slow
def test_on_the_real_model(real):
    prompt, flags = "The future of artificial intelligence", ("--max-new-tokens", "12", "--samples", "2")
    text = plain(real.run("explore", "temperature", prompt, *flags))
    assert text == plain(real.run("explore", "temperature", prompt, *flags))
    assert max(map(width, text.splitlines())) <= 80
    for line in samples_of(real.lines("explore", "temperature", prompt, *flags, "--temperatures", "0.5,1.5")):
        alone = real.text(prompt, "--max-new-tokens", 12, "--seed", line["seed"], "--top-p", 0.95,
                          "--temperature", line["temperature"])
        assert line["text"] == alone[:-1].decode(errors="replace")
    steps, done = by_step(real.lines("explore", "top-p", prompt, "--max-new-tokens", "24"))
    check_counts(steps, done, 50)
    assert any(line["top_p"] and line["top_p"]["left"] > 1 for line in steps)


def test_a_killed_tokenizerd_is_a_pause_for_all(stack, models):
    stack.start_all(models(type="Q8_0", seed=3, context=100000))
    command = ("explore", "temperature", PROMPT, "--max-new-tokens", "600", "--json")
    alone = plain(stack.run(*command))

    def begin():
        client = stack.popen(*command)
        wait_until(lambda: client.poll() is not None or stack.lines("ps")[0]["requests"], what="its texts")
        time.sleep(0.1)
        return client,
    client, = caught_running(begin)
    stack.kill(stack.tokenizerd)
    stack.start("tokenizerd")
    out, errors = client.communicate(timeout=60)
    assert client.returncode == 0, errors
    assert out.decode() == alone
