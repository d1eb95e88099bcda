"""generate --input: a text for each line, which is the text that it is alone; in order or as each is there; whatever is wrong with a
line is that line's answer."""
import json
import re
import signal
import subprocess

import pytest

import fake_tokenizerd
from conftest import BUILD, TIMEOUT_S, Stack, caught_running, wait_until
from fake_link import common_pb2
import text_pb2
from terminal import Terminal

PLACED = {"line", "text", "finish_reason", "prompt_tokens", "completion_tokens", "seed", "request", "model", "timings"}
LENGTH = {"ignore_eos": True}


def jsonl(*lines):
    return b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines)


def batch(stack, *lines, flags=(), code=0):
    """The results of these lines (objects, or bytes as they are); stderr stays empty."""
    done = stack.run("generate", "--input", "-", *flags, input=jsonl(*lines))
    assert (done.returncode, done.stderr) == (code, b""), done.stderr.decode()
    return [json.loads(line) for line in done.stdout.splitlines()]


def alone(stack, prompt, seed, *flags):
    return stack.lines("generate", prompt, "--seed", seed, *flags)[-1]["done"]["text"]


def words(n):
    return [f"the sky number {i}" for i in range(n)]


def test_a_result_is_that_of_the_line_alone(tiny):
    lines = [{"prompt": prompt, "max_new_tokens": 3 + 5 * (i % 7), "seed": i, "temperature": 0.5 + i / 10, **LENGTH}
             for i, prompt in enumerate(words(40))]
    results = batch(tiny, *lines)
    assert [one["line"] for one in results] == list(range(1, 41))
    for line, one in zip(lines, results, strict=True):
        assert set(one) == PLACED
        assert (one["finish_reason"], one["seed"]) == ("length", line["seed"])
        assert one["completion_tokens"] == line["max_new_tokens"]
    for i in (0, 13, 39):
        line = lines[i]
        assert results[i]["text"] == alone(tiny, line["prompt"], i, "--max-new-tokens", line["max_new_tokens"],
                                           "--temperature", line["temperature"], "--ignore-eos")


def test_json_is_implied(tiny):
    line = {"prompt": "a", "max_new_tokens": 4, "seed": 1}
    said, = batch(tiny, line)
    asked, = batch(tiny, line, flags=("--json",))
    assert said["text"] == asked["text"]


def test_seeds_count_up_from_the_command_lines(tiny):
    lines = [{"prompt": "the sky", "max_new_tokens": 8, **LENGTH}] * 3
    results = batch(tiny, *lines, flags=("--seed", 7))
    assert [one["seed"] for one in results] == [7, 8, 9]
    assert len({one["text"] for one in results}) > 1
    assert [one["text"] for one in batch(tiny, *lines, flags=("--seed", 7))] == [one["text"] for one in results]
    assert results[2]["text"] == alone(tiny, "the sky", 9, "--max-new-tokens", 8, "--ignore-eos")


def test_made_seeds_are_told(tiny):
    lines = [{"prompt": "the sky", "max_new_tokens": 8, **LENGTH}] * 2
    first, second = batch(tiny, *lines)
    assert second["seed"] == first["seed"] + 1 <= 1 << 32
    again, = batch(tiny, dict(lines[0], seed=second["seed"]))
    assert again["text"] == second["text"]


def test_keys_go_over_the_command_lines_flags(tiny):
    line = {"prompt": "the sky", "top-k": 3, "max_new_tokens": 9, "seed": 4, "stop": ["q", "z"], **LENGTH}
    one, = batch(tiny, line, flags=("--temperature", "2", "--max-new-tokens", "3"))
    assert one["text"] == alone(tiny, "the sky", 4, "--temperature", "2", "--top-k", "3", "--max-new-tokens", "9",
                                "--stop", "q", "--stop", "z", "--ignore-eos")


def test_a_chain_and_candidates(tiny):
    chain = [{"top_k": 3}, {"temperature": 2}]
    line = {"prompt": "the sky", "chain": chain, "show_probs": 2, "max_new_tokens": 5, "seed": 4, **LENGTH}
    one, = batch(tiny, line, flags=("--greedy",))
    lines = tiny.lines("generate", "the sky", "--chain", json.dumps(chain), "--show-probs", 2, "--max-new-tokens", 5,
                       "--seed", 4, "--ignore-eos")
    assert one["tokens"] == lines[1:-1] and len(one["tokens"]) == 5
    assert one["text"] == lines[-1]["done"]["text"]


