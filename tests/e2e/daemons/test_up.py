"""`up` starts what is missing, `down` ends what runs here, whether anybody tells of it or not, and both can be repeated."""
import os

import pytest

from conftest import wait_until
from up_stack import files, folder, is_alive, kill, pid_of, up     # noqa: F401: two are fixtures

OK = ("generate", "hello", "--max-new-tokens", "3", "--ignore-eos")


def test_up_down_up(folder, models):
    for _ in range(2):
        done = folder.run("up", "--model", models(type="F32", seed=1))
        assert done.returncode == 0, done.stderr
        assert done.stdout.count(b"started") == 3
        assert folder.run(*OK).returncode == 0
        pids = [daemon["pid"] for daemon in folder.daemons()]
        assert len(pids) == 3
        again = folder.run("up")
        assert again.returncode == 0 and b"already" in again.stdout
        assert folder.run("down").returncode == 0
        assert not any(map(is_alive, pids))
    assert b"nothing runs" in folder.run("down").stdout


def test_up_starts_what_was_killed(folder, models):
    model = models(type="F32", seed=1)
    assert folder.run("up", "--model", model).returncode == 0
    for name in ("tokenizerd", "modeld", "samplerd"):
        kill(folder, name)
        done = folder.run("up", "--model", model)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(b"started " + name.encode()) and done.stdout.count(b"started") == 1
        assert folder.run(*OK).returncode == 0


def test_up_adds_another_model(folder, models):
    first, second = models(type="F32", seed=1), models(type="F32", seed=2)
    for model in (first, second):
        assert folder.run("up", "--model", model).returncode == 0
    assert {model["name"] for model in folder.lines("status")[0]["models"]} == {first.stem, second.stem}
    texts = {folder.text("hello", "--model", model.stem, "--greedy", "--ignore-eos") for model in (first, second)}
    assert len(texts) == 2


def test_two_ups_at_once_start_one_of_each(folder, models):
    model = models(type="F32", seed=1)
    ups = [folder.popen("up", "--model", model) for _ in range(3)]
    started = sum(up.communicate(timeout=120)[0].count(b"started") for up in ups)
    assert started == 3 and all(up.returncode == 0 for up in ups)


def test_up_beside_daemons_started_by_hand(folder, models):
    folder.start("tokenizerd")
    folder.start("modeld", "--model", models(type="F32", seed=1))
    wait_until(lambda: len(folder.daemons()) == 2, what="modeld has joined")
    done = folder.run("up")
    assert done.returncode == 0 and done.stdout.count(b"started") == 1 and b"samplerd" in done.stdout
    by_hand = folder.start("samplerd")
    wait_until(lambda: len(folder.daemons()) == 4, what="another samplerd has joined")
    assert folder.run("down").stdout.count(b"ended") == 4
    assert by_hand.wait(60) == 0
    assert all(process.wait(60) == 0 for process in folder.processes)


def test_a_bad_model_leaves_nothing_behind(folder):
    bad = folder.folder / "bad.gguf"
    bad.write_bytes(b"no model")
    sentence = folder.refused("up", "--model", bad)
    assert "bad.gguf" in sentence and sentence.count("\n") == 1
    assert "path is empty" in folder.refused("up", "--model", "")
    assert "make model" in folder.refused("up", "--model", folder.folder / "none.gguf")
    assert not list(folder.runtime.glob("*.pid"))
    assert b"nothing runs" in folder.run("down").stdout


def test_daemons_hold_nothing_of_who_started_them(folder, models):
    """A pipe from `up` ends when `up` does, and each daemon leads a session of its own."""
    up = folder.popen("up", "--model", models(type="F32", seed=1))
    up.communicate(timeout=120)
    for name in ("tokenizerd", "modeld", "samplerd"):
        pid = pid_of(folder, name)
        assert os.getsid(pid) == pid
        assert os.readlink(f"/proc/{pid}/fd/0") == "/dev/null"
        assert os.readlink(f"/proc/{pid}/fd/2") == str(folder.runtime / f"{name}.log")


