"""Two hosts with keys, as README.md and deploy/RUNNING.md have them, line by line; then who comes in and who is shut out."""
import re
import shlex

import pytest

from conftest import ROOT, wait_until
from page_hosts import Here, commands, hosts_of, section

README = (ROOT / "README.md").read_text()
RUNNING = (ROOT / "deploy" / "RUNNING.md").read_text()


@pytest.fixture
def hosts(tmp_path, real_model):
    with hosts_of(tmp_path, real_model) as made:
        yield made


def generated(host, command, real):
    """The text that a line `trivium generate …` prints is that of one host alone."""
    flags = shlex.split(command.split(" --keys ")[0])[2:] + shlex.split(command)[-4:]
    assert host.do(command).encode() == real.text(*flags)


def test_two_hosts_in_five_lines(hosts, real):
    here, steps = Here(), commands(section(README, "Two hosts", "###"))
    assert [host for host, _ in steps] == ["a", "a", "b", "a", "a", "a"]
    for host, command in steps:
        if command.startswith("trivium generate"):
            generated(hosts[host], here(command), real)
        else:
            hosts[host].do(here(command))


def rows_of(lines):
    """Role, name, state, model and pool of each line of a table of daemons: what is no chance."""
    return [(row[0], row[1], row[5], *row[6:]) for row in (line.split() for line in lines)]


def check_status(printed):
    shown = re.findall(r"^    (tokenizerd|modeld|samplerd)(.*)$", section(RUNNING, "Two hosts"), re.M)
    lines = printed.splitlines()
    assert rows_of(lines[1:4]) == rows_of("".join(line) for line in shown)
    assert lines[0].split() == re.search(r"^    (daemon .*)$", section(RUNNING, "Two hosts"), re.M)[1].split()


def set_up(hosts, here, real=None):
    """The lines of "Two hosts"; what they print is looked at where there is a stack that prints the same."""
    steps = commands(section(RUNNING, "Two hosts"))
    assert [host for host, _ in steps] == ["a"] * 4 + ["b", "a", "a"] + ["c"] * 4
    assert "10.0.0." not in "".join(here(command) for _, command in steps)
    for host, command in steps:
        if command == "trivium status":
            hosts["c"].stack.wait_ready()
            check_status(hosts[host].do(command))
        elif not command.startswith("trivium generate"):
            hosts[host].do(here(command))
        elif real:
            assert hosts[host].do(command).encode() == real.text(*shlex.split(command)[2:])


def test_two_hosts(hosts, real):
    set_up(hosts, Here(), real)


def n_daemons(host, role, *flags):
    return sum(daemon["role"] == role for daemon in host.stack.lines("status", *flags)[0]["daemons"])


def test_keys(hosts):
    """A host comes in, a client is shut out, and another server key: each as the page has it."""
    here = Here()
    set_up(hosts, here)
    front, client = here("tcp://10.0.0.2:5555"), hosts["c"]
    ours = ("--keys", hosts["a"].stack.folder / "keys", "--endpoint", front)
    is_revoked = False
    for host, command in commands(section(RUNNING, "Keys")):
        if command.startswith("trivium drain"):     # hosts/test_newcomer.py: here all hosts have one name
            continue
        hosts[host].do(here(command))
        is_revoked |= "--revoke c" in command
        if command == "samplerd &":
            wait_until(lambda: n_daemons(client, "modeld") == n_daemons(client, "samplerd") == 2, what="the further host")
        if is_revoked and "rsync" in command:
            wait_until(lambda: client.stack.run("status", "--wait", "0.2").returncode == 1, what="a client that is shut out")
    wait_until(lambda: n_daemons(hosts["a"], "modeld", *ours) == 2, what="both modelds, by the new server key")
    assert not list((hosts["a"].stack.folder / "keys").rglob("*.next.key*"))
    hosts["a"].stack.text("hello", "--max-new-tokens", "5", *ours)
