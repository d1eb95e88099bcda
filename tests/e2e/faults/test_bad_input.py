"""Bad input gets a sentence and an exit code, and the daemons go on."""
import os
import socket
import struct

import pytest

from conftest import TIMEOUT_S, wait_until

OK = ("generate", "hello", "--max-new-tokens", "3", "--ignore-eos")


@pytest.fixture(autouse=True)
def daemons_go_on(request):
    """Whatever a test sends, the shared stack answers the next request."""
    yield
    if "tiny" in request.fixturenames:
        stack = request.getfixturevalue("tiny")
        assert stack.run(*OK).returncode == 0
        assert all(process.poll() is None for process in (stack.tokenizerd, stack.modeld, stack.samplerd))


@pytest.mark.parametrize("flags", [
    ["--temperature", "0"], ["--temperature", "-1"], ["--temperature", "nan"], ["--temperature", "inf"],
    ["--top-p", "2"], ["--top-p", "0"], ["--min-p", "-0.1"], ["--top-k", "-1"], ["--top-k", "1.5"],
    ["--repetition-penalty", "0"], ["--presence-penalty", "inf"],
    ["--max-new-tokens", "-5"], ["--max-new-tokens", "0"], ["--max-new-tokens", "x"], ["--seed", "-1"],
    ["--seed", str(2 ** 53)], ["--nonsense"], ["--preset", "nonsense"], ["--temperature"],
    ["--chain", "[]", "--temperature", "1"], ["--chain", "not json"], ["--chain", '[{"nonsense":1}]'],
    ["--chain", '[{"top_p":2}]'], ["--greedy", "--chain", "[]"], ["--logit-bias", "5"], ["--stop", ""],
    ["--priority", "11"], ["--priority", "-11"], ["--priority", "1.5"], ["--priority", "-"], ["--traceparent", "00-nonsense"],
])
def test_wrong_use_exits_2(tiny, flags):
    sentence = tiny.refused("generate", "hello", *flags, code=2)
    assert sentence.count("\n") == 1, sentence
    if len(flags) == 2 and flags[0] not in ("--chain",):
        assert flags[0] in sentence or flags[0].lstrip("-").replace("-", "_") in sentence


@pytest.mark.parametrize("words", [
    *(("detokenize", f"--ids={ids}") for ids in
      ("1,,2", ",1", "1,", ",", "1, ,2", "+1", "0x10", "1e3", "1.0", "nan", "[1", "1]", "[1]2", "[1,]", "[[1]]")),
    *(("probe", f"--logits={logits}") for logits in
      ("1,,2", ",1", "1,", ",", "", "nan,1", "inf,1", "1e999,1", "1e39,1", "0x1,2", "1;2", "0." + "0" * 600 + "1,2")),
    ("probe", "--logits", "1,2", "--history", "0,,1"), ("probe", "--logits", "1,2", "--history", "+1"),
    ("probe", "--logits", "1,2", "--labels", "a,b,"),
    *(("explore", "temperature", "hi", f"--temperatures={heats}") for heats in ("1,,2", "1,", "", "0", "nan", "1e999")),
    *(("bench", "clients", f"--clients={n}") for n in ("1,,2", "1,", "", "0", "+1", "1e1", "18446744073709551617")),
    *(("bench", "kv-cache", f"--prompts={n}") for n in ("2,,3", ",2", "0x2")),
    *(("generate", "hi", "--stop-id", i) for i in ("+1", "", "1,2", "0x1", "1e3", " 1", "1 ")),
    *(("generate", "hi", f"--logit-bias={bias}") for bias in
      ("+1=1", "1=", "=1", "1=1e999", "1=nan", "1=inf", "1=0x1", "1,2=1", " 1=1", "1 =1")),
    *(("generate", "hi", f"--seed={n}") for n in ("+1", "", " 1", "1e3", "0x1", "18446744073709551617")),
], ids=lambda words: " ".join(words)[:60])
def test_lists_and_numbers_that_are_none(tiny, words):
    sentence = tiny.refused(*words, code=2)
    assert sentence.count("\n") == 1, sentence


def test_lists_with_blanks_are_lists(tiny):
    ids = tiny.run("detokenize", "--ids", "1,2,3").stdout
    for same in ("1, 2 ,3", "1 2 3", "[1, 2, 3]", " [1 2\t3] "):
        assert tiny.run("detokenize", "--ids", same).stdout == ids
    assert tiny.run("detokenize", "--ids", "").stdout == b"\n"      # what tokenize prints of an empty text
    assert tiny.lines("probe", "--logits", "1, 2 ,-inf") == tiny.lines("probe", "--logits", "1,2,-inf")


