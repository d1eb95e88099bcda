"""Several generations of one client over one connection: each is the text that it is alone."""
import json
import subprocess
import time

from conftest import BUILD, TIMEOUT_S, caught_running, wait_until

SEEDS = (3, 4, 5)
FLAGS = ("--ignore-eos",)


def begin(stack, n_tokens, *seeds, cancelled=-1):
    return stack.spawn(BUILD / "tests" / "many_texts", "hello", n_tokens, cancelled, *seeds,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finish(process):
    out, errors = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0, errors
    return {line["seed"]: line for line in map(json.loads, out.splitlines())}


def alone(stack, seed, n_tokens):
    return stack.text("hello", "--seed", seed, "--max-new-tokens", n_tokens, *FLAGS)[:-1].decode()


def test_each_is_the_text_that_it_is_alone(tiny):
    texts = finish(begin(tiny, 60, *SEEDS))
    assert len(texts) == len(SEEDS)
    for seed, line in texts.items():
        assert (line["reason"], line["text"]) == ("length", alone(tiny, seed, 60))


def test_one_is_cancelled_and_the_others_go_on(tiny):
    def cancelled():
        texts = finish(begin(tiny, 200, *SEEDS, cancelled=4))
        return texts[4]["reason"] == "cancelled" and texts      # a client that stood still may be too late to cancel
    texts = wait_until(cancelled, what="a text that is cancelled in time")
    assert alone(tiny, 4, 200).startswith(texts[4]["text"])
    assert len(texts[4]["text"]) < len(alone(tiny, 4, 200))
    for seed in (3, 5):
        assert (texts[seed]["reason"], texts[seed]["text"]) == ("length", alone(tiny, seed, 200))


def test_one_fails_and_the_others_go_on(tiny):
    n_too_many = 2**53     # a seed that tokenizerd refuses
    texts = finish(begin(tiny, 60, 3, n_too_many, 5))
    assert "seed" in texts[n_too_many]["reason"]
    for seed in (3, 5):
        assert (texts[seed]["reason"], texts[seed]["text"]) == ("length", alone(tiny, seed, 60))


def test_as_many_as_the_limit_allows(tiny):
    texts = finish(begin(tiny, 3, *range(70)))
    reasons = [texts[seed]["reason"] for seed in range(70)]
    assert reasons == ["length"] * 64 + ["refused"] * 6


def test_a_killed_tokenizerd_is_a_pause_for_all(stack, models):
    stack.start_all(models(type="Q8_0", seed=3, context=100000))
    expected = {seed: alone(stack, seed, 1500) for seed in SEEDS}

    def begun():
        client = begin(stack, 1500, *SEEDS)
        wait_until(lambda: client.poll() is not None or stack.lines("ps")[0]["requests"], what="its texts")
        time.sleep(0.1)
        return client,
    client, = caught_running(begun)
    stack.kill(stack.tokenizerd)
    stack.start("tokenizerd")
    texts = finish(client)
    for seed in SEEDS:
        assert (texts[seed]["reason"], texts[seed]["text"]) == ("length", expected[seed])
