"""A sampler of one's own: the examples, by the commands of their README, and what a client shows of what they draw."""
import re
import subprocess
import textwrap

import pytest

from conftest import BUILD, ROOT, TIMEOUT_S, wait_until
from examples import EXAMPLES, FOLDER, start_example
from kills.writing import Writing
from modeld_by_hand import ModeldByHand, common_pb2

LANGUAGES = {"mine": "python3 python protoc", "ruby": "ruby protoc"}    # by pool: what could be another one's in PATH


def commands_of_readme():
    """By pool: one block of commands for each example."""
    text = (FOLDER / "README.md").read_text()
    blocks = [block for block in text.split("\n\n") if block.startswith("    ")]
    return {re.search(r"--sampler (\w+)", block)[1]: textwrap.dedent(block).replace("build/", f"{BUILD}/") for block in blocks}


def repeats(text):
    """How often a word is the one before it."""
    words = re.findall(r"\w+", text.lower())
    return sum(one == other for one, other in zip(words, words[1:]))


@pytest.mark.parametrize("pool", LANGUAGES)
def test_the_commands_of_its_readme_write_a_text(real, tmp_path, pool):
    """By Debian's programs, whatever others are in PATH."""
    for name in LANGUAGES[pool].split():
        other = tmp_path / name
        other.write_text("#!/bin/sh\necho another $0 >&2\nexit 1\n")
        other.chmod(0o755)
    environment = dict(real.environment, PATH=f"{tmp_path}:{real.environment['PATH']}")
    script = commands_of_readme()[pool]
    done = subprocess.run(["bash", "-ec", f"trap 'kill $!' EXIT\n{script}"], cwd=ROOT, env=environment, capture_output=True,
                          stdin=subprocess.DEVNULL, timeout=TIMEOUT_S)
    text = done.stdout.decode()
    assert done.returncode == 0, done.stderr.decode()
    assert len(set(re.findall(r"\w+", text.lower()))) > 40 and repeats(text) < 5, text


@pytest.fixture
def own(tiny):
    process = start_example(tiny, "sampler.py", f"ipc://{tiny.runtime}/samplers", "mine")
    wait_until(lambda: len(tiny.daemons()) == 4, what="it has joined")
    yield tiny
    tiny.stop(process)


@pytest.mark.parametrize("name", EXAMPLES)
def test_it_asks_again_where_there_is_no_room_and_ends_where_it_is_not_wanted(stack, name):
    stack.runtime.mkdir(mode=0o700)
    modeld = ModeldByHand(address := f"ipc://{stack.runtime}/samplers")
    process = start_example(stack, name, address)
    for code, message in ("BUSY", "full"), ("NO_MEMORY", "full"), ("BAD_REQUEST", "not wanted here"):
        said, _ = modeld.receive()
        assert said.control.WhichOneof("word") == "hello" and process.poll() is None
        modeld.theirs = getattr(said.control, "from")
        modeld.send(control={"refused": {"code": common_pb2.Code.Value(code), "message": message}})
    assert process.wait(timeout=TIMEOUT_S) == 1
    assert stack.log(process).strip() == message


@pytest.mark.parametrize("name", EXAMPLES)
def test_it_says_how_it_is_used(stack, name):
    start_example(stack, name, "tcp://127.0.0.1:1")         # for the environment
    done = subprocess.run([FOLDER / name], env=stack.environment, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert done.returncode == 1 and f"{name} ENDPOINT" in done.stderr and "Error" not in done.stderr


def test_one_language_goes_on_with_what_another_began(tiny):
    """Each is killed in turn, and what the other one draws then is the same text."""
    flags = ("Once upon a time", "--sampler", "both", "--seed", "5", "--max-new-tokens", "60", "--ignore-eos", "--wait", "60")
    whole = []
    for name in EXAMPLES:
        alone = start_example(tiny, name, f"ipc://{tiny.runtime}/samplers", "both")
        whole.append([line["id"] for line in tiny.lines("generate", *flags) if "id" in line])
        tiny.stop(alone)
    writing = Writing(tiny.popen("generate", *flags, "--json"))
    for step, name in (0, EXAMPLES[0]), (15, EXAMPLES[1]), (30, EXAMPLES[0]), (45, EXAMPLES[1]):
        if step:
            assert writing.wait(lambda: writing.has_shown(step), TIMEOUT_S)
            tiny.kill(drawing)
        drawing = start_example(tiny, name, f"ipc://{tiny.runtime}/samplers", "both")
    writing.join()
    tiny.stop(drawing)
    assert len(whole[0]) == 60 and whole[1] == whole[0] == writing.ids


def test_show_probs_shows_the_text_of_a_token_that_has_no_candidates(own):
    flags = ("Once upon a time", "--sampler", "mine", "--seed", "3", "--max-new-tokens", "6", "--ignore-eos")
    tokens = [line for line in own.lines("generate", *flags, "--show-probs", "4") if "id" in line]
    shown = own.text(*flags, "--show-probs", "4").decode().splitlines()
    assert [line["candidates"] for line in tokens] == [[]] * 6
    headings = [line for line in shown if re.search(r" step \d+$", line)]
    drawn = [line for line in shown if line.endswith(" \u2190 drawn")]
    assert len(headings) == len(drawn) == 6, shown
    for token, heading, row in zip(tokens, headings, drawn):
        whole = own.run("detokenize", "--ids", token["id"]).stdout.decode()[:-1]
        assert whole and row.strip()[:6] == heading[:6]
        if whole.isascii() and whole.isprintable() and '"' not in whole and "\\" not in whole:
            assert heading.startswith(f'"{whole}"'), (heading, whole)


def test_the_example_shows_the_text_of_what_it_chose_from(tiny):
    process = start_example(tiny, "sampler.py", f"ipc://{tiny.runtime}/samplers", "shown", "show")
    wait_until(lambda: len(tiny.daemons()) == 4, what="it has joined")
    flags = ("Once upon a time", "--sampler", "shown", "--seed", "3", "--max-new-tokens", "6", "--ignore-eos")
    ids = [line["id"] for line in tiny.lines("generate", *flags) if "id" in line]
    tiny.stop(process)
    rows = [re.match(r"(\d+) .*>('(?:[^'\\]|\\.)*'|\"[^\"]*\") [01]\.\d{3}", line) for line in tiny.log(process).splitlines()]
    assert [int(row[1]) for row in rows] == list(range(6)), tiny.log(process)
    for id_, row in zip(ids, rows):
        whole = tiny.run("detokenize", "--ids", id_).stdout.decode()[:-1]
        if whole.isascii() and whole.isprintable() and not set(whole) & {"'", '"', "\\"}:
            assert row[2] == f"'{whole}'", (whole, row[0])