def test_ids_on_stdin(tiny):
    ids = tiny.run("detokenize", "--ids", "1,2,3").stdout
    for same in (b"1,2,3\n", b"1\n2\n3\n", b"1,2,3\r\n", b"[1,2,3]\n"):
        assert tiny.run("detokenize", input=same).stdout == ids
    for bad in (b"1,,2\n", b"1,2,\n,3\n", b"1,2,\n", b"1\0,2\n", b"[1]\n[2]\n"):
        assert "ids are" in tiny.refused("detokenize", input=bad)


def test_unknown_command_and_no_command(tiny):
    assert "frobnicate" in tiny.refused("frobnicate", code=2)
    tiny.refused(code=2)


def test_an_empty_prompt(tiny):
    assert "empty" in tiny.refused("generate", "")
    assert "empty" in tiny.refused("generate", "-", input=b"")


def test_a_prompt_longer_than_the_context(tiny):
    n_ctx = tiny.model()["n_ctx"]
    text = "\u00e9 " * n_ctx
    n_ids = len(tiny.lines("tokenize", "-", input=text.encode())[0]["ids"])
    sentence = tiny.refused("generate", "-", input=text.encode())
    assert str(n_ctx) in sentence and str(n_ids) in sentence
    assert str(n_ctx) in tiny.refused("score", "-", input=text.encode())


def test_text_that_is_not_utf8(tiny):
    for command in ("generate", "tokenize", "score"):
        assert "UTF-8" in tiny.refused(command, "-", input=b"abc\xff\xfe")


def test_ids_outside_the_vocabulary(tiny):
    n_vocab = tiny.model()["n_vocab"]
    for bad in (n_vocab, -1, 2 ** 31 - 1):
        assert str(n_vocab) in tiny.refused("detokenize", f"--ids={bad}")
        done = tiny.run("score", "--input", "-", "--json", input=b'{"ids":[1,%d]}' % bad)
        assert done.returncode == 1 and b'"error"' in done.stdout
    assert str(n_vocab) in tiny.refused("generate", "hello", "--logit-bias", f"{n_vocab}=1")
    assert str(n_vocab) in tiny.refused("generate", "hello", "--stop-id", n_vocab)


def test_a_model_or_pool_that_is_not_there(tiny):
    assert "nonsense" in tiny.refused_soon("generate", "hello", "--model", "nonsense", "--wait", "0.3")
    assert "nonsense" in tiny.refused_soon("generate", "hello", "--sampler", "nonsense", "--wait", "0.3")


def test_everything_banned(tiny):
    n_vocab = tiny.model()["n_vocab"]
    flags = [text for i in range(n_vocab) for text in ("--logit-bias", f"{i}=-inf")]
    tiny.refused("generate", "hello", *flags)


def test_missing_daemons_are_named(stack, models):
    assert "tokenizerd" in stack.refused("generate", "hello", "--wait", "0.3")
    stack.start("tokenizerd")
    wait_until(lambda: stack.daemons(), what="tokenizerd")
    assert "modeld" in stack.refused_soon("generate", "hello", "--wait", "0.3")
    stack.start("modeld", "--model", models(type="F32", seed=1))
    wait_until(lambda: stack.model().get("default"), what="modeld, as the default")
    join = f"--join ipc://{stack.runtime}/samplers"
    assert f" on host {socket.gethostname()} with: samplerd {join}" in stack.refused_soon("generate", "hello", "--wait", "0.3")
    assert f"samplerd --pool other {join}" in stack.refused_soon("generate", "hello", "--wait", "0.3", "--sampler", "other")
    stack.start("samplerd")
    stack.wait_ready()
    assert stack.run(*OK).returncode == 0


@pytest.mark.parametrize("order", [
    ("samplerd", "modeld", "tokenizerd"), ("modeld", "tokenizerd", "samplerd"), ("tokenizerd", "samplerd", "modeld")])
def test_any_start_order(stack, models, order):
    for role in order:
        stack.start(role, *(["--model", models(type="F32", seed=1)] if role == "modeld" else []))
    stack.wait_ready()
    assert stack.run(*OK).returncode == 0


def test_a_second_daemon_on_the_same_socket(tiny, models):
    for role, arguments in (("tokenizerd", []), ("modeld", ["--model", models(type="F32", seed=1)])):
        process = tiny.start(role, *arguments)
        assert process.wait(TIMEOUT_S) == 1
        assert tiny.log(process).count("\n") == 1 and "is held by another process (pid " in tiny.log(process)
        place = "--bind-clients" if role == "tokenizerd" else "--bind-samplers"
        assert tiny.log(process).endswith(f"; {place} takes another place\n")


@pytest.mark.parametrize("program, flag, address", [
    ("tokenizerd", "--bind-clients", "tcp://127.0.0.1:0"), ("tokenizerd", "--bind-models", "tcp://0.0.0.0:0"),
    ("modeld", "--bind-samplers", "tcp://[::1]:0"), ("modeld", "--join", "tcp://127.0.0.1:5556"),
    ("samplerd", "--join", "tcp://127.0.0.1:5557")])
