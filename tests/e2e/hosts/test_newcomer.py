"""Two hosts, then a further one with a second modeld, which goes again: with no more than what README.md and deploy/RUNNING.md
say, on hosts that have a network between them."""
import os
import shlex
import subprocess

import pytest

from conftest import BUILD, ROOT, TIMEOUT_S, wait_until
from host_stack import HostStack
from network import Network
from page_hosts import RSYNC, commands, section

pytestmark = pytest.mark.slow
HOSTS = ("a", "b", "c", "d")            # 10.0.0.1 and so on, as on the pages
REACH = "--keys keys --endpoint tcp://10.0.0.2:5555"
MODEL = "SmolLM2-135M-Instruct.Q4_1"
README, RUNNING = ((ROOT / name).read_text() for name in ("README.md", "deploy/RUNNING.md"))


class Newcomer(HostStack):
    """Types commands on hosts; what copies files between hosts copies between their homes."""

    def __init__(self, network, model):
        super().__init__(network)
        self.environment.update(MODEL=str(model), PATH=f"{self.folder}:{BUILD}:{os.environ['PATH']}", HOSTS=str(self.folder))
        (self.folder / "rsync").write_text(RSYNC)
        (self.folder / "rsync").chmod(0o755)

    def home(self, host):
        return self.folder / host

    def shell(self, host, command):
        """(the first word of a command that does that there, the others)"""
        enter, *rest = self.network[host].enter
        return enter, [*rest, "bash", "-c", f"cd {shlex.quote(str(self.home(host)))} && {command}"]

    def output(self, host, command):
        enter, rest = self.shell(host, command)
        done = subprocess.run([enter, *rest], env=self.environment_of(host), timeout=TIMEOUT_S, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert done.returncode == 0, (command, done.stderr.decode())
        return done.stdout.decode()

    def do(self, host, command):
        """What it prints; a daemon is started."""
        if command.endswith(" &"):
            enter, rest = self.shell(host, "exec " + command.removesuffix(" &"))
            self.start("daemon", *rest, program=enter, env=self.environment_of(host))
            return ""
        return self.output(host, command)

    def wait_table(self, table):
        """Until `trivium status` says that these are ready, and no others: role, name, host."""
        def is_so():
            lines = [line.split() for line in self.do("a", f"trivium status {REACH}").splitlines()]
            return sorted((line[0], line[1], line[3]) for line in lines if line[5:6] == ["ready"]) == sorted(table)
        wait_until(is_so, what=f"these daemons: {table}")


@pytest.fixture
def newcomer(real_model):
    with Network.or_skip(*HOSTS) as network, Newcomer(network, real_model) as one:
        for host in HOSTS:
            one.home(host).mkdir()
        yield one


def test_two_hosts_a_further_one_and_a_modeld_that_goes(newcomer, real):
    for host, command in commands(section(README, "Two hosts", "###")):
        printed = newcomer.do(host, command)
    assert printed.encode() == real.text(*shlex.split(command.replace(REACH, ""))[2:])
    two = [("tokenizerd", "tokenizerd", "b"), ("modeld", MODEL, "a"), ("samplerd", "samplerd", "a")]
    newcomer.wait_table(two)
    further = section(RUNNING, "Keys").split("**A further host.**")[1].split("\n**")[0]
    *come, (host, drain) = commands(further)
    for step in come:
        newcomer.do(*step)
    newcomer.wait_table([*two, ("modeld", MODEL, "d"), ("samplerd", "samplerd", "d")])
    assert drain.startswith("trivium drain")
    newcomer.do(host, drain)
    newcomer.wait_table(two)
    assert newcomer.do("a", command) == printed
