"""What `make install` puts beside the programs: man pages and completion, which follow the programs' own help."""
import os
import re
import shutil
import signal
import subprocess

import pytest

from conftest import BUILD, ROOT, Stack, wait_until
from kills.models import MADE_SHAPE
from programs import DAEMONS, all_of_them, commands, help_of

PROGRAMS = ("trivium", *DAEMONS)


def make_to(folder, target):
    """The files in the folder afterwards."""
    subprocess.run(["make", "-C", ROOT, f"BUILD={BUILD}", "-o", "all", f"DESTDIR={folder}", "PREFIX=/usr", target],
                   check=True, stdout=subprocess.DEVNULL, timeout=60)
    return {path.relative_to(folder / "usr").as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ("plain", "two words"))
def test_uninstall_takes_out_what_install_put_there(tmp_path, name):
    folder, first_word = tmp_path / name, tmp_path / name.split()[0]
    folder.mkdir()
    if first_word != folder:
        first_word.touch()
    installed = make_to(folder, "install")
    assert installed == {
        *(f"bin/{program}" for program in PROGRAMS), "share/trivium/chapter.gguf",
        *(f"share/man/man1/{'-'.join(words)}.1" for words in all_of_them()),
        *(f"share/bash-completion/completions/{program}" for program in PROGRAMS), "share/zsh/site-functions/_trivium",
        "lib/systemd/system/trivium@.service"}
    (folder / "usr/bin/other").touch()
    assert make_to(folder, "uninstall") == {"bin/other"}
    assert not (folder / "usr/share/trivium").exists()
    make_to(folder, "uninstall")                    # nothing to take out is fine
    assert first_word.exists() and set(tmp_path.iterdir()) == {folder, first_word}


def test_the_unit_starts_reloads_and_ends_all_three(tmp_path, models):
    """With the settings files of deploy/RUNNING.md; only the folders are this test's."""
    make_to(tmp_path, "install")
    unit = tmp_path / "usr/lib/systemd/system/trivium@.service"
    told = dict(line.split("=", 1) for line in unit.read_text().splitlines() if "=" in line and not line.startswith("#"))
    assert (told["Environment"], told["RuntimeDirectory"]) == ("XDG_RUNTIME_DIR=/run", "trivium")
    assert told["ExecReload"] == "/bin/kill -HUP $MAINPID" and float(told["TimeoutStopSec"]) > 30
    page = (ROOT / "deploy/RUNNING.md").read_text()
    files = re.findall(r'^    echo "(.*)" > /etc/trivium/(\w+)$', page, re.MULTILINE)
    assert {role for _, role in files} == set(DAEMONS)
    with Stack() as stack:
        for text, role in files:
            (tmp_path / role).write_text(text.replace("/var/lib/trivium/model.gguf", str(models(**MADE_SHAPE))) + "\n")
            program, *flags = told["ExecStart"].replace("%i", role).replace("/etc/trivium", str(tmp_path)).split()
            stack.start(role, *flags, program=tmp_path / program.lstrip("/"))
        stack.wait_ready()
        for daemon in stack.processes:
            daemon.send_signal(signal.SIGHUP)
            wait_until(lambda: " config_read " in stack.log(daemon), what="a file that is read again")
        for daemon in stack.processes:
            daemon.send_signal(signal.SIGTERM)
        assert [daemon.wait(timeout=60) for daemon in stack.processes] == [0, 0, 0]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd here")
def test_systemd_understands_the_unit(tmp_path):
    for role in DAEMONS:
        unit = tmp_path / f"trivium@{role}.service"
        unit.write_text((ROOT / "deploy/trivium@.service").read_text().replace("/usr/local/bin", str(BUILD)))
        told = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], stderr=subprocess.PIPE, text=True, timeout=60)
        assert str(tmp_path) not in told.stderr and told.returncode == 0, told.stderr


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The text of a page, without what only the formatter needs."""
    folder = tmp_path_factory.mktemp("man")
    subprocess.run([ROOT / "deploy" / "man.sh", BUILD, folder], check=True)
    return lambda name: (folder / f"{name}.1").read_text(encoding="utf-8").replace("\\-", "-").replace("\\e", "\\")


@pytest.mark.parametrize("words", all_of_them(), ids="-".join)
def test_a_page_says_what_the_help_says(pages, words):
    page, name = pages("-".join(words)), "-".join(words)
    assert re.search(rf"^\.SH NAME\n{name} - [a-z].*[a-z)]\n\.SH SYNOPSIS\n{' '.join(words)}\b", page, re.MULTILINE)
    said = [line.strip() for line in page.splitlines() if not line.startswith(".") or line.startswith(".B ")]
    missing = set(re.findall(r"\S+", help_of(*words))) - set(re.findall(r"\S+", " ".join(said).replace("\\&", "")))
    assert missing <= {"usage:"}
    for flag in re.findall(r"^  (?:-[a-z], )?(--[a-z-]+)", help_of(*words), re.MULTILINE):
        assert re.search(rf"^\.TP\n\.B .*{flag}\b", page, re.MULTILINE), flag


COMPLETE = """
set -u
source deploy/completion/trivium.bash
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_trivium "$1"
echo "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize("line, choices", [
    ("trivium ca", "cancel"), ("trivium t", "tune tokenize"), ("trivium help ", None), ("trivium hel", "help"),
    ("trivium generate --st", "--stop --stop-id"), ("trivium bench ", "kv-cache decode prefill clients"),
    ("trivium bench decode --tok", "--tokens"), ("trivium explore top-p --max", "--max-new-tokens"),
    ("modeld --kv", "--kv-memory"), ("trivium watch ", ""), ("trivium nonsense --x", ""),
    ("trivium --", "--help --version"), ("~/trivium ca", "cancel"), ("~/modeld --kv", "--kv-memory")])
def test_bash_completes(line, choices, tmp_path):
    for program in PROGRAMS:
        (tmp_path / program).symlink_to(BUILD / program)
    done = subprocess.run(["bash", "-c", COMPLETE, "bash", *line.split(" ")], cwd=ROOT, stdout=subprocess.PIPE, text=True,
                          env={**os.environ, "PATH": f"{BUILD}:{os.environ['PATH']}", "HOME": str(tmp_path)}, check=True)
    assert done.stdout.strip() == (" ".join([*commands(), "help"]) if choices is None else choices)


COMPLETE_ZSH = """
compadd() { shift; print -l -- "$@" }
_describe() { print -l -- ${${(P)2}%%:*} }
_files() { print a-file }
words=("$@") CURRENT=$#
source deploy/completion/trivium.zsh
"""


@pytest.mark.parametrize("line, offered", [
    ("trivium ca", "cancel"), ("trivium help ", "help"), ("trivium --", "--version"), ("trivium generate --st", "--stop-id"),
    ("trivium bench ", "kv-cache"), ("trivium bench decode --tok", "--tokens"), ("~/modeld --kv", "--kv-memory"),
    ("trivium generate --input ", "a-file")])
def test_zsh_is_offered(line, offered, tmp_path):
    for program in PROGRAMS:
        (tmp_path / program).symlink_to(BUILD / program)
    done = subprocess.run(["zsh", "-f", "-c", COMPLETE_ZSH, "zsh", *line.split(" ")], cwd=ROOT, stdout=subprocess.PIPE, text=True,
                          env={**os.environ, "PATH": f"{BUILD}:{os.environ['PATH']}", "HOME": str(tmp_path)}, check=True)
    assert offered in done.stdout.splitlines()      # zsh itself leaves out what does not begin with the word
