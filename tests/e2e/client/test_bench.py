"""`trivium bench`: its machine-readable forms, and what it refuses. No test asserts a time."""
import math
import os
import re
import signal
import xml.etree.ElementTree

import pytest

from conftest import wait_until
import fake_samplerd

SVG = "{http://www.w3.org/2000/svg}"


def figures(stack, *arguments):
    line, = stack.lines("bench", *arguments)
    assert all(isinstance(value, (int, float)) for value in line.values()), line
    return line


def test_decode(tiny):
    line = figures(tiny, "decode", "--tokens", "20", "--runs", "2")
    assert set(line) == {"decode_tok_s", "forward_ms", "hop_ms", "sample_ms"}
    hop_ms = line.pop("hop_ms")                # what is left of the interval: on a busy machine it may be nothing
    assert math.isfinite(hop_ms) and all(value > 0 for value in line.values()), line


def test_decode_takes_a_chain(tiny):
    for flags in (["--chain", '[{"top_k": 5}]'], ["--temperature", "0.5"], ["--greedy"]):
        assert figures(tiny, "decode", "--tokens", "8", *flags)["decode_tok_s"] > 0


@pytest.mark.parametrize("n_tokens", [1, 16, 100])
def test_prefill(tiny, n_tokens):
    line = figures(tiny, "prefill", "--tokens", n_tokens)
    assert set(line) == {"prefill_tok_s", "ttft_ms"}
    assert line["prefill_tok_s"] == pytest.approx(n_tokens * 1000 / line["ttft_ms"])


def test_a_prefill_has_exactly_its_tokens(models, stack):
    """The context holds the prompt and one token more: a prompt of another length would not fit, or would
    leave room."""
    stack.start_all(models(type="F32", seed=2, context=64))
    assert figures(stack, "prefill", "--tokens", "63")["ttft_ms"] > 0
    assert "64 tokens" in stack.refused("bench", "prefill", "--tokens", "64")


def test_clients(tiny):
    lines = tiny.lines("bench", "clients", "--clients", "1,3", "--tokens", "10")
    assert [line["clients"] for line in lines] == [1, 3]
    assert all(set(line) == {"clients", "tok_s"} and line["tok_s"] > 0 for line in lines)
    assert tiny.lines("ps")[0]["requests"] == []


def test_kv_cache(tiny):
    lines = tiny.lines("bench", "kv-cache", "--prompts", "2,17", "--tokens", "9", "--runs", "2")
    assert [line["prompt_tokens"] for line in lines] == [2, 17]
    for line in lines:
        assert set(line) == {"prompt_tokens", "tokens", "runs", "with_cache_s", "with_cache_range_s", "without_cache_s",
                             "without_cache_range_s", "speedup", "same_text"}
        assert line["tokens"] == 9 and line["runs"] == 2 and line["same_text"] is True
        for path in ("with_cache", "without_cache"):
            least, most = line[path + "_range_s"]
            assert line[path + "_s"] == pytest.approx((least + most) / 2)       # the median of two
        assert line["with_cache_s"] > 0
        assert line["speedup"] == pytest.approx(line["without_cache_s"] / line["with_cache_s"])
    assert tiny.lines("ps")[0]["requests"] == []


def test_kv_cache_for_people(tiny):
    done = tiny.run("bench", "kv-cache", "--prompts", "2,17", "-n", "9")
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.decode().splitlines()]
    assert [row[0] for row in rows if row] == ["prompt", "2", "17", "medians", "speed-up", "2", "17"]
    assert all(row[-1] == "yes" and row[-2].endswith("%") for row in rows[1:3])
    assert rows[3][:4] == ["medians", "of", "3", "runs;"] and any("█" in row[1] for row in rows[-2:])
    assert done.stderr == b"", "progress without a terminal"
    done = tiny.run("bench", "kv-cache", "--prompts", "2", "-n", "9", "--runs", "1")
    assert b" -  yes\ntimes of a single run: " in done.stdout


def test_a_line_comes_as_soon_as_it_is_known(models, stack):
    """The second prompt would take minutes: the first one's line is there before."""
    stack.start_all(models(type="F32", seed=2, context=1000000))
    process = stack.popen("bench", "kv-cache", "--prompts", "2,100000", "--tokens", "4")
    try:
        assert process.stdout.readline().split()[0] == b"prompt"
        assert process.stdout.readline().split()[0] == b"2"
        assert process.poll() is None
    finally:
        process.kill()


