"""Names of hosts: daemons join every address that a name leads to and follow it, a client goes to the next address, and a
name server that is mute holds up nobody."""
import json
import signal
import time

import pytest

from conftest import TIMEOUT_S, wait_until
from host_stack import HostStack
from name_server import NameServer
from network import Network

HOST = "h"
CLIENTS, MODELS, SAMPLERS = 5555, 5556, 5557
TEXT = ("generate", "Once", "--seed", "1", "--max-new-tokens", "40", "--ignore-eos", "--json")


def at(number, port):
    """Each daemon has an address of loopback for itself."""
    return f"tcp://127.0.1.{number}:{port}"


class Named(HostStack):
    """All daemons on one host, which find each other by names."""

    def __init__(self, network):
        super().__init__(network)
        self.names = NameServer(self, HOST)

    def begin(self, role, *arguments):
        return self.start_on(HOST, role, "--heartbeat-ms", 100, "--insecure", *arguments)

    def tokenizerd(self, number):
        return self.begin("tokenizerd", "--bind-clients", at(number, CLIENTS), "--bind-models", at(number, MODELS))

    def modeld(self, number, path, *joins):
        return self.begin("modeld", "--model", path, "--threads", 1, "--bind-samplers", at(number, SAMPLERS), *joins)

    def client(self, *arguments, endpoint=at(1, CLIENTS)):
        return self.run_on(HOST, *arguments, "--insecure", "--endpoint", endpoint)

    def known_at(self, number, role):
        """The daemons of this role that the tokenizerd there knows."""
        code, told, _ = self.client("status", "--json", "--wait", "1", endpoint=at(number, CLIENTS))
        return [d for d in json.loads(told)["daemons"] if d["role"] == role] if code == 0 else []

    def until_known(self, number, role, n=1):
        wait_until(lambda: len(self.known_at(number, role)) == n, what=f"{n} {role} at tokenizerd {number}")

    def until_logged(self, process, words):
        wait_until(lambda: words in self.log(process), what=words)

    def writes(self, endpoint=at(1, CLIENTS)):
        code, told, errors = self.client(*TEXT, endpoint=endpoint)
        assert code == 0, errors
        return [json.loads(line) for line in told.splitlines()]


@pytest.fixture
def network():
    with Network.or_skip(HOST) as one:
        yield one


@pytest.fixture
def stack(network):
    with Named(network) as one:
        yield one


@pytest.fixture
def path(models):
    return models(type="Q4_1", seed=1, context=4096)


def text_of(lines):
    return "".join(line.get("text", "") for line in lines)


def test_all_addresses_of_a_name_are_joined_and_it_is_followed(stack, path):
    stack.names.says(tokenizerds=["127.0.1.1", "127.0.1.2"], modelds=["127.0.1.1", "127.0.1.2"]).start()
    first, second = stack.tokenizerd(1), stack.tokenizerd(2)
    modelds = [stack.modeld(number, path, "--join", f"tcp://tokenizerds:{MODELS}") for number in (1, 2)]
    samplerd = stack.begin("samplerd", "--no-mapping", "--join", f"tcp://modelds:{SAMPLERS}")
    for number in 1, 2:
        stack.until_known(number, "modeld", 2)
        stack.until_logged(samplerd, f"endpoint={at(number, SAMPLERS)} ")
        stack.until_known(number, "samplerd")
    texts = {text_of(stack.writes(at(number, CLIENTS))) for number in (1, 2)}
    assert len(texts) == 1

    stack.tokenizerd(3)                                 # one that appears is joined
    stack.names.says(tokenizerds=["127.0.1.1", "127.0.1.2", "127.0.1.3"], modelds=["127.0.1.1", "127.0.1.2"])
    stack.until_known(3, "modeld", 2)

    stack.names.says(tokenizerds=["127.0.1.2", "127.0.1.3"], modelds=["127.0.1.1", "127.0.1.2"])
    for modeld in modelds:                              # one that is gone stays joined
        wait_until(lambda: stack.log(modeld).count(" answer=found addresses=2") == 2, what="two addresses again")
    assert text_of(stack.writes(at(1, CLIENTS))) in texts
    stack.kill(first)                                   # … until it is lost: then no more
    stack.tokenizerd(1)
    stack.kill(second)                                  # while one that is not gone is joined again
    stack.tokenizerd(2)
    stack.until_known(2, "modeld", 2)
    assert stack.known_at(1, "tokenizerd") and not stack.known_at(1, "modeld")