def test_a_conversation_is_its_rendered_prompt(tiny):
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi!"}]
    said = {"messages": messages, "max_new_tokens": 8, "seed": 2, "chat_template": "chatml", **LENGTH}
    rendered = json.loads(tiny.run("tokenize", "--input", "-",
                                   input=jsonl({"messages": messages, "template": "chatml"})).stdout)
    talked, plain, written = batch(tiny, said, dict(said, chat_template="plain"),
                                   {"ids": rendered["ids"], "max_new_tokens": 8, "seed": 2, **LENGTH})
    assert talked["prompt_tokens"] == len(rendered["ids"]) == written["prompt_tokens"] != plain["prompt_tokens"]
    assert (talked["text"], talked["dropped"], talked["cut"]) == (written["text"], 0, 0)


@pytest.mark.parametrize("line, code, sentence", [
    (b"nope", "bad_request", "not a JSON object"), (b"", "bad_request", "not a JSON object"), (b"[1]", "bad_request", "not an object"),
    (b'{"prompt": "\xff"}', "not_utf8", "not UTF-8"), ({}, "bad_request", 'exactly one of "prompt"'),
    ({"prompt": "a", "ids": [1]}, "bad_request", 'one of "prompt"'), ({"prompt": 5}, "bad_request", '"prompt" must be a string'),
    ({"ids": "1,2"}, "bad_request", '"ids" must be an array'), ({"ids": [1 << 40]}, "bad_id", "outside every vocabulary"),
    ({"ids": [999999]}, "bad_id", ""), ({"messages": [{"role": "user"}]}, "bad_request", "message 1"),
    ({"messages": [{"role": "user", "content": ""}] * 4097}, "too_long", "at most 4096 messages"),
    ({"messages": []}, "empty_prompt", ""), ({"messages": [{"role": "user", "content": "a"}], "chat_template": "x"}, "", ""),
    ({"prompt": ""}, "empty_prompt", ""), ({"ids": []}, "empty_prompt", ""), ({"prompt": "a", "model": "nope"}, "unknown_model", "nope"),
    ({"prompt": "a", "tempreture": 1}, "bad_request", 'did you mean "temperature"'),
    ({"prompt": "a", "temperature": "hot"}, "bad_request", "temperature must be a number"),
    ({"prompt": "a", "preset": "wild"}, "bad_request", "no preset"), ({"prompt": "a", "timings": True}, "bad_request", "no key"),
    ({"prompt": "a" * 5000000, "max_new_tokens": 1}, "too_long", "")])
def test_what_is_wrong_with_a_line_is_its_answer(tiny, line, code, sentence):
    fine = {"prompt": "a", "max_new_tokens": 2}
    before, wrong, after = batch(tiny, fine, line, fine, code=1)
    assert "error" not in before and "error" not in after
    assert set(wrong) == {"line", "error"} and wrong["line"] == 2
    assert sentence in wrong["error"]["message"] and wrong["error"]["code"].startswith(code)


def test_an_id_comes_back(tiny):
    fine = {"prompt": "a", "max_new_tokens": 2}
    ids = ["a", 5, {"any": ["thing", None, 1.5]}, None]
    results = batch(tiny, *(dict(fine, id=one) for one in ids), {"id": "wrong", "prompt": 5}, code=1)
    assert [one["id"] for one in results] == [*ids, "wrong"]


def test_nothing_asks_for_nothing(tiny):
    assert batch(tiny) == []


def test_as_completed(tiny):
    lines = [{"prompt": "a", "max_new_tokens": 400, **LENGTH}, {"prompt": "b", "max_new_tokens": 1}]
    assert [one["line"] for one in batch(tiny, *lines, flags=("--as-completed",))] == [2, 1]
    assert [one["line"] for one in batch(tiny, *lines)] == [1, 2]


def test_one_at_a_time(tiny):
    lines = [{"prompt": one, "max_new_tokens": 4, "seed": 1, **LENGTH} for one in words(5)]
    texts = [one["text"] for one in batch(tiny, *lines)]
    assert [one["text"] for one in batch(tiny, *lines, flags=("--parallel", "1", "--as-completed"))] == texts


def test_a_long_text_does_not_hold_up_those_after_it(tiny, tmp_path):
    """More lines than are under way at once end while the first is written; then all of them are shown."""
    lines = [{"prompt": "a", "max_new_tokens": 400, **LENGTH}] + [{"prompt": "b", "max_new_tokens": 1, "greedy": True}] * 100
    results = batch(tiny, *lines, flags=("--parallel", "2"))
    assert [one["line"] for one in results] == list(range(1, 102))
    assert len({one.get("text") for one in results[1:]}) == 1


@pytest.mark.parametrize("arguments, sentence", [
    (("hello", "--input", "-"), "exclude each other"), (("hello", "--as-completed"), "needs --input"),
    (("hello", "--parallel", "3"), "needs --input"), (("hello", "--chat-template", "plain"), "needs --input"),
    (("--input", "-", "-v"), "--verbose is for one text"), (("--input", "-", "--keep-newline"), "--keep-newline is for one text"),
    (("--input", "-", "--parallel", "0"), "from 1 to"), (("--input", "-", "--chain", "[]", "--top-k", "3"), "whole chain")])