def boxes(root):
    """(text, left, right, top, bottom) of each text, about: seven pixels a letter, ten of the title."""
    for text in root.iter(SVG + "text"):
        width = len(text.text or "") * (10 if text.get("class") == "title" else 7)
        x, y = float(text.get("x")), float(text.get("y"))
        left = x - {"start": 0, "middle": width / 2, "end": width}[text.get("anchor") or text.get("text-anchor")]
        yield text.text, left, left + width, y - 11, y + 3


def check_texts(root):
    """Each within the figure, and none over another one."""
    every = list(boxes(root))
    for i, (text, left, right, top, bottom) in enumerate(every):
        assert left >= 0 and right <= float(root.get("width")) and top >= 0 and bottom <= float(root.get("height")), text
        for other, other_left, other_right, other_top, other_bottom in every[:i]:
            apart = right <= other_left or other_right <= left or bottom <= other_top or other_bottom <= top
            assert apart, f"{text!r} lies over {other!r}"


@pytest.mark.parametrize("n_tokens, without, with_it", [(1, 1, 0), (9, 9, 8), (230, 100, 100)])
def test_kv_cache_draws_a_figure(tiny, tmp_path, n_tokens, without, with_it):
    path = tmp_path / "figure.svg"
    tiny.lines("bench", "kv-cache", "--prompts", "2,17", "--tokens", n_tokens, "--runs", 2, "--svg", path)
    root = xml.etree.ElementTree.parse(path).getroot()
    assert root.tag == SVG + "svg"
    texts = [text.text for text in root.iter(SVG + "text")]
    assert all(name in texts for name in ("without cache", "with cache", "2", "17")), texts
    assert any("logarithmic" in text for text in texts) and any("medians of 2 runs" in text for text in texts)
    curves = [(element.get("class"), element.get("d").count(",")) for element in root.iter(SVG + "path")
              if element.get("class")[0] == "s" and "h" not in element.get("d")]
    assert curves == [("s0", without)] * 2 * (without > 1) + [("s1", with_it)] * 2 * (with_it > 0)
    dots = [element.get("class") for element in root.iter(SVG + "circle")]
    assert dots.count("s1 dot") == 2 + 1            # and the one that tells what they are
    assert len([element for element in root.iter(SVG + "rect") if element.get("class") == "bar"]) == 2
    assert path.stat().st_size < 40000 and list(tmp_path.iterdir()) == [path]
    check_texts(root)


def test_no_text_of_a_figure_lies_over_another_one(stack, models, tmp_path):
    """As many prompts as may be, with long numbers, and a model with a long name."""
    stack.start_all(models(type="F32", seed=2, context=2000), "--name", "n" * 120)
    path = tmp_path / "figure.svg"
    stack.lines("bench", "kv-cache", "--prompts", "1,1001,1002,1003,1004,1005,1006,1007", "--tokens", 2, "--runs", 1, "--svg",
                path)
    root = xml.etree.ElementTree.parse(path).getroot()
    check_texts(root)
    assert sum("\u2026" in text.text for text in root.iter(SVG + "text")) == 1


def test_kv_cache_says_before_it_measures_what_cannot_be_done(tiny, tmp_path):
    sentence = tiny.refused("bench", "kv-cache", "--prompts", "2,200", "--tokens", "100", "--svg", tmp_path / "f.svg")
    assert "256 tokens of the context" in sentence and "--prompts" in sentence and sentence.count("\n") == 1
    sentence = tiny.refused("bench", "kv-cache", "--tokens", "9", "--svg", tmp_path / "no" / "folder.svg")
    assert "cannot write" in sentence and "No such file" in sentence
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_file_is_not_replaced(tiny, tmp_path):
    os.mkfifo(tmp_path / "f.svg")
    sentence = tiny.refused("bench", "kv-cache", "--tokens", "2", "--svg", tmp_path / "f.svg")
    assert "cannot write" in sentence and "it is no file" in sentence
    assert [one.name for one in tmp_path.iterdir() if one.is_fifo()] == ["f.svg"]


