"""What a generation promises: the same text for the same request and seed, whatever else goes on."""
import concurrent.futures
import json
import signal
import time

from conftest import caught_running, wait_until

PROMPT = "Once upon a time"


def start_long(stack, *arguments):
    """A generation that is under way; returns (process, what `ps` says of it)."""
    process = stack.popen("generate", PROMPT, "--max-new-tokens", "100000", "--ignore-eos", *arguments)
    report, = stack.running(n_steps=3)
    return process, report


def test_seed_decides_the_bytes(real):
    first = real.text(PROMPT, "--seed", "7", "--max-new-tokens", "40")
    assert first == real.text(PROMPT, "--seed", "7", "--max-new-tokens", "40")
    assert first != real.text(PROMPT, "--seed", "8", "--max-new-tokens", "40")
    assert len(first.split()) > 10


def test_four_clients_get_the_text_they_get_alone(real):
    seeds = range(1, 5)
    alone = [real.text(PROMPT, "--seed", seed, "--max-new-tokens", "32") for seed in seeds]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda seed: real.text(PROMPT, "--seed", seed, "--max-new-tokens", "32"), seeds))
    assert together == alone


def test_json_lines(tiny):
    lines = tiny.lines("generate", PROMPT, "--seed", "3", "--max-new-tokens", "20", "--ignore-eos")
    start, tokens, done = lines[0]["start"], lines[1:-1], lines[-1]["done"]
    assert len(start["request"]) == 32 and start["seed"] == 3 and start["prompt_tokens"] > 0 and start["model"]
    drawn = [token for token in tokens if "id" in token]
    assert [token["step"] for token in drawn] == list(range(20))
    assert all(token["logprob"] <= 0 for token in drawn)
    assert "".join(token["text"] for token in tokens) == done["text"]
    assert done["finish_reason"] == "length" and done["completion_tokens"] == 20
    assert done["timings"]["decode_ms"] >= 0


def test_a_seed_is_made_and_told(tiny):
    lines = tiny.lines("generate", PROMPT, "--max-new-tokens", "8", "--ignore-eos")
    seed = lines[0]["start"]["seed"]
    again = tiny.lines("generate", PROMPT, "--max-new-tokens", "8", "--ignore-eos", "--seed", seed)
    assert again[-1]["done"]["text"] == lines[-1]["done"]["text"]
    assert 0 <= seed < 2 ** 53


def test_stop_strings_never_leak(real):
    whole = real.text(PROMPT, "--seed", "7", "--max-new-tokens", "40").decode().rstrip("\n")
    stop = whole[30:40]                        # spans several tokens
    lines = real.lines("generate", PROMPT, "--seed", "7", "--max-new-tokens", "40", "--stop", stop)
    assert lines[-1]["done"]["finish_reason"] == "stop"
    assert lines[-1]["done"]["text"] == whole[:whole.index(stop)]
    assert "".join(line["text"] for line in lines[1:-1]) == whole[:whole.index(stop)]


def test_stop_ids(tiny):
    lines = tiny.lines("generate", PROMPT, "--seed", "3", "--max-new-tokens", "20", "--ignore-eos")
    ids = [line["id"] for line in lines[1:-1] if "id" in line]
    stop = ids[5]
    cut = tiny.lines("generate", PROMPT, "--seed", "3", "--max-new-tokens", "20", "--ignore-eos", "--stop-id", stop)
    assert [line["id"] for line in cut[1:-1] if "id" in line] == ids[:ids.index(stop)]
    assert cut[-1]["done"]["finish_reason"] == "stop"


def test_the_end_of_the_context_ends_with_length(models, stack):
    stack.start_all(models(type="F32", seed=2, context=64))
    lines = stack.lines("generate", PROMPT, "--max-new-tokens", "1000", "--ignore-eos", "--seed", "1")
    done = lines[-1]["done"]
    assert done["finish_reason"] == "length"
    assert lines[0]["start"]["prompt_tokens"] + done["completion_tokens"] == 64


def test_greedy_and_logit_bias(tiny):
    greedy = tiny.lines("generate", PROMPT, "--greedy", "--max-new-tokens", "5", "--ignore-eos")
    first = [line["id"] for line in greedy[1:-1] if "id" in line][0]
    banned = tiny.lines("generate", PROMPT, "--greedy", "--max-new-tokens", "5", "--ignore-eos", "--logit-bias", f"{first}=-inf")
    assert [line["id"] for line in banned[1:-1] if "id" in line][0] != first


