"""deploy/RUNNING.md: its commands do what it says, hosts being addresses and folders of this machine; its figures are so."""
import contextlib
import json
import os
import re
import shlex
import socket
import subprocess

import pytest

from conftest import BUILD, ROOT, TIMEOUT_S, Stack, wait_until
from relay import Relay

PAGE = (ROOT / "deploy" / "RUNNING.md").read_text()
PAGE_TOKENS = 64


def section(title):
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def commands(title):
    """(host, command) of each line of the section's console blocks; "" is the only host."""
    blocks = re.findall(r"```console\n(.*?)```", section(title), re.S)
    return [match.groups() for block in blocks for match in re.finditer(r"^(\w?)\$ (.*)$", block, re.M)]


def free_port(host):
    with socket.socket() as one:
        one.bind((host, 0))
        return one.getsockname()[1]


class Host:
    """A folder of its own for what runs on one host; a stack that is ended at the end."""

    def __init__(self, stack, model):
        self.stack = stack
        stack.environment.update(MODEL=str(model), PATH=f"{BUILD}:{os.environ['PATH']}")

    def do(self, command):
        """What it prints; a daemon is started, and an export kept."""
        if command.endswith(" &"):
            daemon = "exec " + command.removesuffix(" &")
            self.stack.start("daemon", "-c", daemon, program="bash", cwd=self.stack.folder)
            return ""
        if command.startswith("export "):
            name, value = command.removeprefix("export ").split("=", 1)
            self.stack.environment[name] = value
            return ""
        patient = command.replace("trivium up", "trivium up --wait 60")
        done = subprocess.run(["bash", "-c", patient], cwd=self.stack.folder, env=self.stack.environment, timeout=TIMEOUT_S,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert done.returncode == 0, (command, done.stderr.decode())
        return done.stdout.decode()


@pytest.fixture
def hosts(real_model):
    with contextlib.ExitStack() as stacks:
        yield {name: Host(stacks.enter_context(Stack()), real_model) for name in ("", "a", "b", "c")}


def rows_of(lines):
    """Role, name, state, model and pool of each line of a table of daemons: what is no chance."""
    return [(row[0], row[1], row[5], *row[6:]) for row in (line.split() for line in lines)]


def test_two_hosts(hosts, real):
    ports = {}

    def here(match):
        return f"127.0.0.2:{ports.setdefault(match[1], free_port('127.0.0.2'))}"

    steps = [(host, re.sub(r"10\.0\.0\.2:(\d+)", here, command)) for host, command in commands("Two hosts")]
    assert [host for host, _ in steps] == ["b", "a", "a", "c", "c", "c"]
    assert "10.0.0." not in "".join(command for _, command in steps)
    shown = re.findall(r"^    (tokenizerd|modeld|samplerd)(.*)$", section("Two hosts"), re.M)
    for host, command in steps:
        if command.startswith("trivium status"):
            hosts["c"].stack.wait_ready()
            printed = hosts[host].do(command).splitlines()
            assert rows_of(printed[1:4]) == rows_of("".join(line) for line in shown)
            assert printed[0].split() == re.search(r"^    (daemon .*)$", section("Two hosts"), re.M)[1].split()
        elif command.startswith("trivium generate"):
            words = shlex.split(command)[2:]
            assert hosts[host].do(command).encode() == real.text(*words)
        else:
            hosts[host].do(command)


@pytest.fixture
def split(stack, models):
    """tokenizerd on one host, modeld and samplerd on another, and the road between them."""
    join, port = f"tcp://127.0.0.2:{free_port('127.0.0.2')}", free_port("127.0.0.3")
    with contextlib.closing(Relay(f"tcp://127.0.0.3:{port}", join)) as road:
        stack.start("tokenizerd", "--bind-models", join, "--insecure")
        stack.start("modeld", "--model", models(type="Q4_1", seed=1, context=100000), "--name", "tiny", "--join", road.address,
                    "--insecure")
        stack.start("samplerd")
        stack.wait_ready()
        yield stack, road


TEXT = ("generate", "hello", "--seed", "1", "--ignore-eos", "--max-new-tokens", "8000")


def test_a_text_waits_while_the_network_is_down(split):
    stack, road = split
    whole = stack.text(*TEXT[1:])
    text = stack.popen(*TEXT, "--wait", "100", bufsize=0)
    begun = text.stdout.read(20)
    road.stall()
    wait_until(lambda: stack.lines("status")[0]["models"] == [], what="modeld held for gone")
    assert "no modeld has joined" in stack.run("status").stdout.decode()
    assert [request["state"] for request in stack.lines("ps")[0]["requests"]] == ["waiting"]
    road.mend()
    assert begun + text.communicate(timeout=TIMEOUT_S)[0] == whole and text.returncode == 0


def test_a_text_ends_with_what_it_has_where_the_network_stays_down(split):
    stack, road = split
    text = stack.popen(*TEXT, "--wait", "3", "--json", bufsize=0)
    begun = b"".join(text.stdout.readline() for _ in range(20))
    road.stall()
    *lines, done = map(json.loads, (begun + text.communicate(timeout=TIMEOUT_S)[0]).splitlines())
    assert text.returncode == 1 and done["done"]["finish_reason"] == "error"
    assert done["done"]["completion_tokens"] == len(lines) - 1 > 18


def test_memory_as_status_tells_it(hosts):
    printed = "".join(hosts[host].do(command) for host, command in commands("Memory for keys and values"))
    pages, tokens = map(int, re.search(r'^"kv_pages":(\d+),"kv_page_tokens":(\d+)$', printed, re.M).groups())
    assert tokens == PAGE_TOKENS
    shown = f'prints `"kv_pages":{pages},"kv_page_tokens":{tokens}`: {pages * tokens:,} positions'
    assert shown in section("Memory for keys and values")


def test_status_tells_of_pages_and_of_who_waits(real):
    header, row = (line.split() for line in re.findall(r"^    (.+)$", section("Memory for keys and values"), re.M)[1:3])
    printed = next(line for line in real.run("status").stdout.decode().splitlines() if line.startswith("model "))
    assert printed.split() == header
    n_texts, n_waiting, n_used, of, n_pages = row[5:10]
    assert (of, int(n_pages)) == ("of", 45) and int(n_used) == (int(n_texts) - int(n_waiting)) * -(-804 // PAGE_TOKENS)


def test_the_figures_on_memory_follow_from_the_formula(real):
    rows = re.findall(r"^\| ([\w. ]+) \| (\d+) \| (\d+) \| (\d+) \| ([\d,]+) \| ([\d,]+) \|$", PAGE, re.M)
    assert len(rows) == 4
    for model, layers, heads, width, n_bytes, n_positions in rows:
        position = int(layers) * int(heads) * int(width) * 4
        assert f"{position:,}" == n_bytes, model
        assert f"{2 ** 30 // (position * PAGE_TOKENS) * PAGE_TOKENS:,}" == n_positions, model
    served = real.lines("status")[0]["models"][0]
    assert f"{served['kv_pages'] * served['kv_page_tokens']:,}" == rows[0][-1]
    assert 8 * 2048 * 23040 == 360 << 20 and "8 × 2,048 × 23,040 bytes are 360M" in PAGE


def test_texts_without_pages_wait_and_are_counted(stack, models):
    """Room for two of four: the others are `waiting`, and say afterwards how long; one that never fits is refused."""
    stack.start("tokenizerd")
    stack.start("modeld", "--model", models(type="Q4_1", seed=1, context=100000), "--kv-memory", "1M")
    stack.wait_ready(2)
    n_pages = wait_until(lambda: stack.model()["kv_pages"], what="a report of modeld")
    tokens = (n_pages // 2 - 1) * PAGE_TOKENS
    asked = ("generate", "hello", "--ignore-eos", "--json", "--wait", "100", "--max-new-tokens", tokens)
    texts = [stack.popen(*asked, "--seed", seed) for seed in range(4)]      # none goes on while no samplerd is there
    wait_until(lambda: stack.model()["sequences"] == 4, what="four texts")
    seen = wait_until(lambda: (lambda m: m["kv_pages_used"] > n_pages - 4 and m)(stack.model()), what="two that have pages")
    assert seen["waiting"] == 2
    sentence = stack.refused("generate", "hello", "--max-new-tokens", n_pages * PAGE_TOKENS)
    assert "--kv-memory" in sentence and str(n_pages * PAGE_TOKENS) in sentence
    stack.start("samplerd")
    dones = [json.loads(text.communicate(timeout=TIMEOUT_S)[0].splitlines()[-1])["done"] for text in texts]
    assert [done["finish_reason"] for done in dones] == ["length"] * 4
    assert all(done["timings"]["queue_ms"] > 0 for done in dones)


def test_one_text_through_all_logs(hosts):
    up, generate, search, down = [command for _, command in commands("Logs")]
    host = hosts[""]
    host.do(up)
    request = json.loads(host.do(generate).splitlines()[0])["start"]["request"]
    shown = re.findall(r"^    …\S+ (.*)$", section("Logs"), re.M)

    def found():
        lines = host.do(search.replace("request=1995", f"request={request[:4]}")).splitlines()
        return len(lines) >= len(shown) and [line.split(" ", 1)[1].replace(request, "1995…") for line in lines]
    assert sorted(wait_until(found, what="the last line")) == sorted(shown)
    host.do(down)


def test_its_links_lead_somewhere():
    for name in ("README.md", "deploy/RUNNING.md", "deploy/MODELS.md"):
        for target in re.findall(r"\]\(([^)]+)\)", (ROOT / name).read_text()):
            path, _, anchor = target.partition("#")
            if "://" in target:
                continue
            page = (ROOT / name).parent / path if path else ROOT / name
            assert page.exists(), target
            titles = re.findall(r"^#+ (.*)$", page.read_text(), re.M) if anchor else []
            anchors = [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles]
            assert not anchor or anchor in anchors, target
