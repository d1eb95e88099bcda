"""Large calls, many at once, stop nobody else: each is answered or told `busy`, and the memory is bounded and given back."""
import pytest

from pipelining import flood, ids_of, start_at, text_of

MB = 1000 * 1000


@pytest.fixture(params=["ipc", "tcp"])
def address(request, stack, models):
    return start_at(stack, request.param, models(type="Q4_1", seed=1, context=100000))


def each_is_answered_or_busy(ended, answer, sentence="try again later"):
    assert all(kind == answer or sentence in why for kind, why in ended), ended
    return [kind for kind, _ in ended].count(answer)


@pytest.mark.parametrize("n_calls, n_bytes", [(12, 3.5 * MB), (3, 8 * MB)])
def test_tokenize(stack, fakes, address, n_calls, n_bytes):
    text = text_of(int(n_bytes))

    def ask(client):
        for _ in range(n_calls):
            client.call("tokenize", raw=[text])
    ended = flood(stack, fakes, address, ask)
    assert all(kind == "tokenized" or "busy" in why or "tokens" in why or "again" in why for kind, why in ended), ended


@pytest.mark.parametrize("text", [b"a" * 16 * MB, "한국어 문장 ".encode() * (16 * MB // 17)], ids=["one word", "no ASCII"])
def test_the_largest_texts(stack, fakes, address, text):
    def ask(client):
        for _ in range(2):
            client.call("tokenize", raw=[text])
    ended = flood(stack, fakes, address, ask)
    assert all(kind == "tokenized" or "more than 2000000 tokens" in why or "again" in why for kind, why in ended), ended


def test_a_text_that_is_no_text_at_its_end(stack, fakes, address):
    def ask(client):
        client.call("tokenize", raw=[b"a" * 8 * MB + b"\xff"])
    assert [why for _, why in flood(stack, fakes, address, ask)] == ["the text is not valid UTF-8"] * 2


def test_detokenize(stack, fakes, address):
    def ask(client):
        for _ in range(6):
            client.call("detokenize", raw=[ids_of(2 * MB)])
    assert each_is_answered_or_busy(flood(stack, fakes, address, ask), "detokenized") > 0


def test_score(stack, fakes, address):
    def ask(client):
        for _ in range(20):
            client.call("score", raw=[ids_of(MB)], has_ids=True)
    flood(stack, fakes, address, ask)


def test_render(stack, fakes, address):
    def ask(client):
        for _ in range(6):
            client.call("render", messages=[text_of(MB // 2)] * 8, n_ids_max=4000)
    flood(stack, fakes, address, ask)


def test_prompts_that_wait(stack, fakes, address):
    def ask(client):
        for _ in range(25):
            client.generate(text_of(int(3.5 * MB)), model="elsewhere", wait_ms=2000)
    ended = flood(stack, fakes, address, ask)
    assert all(kind == "done" for kind, _ in ended)
    assert any("try again later" in why for _, why in ended)


def test_many_ids_that_resumed_requests_bring(stack, fakes, address):
    def ask(client):
        for _ in range(30):
            client.generate(raw=[ids_of(MB)], n_prompt=1, model="elsewhere", wait_ms=2000)
    ended = flood(stack, fakes, address, ask)
    assert any("try again later" in why for _, why in ended)