def test_wrong_use(tiny, arguments, sentence):
    assert sentence in tiny.refused("generate", *arguments, code=2)


def test_a_file_that_is_not_there(tiny):
    assert "cannot open" in tiny.refused("generate", "--input", "/nowhere/at.all")


# ---- room ----

def test_one_page_for_all(models):
    """Where the KV pool holds one text at a time, the others wait, however long that takes."""
    with Stack() as small:
        small.start_all(models(type="Q4_1", seed=1), "--kv-memory", "16K")
        assert small.model()["kv_pages"] == 1
        lines = [{"prompt": one, "max_new_tokens": 20, "seed": 5, **LENGTH} for one in words(40)]
        last = alone(small, "the sky number 39", 5, "--max-new-tokens", 20, "--ignore-eos")
        results = batch(small, *lines, flags=("--parallel", "64", "--wait", "0.5"))
        assert [one["completion_tokens"] for one in results] == [20] * 40
        assert results[39]["text"] == last


def test_a_full_table_is_waited_for(stack, fakes):
    refused = []

    def chunk(fake, sender, generate, step):
        """Each request's first and half of another text, then room."""
        if len(refused) >= 4 or step == 3 * (len(refused) % 2):
            if len(refused) >= 4:
                return False
            refused.append(generate.request)
            reply = fake.outgoing()
            reply.done.request, reply.done.attempt, reply.done.reason = generate.request, generate.attempt, text_pb2.FINISH_ERROR
            reply.done.error.code, reply.done.error.message = common_pb2.BUSY, "full"
            fake.send(reply, to=sender)
            return True
        return False
    stack.runtime.mkdir(mode=0o700)
    fakes(fake_tokenizerd.FakeTokenizerd, f"ipc://{stack.runtime}/clients", chunk=chunk)
    results = batch(stack, *[{"prompt": "a"}] * 2)
    assert [one["text"] for one in results] == ["abcdefghijklmnopqrstuvwxyz"] * 2
    assert len(refused) == len(set(refused)) == 4


# ---- whatever happens meanwhile ----

def many(n_lines, n_tokens):
    return [{"prompt": one, "max_new_tokens": n_tokens, "seed": i, **LENGTH} for i, one in enumerate(words(n_lines))]


def begin(stack, tmp_path, lines, *flags, **keywords):
    path = tmp_path / "lines.jsonl"
    path.write_bytes(jsonl(*lines))
    return stack.popen("generate", "--input", path, *flags, **keywords)


def caught_at_work(stack, tmp_path, lines, *flags):
    """A batch that is seen while a text of it is written."""
    def begun():
        process = begin(stack, tmp_path, lines, *flags)
        wait_until(lambda: process.poll() is not None or [r for r in stack.lines("ps")[0]["requests"] if r["step"] > 3],
                   what="a text that is written")
        return (process,)
    return caught_running(begun)[0]


@pytest.mark.parametrize("lost", ["tokenizerd", "modeld", "samplerd"])
def test_a_lost_daemon_is_a_pause(models, tmp_path, lost):
    model = models(type="Q4_1", seed=1)
    with Stack() as one:
        one.start_all(model)
        lines = many(60, 400)
        texts = [result["text"] for result in batch(one, *lines)]
        process = caught_at_work(one, tmp_path, lines, "--wait", "60")
        victim = {"tokenizerd": one.tokenizerd, "modeld": one.modeld, "samplerd": one.samplerd}[lost]
        one.kill(victim)
        one.start(lost, *(("--model", model) if lost == "modeld" else ()))
        out, errors = process.communicate(timeout=TIMEOUT_S)
        assert process.returncode == 0, errors.decode()
        assert [json.loads(line)["text"] for line in out.splitlines()] == texts


def test_ctrl_c_shows_what_there_is(tiny, tmp_path):
    lines = [{"prompt": "a", "max_new_tokens": 1}, *many(40, 450)]

    def interrupted():
        process = caught_at_work(tiny, tmp_path, lines, "--parallel", "4")
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=TIMEOUT_S)
        results = [json.loads(line) for line in out.splitlines()]
        assert (process.returncode, errors) == (130, b"")
        assert [one["line"] for one in results] == list(range(1, len(results) + 1))
        texts_cut = "cancelled" in {one.get("finish_reason") for one in results}
        return texts_cut and results            # a client that stood still may be too late to cancel
    results = wait_until(interrupted, what="texts that are cancelled in time")
    assert len(results) < len(lines)
    assert results[0]["finish_reason"] == "length"
    wait_until(lambda: not tiny.lines("ps")[0]["requests"], what="the end of all texts")


