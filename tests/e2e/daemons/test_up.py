"""`up` starts what is missing, `down` ends what runs here, and both can be repeated."""
import os

from conftest import wait_until
from up_stack import folder, is_alive, kill, pid_of     # noqa: F401: folder is a fixture

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
