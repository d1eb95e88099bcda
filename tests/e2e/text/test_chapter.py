"""The embedded model: it is found by its name, computes what PyTorch computes, and stands in for the real one."""
import json
import os
import subprocess

import pytest

from conftest import BUILD, ROOT, Stack

TEXT = (" duck named Mia. One day, Mia lost a red ball near the garden. She was very sad.\n"
        "Mia's mom helped her find a new toy.")
STORY = ("Once upon a time, there was a little", "--seed", "1", "--temperature", "0.6", "--max-new-tokens")


@pytest.fixture(scope="module")
def chapter():
    with Stack() as one:
        one.start_all("chapter")
        yield one


def test_it_writes_a_little_story(chapter):
    assert chapter.text(*STORY, "140").decode().startswith(TEXT)
    assert chapter.lines("generate", *STORY, "3")[0]["start"]["model"] == "chapter"


def test_ids_and_log_probabilities_are_pytorchs(chapter, golden):
    cases = golden("chapter-logprobs.jsonl")
    lines = chapter.lines("score", "--bos", "--input", "-", input=b"".join(
        b'{"text": %s}\n' % json.dumps(case["text"]).encode() for case in cases))
    for case, line in zip(cases, lines, strict=True):
        assert line["ids"] == case["ids"]
        for ours, theirs in zip(line["logprobs"][1:], case["logprobs"][1:], strict=True):
            assert abs(ours - theirs) <= 0.01      # keys and values are float16 here


@pytest.mark.parametrize("name", ["", "a-name"])
def test_make_run_without_network_and_model_writes_with_it(tmp_path, name):
    """A mere name of a model is for commands: it is not looked at."""
    nowhere = dict(os.environ, TRIVIUM_CACHE=str(tmp_path), PIP_NO_INDEX="1", PIP_FIND_LINKS="", TRIVIUM_MODEL=name)
    done = subprocess.run([ROOT / "deploy" / "run.sh", BUILD], cwd=ROOT, env=nowhere, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    assert b"embedded" in done.stderr
    assert b"little" in done.stdout and b"chapter: 60 tokens" in done.stdout + done.stderr


def test_up_takes_it_where_the_environment_names_it(stack):
    stack.environment.update(TRIVIUM_MODEL="chapter")
    assert stack.run("up", "--wait", "60").returncode == 0
    assert stack.lines("status")[0]["default_model"] == "chapter"
    stack.text("hello", "--max-new-tokens", "3")
    assert stack.run("down").returncode == 0


def test_up_takes_it_where_no_model_was_fetched(stack, tmp_path):
    stack.environment.update(TRIVIUM_CACHE=str(tmp_path))
    stack.environment.pop("TRIVIUM_MODEL", None)
    done = stack.run("up")
    try:
        assert done.returncode == 0, done.stderr.decode()
        assert [d["name"] for d in stack.daemons() if d["role"] == "modeld"] == ["chapter"]
        assert b"embedded" in done.stderr and b"make model" in done.stderr
        assert stack.run("up").stderr == b""            # it runs: no word about what was not started
    finally:
        stack.run("down")


def test_a_program_that_stands_alone_says_what_is_missing(tmp_path):
    alone = tmp_path / "modeld"
    alone.write_bytes((BUILD / "modeld").read_bytes())
    alone.chmod(0o755)
    done = subprocess.run([alone, "--model", "chapter"], capture_output=True, timeout=120)
    assert done.returncode != 0 and b"chapter.gguf" in done.stderr
