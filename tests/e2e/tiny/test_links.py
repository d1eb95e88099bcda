"""Places of peers and connections, full: whoever is one too many is told so, and nobody else is worse off."""
import contextlib

from conftest import wait_until
from tables import TinyClient, tables, tiny_limit  # noqa: F401 (a fixture)
import zmtp

LONG = ("Once", "--seed", "5", "--ignore-eos", "--max-new-tokens", "2000")
FINISH_LENGTH, FINISH_CANCELLED = 2, 3


def test_an_idle_client_makes_room(tables, fakes):  # noqa: F811
    """And is let in again where there is some. Meanwhile it says nothing: it would be as entitled to that place as
    whoever got it, until that one has asked for something."""
    idle, *others = [fakes(TinyClient, tables.clients, f"client {i}") for i in range(tiny_limit("PEERS_MAX"))]
    with tables.held():
        texts = [client.begun() for client in others]
        idle.silent = True
        assert tables.run("tokenize", "one more").returncode == 0
        wait_until(lambda: idle.n_refused, what="its refusal")
        assert not idle.peers
        idle.silent = False
        wait_until(lambda: idle.peers, what="its return")
        idle.begun()
    assert len(texts) == len(others)
    assert [client.done().reason for client in (idle, *others)] == [FINISH_LENGTH] * (len(texts) + 1)


def test_clients_that_all_have_work(tables, fakes):  # noqa: F811
    n_all = tiny_limit("PEERS_MAX")
    ann, *others = clients = [fakes(TinyClient, tables.clients, f"client {i}") for i in range(n_all)]
    with tables.held():
        texts = [client.begun() for client in clients]
        assert f"{n_all} peers are joined" in tables.refused("tokenize", "one more", "--wait", "1")
        late = fakes(TinyClient, tables.clients, "late", joins_now=False)
        wait_until(lambda: late.n_refused, what="a refusal")
        assert not late.peers
        ann.silent = True           # else it may be let go before it leaves, and take the place back from whoever got it
        ann.ask("cancel", request=texts[0])
        assert ann.done().reason == FINISH_CANCELLED
        ann.leave()
        late.wait_joined()
        late.begun()
    assert [client.done().reason for client in (late, *others)] == [FINISH_LENGTH] * n_all


def test_modelds(tables):  # noqa: F811
    """Those that are too many wait; they are no reason to let a text wait."""
    n_all = tiny_limit("PEERS_MAX")
    others = [tables.start("modeld", "--model", tables.model_path, "--bind-samplers", f"ipc://{tables.runtime}/samplers-{i}")
              for i in range(n_all)]

    def joined():
        return [modeld for modeld in others if "joined tokenizerd=" in tables.log(modeld)]
    wait_until(lambda: len(joined()) == n_all - 1, what="a full table")
    late, = [modeld for modeld in others if modeld not in joined()]
    wait_until(lambda: f"{n_all} peers are joined" in tables.log(late), what="a refusal")
    assert tables.run("tokenize", "somebody").returncode == 0
    tables.stop(joined()[0])
    wait_until(lambda: late in joined(), what="the place of the one that ended")
    assert late.poll() is None


def test_samplerds(tables):  # noqa: F811
    n_all = tiny_limit("PEERS_MAX")
    alone = tables.text(*LONG)
    others = [tables.start("samplerd") for _ in range(n_all)]

    def joined():
        return [samplerd for samplerd in others if "joined modeld=" in tables.log(samplerd)]
    wait_until(lambda: len(joined()) == n_all - 1, what="a full table")
    late, = [samplerd for samplerd in others if samplerd not in joined()]
    wait_until(lambda: f"{n_all} peers are joined" in tables.log(late), what="a refusal")
    assert tables.text(*LONG) == alone
    for samplerd in (tables.samplerd, *joined()):
        tables.stop(samplerd)
    wait_until(lambda: late in joined(), what="a place of those that ended")
    assert tables.text(*LONG) == alone


def test_connections_that_say_nothing(tables):  # noqa: F811
    n_all = tiny_limit("CONNECTIONS_MAX")
    with contextlib.ExitStack() as held:
        text = tables.popen("generate", *LONG)
        silent = [held.enter_context(zmtp.bare(tables.clients)) for _ in range(2 * n_all)]
        assert tables.run("tokenize", "somebody else").returncode == 0
        silent[0].settimeout(60)
        with contextlib.suppress(ConnectionError):
            while silent[0].recv(4096):     # the oldest was cut
                pass
        assert text.wait(60) == 0
    assert "lost" not in tables.log(tables.tokenizerd)
