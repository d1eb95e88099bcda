"""Commands of the pages, hosts being folders of this machine: what copies files between hosts copies between those."""
import contextlib
import os
import re
import socket
import subprocess

from conftest import BUILD, TIMEOUT_S, Stack

# As far as the pages need them. A file is replaced in one step, as by the real one.
RSYNC = """#!/bin/sh -e
[ "$1 $2" = "-a --delete" ]
umask 077
from=$PWD/$3 to=$HOSTS/${4%%:*}/${4#*:}
cd "$from"
find . -type d | while read -r name; do mkdir -p "$to/$name"; done
find . -type f | while read -r name; do cp -p "$name" "$to/.copy" && mv "$to/.copy" "$to/$name"; done
cd "$to"
find . -type f | while read -r name; do [ -e "$from/$name" ] || rm "$name"; done
"""


def section(page, title, mark="##"):
    return page.split(f"\n{mark} {title}\n")[1].split(f"\n{mark} ")[0]


def commands(text):
    """(host, command) of each line of the console blocks; "" is the only host."""
    blocks = re.findall(r"```console\n(.*?)```", text, re.S)
    return [match.groups() for block in blocks for match in re.finditer(r"^(\w?)\$ (.*)$", block, re.M)]


def free_port(host):
    with socket.socket() as one:
        one.bind((host, 0))
        return one.getsockname()[1]


class Here:
    """here(command): with ports of this machine in place of those of 10.0.0.2, the same ones each time."""

    def __init__(self):
        self.ports = {}

    def __call__(self, command):
        return re.sub(r"10\.0\.0\.2:(\d+)", lambda match: f"127.0.0.2:{self.port(match[1])}", command)

    def port(self, shown):
        return self.ports.setdefault(shown, free_port("127.0.0.2"))


class Host:
    """A folder of its own for what runs on one host; a stack that is ended at the end."""

    def __init__(self, stack, model, road):
        self.stack = stack
        stack.environment.update(MODEL=str(model), PATH=f"{road}:{BUILD}:{os.environ['PATH']}", HOSTS=str(road))

    def shell(self, command):
        return subprocess.run(["bash", "-c", command], cwd=self.stack.folder, env=self.stack.environment, timeout=TIMEOUT_S,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def do(self, command):
        """What it prints; a daemon is started, and an export kept."""
        if command.endswith(" &"):
            daemon = "exec " + command.removesuffix(" &")
            self.stack.start("daemon", "-c", daemon, program="bash", cwd=self.stack.folder)
            return ""
        if command.startswith("export "):
            name, value = command.removeprefix("export ").split("=", 1)
            self.stack.environment[name] = self.shell(f"echo {value}").stdout.decode().strip()
            return ""
        done = self.shell(command.replace("trivium up", "trivium up --wait 60"))
        assert done.returncode == 0, (command, done.stderr.decode())
        return done.stdout.decode()


@contextlib.contextmanager
def hosts_of(road, model):
    """The hosts by their names; in the folder `road` the ways between them."""
    (road / "rsync").write_text(RSYNC)
    (road / "rsync").chmod(0o755)
    with contextlib.ExitStack() as stacks:
        hosts = {name: Host(stacks.enter_context(Stack()), model, road) for name in ("", "a", "b", "c", "d")}
        for name, host in hosts.items():
            if name:
                (road / name).symlink_to(host.stack.folder)
        yield hosts