def test_kv_cache_knows_which_of_several_models_writes(stack, models, tmp_path):
    """Without a name it is the one that joined first: its context is asked about, its name is in the figure."""
    stack.start_all(models(type="F32", seed=2, context=64), "--name", "first & foremost")
    stack.start("modeld", "--model", models(type="Q4_1", seed=1), "--name", "second", "--bind-samplers",
                f"ipc://{stack.folder}/second")
    stack.wait_ready(4)
    figure = tmp_path / "f.svg"
    stack.lines("bench", "kv-cache", "--prompts", "2", "--tokens", "3", "--svg", figure)
    texts = [text.text for text in xml.etree.ElementTree.parse(figure).getroot().iter(SVG + "text")]
    assert "first & foremost: 3 tokens after each prompt; medians of 3 runs, of 5 tokens in a row" in texts
    refused = stack.run("bench", "kv-cache", "--prompts", "2,60", "--tokens", "9", "--json")
    assert refused.returncode == 1 and b"64 tokens of the context of first & foremost" in refused.stderr
    assert refused.stdout == b"", "measured before it was refused"


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_texts_that_differ_are_an_error(stack, models, fakes, form):
    """A samplerd draws another id in the tenth step: after one to warm up and six with the cache, the third
    without it."""
    stack.start("tokenizerd")
    stack.start("modeld", "--model", models(type="Q8_0", seed=3, context=100000, vocab=20000),
                "--step-deadline-ms", "60000", "--heartbeat-ms", "20000")     # no step is taken twice
    stack.wait_ready(2)
    fakes(fake_samplerd.FakeSamplerd, f"ipc://{stack.runtime}/samplers",
          misbehave=fake_samplerd.changes("id", 7, 10)).wait_joined()
    figure = stack.folder / "f.svg"
    done = stack.run("bench", "kv-cache", "--prompts", "5,6", "--tokens", "6", "--svg", figure, *form)
    assert done.returncode == 1 and b"differ from step 2 on" in done.stderr
    last = done.stdout.decode().splitlines()[-1]
    assert last.endswith('"same_text":false}' if form else "no") and not list(stack.folder.glob("f.svg*"))


def test_tables_for_people(tiny):
    for arguments, heads in [(("decode", "-n", "4"), ("decode", "forward pass", "between processes", "sampling")),
                             (("prefill", "--tokens", "4"), ("prefill", "first token after")),
                             (("clients", "--clients", "2", "-n", "4"), ("clients", "2"))]:
        done = tiny.run("bench", *arguments)
        assert done.returncode == 0, done.stderr
        lines = done.stdout.decode().splitlines()
        assert [line.strip().split("  ")[0] for line in lines[:-1]] == list(heads)
        assert re.match(r"medians of 3 (runs|tokens)", lines[-1]), lines


@pytest.mark.parametrize("arguments", [
    (), ("sideways",), ("decode", "--tokens", "1"), ("decode", "--tokens", "x"), ("prefill", "--tokens", "0"),
    ("prefill", "--clients", "2"), ("clients", "--clients", "0"), ("clients", "--clients", "1,"),
    ("clients", "--clients", "65"), ("decode", "--runs", "0"), ("prefill", "-n", "4"), ("decode", "--chain", "[]", "--top-k", "5"),
    ("kv-cache", "--prompts", "0"), ("kv-cache", "--prompts", "1,2,3,4,5,6,7,8,9"), ("decode", "--svg", "f.svg"),
])
def test_wrong_use(tiny, arguments):
    sentence = tiny.refused("bench", *arguments, code=2)
    if arguments in ((), ("sideways",)):
        assert all(name in sentence for name in ("kv-cache", "decode", "prefill", "clients"))


def test_a_text_that_the_context_cuts_is_no_measurement(tiny):
    assert "context" in tiny.refused("bench", "decode", "--tokens", "1000000")
    assert "context" in tiny.refused("bench", "clients", "--clients", "2", "--tokens", "1000000")


def test_no_daemons(stack):
    stack.runtime.mkdir(mode=0o700)
    for name in ("kv-cache", "decode", "prefill", "clients"):
        sentence = stack.refused("bench", name, "--wait", "0.1")
        assert "trivium up" in sentence and sentence.count("\n") == 1, sentence


def terminal_ctrl_c(process):
    """As a terminal does it: the signal goes to all that the command started."""
    os.killpg(process.pid, signal.SIGINT)


@pytest.mark.parametrize("ctrl_c", [terminal_ctrl_c, lambda process: process.send_signal(signal.SIGINT)],
                         ids=["group", "process"])
@pytest.mark.parametrize("arguments", [("decode",), ("clients", "--clients", "2"), ("kv-cache",)],
                         ids=lambda arguments: arguments[0])
def test_ctrl_c(models, stack, arguments, ctrl_c):
    stack.start_all(models(type="F32", seed=2, context=1000000))
    figure = ["--svg", stack.folder / "f.svg"] if "kv-cache" in arguments else []
    process = stack.popen("bench", *arguments, "--tokens", "900000", *figure, start_new_session=True)
    running = 2 if "clients" in arguments else 1
    wait_until(lambda: [r["step"] > 3 for r in stack.lines("ps")[0]["requests"]] == [True] * running, what="it runs")
    ctrl_c(process)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output, errors) == (130, b"", b"")
    assert stack.lines("ps")[0]["requests"] == []       # all was cancelled before it ended
    assert not list(stack.folder.glob("f.svg*"))
