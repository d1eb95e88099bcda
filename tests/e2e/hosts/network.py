"""Hosts in one machine: namespaces of network, mounts and names, cables between them and a switch, all without root where
the kernel lets a user have them.

A namespace lasts as long as a process in it: here one that reads from a pipe of ours, and what is started there, which ends
with the thread that started it. So all of it ends with whoever made it, however that ends, and nothing of it has a name outside.
"""
import contextlib
import os
import subprocess

import pytest

SWITCH = "switch"               # the bridge, in a namespace of its own
CABLE = "eth0"                  # what each host calls its end; the switch calls its own by the host's name
NOBODY = "02:00:00:00:00:ff"    # a hardware address that no host has: what is sent there is lost
TBF_BURST, TBF_LATENCY = "128kb", "100ms"


class NetworkFault(Exception):
    """A command that makes or changes it failed: the kernel's reason."""


def run(*command, input=None):
    done = subprocess.run([*map(str, command)], stdin=None if input else subprocess.DEVNULL, input=input,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise NetworkFault(f"{' '.join(map(str, command))}: {done.stderr.strip()}")
    return done.stdout


class Space:
    """One set of namespaces. `enter`: the words before a command that runs there."""

    def __init__(self, name, within=None):
        """`within`: the Space whose user it shares, where users have namespaces, too."""
        self.name = name
        own_user = os.getuid() != 0
        make = ["unshare", "-n", "-u", "-m", *(["-U", "-r"] if own_user and not within else [])]
        before = ["nsenter", "-t", str(within.holder.pid), "-U", "--preserve-credentials"] if own_user and within else []
        hold = 'hostname "$1" && ip link set lo up && echo made && exec cat'
        self.holder = subprocess.Popen([*before, *make, "sh", "-c", hold, "sh", name],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if self.holder.stdout.readline() != "made\n":
            self.holder.wait()
            raise NetworkFault(self.holder.stderr.read().strip())
        self.enter = ["nsenter", "-t", str(self.holder.pid), "-n", "-u", "-m",
                      *(["-U", "--preserve-credentials"] if own_user else []), "setpriv", "--pdeathsig", "KILL", "--"]

    def run(self, *command):
        return run(*self.enter, *command)

    def close(self):
        self.holder.communicate()


class Host(Space):
    """A Space with a cable to the switch, and `address`."""

    def __init__(self, network, name, number):
        super().__init__(name, network.switch)
        self.network, self.address, self.hardware = network, f"10.0.0.{number}", f"02:00:00:00:00:{number:02x}"

    def connect(self):
        switch = self.network.switch
        switch.run("ip", "link", "add", "name", self.name, "type", "veth",
                   "peer", "name", CABLE, "address", self.hardware, "netns", self.holder.pid)
        switch.run("ip", "link", "set", "dev", self.name, "master", SWITCH, "up")
        self.run("ip", "address", "add", f"{self.address}/24", "dev", CABLE)
        self.run("ip", "link", "set", CABLE, "up")

    def tcp(self, port):
        return f"tcp://{self.address}:{port}"

    def limit(self, rate):
        """What the cable carries, each way, as tc has it ("100mbit"); None: as much as there is."""
        for space, end in ((self, CABLE), (self.network.switch, self.name)):
            if rate:
                space.run("tc", "qdisc", "replace", "dev", end, "root", "tbf", "rate", rate, "burst", TBF_BURST,
                          "latency", TBF_LATENCY)
            else:
                with contextlib.suppress(NetworkFault):     # there was no limit
                    space.run("tc", "qdisc", "delete", "dev", end, "root")

    def unplug(self):
        self.network.switch.run("ip", "link", "set", "dev", self.name, "down")

    def plug(self):
        self.network.switch.run("ip", "link", "set", "dev", self.name, "up")

    def names_from(self, address):
        """Its resolver asks the server there."""
        file = "/etc/resolv.conf"
        self.run("mount", "-t", "tmpfs", "tmpfs", "/mnt")
        run(*self.enter, "sh", "-c", f"cat >/mnt/resolv.conf && mount --bind /mnt/resolv.conf {file}",
            input=f"nameserver {address}\noptions timeout:1 attempts:1\n")


class Network:
    """A switch and hosts. A context; Network.or_skip() is one for tests."""

    def __init__(self, *names):
        self.spaces = []
        try:
            self.switch = self.kept(Space(SWITCH))
            self.switch.run("ip", "link", "add", SWITCH, "type", "bridge")
            self.switch.run("ip", "link", "set", SWITCH, "up")
            self.hosts = {name: self.kept(Host(self, name, number)) for number, name in enumerate(names, 1)}
            for host in self.hosts.values():
                host.connect()
        except BaseException:
            self.close()
            raise

    @classmethod
    def or_skip(cls, *names):
        try:
            return cls(*names)
        except NetworkFault as why:
            pytest.skip(f"no hosts can be made here: {why}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __getitem__(self, name):
        return self.hosts[name]

    def kept(self, space):
        self.spaces.append(space)
        return space

    def part(self, a, b):
        """What these two hosts send each other is lost, and they are told nothing."""
        for one, other in ((a, b), (b, a)):
            one.run("ip", "neighbour", "replace", other.address, "lladdr", NOBODY, "dev", CABLE, "nud", "permanent")

    def heal(self, a, b):
        for one, other in ((a, b), (b, a)):
            one.run("ip", "neighbour", "replace", other.address, "lladdr", other.hardware, "dev", CABLE, "nud", "reachable")

    def close(self):
        for space in reversed(self.spaces):
            space.close()
