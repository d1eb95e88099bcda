"""Texts of conversations: one round trip to tokenizerd, and whatever becomes of that the same text."""
import json
import os
import signal

import pytest

from conftest import Stack, caught_running, wait_until
from fake_client import put_messages
from fake_link import common_pb2
from fake_tokenizerd import FakeTokenizerd
from front import front        # noqa: F401: a fixture
import text_pb2

SAID = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi there"},
        {"role": "assistant", "content": "Hello!"}, {"role": "user", "content": "How are you?"}]
ENDLESS = ("--logit-bias", "2=-1000")      # the model's end id is never drawn
MIB = 1 << 20


def as_input(*lines):
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


# ---- one round trip ----

@pytest.fixture
def heard(stack, fakes):
    """What a client says of texts, and the text of it: [(message, text)]; it is answered, too."""
    stack.runtime.mkdir(mode=0o700)
    fake = fakes(FakeTokenizerd, f"ipc://{stack.runtime}/clients", n_tokens=3)

    def said(*arguments, input):
        fake.seen.clear()
        done = stack.run(*arguments, input=input)
        assert done.returncode == 0, done.stderr
        return [(m, raw) for _, m, raw in fake.seen if m.WhichOneof("body") not in ("acknowledge", "status")]
    return said


def contents(message, raw):
    """The messages of a Generate, each as (role, content)."""
    text, found = raw[0], []
    for one in message.generate.messages:
        found.append((one.role, text[:one.n_bytes].decode()))
        text = text[one.n_bytes:]
    assert text == b""
    return found


def test_a_chat_asks_once_for_each_reply(heard):
    said = heard("chat", "--system", "Be brief.", "--max-new-tokens", "5", "--chat-template", "chatml", input=b"Hi\nYou?\n")
    assert [m.WhichOneof("body") for m, _ in said] == ["generate"] * 2
    assert contents(*said[0]) == [("system", "Be brief."), ("user", "Hi")]
    assert contents(*said[1]) == [("system", "Be brief."), ("user", "Hi"), ("assistant", "abc"), ("user", "You?")]
    for message, _ in said:
        asked = message.generate
        assert (asked.template, asked.n_ids_max, asked.n_reply, asked.max_new_tokens) == ("chatml", 0, 5, 5)
        assert asked.as_room_allows and not asked.segments and not asked.stops and asked.n_prompt == 0


def test_so_does_a_line_of_messages(heard):
    (message, raw), = heard("generate", "--input", "-", "--max-new-tokens", "5", "--stop", "x",
                            input=as_input({"messages": SAID}))
    assert contents(message, raw) == [(one["role"], one["content"]) for one in SAID]
    asked = message.generate
    assert (asked.template, asked.n_reply, asked.max_new_tokens, list(asked.stops)) == ("", 5, 5, [b"x"])
    assert not asked.as_room_allows and asked.n_prompt == 0


# ---- the same text, however the prompt is said ----

@pytest.mark.parametrize("form", ["chatml", "llama3", "plain"])
def test_messages_are_written_after_as_their_ids_are(tiny, form):
    flags = ("--max-new-tokens", "10", "--seed", "3")      # for which there is room after all of them
    prompt, = tiny.lines("tokenize", "--input", "-", input=as_input({"messages": SAID, "template": form}))
    stops = [] if form == "chatml" else ["--stop", {"plain": "User:", "llama3": "<|eot_id|>"}[form]]
    whole, = tiny.lines("generate", "--input", "-", *flags, "--chat-template", form, input=as_input({"messages": SAID}))
    same, = tiny.lines("generate", "--input", "-", *flags, *stops, input=as_input({"ids": prompt["ids"]}))
    assert whole["prompt_tokens"] == same["prompt_tokens"] == len(prompt["ids"])
    assert (whole["text"], whole["finish_reason"]) == (same["text"], same["finish_reason"])
    assert (whole["dropped"], whole["cut"]) == (0, 0)


# ---- a tokenizerd that is lost ----

