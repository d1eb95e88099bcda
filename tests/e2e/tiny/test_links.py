"""Places of connections, full: nobody else is worse off."""
import contextlib

from tables import tables, tiny_limit  # noqa: F401 (a fixture)
import zmtp

LONG = ("Once", "--seed", "5", "--ignore-eos", "--max-new-tokens", "2000")


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