def test_tcp_with_neither_keys_nor_insecure(stack, models, program, flag, address):
    model = ("--model", models(type="F32", seed=1)) if program == "modeld" else ()
    process = stack.start(program, *model, flag, address)
    assert process.wait(TIMEOUT_S) == 2
    said = stack.log(process).splitlines()[-1]
    assert address in said and "--keys DIR" in said and "--insecure" in said


def test_a_client_over_tcp_has_keys_or_is_insecure_too(stack):
    said = stack.refused("status", "--endpoint", "tcp://127.0.0.1:5555", code=2)
    assert "--keys DIR" in said and "--insecure" in said
    stack.refused("status", "--endpoint", "tcp://127.0.0.1:5555", "--keys", "there", "--insecure", code=2)
    for program in ("tokenizerd", "samplerd"):
        process = stack.start(program, "--keys", "there", "--insecure")
        assert process.wait(TIMEOUT_S) == 2 and "exclude each other" in stack.log(process)


def test_a_path_that_is_too_long(stack):
    process = stack.start("tokenizerd", "--bind-clients", "ipc:///tmp/" + "x" * 120)
    assert process.wait(TIMEOUT_S) == 1 and "107" in stack.log(process)


@pytest.mark.parametrize("role,flags", [
    ("tokenizerd", ["--nonsense"]), ("modeld", []),
    ("samplerd", ["--heartbeat-ms", "0"]), ("samplerd", ["--isa", "nonsense"]),
    ("modeld", ["--model", "x", "--isa", "nonsense"]), ("modeld", ["--model", "x", "--kv-memory", "-1"])])
def test_wrong_use_of_a_daemon(stack, role, flags):
    process = stack.start(role, *flags)
    assert process.wait(TIMEOUT_S) == 2, stack.log(process)
    assert stack.log(process).count("\n") == 1


def damage(path, kind):
    """The bytes of a good file, damaged."""
    good = path.read_bytes()
    if kind == "truncated":
        return good[:len(good) // 2]
    if kind == "header only":
        return good[:20]
    if kind == "empty":
        return b""
    if kind == "wrong magic":
        return b"GGML" + good[4:]
    if kind == "version 1":
        return good[:4] + struct.pack("<I", 1) + good[8:]
    name = b"blk.0.attn_q.weight"
    at = good.index(name)
    after = at + len(name)                     # n_dims u32, dims u64 each, type u32, offset u64
    n_dims, = struct.unpack_from("<I", good, after)
    type_at = after + 4 + 8 * n_dims
    if kind == "unknown type":
        return good[:type_at] + struct.pack("<I", 16) + good[type_at + 4:]
    if kind == "offset beyond the file":
        return good[:type_at + 4] + struct.pack("<Q", 1 << 40) + good[type_at + 12:]
    if kind == "a tensor missing":
        return good[:at] + b"blk.0.attn_X.weight" + good[after:]
    if kind == "huge dimension":
        return good[:after + 4] + struct.pack("<Q", 1 << 62) + good[after + 12:]
    if kind == "another architecture":
        return good.replace(b"\x05\x00\x00\x00\x00\x00\x00\x00llama", b"\x05\x00\x00\x00\x00\x00\x00\x00lzzma", 1)
    raise AssertionError(kind)


@pytest.mark.parametrize("kind,word", [
    ("truncated", ""), ("header only", ""), ("empty", ""), ("wrong magic", "GGUF"), ("version 1", "version"),
    ("unknown type", "IQ2_XXS"), ("offset beyond the file", "blk.0.attn_q.weight"), ("a tensor missing", "blk.0.attn_q.weight"),
    ("huge dimension", "blk.0.attn_q.weight"), ("another architecture", "lzzma")])
def test_a_damaged_file_ends_modeld_with_one_line(stack, models, kind, word):
    bad = stack.folder / "bad.gguf"
    bad.write_bytes(damage(models(type="F32", seed=1), kind))
    process = stack.start("modeld", "--model", bad)
    assert process.wait(TIMEOUT_S) == 1, stack.log(process)
    assert stack.log(process).count("\n") == 1 and word in stack.log(process), stack.log(process)


def test_no_such_file(stack):
    process = stack.start("modeld", "--model", stack.folder / "none.gguf")
    assert process.wait(TIMEOUT_S) == 1 and "none.gguf" in stack.log(process)


def test_garbage_on_every_socket(tiny):
    """Bytes that are no ZeroMQ at all: the connection is dropped, the daemons go on."""
    for name in ("clients", "models", "samplers"):
        for blob in (b"\0" * 10, os.urandom(4096), b"GET / HTTP/1.0\r\n\r\n"):
            raw = socket.socket(socket.AF_UNIX)
            raw.connect(str(tiny.runtime / name))
            raw.sendall(blob)
            raw.close()
