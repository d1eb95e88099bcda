"""What somebody who waits is told: for what, and why it was in vain; and what the environment sets."""
import socket

import pytest

from conftest import TIMEOUT_S, wait_until
from terminal import Terminal


@pytest.fixture
def silent():
    """An endpoint where connections are taken, and nothing more."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"


def refusing():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"tcp://127.0.0.1:{listener.getsockname()[1]}"


def test_what_is_awaited_is_told_after_a_second(stack):
    lines = stack.refused("status", "--wait", "1.2").splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("trivium: waiting for tokenizerd at ipc://") and lines[0].endswith(" (nothing listens there), for up to 1.2 s")
    assert "nothing listens there" in lines[1] and "`trivium up`" in lines[1]


def waiting(told):
    return [line.removeprefix("trivium: waiting for ") for line in told.splitlines() if "waiting for" in line]


def test_a_missing_modeld_or_samplerd_is_told_after_a_second(stack, models):
    stack.start("tokenizerd")
    wait_until(lambda: stack.run("status", "--wait", "0").returncode == 0, what="tokenizerd")
    told = stack.refused("generate", "a", "--json", "--wait", "1.5")
    assert waiting(told) == ["a modeld, for up to 1.5 s; none is here"]
    stack.start("modeld", "--model", models(type="Q4_1", seed=1))
    here = stack.model()["name"]
    for words in (("generate", "a"), ("score", "ab"), ("probe", "--logits", "1,2")):
        told = stack.refused(*words, "--wait", "2.5")
        assert waiting(told) == [f"a samplerd at the modeld of '{here}', for up to 2.5 s"]
    assert waiting(stack.refused("generate", "a", "--sampler", "mine", "--wait", "2.5")) == [
        f"a samplerd of pool 'mine' at the modeld of '{here}', for up to 2.5 s"]


LOSSES = {"samplerd": "a samplerd that draws as trivium/3 at the modeld of '", "modeld": "a modeld of '",
          "tokenizerd": "tokenizerd at ipc://"}


@pytest.mark.parametrize("lost", LOSSES)
def test_a_daemon_that_is_lost_in_mid_text_is_told_once(stack, models, tmp_path, lost):
    path = models(type="Q8_0", seed=3, context=100000)
    stack.start_all(path)
    with open(tmp_path / "text", "wb") as text:
        asking = stack.popen("generate", "a", "--ignore-eos", "--max-new-tokens", "99000", "--json", stdout=text)
    stack.running(n_steps=3)
    stack.stop(getattr(stack, lost))
    told = asking.stderr.readline().decode()
    while not waiting(told):
        assert told
        told = asking.stderr.readline().decode()
    assert waiting(told)[0].startswith(LOSSES[lost]) and "for up to 10 s" in told
    stack.start(lost, *(("--model", path) if lost == "modeld" else ()))
    stack.running(n_steps=stack.running()[0]["step"])
    asking.terminate()
    assert not waiting(asking.communicate(timeout=TIMEOUT_S)[1].decode())
    assert not waiting((tmp_path / "text").read_text())


def test_at_a_terminal_the_line_of_the_text_ends_first(stack, models):
    stack.start_all(models(type="Q8_0", seed=3, context=100000))
    shown = Terminal(stack, "generate", "a", "--ignore-eos", "--max-new-tokens", "99000", "--seed", "1")
    stack.running(n_steps=3)
    stack.stop(stack.samplerd)
    shown.wait_for("\r\ntrivium: waiting for a samplerd that draws as trivium/3 ")
    shown.kill()


def test_a_chat_is_told_below_the_line_that_is_edited(stack):
    stack.start("tokenizerd")
    wait_until(lambda: stack.run("status", "--wait", "0").returncode == 0, what="tokenizerd")
    chat = Terminal(stack, "chat", "--wait", "60")
    chat.type("hello\rhalf a")
    chat.wait_for("half a")
    stack.refused("tokenize", "a", "--wait", "2.5")     # so much time has gone by
    chat.type(" line")
    chat.wait_for(" line")
    assert chat.lines()[-1] == "You: half a line"
    chat.type("\r")
    chat.wait_for("waiting for a modeld")
    assert chat.lines()[-1].startswith("  waiting for a modeld")
    chat.kill()


def test_nobody_is_waited_for_where_that_is_asked(stack):
    stack.start("tokenizerd")
    assert "no modeld has joined within 0 s;" in stack.refused_soon("generate", "a", "--wait", "0")


def test_whoever_only_looks_makes_no_folder(stack):
    stack.refused("status", "--wait", "0")
    assert not stack.runtime.exists()


def test_three_ways_to_hear_nothing_are_three_sentences(stack, silent):
    told = [stack.refused("status", "--insecure", "--wait", "0", "--endpoint", endpoint)
            for endpoint in ("tcp://nowhere.invalid:5555", refusing(), silent)]
    for sentence, words in zip(told, ("does not resolve", "the connection was refused", "silence"), strict=True):
        assert words in sentence
        assert "trivium up" not in sentence and len(sentence.splitlines()) == 1


def test_the_environment_names_an_endpoint(stack):
    stack.environment["TRIVIUM_ENDPOINT"] = refusing()
    assert stack.environment["TRIVIUM_ENDPOINT"] in stack.refused("status", "--insecure", "--wait", "0")
    assert "ipc:///there" in stack.refused("status", "--wait", "0", "--endpoint", "ipc:///there")
    stack.environment["TRIVIUM_ENDPOINT"] = "tcp://a:5555 tcp://b:5555"
    assert "trivium: TRIVIUM_ENDPOINT: tcp://a:5555 tcp://b:5555 is more than one" in stack.refused("status", code=2)
    stack.environment["TRIVIUM_ENDPOINT"] = "there"
    assert "trivium: TRIVIUM_ENDPOINT: there is no endpoint" in stack.refused("status", code=2)
    assert "ipc:///there" in stack.refused("status", "--wait", "0", "--endpoint", "ipc:///there")
    stack.environment["TRIVIUM_ENDPOINT"] = "ipc:///" + "a" * 300
    assert "trivium: TRIVIUM_ENDPOINT: an endpoint of 307 bytes is longer than 255" in stack.refused("status", code=2)


# a model that nobody knows

ASKING = (("generate", "a", "--max-new-tokens", "1", "--timings"), ("tokenize", "a"), ("score", "ab"),
          ("probe", "--logits", "1,2", "--greedy"))


@pytest.mark.parametrize("words", ASKING, ids=lambda words: words[0])
def test_an_unknown_model_is_not_waited_for(tiny, words):
    here = tiny.model()["name"]
    sentence = tiny.refused(*words, "--model", "nobody")
    assert sentence == f"trivium: no model is named 'nobody'; there are: '{here}'\n"


def test_a_model_on_its_way_is_waited_for_where_that_is_asked(stack, models):
    stack.start_all(models(type="Q4_1", seed=1))
    here = stack.model()["name"]
    assert "no model is named" in stack.refused("tokenize", "a", "--model", "other")
    asking = stack.popen("tokenize", "a", "--model", "other", "--wait", "600")
    told = asking.stderr.readline().decode()
    assert waiting(told) == [f"a modeld of 'other', for up to 600 s; there are: '{here}'"]
    stack.start("modeld", "--model", models(type="Q4_1", seed=2), "--name", "other",
                "--bind-samplers", f"ipc://{stack.folder}/other")
    told = asking.communicate(timeout=TIMEOUT_S)[1]
    assert (asking.returncode, told) == (0, b"")


def test_a_model_that_was_here_is_waited_for(stack, models):
    def here():
        return len(stack.lines("status")[0]["models"])

    def start_other():
        return stack.start("modeld", "--model", models(type="Q4_1", seed=2), "--name", "other",
                           "--bind-samplers", f"ipc://{stack.folder}/other")
    stack.start_all(models(type="Q4_1", seed=1))
    other = start_other()
    wait_until(lambda: here() == 2, what="the other model")
    stack.stop(other)
    wait_until(lambda: here() == 1, what="its end")
    asking = stack.popen("tokenize", "a", "--model", "other", "--wait", "60")
    start_other()
    told = asking.communicate(timeout=TIMEOUT_S)[1]
    assert (asking.returncode, told) == (0, b"")


def test_the_environment_names_a_model(tiny, monkeypatch):
    here = tiny.model()["name"]
    monkeypatch.setitem(tiny.environment, "TRIVIUM_MODEL", "nobody")
    assert "'nobody'" in tiny.refused("tokenize", "a")
    assert tiny.run("tokenize", "a", "--model", here).returncode == 0
    monkeypatch.setitem(tiny.environment, "TRIVIUM_MODEL", "/there/nobody")     # a file: for `up` alone
    assert tiny.run("tokenize", "a").returncode == 0


def test_up_passes_over_a_name_in_the_environment(stack, tmp_path):
    stack.environment.update(TRIVIUM_CACHE=str(tmp_path), TRIVIUM_MODEL="chapter")
    try:
        assert stack.run("up", "--wait", "60").returncode == 0      # the embedded one, since none was fetched
        assert stack.run("tokenize", "a").returncode == 0
    finally:
        stack.run("down")
