"""Places of peers and connections, full: nobody else is worse off."""
import contextlib

from conftest import wait_until
from tables import TinyClient, tables, tiny_limit  # noqa: F401 (a fixture)
import zmtp

LONG = ("Once", "--seed", "5", "--ignore-eos", "--max-new-tokens", "2000")
FINISH_LENGTH = 2


def test_an_idle_client_makes_room_and_one_with_work_does_not(tables, fakes):  # noqa: F811
    n_all = tiny_limit("PEERS_MAX")
    with tables.held():
        clients = [fakes(TinyClient, tables.clients, f"client {i}") for i in range(n_all)]
        idle, *busy = clients
        for client in busy:
            client.begun()
        assert tables.run("tokenize", "one more").returncode == 0
        assert idle.n_refused > 0
        wait_until(lambda: idle.peers, what="the idle one's return")    # that place is free again
        idle.begun()
        late = fakes(TinyClient, tables.clients, "late", joins_now=False)
        wait_until(lambda: late.n_refused, what="a refusal")
        assert not late.peers
    for client in clients:
        assert client.done().reason == FINISH_LENGTH
    late.wait_joined()              # whoever is done is idle
    late.generate()
    assert late.done().reason == FINISH_LENGTH


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
