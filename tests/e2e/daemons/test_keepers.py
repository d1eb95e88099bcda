"""`up --keep` starts again what dies, with the same flags and in the same place, until it is told otherwise."""
import os
import signal

import pytest

from conftest import wait_until
from up_stack import command_line, files, fingerprints, folder, is_alive, kill, pid_of, up  # noqa: F401: some are fixtures

OK = ("generate", "hello", "--max-new-tokens", "3", "--ignore-eos")


def keeping(folder, *arguments):
    """A keeper, at work."""
    n_before = len(list(folder.runtime.glob("up-*.pid")))
    keeper = folder.popen("up", "--keep", *arguments)
    wait_until(lambda: len(list(folder.runtime.glob("up-*.pid"))) > n_before, what="the keeper is at work")
    return keeper


def kill_and_wait(folder, name):
    old = pid_of(folder, name)
    os.kill(old, signal.SIGKILL)
    wait_until(lambda: pid_of(folder, name) != old, what=f"{name} was started again")
    return pid_of(folder, name)


def test_keep_starts_again_what_dies(folder, files):
    keeper = keeping(folder, files("a", "m"))
    assert keeper.stdout.readline().startswith(b"started ")
    kill_and_wait(folder, "modeld")
    assert folder.run(*OK).returncode == 0
    pids = [pid_of(folder, name) for name in ("tokenizerd", "modeld", "samplerd")]
    keeper.send_signal(signal.SIGINT)
    assert keeper.wait(60) == 130
    assert not any(map(is_alive, pids))


def test_down_ends_a_keeper_too(folder, files):
    keeper = folder.popen("up", "--keep", files("a", "m"))
    wait_until((folder.runtime / "tokenizerd.pid").exists, what="up is at work")
    done = folder.run("down")                   # waits for it, and then it is the keeper
    assert done.returncode == 0 and b"ended up --keep" in done.stdout
    assert keeper.wait(60) == 0
    assert not list(folder.runtime.glob("*.pid"))


def test_keep_starts_it_again_with_the_same_flags(folder, files):
    keeping(folder, files("a", "m"), "--threads", "1", "--isa", "ref", "--name", "mine")
    words = command_line(pid_of(folder, "modeld"))
    assert "--threads=1" in words and "--isa=ref" in words and "--name=mine" in words
    assert command_line(kill_and_wait(folder, "modeld")) == words


def test_a_keeper_of_what_runs_already_keeps_that(folder, files):
    """Not the default model under the name of the one that runs."""
    path = files("a", "m")
    up(folder, path, "--threads", "1")
    words = command_line(pid_of(folder, "modeld"))
    keeping(folder)
    assert command_line(kill_and_wait(folder, "modeld")) == words
    assert f"--model={path}" in words


def test_down_of_a_kept_model(folder, files):
    """It stays down; the rest is kept."""
    keeper = keeping(folder, files("a", "m"))
    assert folder.run("down", "m").stdout.count(b"ended") == 2
    kill_and_wait(folder, "tokenizerd")
    assert not list(folder.runtime.glob("modeld*.pid")) and not list(folder.runtime.glob("samplerd*.pid"))
    assert up(folder, files("b", "n", seed=2), "--wait", "60").count("started") == 2
    keeper.send_signal(signal.SIGINT)
    out, err = keeper.communicate(timeout=60)
    assert keeper.returncode == 130 and b"started modeld again" not in err
    assert is_alive(pid_of(folder, "modeld"))            # that one is not its


def kill_unseen(folder, keeper, *names):
    """Between the end of what is kept and its next start there is time: here as long as the keeper stands still."""
    keeper.send_signal(signal.SIGSTOP)
    for name in names:
        kill(folder, name)


