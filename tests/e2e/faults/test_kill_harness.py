"""The net itself: a round is its name, what is wrong with a text is seen, and a Relay breaks the road when told."""
import io
import json
import socket

import pytest

from conftest import wait_until
from kills.done_count import DoneCount
from kills.fault import KINDS
from kills.kept_stack import TRANSPORTS, free_port
from kills.outcome import Outcome, check_text
from kills.round import round_of
from kills.soak import conclude, names_of
from kills.table import table
from kills.undisturbed import Written
from kills.writing import Writing
from relay import Relay
import text_pb2

PLAN = round_of("kill-modeld-1")
EXPECTED = Written((5, 6, 7), "abc")


class Ended:
    """A client's process that has written these lines."""
    returncode = 0

    def __init__(self, lines):
        self.stdout = io.BytesIO(b"".join(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n"
                                          for line in lines))
        self.stderr = io.BytesIO(b"")

    def wait(self):
        pass


def lines(ids=(5, 6, 7), steps=(0, 1, 2), text="abc", n_dones=1, reason="length", whole="abc"):
    done = {"done": {"finish_reason": reason, "text": whole, "completion_tokens": len(ids)}}
    return [{"start": {"request": "1f"}},
            *({"step": step, "id": i, "text": letter} for step, i, letter in zip(steps, ids, text)), *[done] * n_dones]


def sorts_of_wrong(written, returncode=0):
    process = Ended(written)
    process.returncode = returncode
    writing = Writing(process)
    writing.join()
    outcome = Outcome(PLAN)
    check_text(outcome, 0, writing, EXPECTED)
    return {sort for sort, _ in outcome.wrong}


def test_a_right_text_is_right():
    assert sorts_of_wrong(lines()) == set()


@pytest.mark.parametrize("written, sorts", [
    (lines(ids=(5, 9, 7)), {"text"}),
    (lines(text="abx"), {"text"}),
    (lines(whole="ab"), {"text"}),
    (lines(n_dones=0), {"done"}),
    (lines(n_dones=2), {"done"}),
    (lines(reason="stop"), {"done"}),
    (lines(steps=(0, 2, 1)), {"steps"}),
    (lines(ids=(5, 6, 6, 7), steps=(0, 1, 1, 2), text="abbc"), {"steps", "text", "done"}),
    (lines(ids=(5, 7), steps=(0, 2), text="ac"), {"steps", "text", "done"}),
    ([*lines(), b"what\n"], {"end"}),
])
def test_what_is_wrong_with_a_text_is_seen(written, sorts):
    assert sorts_of_wrong(written) == sorts


def test_a_client_that_fails_is_seen():
    assert sorts_of_wrong(lines(), returncode=1) == {"end"}


def test_a_round_is_its_name():
    for kind in KINDS:
        plan = round_of(f"{kind}-3")
        assert plan == round_of(plan.name) and plan.kind == kind
        assert plan.texts != round_of(f"{kind}-4").texts or plan.faults != round_of(f"{kind}-4").faults
    for name in ("kill-nobody-3", "kill-modeld-3-pigeon"):
        with pytest.raises(ValueError, match="KIND-NUMBER"):
            round_of(name)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_its_name_may_say_by_which_transport(transport):
    plan, plain = round_of(f"kill-modeld-3-{transport}"), round_of("kill-modeld-3")
    assert plan.transport == transport
    assert (plan.texts, plan.faults, plan.tune) == (plain.texts, plain.faults, plain.tune)


def test_which_rounds_a_soak_has():
    assert names_of({"SOAK": "2", "SEED": "5", "KINDS": "kill-all cut-clients"}) == [
        "kill-all-5", "cut-clients-5", "kill-all-6", "cut-clients-6"]
    assert names_of({"SOAK": "1", "KINDS": "kill-all", "TRANSPORT": "keys"}) == ["kill-all-1-keys"]
    assert names_of({"SEED": "kill-modeld-17"}) == ["kill-modeld-17"]
    assert len(names_of({})) == 100 * len(KINDS)


def test_the_table_counts():
    fine, late, bad = (Outcome(PLAN) for _ in range(3))
    fine.counted, fine.pauses_s = True, [0.25]
    bad.counted, bad.pauses_s = True, [0.75]
    bad.add("text", "it differs")
    bad.add("text", "its Done differs")
    bad.add("steps", "doubled")
    assert table([fine, late, bad]).splitlines()[1].split() == ["kill-modeld", *"3 2 1 1 0 1 0 500".split()]


