"""Rows that a samplerd reads where they lie: the same texts as with rows that are sent, and nothing read that is not meant."""
import array
import fcntl
import os
import signal
import struct
import time

import pytest

from conftest import Stack, caught_running, wait_until
from fake_link import VERSION, common_pb2
from modeld_by_hand import GREEDY, ROW, ModeldByHand, ids_of
import logits_pb2

REQUEST = ("hello", "--seed", "3", "--temperature", "1.5", "--max-new-tokens", "60", "--ignore-eos")
LINE, N_ROWS = 64, 2
SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW
WIDE = [float(i % 7) for i in range(21)]


# whole stacks

def text_with(models, modeld=(), samplerd=()):
    """The text that such a stack writes, and how its samplerd gets the rows."""
    with Stack() as one:
        one.start("tokenizerd")
        one.start("modeld", "--model", models(type="Q4_1", seed=1), *modeld)
        process = one.start("samplerd", *samplerd)
        one.wait_ready()
        return one.text(*REQUEST), "rows=mapped" in one.log(process)


def test_the_same_text_whether_rows_are_sent_or_mapped(models):
    text, mapped = text_with(models)
    assert mapped
    assert text_with(models, samplerd=["--no-mapping"]) == (text, False)
    assert text_with(models, modeld=["--no-mapping"]) == (text, False)


def test_more_texts_than_shared_rows(models, stack):
    """Whoever finds none left has its rows sent; each text is the one it would be alone."""
    stack.start_all(models(type="Q4_1", seed=1))
    alone = stack.text(*REQUEST)
    clients = [stack.popen("generate", *REQUEST) for _ in range(40)]
    assert [client.communicate(timeout=120)[0] for client in clients] == [alone] * 40


def test_a_sampler_that_stood_still_takes_nothing_from_the_row_it_left(models, stack):
    """SIGSTOP with a row in its hands, the row goes elsewhere and is written anew, SIGCONT: the text is the same."""
    stack.start("tokenizerd")
    modeld = stack.start("modeld", "--model", models(type="Q8_0", seed=3, context=100000, vocab=20000),
                         "--step-deadline-ms", "500", "--log", "debug")
    both = []
    for name in ("a", "b"):     # one text goes to whichever joined first: that one is stopped first
        both.append(stack.start("samplerd", "--name", name))
        stack.wait_ready(len(both) + 2)
    request = (*REQUEST[:5], "--max-new-tokens", "1500", "--ignore-eos")
    alone = stack.text(*request)

    def begin():
        client = stack.popen("generate", *request, bufsize=0)
        return client, os.read(client.stdout.fileno(), 4096)
    for _ in range(5):      # where the test itself stood still, the text was over before a row was in stopped hands
        client, begun = caught_running(begin)
        for n in range(4):
            both[n % 2].send_signal(signal.SIGSTOP)
            time.sleep(0.6)
            both[n % 2].send_signal(signal.SIGCONT)
            time.sleep(0.02)
        assert begun + client.communicate(timeout=60)[0] == alone
        if " retry " in stack.log(modeld):
            break
    assert " retry " in stack.log(modeld)
    assert stack.text(*request) == alone


# samplerd alone, before a modeld that is the test itself

