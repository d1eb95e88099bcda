"""What the model thought likely, token by token, and the chapter's examples number by number."""
import math
import re
import subprocess
import unicodedata

import pytest

from conftest import BUILD, TIMEOUT_S

PROMPT = "Once upon a time"
CHAIN = ["--chain", '[{"temperature": 0.8}, {"top_k": 4}, {"top_p": 0.9}]']


def test_candidates_in_json(tiny):
    arguments = ["generate", PROMPT, "--seed", "3", "--max-new-tokens", "6", "--ignore-eos", *CHAIN]
    plain = [line for line in tiny.lines(*arguments) if "id" in line]
    lines = [line for line in tiny.lines(*arguments, "--show-probs", "8") if "id" in line]
    assert not any("candidates" in line for line in plain)
    for bare, line in zip(plain, lines, strict=True):
        candidates = line.pop("candidates")
        assert line == bare                     # looking changes nothing
        assert len(candidates) == 8
        assert [one["logprob"] for one in candidates] == sorted((one["logprob"] for one in candidates), reverse=True)
        for rank, one in enumerate(candidates):
            assert set(one) == {"id", "text", "logprob", "probability", "removed_by"}
            assert (one["removed_by"] is None) == (one["probability"] > 0)
            assert (one["removed_by"] == "top_k") == (rank >= 4)
        drawn = [one for one in candidates if one["id"] == line["id"]]
        assert len(drawn) == 1 and drawn[0]["logprob"] == line["logprob"] and drawn[0]["removed_by"] is None


def blocks_of(shown):
    """The lines of each token: its own, which are less indented or go on far to the right, and its rows."""
    blocks = []
    for line in shown.splitlines():
        if re.match(r'".* step \d', line):
            blocks.append([])
        if blocks:
            blocks[-1].append(line)
    return blocks


def rows_of(block):
    return [line for line in block if line.startswith('  "')]


def test_candidates_as_bars(tiny):
    shown = tiny.text(PROMPT, "--seed", "3", "--max-new-tokens", "5", "--ignore-eos", "--show-probs", "6", *CHAIN).decode()
    plain = tiny.text(PROMPT, "--seed", "3", "--max-new-tokens", "5", "--ignore-eos", *CHAIN).decode()
    assert shown.endswith(plain)                # the text itself comes last
    bars = shown[:-len(plain)].splitlines()
    assert len(bars) == 5 * 7
    assert all(len(line) <= 80 and line == line.rstrip() for line in bars)
    for first in range(0, len(bars), 7):
        assert " → top_k 4" in bars[first]
        assert sum(line.endswith(" ← drawn") for line in bars[first:first + 7]) == 1
        assert [line.endswith(" top_k") for line in bars[first + 5:first + 7]] == [True, True]


def test_a_drawn_token_that_is_none_of_the_likeliest_stands_below_them(tiny):
    flags = ["--seed", "3", "--max-new-tokens", "20", "--ignore-eos", "--chain", '[{"temperature": 3}]', "--show-probs"]
    blocks = blocks_of(tiny.text(PROMPT, *flags, "2").decode())
    lines = [line for line in tiny.lines("generate", PROMPT, *flags, "2") if "id" in line]
    assert len(blocks) == len(lines) == 20
    n_below = 0
    for block, line in zip(blocks, lines, strict=True):
        assert len(line["candidates"]) == 2     # in JSON there are as many as were asked for
        is_below = line["id"] not in [one["id"] for one in line["candidates"]]
        rows = rows_of(block)
        assert [row.endswith(" ← drawn") for row in rows].count(True) == 1
        assert len(rows) == 2 + is_below
        if is_below:
            assert rows[-1].endswith(" ← drawn")
            assert f" {math.exp(line['logprob']):.3f}" in rows[-1]
            assert rows[-1].strip()[:8] == block[0][:8]     # the token of the heading
        n_below += is_below
    assert n_below > 5


def test_an_unlikely_half_of_a_character_is_shown_too(tiny):
    first, second = tiny.run("tokenize", "é").stdout.decode().split(",")
    chain = f'[{{"logit_bias": [[{first}, 1000]]}}]'
    shown = tiny.text(PROMPT, "--seed", "3", "--max-new-tokens", "2", "--show-probs", "1", "--chain", chain).decode()
    blocks = blocks_of(shown)
    assert [block[0].startswith('"\\xc3" ') for block in blocks] == [True, True], shown
    for block in blocks:                        # it is not the likeliest, and stands below that
        assert re.fullmatch(r' +"\\xc3" +0\.0\d\d( █)? ← drawn', rows_of(block)[1]), shown


@pytest.mark.parametrize("columns", [80, 60, 40])
def test_candidates_fit_a_narrow_terminal(tiny, columns):
    chain = '[{"temperature": 0.1}, {"top_k": 4}, {"typical_p": 0.5}, {"top_p": 0.9}]'
    environment = dict(tiny.environment, COLUMNS=str(columns))
    done = subprocess.run([BUILD / "trivium", "generate", PROMPT, "--seed", "3", "--max-new-tokens", "4", "--ignore-eos",
                           "--show-probs", "3", "--chain", chain], env=environment, stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=TIMEOUT_S)
    lines = [line for block in blocks_of(done.stdout.decode())[:3] for line in block]
    assert max(map(len, lines)) <= columns and all(line == line.rstrip() for line in lines)
    assert sum(line.endswith("← drawn") for line in lines) == 3
    assert sum("→ top_k 4" in line for line in lines) == 3


