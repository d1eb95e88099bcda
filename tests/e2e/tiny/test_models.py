"""Tables of models and passes, full."""
import json

from conftest import wait_until
from tables import PATIENT, TinyClient, tables, tiny_limit  # noqa: F401 (a fixture)

FINISH_LENGTH = 2
PROMPT = "Once upon a time there was a fox, and the fox said: " * 4     # several pages, many passes
SAMPLED = ("--temperature", "1.2", "--max-new-tokens", "60", "--ignore-eos")


def test_sequences(tables, fakes):  # noqa: F811
    """Of two tokenizerds, as one has no more requests than that."""
    n_all = tiny_limit("SEQUENCES_MAX")
    other, clients, models = tables.start_tokenizerd("--bind-clients", "tcp://127.0.0.1:0", "--bind-models", "tcp://127.0.0.1:0",
                                                     "--insecure")
    for process in (tables.modeld, tables.samplerd):
        tables.kill(process)
    tables.start_model(tables.models, models)
    tables.samplerd = tables.start("samplerd", *PATIENT)
    tables.wait_ready()
    ann, bob = (fakes(TinyClient, tables.clients, name) for name in ("ann", "bob"))
    carl = fakes(TinyClient, clients, "carl", owner="")     # over tcp without a key nobody names owners
    with tables.held():
        for client, n in ((ann, n_all - 1), (bob, 1)):
            for _ in range(n):
                client.begun()
        carl.generate()
        assert f"{n_all}" in carl.busy("done")
    for client, n in ((ann, n_all - 1), (bob, 1)):
        assert [client.done().reason for _ in range(n)] == [FINISH_LENGTH] * n
    carl.generate()
    assert carl.done().reason == FINISH_LENGTH


def test_more_texts_than_shared_rows(tables):  # noqa: F811
    """And than a pass has rows for: each is the text that it is alone."""
    wait_until(lambda: "rows=mapped" in tables.log(tables.samplerd), what="shared rows")
    request = (PROMPT, "--seed", "3", *SAMPLED)
    alone = tables.text(*request)
    clients = [tables.popen("generate", *request, "--owner", f"owner {i}") for i in range(min(tiny_limit("PEERS_MAX"), tiny_limit("REQUESTS_MAX")))]
    assert len(clients) > tiny_limit("SHARED_ROWS_MAX")
    assert [client.communicate(timeout=60)[0] for client in clients] == [alone] * len(clients)


def test_generations_of_one_client(tables, tmp_path):  # noqa: F811
    n_all = tiny_limit("GENERATIONS_MAX")
    lines = tmp_path / "lines.jsonl"
    lines.write_text("".join(json.dumps({"prompt": f"line {i}"}) + "\n" for i in range(4 * n_all)))
    assert str(n_all) in tables.refused("generate", "--input", lines, "--parallel", n_all + 1, code=2)
    answers = tables.lines("generate", "--input", lines, "--parallel", n_all, "--seed", "1", "--max-new-tokens", "5")
    assert [answer.get("finish_reason") for answer in answers] == ["length"] * 4 * n_all


def test_a_vocabulary_that_is_not_kept_comes_again(models, stack):
    """One is kept of those that nobody uses; of whoever comes back the ids are the same."""
    stack.start("tokenizerd")
    files = {name: models(type="Q4_1", seed=1, vocab=n) for name, n in (("a", 300), ("b", 320), ("c", 340))}
    assert len(files) > tiny_limit("VOCABULARIES_KEPT_MAX") + 1

    def ids_of(name):
        modeld = stack.start("modeld", "--model", files[name], "--name", name)
        ids = stack.lines("tokenize", "the others", "--model", name, "--wait", "60")
        stack.stop(modeld)
        return ids
    assert [ids_of(name) for name in files] == [ids_of(name) for name in files]
