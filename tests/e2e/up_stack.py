"""A stack whose daemons `up` starts, and what can be asked of it: of its pid files, of processes, of status."""
import os
import pathlib
import shutil
import signal

import pytest

from conftest import wait_until


@pytest.fixture
def folder(stack):
    """A stack whose daemons `up` starts; whatever is left is ended."""
    yield stack
    stack.run("down")


def pid_of(stack, name):
    path = stack.runtime / f"{name}.pid"       # empty for a moment while it is written
    return int(wait_until(lambda: path.read_text().split(), what=f"{name}'s pid")[0])


def is_alive(pid):
    """A zombie has ended: where nobody reaps orphans, it stays for ever."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def kill(folder, name):
    """Dead when this returns."""
    pid = pid_of(folder, name)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(pid), what=f"{name}'s end")


@pytest.fixture
def files(folder, models):
    """files(FOLDER, NAME, SEED): a model's file at a path of its own."""
    def make(where, name, seed=1):
        path = folder.folder / where / f"{name}.gguf"
        path.parent.mkdir(exist_ok=True)
        shutil.copyfile(models(type="F32", seed=seed), path)
        return path
    return make


def up(folder, *arguments):
    done = folder.run("up", *arguments)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def fingerprints(folder):
    return {model["name"]: model["fingerprint"] for model in folder.lines("status")[0]["models"]}


def command_line(pid):
    with open(f"/proc/{pid}/cmdline", "rb") as stream:
        return stream.read().decode().split("\0")[:-1]