def test_the_place_of_a_kept_model_stays_its_own(folder, files):
    """Another model that comes while it is away does not get its files, its socket, its samplerd."""
    keeper = keeping(folder, files("a", "m"))
    kill_unseen(folder, keeper, "modeld")
    assert "started modeld-n" in up(folder, files("b", "n", seed=2), "--wait", "60")
    keeper.send_signal(signal.SIGCONT)
    folder.wait_ready(5)
    assert sorted(fingerprints(folder)) == ["m", "n"]
    assert b" m\n" in (folder.runtime / "modeld.pid").read_bytes()


@pytest.mark.parametrize("name, program", [("tokenizerd", "tokenizerd"), ("m", "modeld"), ("samplerd", "samplerd")])
def test_what_was_drained_stays_ended(folder, files, name, program):
    keeper = keeping(folder, files("a", "m"))
    folder.wait_ready(3)
    drained = pid_of(folder, program)
    assert folder.run("drain", name).returncode == 0
    assert not is_alive(drained)
    kill_and_wait(folder, "samplerd" if program == "tokenizerd" else "tokenizerd")      # the keeper has looked
    assert not (folder.runtime / f"{program}.pid").exists()
    keeper.send_signal(signal.SIGINT)
    _, err = keeper.communicate(timeout=60)
    assert f"{program} is kept no more: `down` or `drain` ended it" in err.decode()
    assert f"started {program} again" not in err.decode()


@pytest.mark.parametrize("names", [["modeld"], ["modeld", "samplerd"]])
def test_down_of_a_kept_model_that_has_just_ended(folder, files, names):
    keeper = keeping(folder, files("a", "m"))
    kill_unseen(folder, keeper, *names)
    assert folder.run("down", "m").returncode == 0
    assert "no model m" in folder.refused("down", "m")
    assert "started modeld" in up(folder, files("b", "n", seed=2), "--wait", "60")
    keeper.send_signal(signal.SIGCONT)
    kill_and_wait(folder, "tokenizerd")                  # the keeper has looked
    os.kill(pid_of(folder, "modeld"), signal.SIGTERM)    # that one is not its
    keeper.send_signal(signal.SIGINT)
    _, err = keeper.communicate(timeout=60)
    assert b"modeld is kept no more" in err and b"started modeld again" not in err


def test_what_cannot_be_started_again_is_tried_on(folder, files):
    path = files("a", "m")
    keeper = keeping(folder, path)
    path.rename(path.with_suffix(".away"))
    os.kill(pid_of(folder, "modeld"), signal.SIGKILL)
    tries = set()
    wait_until(lambda: tries.add(pid_of(folder, "modeld")) or len(tries) == 5, what="four tries in vain")
    path.with_suffix(".away").rename(path)
    folder.wait_ready(3)
    keeper.send_signal(signal.SIGINT)
    assert b"kept no more" not in keeper.communicate(timeout=60)[1]


def test_two_keepers(folder, files):
    """Each keeps its model; what both keep is started once; `down` ends both."""
    keepers = [keeping(folder, files("a", "one")), keeping(folder, files("b", "two", seed=2))]
    for name in ("modeld", "modeld-two", "tokenizerd"):
        kill_and_wait(folder, name)
    folder.wait_ready(5)
    assert folder.run("down").stdout.count(b"ended up --keep") == 2
    assert [keeper.wait(60) for keeper in keepers] == [0, 0]
    assert not list(folder.runtime.glob("*.pid")) and not list(folder.runtime.glob("*.lock"))


def test_a_keeper_leaves_tokenizerd_to_the_other(folder, files):
    first, second = keeping(folder, files("a", "one")), keeping(folder, files("b", "two", seed=2))
    ended, kept = pid_of(folder, "modeld"), pid_of(folder, "tokenizerd")
    first.send_signal(signal.SIGINT)
    assert first.wait(60) == 130
    assert not is_alive(ended) and is_alive(kept)
    kill_and_wait(folder, "tokenizerd")
    second.send_signal(signal.SIGINT)
    assert second.wait(60) == 130
    assert not list(folder.runtime.glob("*.pid"))