def test_one_that_is_cancelled_from_elsewhere_fails(tiny):
    """Lines come until the text of one is caught and cancelled."""
    process = tiny.popen("generate", "--input", "-", stdin=subprocess.PIPE)

    def cancelled():
        process.stdin.write(jsonl(*many(1, 480)))
        process.stdin.flush()
        requests = tiny.lines("ps")[0]["requests"]
        return requests and tiny.run("cancel", requests[0]["request"]).returncode == 0
    wait_until(cancelled, what="a text that is cancelled")
    out, _ = process.communicate(timeout=TIMEOUT_S)
    reasons = [json.loads(line).get("finish_reason") for line in out.splitlines()]
    assert process.returncode == 1 and reasons.count("length") == len(reasons) - 1


def test_a_reader_that_has_seen_enough(tiny, tmp_path):
    process = begin(tiny, tmp_path, many(200, 30))
    assert json.loads(process.stdout.readline())["line"] == 1
    process.stdout.close()
    assert (process.wait(timeout=TIMEOUT_S), process.stderr.read()) == (1, b"")
    wait_until(lambda: not tiny.lines("ps")[0]["requests"], what="the end of all texts")


def test_without_daemons_every_line_says_so(stack):
    done = stack.run("generate", "--input", "-", "--wait", "0", input=jsonl(*many(3, 4)))
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1 and [one["error"]["code"] for one in results] == ["no_tokenizerd"] * 3


# ---- for a person ----

def test_timings_are_one_line(tiny):
    done = tiny.run("generate", "--input", "-", "--timings", input=jsonl(*many(5, 6)))
    assert done.stderr.decode().startswith("5 texts, 30 tokens, ") and done.stderr.decode().endswith(" tok/s\n")


@pytest.mark.parametrize("kept", [True, False])
def test_progress_on_a_terminal(tiny, tmp_path, kept):
    """One line that is drawn over; results on the same terminal stand above it, whole."""
    path, out = tmp_path / "lines.jsonl", tmp_path / "out.jsonl"
    path.write_bytes(jsonl(*many(8, 40), {"prompt": 5}))
    command = f"{BUILD}/trivium generate --input {path}" + (f" > {out}" if kept else "")
    one = Terminal(tiny, "-c", command, program="/bin/bash")
    assert one.end() == 1
    shown = one.lines()
    assert shown[-1].startswith("9 done, 1 failed, 0 under way, ") and shown[-1].endswith(" tok/s")
    if kept:
        assert len(shown) == 1 and len(out.read_text().splitlines()) == 9
    else:
        assert [json.loads(line)["line"] for line in "".join(shown[:-1]).replace("}{\"line", "}\n{\"line").splitlines()] \
            == list(range(1, 10))


def test_progress_gives_way_to_a_sentence(tiny, tmp_path):
    """What went wrong stands on the screen, and the line of progress below it."""
    path = tmp_path / "lines.jsonl"
    path.write_bytes(jsonl(*many(400, 450)))
    one = Terminal(tiny, "-c", f"{BUILD}/trivium generate --input {path} > /dev/full", program="/bin/bash")
    assert one.end() == 1
    sentence, figures = one.lines()
    assert sentence == "trivium: cannot write the answers: No space left on device" and figures.endswith(" tok/s")


def test_progress_gives_way_to_what_is_waited_for(stack):
    """The same of a wait, which is told from the loop."""
    command = f"(echo '{{\"prompt\": 5}}'; sleep 1; echo '{{\"prompt\": \"a\"}}') | {BUILD}/trivium generate --input - --wait 2 > /dev/null"
    one = Terminal(stack, "-c", command, program="/bin/bash", n_columns=200)
    one.wait_for("1 done, 1 failed, 0 under way")
    assert one.end() == 1
    sentence, figures = one.lines()
    assert sentence.startswith("trivium: waiting for tokenizerd at ") and figures.startswith("2 done, 2 failed, 0 under way")


def test_ctrl_c_at_a_terminal(tiny, tmp_path):
    """The last line is whole, whatever the terminal has put into it."""
    path = tmp_path / "lines.jsonl"
    path.write_bytes(jsonl(*many(400, 450)))
    one = Terminal(tiny, "-c", f"{BUILD}/trivium generate --input {path} > {tmp_path / 'out'}", program="/bin/bash")
    one.wait_for("tok/s")
    one.type("\x03")
    assert one.end() == 130
    last, = one.lines()
    assert re.fullmatch(r"\d+ done(, \d+ failed)?, 0 under way, \d+ tok/s", last)


def test_a_terminal_that_is_read_is_told(tiny):
    one = Terminal(tiny, "generate", "--input", "-")
    one.wait_for("reading lines of JSON from the terminal: end it with Ctrl-D\r\n")
    one.type('{"prompt": "a", "max_new_tokens": 2}\n')
    one.wait_for('"finish_reason"')
    one.type("\x04")
    assert one.end() == 0
