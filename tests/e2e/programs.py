"""The programs and what they say of themselves."""
import re
import subprocess

from conftest import BUILD

DAEMONS = ("tokenizerd", "modeld", "samplerd")


def help_of(*words):
    done = subprocess.run([BUILD / words[0], *words[1:], "--help"], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.decode()


def commands():
    """Of trivium."""
    return re.findall(r"^  ([a-z]+) ", help_of("trivium"), re.MULTILINE)


def all_of_them():
    """Every program, every command, and what a command asks to choose from: "explore temperature|top-p"."""
    yield from ((daemon,) for daemon in DAEMONS)
    yield ("trivium",)
    for command in commands():
        yield ("trivium", command)
        choices = re.search(rf"usage: trivium {command} ([a-z-]+(?:\|[a-z-]+)+)", help_of("trivium", command))
        for choice in choices[1].split("|") if choices else ():
            yield ("trivium", command, choice)