def test_a_long_chain_stays_within_80_columns(tiny):
    chain = '[{"top_k": 90}, {"top_k": 80}, {"top_k": 70}, {"top_k": 60}, {"top_k": 50}, {"top_k": 40}, {"top_k": 30}]'
    shown = tiny.text(PROMPT, "--seed", "3", "--max-new-tokens", "1", "--ignore-eos", "--show-probs", "1", "--chain", chain)
    lines = shown.decode().splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert " ".join(lines[0].split() + lines[1].split()).endswith("→ top_k 40 → top_k 30")


def softmax(logits):
    powers = [math.exp(logit - max(logits)) for logit in logits]
    return [power / sum(powers) for power in powers]


def top_k(logits, k):
    return softmax([logit if logit >= sorted(logits)[-k] else -math.inf for logit in logits])


def top_p(logits, p):
    probabilities = softmax(logits)
    before = [sum(other for other in probabilities if other > one) for one in probabilities]
    return softmax([logit if mass < p else -math.inf for logit, mass in zip(logits, before)])


WORDS = [5.0, 3.0, 2.0, 1.0, 0.5, -1.0, -2.0, -5.0]
PENALIZED = [5 / 1.5, 3 / 1.5, 2 / 1.5, 1.0, -1.0]
EXAMPLES = [
    *((WORDS[:5], ["--temperature", t], softmax([logit / t for logit in WORDS[:5]])) for t in (0.5, 1.0, 1.5)),
    *((WORDS, ["--top-k", k], top_k(WORDS, k)) for k in (1, 3, 5, 8)),
    *((row, ["--top-p", 0.9], top_p(row, 0.9)) for row in ([10.0, 2.0, 1.0, 0.5, 0.1], [2.0, 1.8, 1.5, 1.3, 1.0])),
    ([5.0, 3.0, 2.0, 1.0, -1.0], ["--repetition-penalty", 1.5, "--history", "0,1,2"], softmax(PENALIZED)),
]


@pytest.mark.parametrize("logits, flags, expected", EXAMPLES, ids=[" ".join(map(str, e[1])) for e in EXAMPLES])
def test_the_chapters_examples(tiny, logits, flags, expected):
    row = "--logits=" + ",".join(map(str, logits))
    answer = tiny.lines("probe", row, *flags)[0]
    assert answer["probs"] == pytest.approx(expected, abs=1e-6)
    assert [one == 0 for one in answer["probs"]] == [one == 0 for one in expected]


def test_penalized_logits_as_in_the_chapter(tiny):
    shown = tiny.run("probe", "--logits=5,3,2,1,-1", "--labels", "the,cat,sat,on,a", "--history", "0,1,2",
                     "--repetition-penalty", "1.5").stdout.decode()
    for line in ("the : 5.0 → 3.33 ← penalized", "cat : 3.0 → 2.00 ← penalized", "sat : 2.0 → 1.33 ← penalized",
                 "on  : 1.0 → 1.00", "a   : -1.0 → -1.00"):
        assert line in shown.splitlines()


def probe(stack, *arguments):
    done = stack.run("probe", *arguments)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().splitlines()


@pytest.mark.parametrize("labels, n", [("a,b", 2), ("a,b,c,d", 4), ("", 0), ("a,b,", 3)])
def test_labels_are_as_many_as_logits(tiny, labels, n):
    if n == 3:
        assert probe(tiny, "--logits", "3,2,1", "--labels", labels)[2].startswith("  : ")
        return
    for more in ((), ("--json",)):
        sentence = tiny.refused("probe", "--logits", "3,2,1", "--labels", labels, *more, code=2)
        assert f"{n} labels for 3 logits" in sentence and sentence.count("\n") == 1


def test_a_long_label_is_cut(tiny):
    long = "a label that nobody would think of but a tester"
    lines = probe(tiny, "--logits", "9,1,1", "--labels", f"{long},{'日本語' * 20},x", "--history", "0", "--seed", 2**53 - 1,
                  "--step", 2**32 - 2, "--repetition-penalty", "1.5")
    cells = [sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line) for line in lines]
    assert max(cells) <= 80 and all(line == line.rstrip() for line in lines)
    assert lines[0].startswith(f"{long[:26]}… : 0.9")
    assert lines[1].startswith("日本語日本語日本語日本語日… : 0.0")
    assert [line.index(" : ") for line in lines[:3:2]] == [27, 27]
    assert lines[-1].endswith(f": {long[:26]}…")


def test_labels_are_not_obeyed_by_a_terminal(tiny):
    lines = probe(tiny, "--logits", "3,2", "--labels", "\x1b[2Ja,é\nb")
    assert lines[0].startswith("\\x1b[2Ja : ") and lines[1].startswith("é b      : ")


def test_rows_do_not_end_in_blanks(tiny):
    for command in (["probe", "--logits", "9,1,1"], ["score", "The cat", "--top", "3"], ["status"],
                    ["generate", PROMPT, "--show-probs", "8", "--seed", "3", "--max-new-tokens", "4", *CHAIN]):
        lines = tiny.run(*command).stdout.decode().splitlines()
        shown = lines if command[0] != "generate" else [line for block in blocks_of("\n".join(lines))[:3] for line in block]
        assert len(shown) > 3 and [line for line in shown if line != line.rstrip()] == [], command