def test_two_addresses_of_one_process_are_one_link(stack, path):
    stack.names.says(here=["127.0.0.1", "::1"]).start()
    tokenizerd = stack.begin("tokenizerd", "--bind-clients", f"tcp://[::]:{CLIENTS}", "--bind-models", f"tcp://[::]:{MODELS}")
    modeld = stack.begin("modeld", "--model", path, "--threads", 1, "--bind-samplers", f"tcp://[::]:{SAMPLERS}",
                         "--join", f"tcp://here:{MODELS}")
    samplerd = stack.begin("samplerd", "--no-mapping", "--join", f"tcp://here:{SAMPLERS}")
    for daemon in modeld, samplerd:
        stack.until_logged(daemon, " same_peer ")
    stack.until_known(1, "samplerd")
    text = text_of(stack.writes(f"tcp://here:{CLIENTS}"))
    n_joined = stack.log(tokenizerd).count("it joined again")
    assert text_of(stack.writes(f"tcp://[::1]:{CLIENTS}")) == text
    assert len(stack.known_at(1, "modeld")) == 1
    assert stack.log(tokenizerd).count("it joined again") == n_joined   # they do not take turns


def test_a_name_that_gains_an_address_of_the_same_process_disturbs_no_text(stack, path):
    def begin(role, *arguments):                        # with heartbeats that a busy machine keeps
        return stack.start_on(HOST, role, "--insecure", *arguments)

    stack.names.says(here=["127.0.0.1"]).start()
    tokenizerd = begin("tokenizerd", "--bind-clients", f"tcp://[::]:{CLIENTS}", "--bind-models", f"tcp://[::]:{MODELS}")
    modeld = begin("modeld", "--model", path, "--threads", 1, "--bind-samplers", f"tcp://[::]:{SAMPLERS}",
                   "--join", f"tcp://here:{MODELS}")
    samplerd = begin("samplerd", "--no-mapping", "--join", f"tcp://here:{SAMPLERS}")
    stack.until_known(1, "samplerd")
    here = f"tcp://127.0.0.1:{CLIENTS}"
    text = text_of(stack.writes(here))
    stack.names.says(here=["127.0.0.1", "::1"])
    deadline = time.monotonic() + TIMEOUT_S
    while not all(" same_peer " in stack.log(daemon) for daemon in (modeld, samplerd)):
        assert text_of(stack.writes(here)) == text
        assert time.monotonic() < deadline
    assert text_of(stack.writes(here)) == text
    for daemon in tokenizerd, modeld:                   # the link that stood stays
        assert "it joined again" not in stack.log(daemon)


def test_a_mute_name_server_holds_up_nobody(stack, path):
    stack.names.says(tokenizerds=["127.0.1.1"], modelds=["127.0.1.1"]).start()
    stack.tokenizerd(1)
    modeld = stack.modeld(1, path, "--join", f"tcp://tokenizerds:{MODELS}")
    samplerd = stack.begin("samplerd", "--no-mapping", "--join", f"tcp://modelds:{SAMPLERS}")
    stack.until_known(1, "samplerd")
    text = text_of(stack.writes())
    stack.names.be_mute()
    for daemon in modeld, samplerd:                     # they ask, and nobody answers
        stack.until_logged(daemon, "answer=no_answer")
    assert text_of(stack.writes()) == text
    late = stack.begin("samplerd", "--join", f"tcp://modelds:{SAMPLERS}")
    stack.kill(samplerd)
    stack.until_known(1, "samplerd", 0)
    stack.names.speak()
    stack.until_logged(late, " joined ")
    assert text_of(stack.writes()) == text