def test_tune_keeps_what_was_drawn(models, stack):
    stack.start_all(models(type="Q8_0", seed=3, context=100000))
    arguments = ["generate", PROMPT, "--seed", "11", "--ignore-eos"]
    process = stack.popen(*arguments, "--max-new-tokens", "90000", "--json")
    request = json.loads(process.stdout.readline())["start"]["request"]
    for _ in range(20):
        process.stdout.readline()
    tuned = stack.run("tune", request, "--temperature", "5", "--top-p", "1", "--json")
    assert tuned.returncode == 0, tuned.stderr
    step = json.loads(tuned.stdout)["step"]
    after = {}
    while max(after, default=0) < step + 100:
        line = json.loads(process.stdout.readline())
        if "id" in line:
            after[line["step"]] = line["id"]
    assert stack.run("cancel", request).returncode == 0
    process.stdout.close()
    process.wait(timeout=60)
    untouched = stack.lines(*arguments, "--max-new-tokens", step + 101)
    before = {line["step"]: line["id"] for line in untouched[1:-1] if "id" in line}
    assert min(after) < step
    assert all(after[k] == before[k] for k in after if k < step)
    assert any(after[k] != before[k] for k in after if k >= step)


def test_cancel_and_ps(tiny, models, stack):
    stack.start_all(models(type="Q4_0", seed=3, context=100000))
    process, report = start_long(stack)
    request = report["request"]
    assert len(request) == 32
    done = stack.run("cancel", request)
    assert done.returncode == 0, done.stderr
    output, _ = process.communicate(timeout=60)
    assert output
    assert stack.lines("ps")[0]["requests"] == []
    assert "no request" in stack.refused("cancel", request).lower() or request[:8] in stack.refused("cancel", request)


def test_ctrl_c_keeps_the_text(models, stack):
    stack.start_all(models(type="Q4_0", seed=3, context=100000))
    process, _ = start_long(stack)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130 and output.endswith(b"\n")
    wait_until(lambda: stack.lines("ps")[0]["requests"] == [], what="the request is gone")


def test_a_vanished_client_frees_its_request(models, stack):
    stack.start_all(models(type="Q4_0", seed=3, context=100000))
    process, _ = start_long(stack)
    process.kill()
    wait_until(lambda: stack.lines("ps")[0]["requests"] == [], what="the request is gone")


def test_blocked_output_keeps_the_request_alive(models, stack):
    stack.start_all(models(type="Q4_0", seed=3, context=100000))
    process = stack.popen("generate", PROMPT, "--seed", "5", "--max-new-tokens", "6000", "--ignore-eos", pipesize=4096)
    time.sleep(6)                              # nobody reads: the pipe is full long since
    output, errors = process.communicate(timeout=100)
    assert process.returncode == 0, errors
    assert output == stack.text(PROMPT, "--seed", "5", "--max-new-tokens", "6000", "--ignore-eos")


def test_a_session_keeps_its_cache(tiny):
    one = tiny.lines("generate", "abc abc abc", "--seed", "1", "--max-new-tokens", "8", "--ignore-eos", "--session", "s")
    text = "abc abc abc" + one[-1]["done"]["text"]
    warm = tiny.lines("generate", "abc abc abc", "--seed", "1", "--max-new-tokens", "8", "--ignore-eos", "--session", "s")
    assert text and warm[-1]["done"]["text"] == one[-1]["done"]["text"]
    assert warm[-1]["done"]["timings"]["n_cached"] > 0


def test_without_cache_the_text_is_the_same(real):
    asked = (PROMPT, "--seed", "7", "--max-new-tokens", "12")
    assert real.text(*asked, "--no-kv-cache") == real.text(*asked)


def test_without_cache_nothing_is_taken_or_left(tiny):
    asked = ("generate", "abc abc abc", "--seed", "1", "--max-new-tokens", "8", "--ignore-eos", "--session", "uncached")
    first, uncached, warm = (tiny.lines(*asked, *more)[-1]["done"] for more in ([], ["--no-kv-cache"], []))
    assert first["text"] == uncached["text"] == warm["text"]
    assert uncached["timings"]["n_cached"] == 0 and warm["timings"]["n_cached"] > 0


def test_without_cache_a_lost_modeld_changes_nothing(models, stack):
    model = models(type="Q4_0", seed=3, context=2000)
    stack.start_all(model)
    asked = (PROMPT, "--seed", "5", "--max-new-tokens", "300", "--ignore-eos")
    expected = stack.text(*asked)

    def begin():
        process = stack.popen("generate", *asked, "--no-kv-cache")
        wait_until(lambda: process.poll() is not None or [r for r in stack.lines("ps")[0]["requests"] if r["step"] > 20],
                   what="part of a text")
        return process,
    process, = caught_running(begin)
    stack.kill(stack.modeld)
    stack.start("modeld", "--model", model)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert output == expected
