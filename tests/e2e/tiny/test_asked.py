"""tokenizerd's tables, full: whoever is one too many is told so, the others go on, and a place that frees is taken."""
import pytest

from conftest import wait_until
from tables import GREEDY, TinyClient, tables, tiny_limit  # noqa: F401 (a fixture)

ENOUGH = 100000                     # tokens: the text is there until it is cancelled
FINISH_LENGTH, FINISH_CANCELLED, FINISH_SUPERSEDED = 2, 3, 4


@pytest.fixture
def clients(tables, fakes):  # noqa: F811
    """Three of them."""
    return [fakes(TinyClient, tables.clients, name) for name in ("ann", "bob", "carl")]


@pytest.fixture
def seen(tables, fakes):  # noqa: F811
    """One, and two operators, who see her texts."""
    return [fakes(TinyClient, tables.clients, name, owner=owner) for name, owner in (("ann", None), ("bob", ""), ("carl", ""))]


def test_requests(tables, clients):  # noqa: F811
    n_all, (ann, bob, carl) = tiny_limit("REQUESTS_MAX"), clients
    with tables.held():
        texts = [ann.begun() for _ in range(n_all - 1)]
        ann.generate()
        assert "its share" in ann.busy("done")
        texts.append(bob.begun())
        carl.generate()
        assert f"{n_all} texts are under way" in carl.busy("done")
        ann.ask("cancel", request=texts[0])
        assert ann.done().reason == FINISH_CANCELLED
        carl.begun()
    for client, n_texts in ((ann, n_all - 2), (bob, 1), (carl, 1)):
        assert [(done.reason, done.n_tokens) for done in (client.done() for _ in range(n_texts))] == [(FINISH_LENGTH, 4)] * n_texts


def test_calls(tables, clients):  # noqa: F811
    n_all, (ann, bob, carl) = tiny_limit("CALLS_MAX"), clients
    with tables.held():
        calls = [ann.score() for _ in range(n_all - 1)]
        ann.score()
        assert "its share" in ann.busy()
        bob.score()
        wait_until(lambda: "calls are under way" in tables.refused("tokenize", "one too many"), what="a full table")
        carl.score()
        assert f"{n_all} calls are under way" in carl.busy()
        ann.cancel_call(calls[0])
        carl.score()
    for client, n_calls in ((ann, n_all - 2), (bob, 1), (carl, 1)):
        for _ in range(n_calls):
            assert client.answer("scored")


def test_watches(tables, seen):  # noqa: F811
    n_all, (ann, bob, carl) = tiny_limit("WATCHES_MAX"), seen
    with tables.held():
        text = ann.begun(n_tokens=ENOUGH)
        for _ in range(n_all - 1):
            ann.ask("watch", request=text, n_candidates=1)
            assert ann.answer("watched")
        ann.ask("watch", request=text, n_candidates=1)
        assert "its share" in ann.busy()
        bob.ask("watch", request=text, n_candidates=1)
        assert bob.answer("watched")
        carl.ask("watch", request=text, n_candidates=1)
        assert f"{n_all} texts are watched" in carl.busy()
        bob.leave()

        def is_watched():
            carl.ask("watch", request=text, n_candidates=1)
            return next(kind for kind, *_ in iter(carl.answers.get, None) if kind in ("watched", "failed")) == "watched"
        wait_until(is_watched, what="the place that bob left")
    assert carl.answer("glimpse") and ann.answer("glimpse")


def wait_for_change(client, ordinal):
    """It was told of this strategy of its text."""
    while client.answer("chunk")[0].change.ordinal < ordinal:
        pass


def test_changes_that_nobody_acknowledged(tables, seen):  # noqa: F811
    n_all, (ann, bob, _) = tiny_limit("CHANGES_MAX"), seen
    with tables.held():
        text = ann.begun()
        ann.pause(text)
        assert [one.state for one in ann.is_heard()] == ["resting"]
    for _ in range(n_all):
        bob.ask("tune", request=text, strategy=GREEDY)
    wait_for_change(ann, n_all)
    bob.ask("tune", request=text, strategy=GREEDY)
    assert f"{n_all} changes" in bob.busy()
    ann.acknowledge(text, n_all)
    assert [bob.answer("tuned")[0].change.ordinal for _ in range(n_all)] == [*range(1, n_all + 1)]
    last = bob.ask("tune", request=text, strategy=GREEDY)
    wait_for_change(ann, n_all + 1)
    ann.acknowledge(text, n_all + 1)
    assert bob.answer("tuned")[0].call == last
    bob.ask("cancel", request=text)
    assert ann.done().reason == FINISH_CANCELLED


def test_ended_requests_are_not_opened_again(tables, clients):  # noqa: F811
    n_all, (ann, *_) = tiny_limit("ENDED_MAX"), clients

    def written(request=None):
        ann.generate(request)
        return ann.done()
    first = written()
    for _ in range(n_all - 1):
        assert written().reason == FINISH_LENGTH
    assert written(first.request).reason == FINISH_SUPERSEDED
    assert written().reason == FINISH_LENGTH
    assert written(first.request).reason == FINISH_LENGTH     # of so many, it was forgotten