def test_whoever_asks_a_mute_name_server_can_be_ended(stack, path):
    stack.names.says().start().be_mute()
    waits = stack.modeld(1, path, "--join", f"tcp://tokenizerds:{MODELS}")
    stack.until_logged(waits, " ready ")
    asking = stack.popen_on(HOST, "status", "--insecure", "--wait", "600", "--endpoint", f"tcp://tokenizerds:{CLIENTS}")
    assert "waiting for tokenizerd" in asking.stderr.readline().decode()
    asking.send_signal(signal.SIGINT)
    assert asking.wait(TIMEOUT_S) == 130
    waits.send_signal(signal.SIGTERM)
    assert waits.wait(TIMEOUT_S) == 0


def test_a_name_that_does_not_exist_is_told_at_once_or_waited_for(stack, path):
    stack.names.says().start()
    modeld = stack.modeld(1, path, "--join", f"tcp://tokenizerds:{MODELS}")
    stack.until_logged(modeld, "answer=none addresses=0")
    code, _, told = stack.client("status", endpoint=f"tcp://tokenizerds:{CLIENTS}")
    assert (code, told) == (1, f"trivium: no tokenizerd answers at tcp://tokenizerds:{CLIENTS}: "
                               "the name of the host does not resolve\n")
    asking = stack.popen_on(HOST, "status", "--insecure", "--wait", "600", "--endpoint", f"tcp://tokenizerds:{CLIENTS}")
    assert "waiting for tokenizerd" in asking.stderr.readline().decode()
    stack.tokenizerd(1)
    stack.names.says(tokenizerds=["127.0.1.1"])
    assert asking.wait(TIMEOUT_S) == 0
    stack.until_known(1, "modeld")


def test_a_name_server_may_come_later(stack, path):
    stack.names.says(tokenizerds=["127.0.1.1"])
    stack.tokenizerd(1)
    modeld = stack.modeld(1, path, "--join", f"tcp://tokenizerds:{MODELS}")
    stack.until_logged(modeld, "answer=no_answer addresses=0")
    code, _, told = stack.client("status", "--wait", "0", endpoint=f"tcp://tokenizerds:{CLIENTS}")
    assert code == 1 and "does not resolve (no name server answers)" in told
    stack.names.start()
    stack.until_known(1, "modeld")


def test_a_client_goes_on_to_the_next_address(stack, path):
    stack.names.says(tokenizerds=["127.0.1.1", "127.0.1.2"]).start()
    tokenizerds = {number: stack.tokenizerd(number) for number in (1, 2)}
    stack.modeld(1, path, "--join", f"tcp://tokenizerds:{MODELS}")
    stack.begin("samplerd", "--join", at(1, SAMPLERS))
    stack.until_known(2, "samplerd")
    words = ("generate", "Once", "--seed", "1", "--max-new-tokens", "4000", "--ignore-eos")
    code, undisturbed, errors = stack.client(*words)
    assert code == 0, errors
    asking = stack.popen_on(HOST, *words, "--insecure", "--endpoint", f"tcp://tokenizerds:{CLIENTS}")

    def writes():
        for number in tokenizerds:
            code, told, _ = stack.client("ps", "--json", endpoint=at(number, CLIENTS))
            if code == 0 and any(r["step"] > 3 for r in json.loads(told)["requests"]):
                return number
        return None
    stack.kill(tokenizerds[wait_until(writes, what="a text under way")])
    told, errors = asking.communicate(timeout=TIMEOUT_S)
    assert (asking.returncode, told) == (0, undisturbed), errors


def test_a_modeld_outlives_a_refusal_where_a_name_may_lead_elsewhere(stack, path, models):
    stack.names.says(tokenizerds=["127.0.1.1"]).start()
    stack.tokenizerd(1)
    stack.modeld(1, path, "--name", "one", "--join", at(1, MODELS))
    stack.until_known(1, "modeld")
    other = models(type="Q4_1", seed=2, context=4096)
    named = stack.modeld(2, other, "--name", "one", "--join", f"tcp://tokenizerds:{MODELS}")
    stack.until_logged(named, " refused ")
    numbered = stack.modeld(3, other, "--name", "one", "--join", at(1, MODELS))
    assert numbered.wait(TIMEOUT_S) == 1
    stack.tokenizerd(2)
    stack.names.says(tokenizerds=["127.0.1.1", "127.0.1.2"])
    stack.until_known(2, "modeld")
    assert named.poll() is None
