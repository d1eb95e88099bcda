"""What `up` hands on to the daemons that it starts, what it says where one runs already, and what `down` leaves."""
import subprocess
import sys

from conftest import BUILD, ROOT, wait_until
from up_stack import command_line, files, folder, pid_of, up    # noqa: F401: two are fixtures

DAEMONS = ("tokenizerd", "modeld", "samplerd")


def test_a_log_level_reaches_whatever_is_started(folder, files):
    up(folder, files("a", "one"), "--log", "debug")
    assert all("--log=debug" in command_line(pid_of(folder, daemon)) for daemon in DAEMONS)
    again = folder.run("up", "--log=debug")
    assert (again.returncode, again.stderr) == (0, b"")
    other = folder.run("up", files("b", "two", seed=2), "--log=error")
    assert other.returncode == 0 and other.stdout.count(b"started") == 2
    assert other.stderr.decode() == ("trivium: --log error does not reach what runs already: tokenizerd; "
                                     "after `trivium down` it does\n")
    assert "--log=error" in command_line(pid_of(folder, "modeld-two"))
    assert "info or debug, not loud" in folder.refused("up", "--log", "loud", code=2)


def test_a_default_model_reaches_tokenizerd_and_holds(folder, files):
    one, two = files("a", "one"), files("b", "two", seed=2)
    done = folder.run("up", one, "--default-model", "two")
    assert done.returncode == 0 and b"the default model 'two' is not here" in done.stderr
    assert "--default-model=two" in command_line(pid_of(folder, "tokenizerd"))
    assert not any("default-model" in word for daemon in DAEMONS[1:] for word in command_line(pid_of(folder, daemon)))
    up(folder, two, "--default-model", "two")
    assert folder.lines("status")[0]["default_model"] == "two"
    sentence = folder.refused("up", one, "--default-model", "one")
    assert sentence == ("trivium: tokenizerd runs already, with --default-model two: `trivium down` ends it, so that it "
                        "can be started with --default-model one\n")


def test_what_is_the_default_model_need_not_be_set(folder, files):
    up(folder, files("a", "one"))
    assert "already" in up(folder, "--default-model", "one")
    assert "without --default-model" in folder.refused("up", "--default-model", "two")


def test_down_names_a_sampler_of_ones_own(folder, files):
    up(folder, files("a", "m"))
    folder.environment["PYTHONPATH"] = str(BUILD / "gen" / "python")
    own = folder.start("sampler.py", ROOT / "samplerd" / "examples" / "sampler.py", f"ipc://{folder.runtime}/samplers", "mine",
                 program=sys.executable)
    wait_until(lambda: len(folder.daemons()) == 4, what="it has joined")
    done = folder.run("down").stdout.decode()
    assert done.count("ended") == 3 and done.endswith(f"left running: sampler.py (pid {own.pid}, another program)\n")


def test_run_says_that_its_daemons_end(stack):
    stack.environment.update(TRIVIUM_MODEL="chapter", PROMPT="Once")
    done = subprocess.run([ROOT / "deploy" / "run.sh", BUILD], env=stack.environment, cwd=ROOT, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == (f"(the three daemons of this text end now; `{BUILD}/trivium up` starts "
                                            "some that stay)")
    assert not stack.strangers()


def test_missing_packages_are_named_with_the_line_to_run(tmp_path):
    (tmp_path / "dpkg-query").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "id").write_text("#!/bin/sh\necho 1000\n")
    for name in ("dpkg-query", "id"):
        (tmp_path / name).chmod(0o755)
    done = subprocess.run([ROOT / "deploy" / "deps.sh", "run"], env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == ("These packages are missing; please run:  sudo apt-get update && "
                           "sudo apt-get install -y --no-install-recommends python3 python3-pip\n")