class SharingModeld(ModeldByHand):
    """Offers memory with N_ROWS rows as long as WIDE; seals, fields of its head and its length may be wrong ones."""

    def __init__(self, address, incarnation=77, n_vocab=len(WIDE), seals=SEALS, head=(), n_bytes_more=0):
        super().__init__(address, incarnation)
        self.stride = LINE + (4 * n_vocab + LINE - 1) // LINE * LINE
        self.fd = os.memfd_create("rows", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        fields = dict(magic=b"TRIVROWS", incarnation=incarnation, n_rows=N_ROWS, n_vocab=n_vocab)
        fields.update(head)
        os.pwrite(self.fd, struct.pack("<8sQII", *fields.values()), 0)
        os.ftruncate(self.fd, LINE + N_ROWS * self.stride + n_bytes_more)
        fcntl.fcntl(self.fd, fcntl.F_ADD_SEALS, seals)
        self.offered, self.pid = self.fd, os.getpid()

    def write(self, index, generation, row):
        at = LINE + index * self.stride
        os.pwrite(self.fd, struct.pack("<Q", generation), at)
        os.pwrite(self.fd, array.array("f", row).tobytes(), at + LINE)

    def join(self):
        """True: the samplerd says that it has mapped the rows."""
        message, _ = self.receive()
        self.theirs = getattr(message.control, "from")
        hello = common_pb2.Hello(version=VERSION, role=common_pb2.MODELD, name="m", heartbeat_ms=20000, pid=self.pid)
        hello.shared_rows.fd = self.offered
        self.send(control=common_pb2.Control(hello=hello))
        self.send(control=common_pb2.Control(heartbeat=common_pb2.Heartbeat()))
        message, _ = self.receive()
        if message.HasField("mapped"):
            assert self.receive()[0].control.WhichOneof("word") == "heartbeat"
            return True
        assert message.control.WhichOneof("word") == "heartbeat"
        return False

    def ask_shared(self, index, generation, **fields):
        return self.ask(*[WIDE] * fields.get("n_rows", 1), raw=[b"", b""], strategy=GREEDY,
                        shared=[logits_pb2.SharedRow(index=index, generation=generation)], **fields)[0]

    def close(self):
        super().close()
        os.close(self.fd)


@pytest.fixture
def sharing(stack, fakes):
    """sharing(…) makes such a modeld and starts a samplerd for it."""
    stack.folder.joinpath("sockets").mkdir()

    def make(*flags, **changes):
        address = f"ipc://{stack.folder}/sockets/samplers"
        modeld = fakes(SharingModeld, address, **changes)
        stack.start("samplerd", "--join", address, *flags)
        return modeld
    return make


def test_a_row_is_read_where_it_lies_and_still_taken_when_it_is_sent(sharing):
    modeld = sharing()
    assert modeld.join()
    for generation, index in (1, 0), (2, 0), (1, 1):
        best = 3 * generation + index
        modeld.write(index, generation, [9.0 if i == best else z for i, z in enumerate(WIDE)])
        assert ids_of(modeld.ask_shared(index, generation)) == [best]
    assert ids_of(modeld.ask(ROW, strategy=GREEDY)[0]) == [0]


def test_a_row_of_another_generation_is_not_drawn_from(sharing):
    modeld = sharing()
    assert modeld.join()
    modeld.write(0, 5, WIDE)
    for generation in 4, 6, 0, 2 ** 64 - 1:
        assert modeld.ask_shared(0, generation).error.code == common_pb2.TIMEOUT
    assert ids_of(modeld.ask_shared(0, 5)) == [6]


@pytest.mark.parametrize("index,fields", [(N_ROWS, {}), (2 ** 32 - 1, {}), (0, dict(n_vocab=len(WIDE) - 1)),
                                          (0, dict(n_vocab=len(WIDE) + 1)), (0, dict(n_rows=2))])
def test_rows_that_are_not_there_are_refused(sharing, index, fields):
    modeld = sharing()
    assert modeld.join()
    modeld.write(0, 1, WIDE)
    assert modeld.ask_shared(index, 1, **fields).error.code in (common_pb2.BAD_MESSAGE, common_pb2.TIMEOUT)
    assert ids_of(modeld.ask_shared(0, 1)) == [6]


@pytest.mark.parametrize("changes", [
    dict(seals=0), dict(seals=fcntl.F_SEAL_GROW), dict(n_bytes_more=1), dict(n_bytes_more=-1), dict(head=dict(magic=b"TRIVROW?")),
    dict(head=dict(incarnation=78)), dict(head=dict(n_rows=0)), dict(head=dict(n_rows=2 ** 32 - 1)),
    dict(head=dict(n_vocab=2 ** 32 - 1))], ids=str)
def test_memory_that_is_not_what_it_says_is_not_mapped_and_rows_are_sent(sharing, changes):
    modeld = sharing(**changes)
    assert not modeld.join()
    assert ids_of(modeld.ask(ROW, strategy=GREEDY)[0]) == [0]
    assert modeld.ask_shared(0, 0).error.code == common_pb2.BAD_MESSAGE


def test_another_file_and_another_process_are_not_mapped(sharing, stack):
    modeld = sharing()
    with open(stack.folder / "foreign", "wb+") as foreign:     # what rows look like, in a file that anybody can cut
        foreign.write(os.pread(modeld.fd, 1 << 20, 0))
        foreign.flush()
        modeld.offered = foreign.fileno()
        assert not modeld.join()
    for offered, pid in (2 ** 31 - 1, os.getpid()), (-1, os.getpid()), (modeld.fd, 1), (modeld.fd, 0), (modeld.fd, -1):
        modeld.offered, modeld.pid = offered, pid
        modeld.send(control=common_pb2.Control(say_hello=common_pb2.SayHello()))
        assert not modeld.join()
    assert ids_of(modeld.ask(ROW, strategy=GREEDY)[0]) == [0]


def test_no_mapping_has_rows_sent(sharing):
    modeld = sharing("--no-mapping")
    assert not modeld.join()
    assert ids_of(modeld.ask(ROW, strategy=GREEDY)[0]) == [0]


def test_memory_is_given_back_when_modeld_is_left(sharing, stack):
    modeld = sharing()
    assert modeld.join()
    samplerd = stack.processes[-1]
    maps = lambda: open(f"/proc/{samplerd.pid}/maps").read()
    assert "memfd:rows" in maps()
    modeld.send(control=common_pb2.Control(leave=common_pb2.Leave()))
    wait_until(lambda: "memfd:rows" not in maps(), what="the rows unmapped")