def test_a_soak_fails_where_something_was_wrong_or_nothing_was_tested(capsys):
    fine, late, bad = (Outcome(PLAN) for _ in range(3))
    fine.counted = bad.counted = True
    bad.add("text", "it differs")
    assert [conclude(those, 1) for those in ([fine, late], [fine, bad], [late], [])] == [0, 1, 1, 1]
    assert "wrong: make soak SEED=kill-modeld-1" in capsys.readouterr().out


# Dones on the road

def framed(*replies):
    """The bytes of a connection that says this."""
    said = b"g" * 64 + bytes([4, 3]) + b"cmd"
    for reply in replies:
        body = reply.SerializeToString()
        head = bytes([1, len(body)]) if len(body) < 256 else bytes([3]) + len(body).to_bytes(8, "big")
        said += head + body + bytes([0, 0])
    return said


def reply_of(attempt, text=b""):
    reply = text_pb2.TextReply()
    if text:
        reply.chunk.request, reply.chunk.attempt, reply.chunk.text = b"\x1f", attempt, text
    else:
        reply.done.request, reply.done.attempt = b"\x1f", attempt
    return reply


@pytest.mark.parametrize("n_bytes", [1, 7, 10000])
def test_dones_are_counted_on_the_road_in_whatever_pieces(n_bytes):
    count = DoneCount()
    once = framed(reply_of(1, b"x" * 300), reply_of(1, b"y"), reply_of(1))
    for at in range(0, len(once), n_bytes):
        count.heard(1, once[at:at + n_bytes])
    assert count.wrong("1f") == "" and count.wrong("20") == "no Done was said on the link"
    count.heard(2, framed(reply_of(2)))         # another attempt, on another connection
    assert count.wrong("1f") == ""
    count.heard(3, framed(reply_of(2)))
    assert "{2: 2}" in count.wrong("1f")


# the road

def test_no_port_is_given_twice():
    ports = [free_port() for _ in range(300)]
    assert len(set(ports)) == len(ports)


def place_of(relay):
    if relay.address.startswith("tcp"):
        return "127.0.0.1", int(relay.address.rpartition(":")[2])
    return relay.address.removeprefix("ipc://")


@pytest.fixture(params=["ipc", "tcp"])
def road(request, tmp_path):
    """connect() → both ends of a connection through a relay, and the relay."""
    if request.param == "tcp":
        listener = socket.create_server(("127.0.0.1", 0))
        target = "tcp://127.0.0.1:%d" % listener.getsockname()[1]
        address = f"tcp://127.0.0.1:{free_port()}"
    else:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(tmp_path / "far"))
        listener.listen()
        target, address = f"ipc://{tmp_path}/far", f"ipc://{tmp_path}/near"
    relay = Relay(address, target)
    ends = [listener]

    def connect():
        near = socket.socket(socket.AF_INET if request.param == "tcp" else socket.AF_UNIX)
        near.connect(place_of(relay))
        far, _ = listener.accept()
        for end in (near, far):
            end.settimeout(30)
            ends.append(end)
        return near, far
    yield connect, relay
    relay.close()
    for end in ends:
        end.close()


def is_broken(end):
    try:
        return end.recv(1) == b""
    except ConnectionError:
        return True


def test_a_relay_passes_bytes_both_ways(road):
    connect, relay = road
    near, far = connect()
    near.sendall(b"there")
    assert far.recv(10) == b"there"
    far.sendall(b"back")
    assert near.recv(10) == b"back"
    far.close()
    assert is_broken(near)


def test_what_the_target_says_to_whoever_is_gone_is_heard(road):
    connect, relay = road
    heard = []
    relay.heard = lambda connection, piece: heard.append(piece)
    near, far = connect()
    near.close()
    assert far.recv(10) == b""
    far.sendall(b"too late")
    wait_until(lambda: heard == [b"too late"], what="the target's last words")


def test_a_cut_breaks_what_stands_and_what_comes_until_it_is_mended(road):
    connect, relay = road
    near, far = connect()
    relay.cut(open_again=False)
    assert is_broken(near) and is_broken(far)
    n_before = relay.n_connections
    with socket.socket(near.family) as late:
        late.connect(place_of(relay))
        late.settimeout(30)
        assert is_broken(late)
    assert relay.n_connections == n_before
    relay.mend()
    near, far = connect()
    near.sendall(b"again")
    assert far.recv(10) == b"again"


def test_what_is_sent_while_the_road_is_stalled_comes_later_and_whole(road):
    connect, relay = road
    near, far = connect()
    near.sendall(b"a")
    assert far.recv(10) == b"a"
    relay.stall()
    near.sendall(b"b" * 1000)
    far.settimeout(0.2)
    with pytest.raises(TimeoutError):
        far.recv(10)
    relay.mend()
    far.settimeout(30)
    came = b""
    while len(came) < 1000:
        came += far.recv(4096)
    assert came == b"b" * 1000
