"""Three daemons that are started again when they are killed, as `up --keep` would, on any transport."""
import itertools
import os
import pathlib
import random
import re
import signal
import socket

from conftest import Stack, wait_until
from keygen import make_keys
from relay import Relay

from .done_count import DoneCount
from .fault import DAEMONS, LINKS

TRANSPORTS = ("ipc", "tcp", "keys")     # keys: tcp with them; tcp alone is without
READABLE = ("ipc", "tcp")               # what passes on a Relay is not encrypted
# What a silence costs: 3 × 300 ms without a word and a peer is lost, 1000 ms without an answer and a step is tried again.
# (The client's own heartbeat is 500 ms.)
HEARTBEAT_MS, STEP_DEADLINE_MS = 300, 1000
BINDS = {"clients": ("tokenizerd", "--bind-clients"), "models": ("tokenizerd", "--bind-models"),
         "samplers": ("modeld", "--bind-samplers")}
JOINS = {"models": "modeld", "samplers": "samplerd"}


# In a circle, so that no two links of a stack are given the same.
PORTS = itertools.cycle(random.sample(range(20000, 32000), 12000))


def free_port():
    """Below the ports that connections are made from: while nobody listens there, whoever connects again and again to a
    port of that range can be given that very port for its own end, and then it talks to itself."""
    for _, port in zip(range(100), PORTS):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass
    raise OSError("no free port")


class KeptStack(Stack):
    """`relayed` are the links that go through a Relay; the client's flags for it are in `reach`."""

    def __init__(self, model_path, transport="ipc", relayed=(), modeld_arguments=()):
        super().__init__()
        self.transport = transport
        self.modeld_arguments = ("--model", model_path, *modeld_arguments)
        self.bound = {link: self.place(link) for link in LINKS}
        self.relays = {}
        self.kept = {}                      # role → its process
        os.makedirs(self.runtime, mode=0o700)
        self.dones = DoneCount()            # counted where the client link is relayed
        for link in relayed:
            self.relays[link] = Relay(self.place("relayed-" + link, self.folder), self.bound[link], *self.ears(link))
        self.joined = {link: self.relays[link].address if link in self.relays else self.bound[link] for link in LINKS}
        self.access = self.make_access()
        self.reach = ("--endpoint", self.joined["clients"], *self.access)

    def make_access(self):
        """The flags with which all four programs may use the transport."""
        if self.transport != "keys":
            return ("--insecure",) if self.transport == "tcp" else ()
        make_keys(self.folder / "keys")
        return "--keys", self.folder / "keys"

    def place(self, name, folder=None):
        if self.transport != "ipc":
            return f"tcp://127.0.0.1:{free_port()}"
        return f"ipc://{folder or self.runtime}/{name}"

    def ears(self, link):
        """Who listens to what is heard on a link that goes through a Relay, and to what is said there."""
        return self.dones.heard if link == "clients" and self.transport in READABLE else None, None

    def arguments(self, role):
        flags = ["--heartbeat-ms", HEARTBEAT_MS, *self.access]
        for link, (binder, flag) in BINDS.items():
            if binder == role:
                flags += [flag, self.bound[link]]
            if JOINS.get(link) == role:
                flags += ["--join", self.joined[link]]
        if role == "modeld":
            flags += ["--step-deadline-ms", STEP_DEADLINE_MS, *self.modeld_arguments]
        return flags

    def begin(self, role):
        self.kept[role] = self.start(role, *self.arguments(role))

    def begin_all(self):
        for role in DAEMONS:
            self.begin(role)
        self.wait_ready()

    def run(self, *arguments, **keywords):
        return super().run(*arguments, *self.reach, **keywords)

    def signal(self, roles, how):
        for role in roles:
            self.kept[role].send_signal(how)

    def kill_all(self, roles):
        """At once; dead when this returns."""
        self.signal(roles, signal.SIGKILL)
        for role in roles:
            self.kill(self.kept[role])

    # what is left

    def wait_idle(self):
        """Until no daemon has a text any more; the last status."""
        def idle():
            status = self.lines("status")[0]
            models = status["models"]
            ended = status["requests"] == 0 and models and all(m["sequences"] == m["waiting"] == 0 for m in models)
            return status if ended else None
        return wait_until(idle, what="requests 0 and sequences 0 in status, after all texts have ended")

    def mapped_rows(self, role):
        """The row memories that a daemon has mapped, by inode."""
        maps = pathlib.Path(f"/proc/{self.kept[role].pid}/maps").read_text()
        return set(re.findall(r"(\d+) +/memfd:trivium-rows", maps))

    def end(self):
        """SIGTERM to all three; what was wrong with how they went, as sentences."""
        wrong = []
        for role in DAEMONS:
            process = self.kept[role]
            self.stop(process)
            if process.returncode != 0:
                wrong.append(f"{role} ended with {process.returncode} after SIGTERM")
        left = sorted(os.listdir(self.runtime))
        if left:
            wrong.append(f"left in the runtime folder: {', '.join(left)}")
        wrong += [f"process {pid} ({name}) is left" for pid, name in self.strangers()]
        return wrong

    def last_words(self, n_lines=15):
        """The ends of the logs of all daemons that there were."""
        words = []
        for log in sorted(self.folder.glob("*.log"), key=lambda path: path.stat().st_mtime):
            words.append(f"--- {log.name}")
            words += log.read_text(errors="replace").splitlines()[-n_lines:]
        return "\n".join(words)

    def close(self):
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
        for relay in self.relays.values():
            relay.close()
        super().close()
