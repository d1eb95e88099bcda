"""Several models in one runtime folder: `up` compares what a file is, and `down MODEL` ends one."""
import os
import shutil
import signal
import subprocess
import sys

import pytest

from conftest import BUILD, ROOT, wait_until
from up_stack import command_line, files, fingerprints, folder, is_alive, kill, pid_of, up  # noqa: F401: some are fixtures

SHORT = ("hello", "--greedy", "--ignore-eos", "--max-new-tokens", "8")


def test_another_file_of_the_same_name_is_refused(folder, files):
    first, second = files("a", "m"), files("b", "m", seed=2)
    assert up(folder, first).count("started") == 3
    before = fingerprints(folder)
    for _ in range(2):
        sentence = folder.refused("up", second)
        assert sentence.count("\n") == 1
        assert str(first) in sentence and str(second) in sentence
        assert "--name" in sentence and "trivium down m" in sentence
    assert fingerprints(folder) == before
    assert "started modeld-two" in up(folder, second, "--name", "two")
    after = fingerprints(folder)
    assert after["m"] == before["m"] != after["two"]
    assert folder.text(*SHORT, "--model", "m") != folder.text(*SHORT, "--model", "two")
    assert "already, with the model two" in up(folder, second)
    assert "already, with the model two" in up(folder, second, "--name", "two")
    assert str(first) in folder.refused("up", first, "--name", "two")


def test_the_same_bytes_are_the_same_model(folder, files):
    """Wherever they lie, whatever they are called; a name that is given starts them once more."""
    first = files("a", "m")
    link = folder.folder / "link.gguf"
    link.symlink_to(first)
    up(folder, first)
    for same in (first, link, files("b", "m"), files("b", "copy")):
        assert up(folder, same) == "everything runs already, with the model m\n"
    assert up(folder, first, "--name", "again").count("started") == 2
    prints = fingerprints(folder)
    assert prints["m"] == prints["again"]
    assert up(folder, first) == "everything runs already, with the model m\n"
    assert up(folder, first, "--name", "again") == "everything runs already, with the model again\n"


@pytest.mark.parametrize("in_place", [True, False])
def test_a_file_that_was_replaced_is_another(folder, files, in_place):
    path, other = files("a", "m"), files("b", "m", seed=2)
    up(folder, path)
    if in_place:
        time = os.stat(path)
        with open(path, "r+b") as stream, open(other, "rb") as new:     # the same inode, and the same size
            stream.write(new.read())
        os.utime(path, ns=(time.st_atime_ns, time.st_mtime_ns))
    else:
        os.replace(other, path)
    sentence = folder.refused("up", path)
    assert "was then" in sentence and "--name" in sentence
    folder.run("down", "m")
    assert up(folder, path).count("started") == 2


def test_a_model_that_was_started_by_hand(folder, files):
    first, other = files("a", "m"), files("b", "m", seed=2)
    folder.start("tokenizerd")
    folder.start("modeld", "--model", first)
    wait_until(lambda: len(folder.daemons()) == 2, what="modeld has joined")
    assert "its file" in folder.refused("up", other)
    assert not list(folder.runtime.glob("*.pid"))       # what was started in vain is gone
    assert up(folder, files("c", "m")).count("started") == 1
    assert "--threads" in folder.refused("up", "--threads", "1")


def test_a_sampler_socket_that_was_chosen_by_hand(folder, files):
    """The samplerd that is missing joins there."""
    folder.start("tokenizerd")
    folder.start("modeld", "--model", files("a", "m"), "--bind-samplers", f"ipc://{folder.folder}/own")
    wait_until(lambda: len(folder.daemons()) == 2, what="modeld has joined")
    assert up(folder, "--wait", "60").count("started") == 1
    assert folder.run("generate", *SHORT).returncode == 0


def test_what_was_killed_is_no_model_that_runs(folder, files):
    """Though tokenizerd may tell of it for a moment: its name is free, and its bytes are started anew."""
    up(folder, files("a", "m"))
    before = fingerprints(folder)["m"]
    kill(folder, "modeld")
    assert up(folder, files("b", "m", seed=2), "--wait", "60").count("started") == 1
    assert fingerprints(folder)["m"] != before
    kill(folder, "modeld")
    assert up(folder, files("c", "n", seed=2), "--wait", "60").count("started") == 1
    wait_until(lambda: set(fingerprints(folder)) == {"n"}, what="only that one is there")


def test_before_the_running_one_has_joined(folder, files):
    """What runs is known once it joins the new tokenizerd: until then nothing is decided."""
    up(folder, files("a", "m"))
    os.kill(pid_of(folder, "tokenizerd"), signal.SIGKILL)
    assert "its file" in folder.refused("up", files("b", "m", seed=2), "--wait", "60")
    assert up(folder, files("c", "m"), "--wait", "60").count("started") == 1


