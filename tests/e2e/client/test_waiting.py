"""What somebody who waits is told: for what, and why it was in vain; and what the environment sets."""
import socket

import pytest


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
    assert lines[0].startswith("trivium: waiting for tokenizerd at ipc://") and lines[0].endswith("for up to 1.2 s")
    assert "nothing listens there" in lines[1] and "`trivium up`" in lines[1]


def test_three_ways_to_hear_nothing_are_three_sentences(stack, silent):
    told = [stack.refused("status", "--wait", "0", "--endpoint", endpoint)
            for endpoint in ("tcp://nowhere.invalid:5555", refusing(), silent)]
    for sentence, words in zip(told, ("does not resolve", "the connection was refused", "silence"), strict=True):
        assert words in sentence
        assert "trivium up" not in sentence and len(sentence.splitlines()) == 1


def test_the_environment_names_an_endpoint(stack):
    stack.environment["TRIVIUM_ENDPOINT"] = refusing()
    assert stack.environment["TRIVIUM_ENDPOINT"] in stack.refused("status", "--wait", "0")
    assert "ipc:///there" in stack.refused("status", "--wait", "0", "--endpoint", "ipc:///there")
    stack.environment["TRIVIUM_ENDPOINT"] = "there"
    assert "there is no endpoint" in stack.refused("status", code=2)
