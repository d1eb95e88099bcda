"""deploy/RUNNING.md: its commands do what it says, hosts being addresses and folders of this machine; its figures are so."""
import contextlib
import json
import re

import pytest

from conftest import ROOT, TIMEOUT_S, wait_until
from page_hosts import commands, free_port, hosts_of, section
from relay import Relay

PAGE = (ROOT / "deploy" / "RUNNING.md").read_text()
PAGE_TOKENS = 64


def commands_of(title):
    return commands(section(PAGE, title))


@pytest.fixture
def hosts(tmp_path, real_model):
    with hosts_of(tmp_path, real_model) as made:
        yield made


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
    printed = "".join(hosts[host].do(command) for host, command in commands_of("Memory for keys and values"))
    pages, tokens = map(int, re.search(r'^"kv_pages":(\d+),"kv_page_tokens":(\d+)$', printed, re.M).groups())
    assert tokens == PAGE_TOKENS
    shown = f'prints `"kv_pages":{pages},"kv_page_tokens":{tokens}`: {pages * tokens:,} positions'
    assert shown in section(PAGE, "Memory for keys and values")


def test_status_tells_of_pages_and_of_who_waits(real):
    header, row = (line.split() for line in re.findall(r"^    (.+)$", section(PAGE, "Memory for keys and values"), re.M)[1:3])
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
    up, generate, search, down = [command for _, command in commands_of("Logs")]
    host = hosts[""]
    host.do(up)
    request = json.loads(host.do(generate).splitlines()[0])["start"]["request"]
    shown = re.findall(r"^    …\S+ (.*)$", section(PAGE, "Logs"), re.M)

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