def test_a_file_in_the_environment_is_one_that_is_given(folder, files):
    """Where none is, and whatever runs."""
    up(folder, files("a", "m"))
    folder.environment["TRIVIUM_MODEL"] = str(folder.folder / "none.gguf")
    assert "none.gguf" in folder.refused("up")
    assert "already, with the model m" in up(folder, files("a", "m"))
    folder.environment["TRIVIUM_MODEL"] = str(files("b", "n", seed=2))
    assert "started modeld-n" in up(folder)
    assert up(folder) == "everything runs already, with the model n\n"
    folder.environment["TRIVIUM_MODEL"] = "m"           # a mere name is for requests
    assert "already" in up(folder)


def test_flags_reach_modeld_and_hold(folder, files):
    path = files("a", "m")
    flags = ("--threads", "1", "--kv-memory", "64M", "--isa", "ref")
    up(folder, path, *flags)
    words = command_line(pid_of(folder, "modeld"))
    assert {"--threads=1", "--kv-memory=64M", "--isa=ref"} <= set(words)
    for more in (flags, ("--isa=ref",), ()):
        assert "already" in up(folder, path, *more) and "already" in up(folder, *more)
    for flag, value in (("--threads", "2"), ("--n-ctx", "64")):
        sentence = folder.refused("up", path, flag, value)
        assert f"{flag} {value}" in sentence and "trivium down m" in sentence
        assert sentence == folder.refused("up", flag, value)
    assert words == command_line(pid_of(folder, "modeld"))


def test_wrong_use_of_what_reaches_modeld(folder, files):
    for flag, value in (("--threads", "x"), ("--kv-memory", "-1"), ("--isa", "nonsense"), ("--name", ""),
                        ("--name", "a\nb"), ("--name", "x" * 129)):
        sentence = folder.refused("up", files("a", "m"), f"{flag}={value}", code=2)
        assert flag in sentence and sentence.count("\n") == 1
    assert "once" in folder.refused("up", "a.gguf", "--model", "a.gguf", code=2)
    folder.refused("up", "a.gguf", "b.gguf", code=2)
    assert not list(folder.runtime.glob("*.pid"))


@pytest.mark.parametrize("name", ["org/model 3", "../up", "ü" * 64, "x" * 128, "%s%n"])
def test_any_name_that_modeld_takes(folder, files, name):
    up(folder, files("a", "m"))
    up(folder, files("b", "m", seed=2), "--name", name)
    assert set(fingerprints(folder)) == {"m", name}
    assert folder.text(*SHORT, "--model", name)
    assert all(path.parent == folder.runtime for path in folder.folder.rglob("*.pid"))
    assert folder.run("down", name).stdout.count(b"ended") == 2
    assert folder.run(*("generate", *SHORT)).returncode == 0


def test_names_that_are_alike_in_file_names(folder, files):
    path = files("a", "m")
    for name in ("first", "a/b", "a:b", "a_b"):
        assert up(folder, path, "--name", name).count("started") >= 2
    assert set(fingerprints(folder)) == {"first", "a/b", "a:b", "a_b"}


def test_down_ends_one_model(folder, files):
    up(folder, files("a", "one"))
    up(folder, files("b", "two", seed=2))
    tokenizerd, kept = pid_of(folder, "tokenizerd"), pid_of(folder, "modeld")
    ends = [pid_of(folder, "modeld-two"), pid_of(folder, "samplerd-two")]
    sentence = folder.refused("down", "three")
    assert "three" in sentence and "one" in sentence and "two" in sentence
    for none in ("", "a\nb"):
        assert "name" in folder.refused("down", none, code=2)
    assert is_alive(kept) and all(map(is_alive, ends))
    assert folder.run("down", "two").stdout.count(b"ended") == 2
    assert not any(map(is_alive, ends)) and is_alive(tokenizerd) and is_alive(kept)
    wait_until(lambda: set(fingerprints(folder)) == {"one"}, what="two has left")
    assert folder.run("generate", *SHORT).returncode == 0
    assert "two" in folder.refused("down", "two")
    assert folder.run("down", "one").returncode == 0
    assert not is_alive(kept) and is_alive(tokenizerd)
    assert "none does" in folder.refused("down", "one")
    assert up(folder, files("b", "two", seed=2)).count("started") == 2


def test_down_of_a_model_ends_samplerds_that_were_started_by_hand(folder, files):
    up(folder, files("a", "m"))
    more = [folder.start("samplerd"), folder.start("samplerd", "--pool", "other")]
    wait_until(lambda: len(folder.daemons()) == 5, what="all have joined")
    assert folder.run("down", "m").stdout.count(b"ended") == 4
    assert [process.wait(60) for process in more] == [0, 0]
    assert is_alive(pid_of(folder, "tokenizerd"))


