"""The net itself: hosts reach each other until they are parted, cables carry what they may, and a proxy's road is as it is
told to be."""
import pathlib
import socket
import subprocess
import sys
import threading
import time

import pytest

from conftest import wait_until
from kills.kept_stack import free_port
from network import Network, NetworkFault
from proxy import Proxy

SAYS_BACK = "import socket; s = socket.create_server(('', 80)); print(flush=True)\nwhile True: s.accept()[0].sendall(b'hello')"
HEARS = "import socket; s = socket.create_connection(('{}', 80), 1); s.settimeout(1); print(s.recv(9))"


@pytest.fixture
def network():
    with Network.or_skip("here", "there") as one:
        yield one


@pytest.fixture
def answering(network):
    """`there` says hello to whoever connects."""
    process = subprocess.Popen([*network["there"].enter, sys.executable, "-c", SAYS_BACK], stdout=subprocess.PIPE)
    process.stdout.readline()
    yield lambda: network["here"].run(sys.executable, "-c", HEARS.format(network["there"].address))
    process.kill()
    process.communicate()


def test_a_host_has_its_own_name(network):
    assert [network[name].run("hostname") for name in ("here", "there")] == ["here\n", "there\n"]


def test_hosts_reach_each_other_unless_they_are_parted_or_unplugged(network, answering):
    here, there = network["here"], network["there"]
    for part, heal in ((lambda: network.part(here, there), lambda: network.heal(here, there)), (there.unplug, there.plug)):
        assert "hello" in answering()
        part()
        with pytest.raises(NetworkFault, match="timed out"):
            answering()
        heal()
        wait_until(lambda: is_told(answering), what="the road is there again")


def is_told(answering):
    try:
        return "hello" in answering()
    except NetworkFault:
        return False


def test_a_limited_cable_still_carries_and_the_limit_can_go(network, answering):
    for rate in ("1mbit", "100mbit", None, None):
        network["there"].limit(rate)
        assert ("tbf" in network["there"].run("tc", "qdisc", "show", "dev", "eth0")) == bool(rate)
        assert "hello" in answering()


def test_nothing_is_left_of_a_network(network):
    holders = [space.holder for space in network.spaces]
    network.close()
    assert all(holder.returncode == 0 for holder in holders)


MAKER = """
import subprocess, sys
sys.path[:0] = sys.argv[1:]
from network import Network
network = Network("here")
program = subprocess.Popen([*network["here"].enter, "sleep", "1000"])
print(program.pid, *(space.holder.pid for space in network.spaces), flush=True)
sys.stdin.read()
"""


def test_nor_of_one_whose_maker_was_killed(network):
    maker = subprocess.Popen([sys.executable, "-c", MAKER, *sys.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    pids = maker.stdout.readline().split()
    assert len(pids) == 3
    maker.kill()
    maker.communicate()
    wait_until(lambda: not any(pathlib.Path("/proc", pid.decode()).exists() for pid in pids), what="all of it gone")


# the proxy's road

@pytest.fixture
def road():
    """Both ends of a connection, and the Road between them."""
    with socket.create_server(("127.0.0.1", 0)) as listener, Proxy() as proxy:
        port = free_port()
        one = proxy.road(f"tcp://127.0.0.1:{port}", "tcp://127.0.0.1:%d" % listener.getsockname()[1])
        with socket.create_connection(("127.0.0.1", port)) as near, listener.accept()[0] as far:
            for end in (near, far):
                end.settimeout(30)
            near.sendall(b".")
            assert far.recv(1) == b"."      # the whole of it stands
            yield near, far, one


def exactly(end, n_bytes):
    came = b""
    while len(came) < n_bytes and (piece := end.recv(n_bytes - len(came))):
        came += piece
    return came


def is_silent(end):
    end.settimeout(0.2)
    try:
        end.recv(1)
    except TimeoutError:
        return True
    finally:
        end.settimeout(30)
    return False


def test_a_delay_holds_back_without_slowing(road):
    near, far, one = road
    one.delay(300)
    many = bytes(range(256)) * 40000        # much more than what the ends' own buffers hold
    begun_s = time.monotonic()
    sending = threading.Thread(target=near.sendall, args=(many,))
    sending.start()
    assert far.recv(1) == many[:1] and time.monotonic() - begun_s >= 0.3
    assert exactly(far, len(many) - 1) == many[1:]
    sending.join()


@pytest.mark.parametrize("verb, number", [("throttle", 100_000), ("chop", 1)])
def test_a_narrow_road_and_one_of_single_bytes_carry_all(road, verb, number):
    near, far, one = road
    getattr(one, verb)(number)
    near.sendall(b"there" * 2000)
    assert exactly(far, 10000) == b"there" * 2000
    far.sendall(b"back")
    assert exactly(near, 4) == b"back"
    wait_until(lambda: one.passed() == {"there": 10001, "back": 4}, what="all bytes counted")


def test_one_direction_may_stall_alone(road):
    near, far, one = road
    one.stall(["back"])
    near.sendall(b"there")
    far.sendall(b"back")
    assert exactly(far, 5) == b"there" and is_silent(near)
    one.mend()
    assert exactly(near, 4) == b"back"


def test_a_finished_road_says_so(road):
    near, far, one = road
    one.finish()
    assert near.recv(1) == far.recv(1) == b""


def test_a_reset_road_is_an_error_at_both_ends(road):
    near, far, one = road
    one.reset()
    for end in (near, far):
        with pytest.raises(ConnectionResetError):
            end.recv(1)