CHAT = ("chat", "Tell me", "--seed", "3", "--max-new-tokens")


def again(stack, process):
    """That tokenizerd is killed, and another one takes its place."""
    stack.kill(process)
    return stack.start("tokenizerd")


def reply_of(process):
    out, told = process.communicate(timeout=120)
    assert process.returncode == 0, told
    return json.loads(out)["reply"]


@pytest.fixture
def undisturbed(models):
    """The reply to one message, and the model that writes it."""
    path = models(type="F32", seed=4)
    with Stack() as one:
        one.start_all(path)

        def reply(*asked):
            line, = one.lines(*asked)
            return line["reply"]
        yield path, reply


def test_one_that_is_lost_before_it_began_is_told_the_messages_again(stack, undisturbed):
    path, reply = undisturbed
    asked = (*CHAT, "40")
    tokenizerd = stack.start("tokenizerd")
    chat = stack.popen(*asked, "--json")
    wait_until(lambda: [r for r in stack.lines("ps")[0]["requests"] if r["state"] == "encoding"], what="a text that waits")
    again(stack, tokenizerd)
    stack.start("modeld", "--model", path)
    stack.start("samplerd")
    assert reply_of(chat) == reply(*asked)


def test_one_that_is_lost_before_the_first_token_goes_on_from_ids(stack, undisturbed):
    path, reply = undisturbed
    asked = (*CHAT, "40", "--chat-template", "plain")
    stack.start_all(path)
    stack.samplerd.send_signal(signal.SIGSTOP)
    chat = stack.popen(*asked, "--json")
    wait_until(lambda: [r for r in stack.lines("ps")[0]["requests"] if r["state"] == "running"], what="a text that has begun")
    again(stack, stack.tokenizerd)
    stack.samplerd.send_signal(signal.SIGCONT)
    assert reply_of(chat) == reply(*asked)


def test_one_that_is_lost_in_mid_text_goes_on_from_ids(stack, undisturbed):
    path, reply = undisturbed
    asked = (*CHAT, "1500", *ENDLESS)
    stack.start_all(path)

    def begin():
        chat = stack.popen(*asked, "--json")
        stack.running(n_steps=5)
        stack.tokenizerd = again(stack, stack.tokenizerd)
        return chat,
    chat, = caught_running(begin)
    assert reply_of(chat) == reply(*asked)


# ---- what cannot be ----

@pytest.mark.parametrize("flags, words", [
    (("--chat-template", "alpaca"), ["chatml", "llama3", "plain"]),
    (("--max-history-tokens", "8"), ["8 are allowed"]),
    (("--model", "nobody"), ["nobody"]),
    (("--logit-bias", "9999999=1"), ["9999999"]),
])
def test_a_chat_is_told_why_there_is_no_reply(tiny, flags, words):
    done = tiny.run("chat", "Tell me about the sea and the sky", *flags)
    told = done.stderr.decode()
    assert (done.returncode, done.stdout.strip()) == (1, b"") and all(word in told for word in words), told


def test_conversations_that_wait_hold_no_more_than_there_is_room_for(front):
    client = front.client()

    def ask(request, n_bytes):
        message = text_pb2.TextRequest()
        asked = message.generate
        asked.request, asked.attempt, asked.max_new_tokens, asked.n_reply, asked.wait_ms = request, 1, 1, 1, 600000
        client.send(message, [put_messages(asked.messages, [("user", b"x" * n_bytes)])])

    def cancel(request):
        message = text_pb2.TextRequest()
        message.cancel.call, message.cancel.request = 1, request
        client.send(message)
        done = client.answer("done")[0]
        assert (done.request, done.reason) == (request, text_pb2.FINISH_CANCELLED)
    for _ in range(3):
        first, second = os.urandom(16), os.urandom(16)
        ask(first, 10 * MIB)
        ask(second, 10 * MIB)
        done = client.answer("done")[0]
        assert (done.request, done.error.code) == (second, common_pb2.BUSY) and "try again" in done.error.message
        cancel(first)
