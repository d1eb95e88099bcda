"""Bytes of what is under way, full: whoever brings too many is told so, small ones go on, and room that frees is used."""
import array

from tables import GREEDY, TinyClient, tables  # noqa: F401 (a fixture)

FINISH_LENGTH, FINISH_CANCELLED = 2, 3
MANY_IDS = 20000                    # two such texts are more than REQUESTS_BYTES_MAX
LONG_TEXT = b"x" * 4000             # two such texts are more than TEXTS_BYTES_MAX leaves to long ones
LARGE_ROW = array.array("f", bytes(4 * 180000)).tobytes()   # the answers to three such rows are more than CALLS_BYTES_MAX


def test_of_requests(tables, fakes):  # noqa: F811
    ann, bob, carl = (fakes(TinyClient, tables.clients, name) for name in ("ann", "bob", "carl"))

    def cancel(client, text):
        client.ask("cancel", request=text)
        assert client.done().reason == FINISH_CANCELLED
    with tables.held():
        text = ann.begun(n_ids=MANY_IDS)
        bob.generate(n_ids=MANY_IDS)
        assert "bytes for texts" in bob.busy("done")
        carl.begun()
        cancel(ann, text)
        cancel(bob, bob.begun(n_ids=MANY_IDS))      # so many are not computed soon
    assert carl.done().reason == FINISH_LENGTH


def test_of_texts_to_be_encoded(tables, fakes):  # noqa: F811
    """They wait for a model that is not here."""
    ann, bob = (fakes(TinyClient, tables.clients, name) for name in ("ann", "bob"))

    def tokenize(client, text, model="on its way"):
        return client.ask("tokenize", [text], model=model, wait_ms=60000)
    call = tokenize(ann, LONG_TEXT)
    ann.is_heard()
    tokenize(bob, LONG_TEXT)
    sentence = bob.busy()
    assert "texts of" in sentence and "wait already" in sentence
    tokenize(bob, b"brief", model="")
    assert bob.answer("tokenized")
    ann.cancel_call(call)
    bob.cancel_call(tokenize(bob, LONG_TEXT))


def test_of_calls(tables, fakes):  # noqa: F811
    ann, bob = (fakes(TinyClient, tables.clients, name) for name in ("ann", "bob"))

    def probe(client):
        return client.ask("probe", [LARGE_ROW, b""], strategy=GREEDY, wait_ms=60000)
    with tables.held():
        calls = [probe(ann) for _ in range(2)]
        ann.is_heard()
        probe(bob)
        assert "bytes for calls" in bob.busy()
        bob.score()
        ann.cancel_call(calls[0])
        last = probe(bob)
    assert ann.answer("probed")[0].call == calls[1]
    assert {kind for kind, message, _ in (bob.answers.get(timeout=60) for _ in range(2))} == {"scored", "probed"}
    assert last == bob.n_calls
