"""Five hosts, and each way in which each road between them can be bad: the same bytes as on one host without any of it."""
import time

import pytest

from conftest import wait_until
from five_hosts import ASKERS, NAMES, WORKERS, FiveHosts
from network import Network
from writers import Writers

pytestmark = pytest.mark.slow
N_TEXTS, N_TOKENS, WAIT_S = 8, 40, 60
PARTED_S = 10
# Longer than any silence that is allowed (kills/kept_stack.py), so that it is a loss; else long enough to be met.
STALLED_S, BAD_S, CUT_S = 1.6, 0.8, 0.3
USED_BYTES = 3000
FAULTS = {
    "slow": (BAD_S, lambda road: road.delay(10)),
    "narrow": (BAD_S, lambda road: road.throttle(1_000_000)),
    "byte by byte": (BAD_S, lambda road: road.chop(1)),
    "deaf": (STALLED_S, lambda road: road.stall(["there"])),
    "mute": (STALLED_S, lambda road: road.stall(["back"])),
    "dead": (STALLED_S, lambda road: road.stall()),
    "finished": (CUT_S, lambda road: road.finish()),
    "reset": (CUT_S, lambda road: road.reset()),
}
PAIRS = [("c", asker) for asker in ASKERS] + [(asker, worker) for asker in ASKERS for worker in WORKERS]


@pytest.fixture(scope="module")
def network():
    with Network.or_skip(*NAMES) as one:
        yield one


@pytest.fixture(scope="module")
def wanted(real):
    """Texts, and their bytes on one host, where the links are Unix sockets."""
    texts = [(f"Chapter {number}. In the", "--seed", number, "--max-new-tokens", N_TOKENS, "--ignore-eos")
             for number in range(N_TEXTS)]
    return [((*text, "--wait", WAIT_S), real.text(*text)) for text in texts]


@pytest.fixture(scope="module")
def all_hosts(network, real_model):
    with FiveHosts(network, real_model) as one:
        yield one


@pytest.fixture
def hosts(all_hosts):
    """As they are when everybody has found everybody."""
    all_hosts.wait_whole()
    return all_hosts


def carries(road):
    """Returns once more than signs of life has passed there."""
    def n_bytes():
        return sum(road.passed().values())
    before = n_bytes()
    wait_until(lambda: n_bytes() > before + USED_BYTES, what=f"{road.address} in use")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_road_changes_no_byte(hosts, wanted, fault):
    seconds, begin = FAULTS[fault]
    with Writers(hosts, wanted, ASKERS) as writers:
        for road in hosts.roads.values():
            carries(road)
            begin(road)
            time.sleep(seconds)
            road.mend()
    assert not writers.wrong, "\n".join(writers.wrong)


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_nor_do_ten_seconds_without_a_road(hosts, wanted, network, pair):
    ends = [network[name] for name in pair]
    with Writers(hosts, wanted, ASKERS) as writers:
        for road in hosts.roads_between(*pair):
            carries(road)
        network.part(*ends)
        time.sleep(PARTED_S)
        network.heal(*ends)
    assert not writers.wrong, "\n".join(writers.wrong)