@pytest.fixture
def joined(folder, files):
    """A samplerd elsewhere, which is not of the folder, and a modeld and a samplerd in it whose tokenizerd has ended."""
    elsewhere = folder.start("samplerd", "--join", f"ipc://{folder.folder}/elsewhere")
    folder.start_all(files("a", "m"))
    folder.kill(folder.tokenizerd)
    yield folder
    assert elsewhere.poll() is None
    assert folder.run("down").stdout == b"nothing runs here\n"


def down_ends(folder, *processes, of=()):
    """`down` ends these by name, and says nothing more."""
    said = folder.run("down", *of).stdout.decode().splitlines()
    assert sorted(said) == sorted(f"ended {name} (pid {process.pid})" for name, process in processes)
    assert [process.wait(60) for _, process in processes] == [0] * len(processes)


def test_down_without_a_tokenizerd(joined):
    down_ends(joined, ("modeld", joined.modeld), ("samplerd", joined.samplerd))


def test_down_of_a_model_without_a_tokenizerd(joined):
    """A samplerd serves the model of the modeld whose socket it joins."""
    other = joined.start("samplerd", "--join", f"ipc://{joined.runtime}/samplers-other")
    wait_until(lambda: "samplerd" in joined.log(other), what="the other samplerd is at work")
    down_ends(joined, ("modeld", joined.modeld), ("samplerd", joined.samplerd), of=("m",))
    assert other.poll() is None
    down_ends(joined, ("samplerd", other))


def test_down_ends_a_samplerd_whose_modeld_is_gone(folder, files):
    folder.start_all(files("a", "m"))
    folder.stop(folder.modeld)
    down_ends(folder, ("samplerd", folder.samplerd), ("tokenizerd", folder.tokenizerd))


def test_down_ends_a_samplerd_that_waits(folder):
    """Its folder may be written in another way."""
    by_hand = folder.start("samplerd", env={**folder.environment, "XDG_RUNTIME_DIR": f"{folder.folder}/."})
    (folder.folder / "other").mkdir()
    elsewhere = folder.start("samplerd", env={**folder.environment, "XDG_RUNTIME_DIR": str(folder.folder / "other")})
    wait_until(lambda: all("samplerd" in folder.log(process) for process in (by_hand, elsewhere)), what="both are at work")
    down_ends(folder, ("samplerd", by_hand))
    assert elsewhere.poll() is None


def test_down_names_one_whose_settings_file_says_where_it_joins(folder, files):
    """Unless it has joined, it may be of another folder."""
    settings = folder.folder / "samplerd.conf"
    settings.write_text("log = info\n")
    by_hand = folder.start("samplerd", "--config", settings)
    wait_until(lambda: "samplerd" in folder.log(by_hand), what="it is at work")
    assert folder.run("down").stdout.decode() == (
        f"nothing runs here that is ours to end\nleft running: samplerd (pid {by_hand.pid}, joins where its settings file "
        f"says; `kill {by_hand.pid}` ends it)\n")
    tokenizerd, modeld = folder.start("tokenizerd"), folder.start("modeld", "--model", files("a", "m"))
    folder.wait_ready()
    down_ends(folder, ("tokenizerd", tokenizerd), ("modeld", modeld), ("samplerd", by_hand))


def test_a_tokenizerd_whose_clients_are_elsewhere(folder, files):
    """It has the place that modelds join: `up` names it, and `down` ends it."""
    there = folder.start("tokenizerd", "--bind-clients", "tcp://127.0.0.1:0", "--insecure")
    wait_until(lambda: "ready" in folder.log(there), what="tokenizerd is ready")
    assert folder.refused("up", files("a", "m")) == (
        f"trivium: tokenizerd (pid {there.pid}) runs in this folder already, but listens for clients at tcp://127.0.0.1:0, "
        f"where `up` does not ask: a modeld and a samplerd that are started by hand join it, and `kill {there.pid}` ends "
        "it, so that `up` can start one\n")
    down_ends(folder, ("tokenizerd", there))
    assert up(folder, files("a", "m")).count("started") == 3