def test_a_sampler_of_ones_own_is_not_ended(folder, files):
    """It says a pid, as every peer does: what is ended is a program of ours."""
    up(folder, files("a", "m"))
    folder.environment["PYTHONPATH"] = str(BUILD / "gen" / "python")
    own = folder.start("sampler.py", ROOT / "samplerd" / "examples" / "sampler.py",
                       f"ipc://{folder.runtime}/samplers", "mine", program=sys.executable)
    wait_until(lambda: len(folder.daemons()) == 4, what="it has joined")
    assert folder.run("down", "m").stdout.count(b"ended") == 2
    assert folder.run("down").stdout.count(b"ended") == 1
    assert own.poll() is None


def test_down_of_a_model_while_tokenizerd_is_stuck(folder, files):
    """Pid files tell enough, and nothing waits for ever."""
    up(folder, files("a", "m"))
    tokenizerd = pid_of(folder, "tokenizerd")
    os.kill(tokenizerd, signal.SIGSTOP)
    try:
        assert folder.run("down", "m").stdout.count(b"ended") == 2
    finally:
        os.kill(tokenizerd, signal.SIGCONT)


def test_a_samplerd_that_was_left_behind_serves_the_next_model(folder, files):
    up(folder, files("a", "one"))
    kill(folder, "modeld")
    assert up(folder, files("b", "two", seed=2)).count("started") == 1
    samplerd = pid_of(folder, "samplerd")
    os.kill(pid_of(folder, "tokenizerd"), signal.SIGSTOP)        # so that pid files alone tell
    try:
        assert folder.run("down", "two").stdout.count(b"ended") == 2
    finally:
        os.kill(pid_of(folder, "tokenizerd"), signal.SIGCONT)
    assert not is_alive(samplerd)


def test_an_ignored_interrupt_is_ignored_while_a_file_is_asked(folder, files):
    """modeld hears what the terminal sends to all of its group, too: here before it has begun."""
    programs = folder.folder / "bin"
    programs.mkdir()
    shutil.copy(BUILD / "trivium", programs)
    for name in ("tokenizerd", "samplerd"):
        (programs / name).symlink_to(BUILD / name)
    (programs / "modeld").write_text(f"""#!/bin/sh
case "$*" in *--fingerprint*) kill -INT $$ ;; esac
exec {BUILD / "modeld"} "$@"
""")
    (programs / "modeld").chmod(0o755)
    first, second = files("a", "m"), files("b", "m", seed=2)
    for ignored, file, said in (("", first, b"started"), ("INT", second, b"is not its file"),
                                ("", second, b"does not say")):
        done = subprocess.run(["sh", "-c", f"trap '' {ignored or 'WINCH'}; exec \"$0\" up \"$1\" --wait 60",
                               programs / "trivium", file], env=folder.environment, capture_output=True, timeout=120)
        assert said in done.stdout + done.stderr, done.stderr


@pytest.mark.parametrize("command", [("generate", *SHORT), ("tokenize", "hello")])
def test_what_up_started_answers_at_once(folder, files, command):
    """Which model is the default is known, too."""
    up(folder, files("a", "m"))
    done = folder.run(*command, "--wait", "0.1")
    assert done.returncode == 0, done.stderr.decode()


def test_who_is_not_ready_is_named(folder, files):
    """A samplerd that stands still: the others are ready, and `up` gives up on it."""
    up(folder, files("a", "m"))
    samplerd = next(daemon["pid"] for daemon in folder.daemons() if daemon["role"] == "samplerd")
    os.kill(samplerd, signal.SIGSTOP)
    wait_until(lambda: all(daemon["role"] != "samplerd" for daemon in folder.daemons()), what="a samplerd that is missed")
    assert "not ready after 1 s: samplerd; the logs are in" in folder.refused("up", files("a", "m"), "--wait", "1")
    os.kill(samplerd, signal.SIGCONT)


def test_the_default_model_is_called_back(folder, files):
    """Under its name, also where the same bytes run under another one; until then `up` says what is not served."""
    path = files("a", "m")
    up(folder, path)
    assert "started modeld-two" in up(folder, path, "--name", "two")
    assert folder.run("down", "m").returncode == 0
    done = folder.run("up")
    assert done.stdout == b"everything runs already, with the model two\n"
    assert b"the default model 'm' is not here" in done.stderr and done.stderr.count(b"\n") == 1
    assert "started modeld (pid" in up(folder, path, "--wait", "60")
    assert folder.lines("generate", *SHORT)[0]["start"]["model"] == "m"
    assert folder.run("up").stderr == b""


def test_a_fingerprint_is_what_status_tells(folder, files):
    path = files("a", "m")
    up(folder, path)
    modeld = folder.start("modeld", "--model", path, "--fingerprint")
    assert modeld.wait(60) == 0
    assert folder.log(modeld) == fingerprints(folder)["m"] + "\n"
    bad = folder.folder / "m.gguf"
    bad.write_bytes(b"no model")
    assert "m.gguf" in folder.refused("up", bad)
    assert "no model at" in folder.refused("up", folder.folder / "none" / "m.gguf")
