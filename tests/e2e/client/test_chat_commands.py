"""What a line that begins with a / does in a chat, and how long its history and its replies may get."""
import json
import re
import subprocess

import pytest

from conftest import TIMEOUT_S, Stack
from terminal import Terminal, terminal  # noqa: F401: terminal is a fixture

STORY = "Write a long story about a dragon."
DIM = "\x1b[2m"
KV_PAGE_TOKENS = 64
NO_END = ["--logit-bias", "0=-inf", "--logit-bias", "2=-inf"]       # SmolLM2's end ids
ENDLESS = ["--logit-bias", "1583=-inf", "--chat-template", "chatml"]        # the same of the chapter, and no "User:"


def talk(stack, *arguments, lines):
    """What `chat --json` says to these lines: the replies, and what it tells beside them."""
    done = stack.run("chat", *arguments, "--json", input="".join(f"{line}\n" for line in lines).encode())
    return [json.loads(line).get("reply") for line in done.stdout.splitlines()], done.stderr.decode()


def texts(replies):
    return [reply["text"] for reply in replies]


def saved(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def chapter():
    """A context of 256 tokens, and a KV-cache that holds many of them."""
    with Stack() as one:
        one.start_all("chapter")
        yield one


# ---- conversations ----

def test_a_loaded_conversation_goes_on_like_one_that_was_typed(real, tmp_path):
    flags = ["--max-new-tokens", "20", "--system", "You answer briefly."]
    said = ["Why is the sky blue?", "And at night?", "Thank you!"]
    typed, _ = talk(real, "--seed", "5", *flags, lines=[*said[:2], f"/save {tmp_path}/talk.jsonl", said[2]])
    loaded, told = talk(real, "--seed", "7", "--max-new-tokens", "20", lines=[f"/load {tmp_path}/talk.jsonl", said[2]])
    assert loaded == typed[2:]
    assert f"loaded 4 messages from {tmp_path}/talk.jsonl" in told


def test_another_reply_has_the_next_seed_and_the_same_history(real, tmp_path):
    flags = ["--max-new-tokens", "20"]
    lines = ["Tell me about ducks.", f"/save {tmp_path}/one.jsonl", "Where do they live?", "/regenerate", "Why?",
             f"/save {tmp_path}/all.jsonl"]
    seen, _ = talk(real, "--seed", "5", *flags, lines=lines)
    assert len(seen) == 4 and seen[1]["text"] != seen[2]["text"]
    expected, _ = talk(real, "--seed", "7", *flags, lines=[f"/load {tmp_path}/one.jsonl", "Where do they live?", "Why?"])
    assert seen[2:] == expected
    assert [message["content"] for message in saved(tmp_path / "all.jsonl")] == [
        "Tell me about ducks.", seen[0]["text"], "Where do they live?", seen[2]["text"], "Why?", seen[3]["text"]]


def test_another_reply_where_messages_were_left_out(real):
    """What the first reply's prompt displaced is considered anew."""
    flags = ["--seed", "2", "--max-new-tokens", "8", "--max-history-tokens", "120"]
    long = "Tell me about these words: " + "red green blue yellow " * 8
    seen, told = talk(real, *flags, lines=[long, long, long, "/regenerate"])
    assert [reply["dropped"] for reply in seen] == [0, 2, 2, 2]
    assert seen[3]["prompt_tokens"] == seen[2]["prompt_tokens"]
    assert told.count("2 older messages no longer fit and are left out") == 3


def test_another_reply_to_what_was_cancelled(terminal, real, tmp_path):
    chat = terminal("--seed", "7", *NO_END)
    chat.type(f"{STORY}\r")
    chat.child.expect(r"Assistant: (\w+\W+){20}")
    chat.child.sendintr()
    chat.wait_for("You: ")
    chat.type(f"/save {tmp_path}/first.jsonl\r")
    chat.wait_for("saved in")
    chat.wait_for("You: ")
    chat.type("/regenerate\r")
    chat.child.expect(r"Assistant: (\w+\W+){20}")
    chat.child.sendintr()
    chat.wait_for("You: ")
    chat.type(f"/save {tmp_path}/second.jsonl\r")
    chat.wait_for("saved in")
    chat.wait_for("You: ")
    first, second = (saved(tmp_path / f"{name}.jsonl") for name in ("first", "second"))
    assert first[0] == second[0] and len(first) == len(second) == 2
    begun = second[1]["content"]
    assert first[1]["content"][:len(begun)] != begun[:len(first[1]["content"])]
    undisturbed, _ = talk(real, "--seed", "8", "--max-new-tokens", "300", *NO_END, lines=[STORY])
    assert all(ours == theirs for ours, theirs in zip(begun, undisturbed[0]["text"]))


def test_a_new_conversation_keeps_the_system_message(tiny, tmp_path):
    flags = ["--max-new-tokens", "4"]
    lines = ["Hello", "/clear", f"/save {tmp_path}/talk.jsonl", "/regenerate", "Hello"]
    seen, told = talk(tiny, "--seed", "1", "--system", "Brief.", *flags, lines=lines)
    assert "a new conversation begins" in told
    assert saved(tmp_path / "talk.jsonl") == [{"role": "system", "content": "Brief."}]
    assert seen[1] is None and seen[0]["prompt_tokens"] == seen[2]["prompt_tokens"]
    alone, _ = talk(tiny, "--seed", "2", "--system", "Brief.", *flags, lines=["Hello"])
    assert seen[2] == alone[0]


def test_a_file_that_is_no_conversation_changes_nothing(tiny, tmp_path):
    wrong = tmp_path / "wrong.jsonl"
    wrong.write_text('{"role": "user", "content": "Hi"}\n{"role": "robot", "content": "Ho"}\n')
    done = tiny.run("chat", "--max-new-tokens", "4",
                    input=f"Hello\n/load {wrong}\n/load {tmp_path}\n/load\n/load /nowhere\n/show\n".encode())
    told = done.stderr.decode()
    assert done.returncode == 1
    assert f'{wrong}, line 2: "role" must be "system", "user" or "assistant"' in told
    assert f"cannot read {tmp_path}: Is a directory" in told
    assert "/load needs a file, as /load talk.jsonl" in told
    assert "cannot read /nowhere: No such file or directory" in told
    assert "messages: 2, of which the model sees 2" in told


def test_a_system_message_that_is_loaded_or_set_holds(tiny, tmp_path):
    talk(tiny, "--system", "One.", "--max-new-tokens", "4", lines=["Hello", f"/save {tmp_path}/one.jsonl"])
    _, told = talk(tiny, "--system", "Two.", "--max-new-tokens", "4",
                   lines=["/show", f"/load {tmp_path}/one.jsonl", "/show", "/set system Three words here.", "/show"])
    assert [line.split(": ", 2)[2] for line in told.splitlines() if "system message: " in line] == [
        "Two.", "One.", "Three words here."]


def test_the_home_folder(stack, models, tmp_path):
    stack.start_all(models(type="Q4_1", seed=1))
    stack.environment["HOME"] = str(tmp_path)
    _, told = talk(stack, "--max-new-tokens", "4", lines=["Hello", "/save ~/talk.jsonl", "/clear", "/load ~/talk.jsonl"])
    assert f"saved in {tmp_path}/talk.jsonl" in told and f"loaded 2 messages from {tmp_path}/talk.jsonl" in told


# ---- what is a command ----

def test_from_a_pipe_only_what_we_know_is_a_command(tiny, tmp_path):
    lines = ["/usr/bin/env is what?", "/lod x", "//load x", "//", "/undo", f"/save {tmp_path}/talk.jsonl", "/quit", "never"]
    seen, told = talk(tiny, "--max-new-tokens", "4", lines=lines)
    assert len(seen) == 4 and "your last message is taken back" in told
    assert [message["content"] for message in saved(tmp_path / "talk.jsonl")][::2] == [
        "/usr/bin/env is what?", "/lod x", "/load x"]


def test_at_a_terminal_a_mistyped_command_is_told(terminal, tmp_path):
    chat = terminal("--seed", "3", "--max-new-tokens", "6")
    chat.type("/lod talk.jsonl\r")
    chat.wait_for("there is no /lod: did you mean /load? /help lists what there is")
    chat.wait_for("You: ")
    chat.type("/?\r")
    chat.wait_for("/regenerate")
    chat.wait_for("with two of them: //")
    chat.wait_for("You: ")
    chat.type("//bin is a folder\r")
    chat.wait_for("Assistant: ")
    chat.wait_for("You: ")
    chat.type(f"/save {tmp_path}/talk.jsonl\r")
    chat.wait_for("saved in")
    assert saved(tmp_path / "talk.jsonl")[0]["content"] == "/bin is a folder"
    chat.wait_for("You: ")
    chat.type("/bye\r")
    chat.wait_for("Goodbye!")
    assert chat.end() == 0
    assert max(map(len, chat.lines())) <= 80


def test_show_says_what_holds(terminal):
    chat = terminal("--seed", "3", "--max-new-tokens", "6", "--temperature", "0.5", "--system", "You answer briefly.")
    chat.type("Hello!\r")
    chat.wait_for("Assistant: ")
    chat.wait_for("You: ")
    before = len(chat.lines())
    chat.type("/show\r")
    chat.wait_for("system message: You answer briefly.")
    chat.wait_for("You: ")
    shown = [line.strip() for line in chat.lines()[before:]]
    assert shown[0].startswith("model: SmolLM2-135M-Instruct.Q4_1, a context of 8192 tokens, a KV-cache of")
    for line in ('strategy: [{"repetition_penalty":1.1},{"temperature":0.5},{"top_p":0.9}]', "seed of the next reply: 4",
                 "history: what the context holds, with room for a reply",
                 "a reply: at most 6 tokens (--max-new-tokens)", "messages: 2, of which the model sees 2"):
        assert line in shown, shown


# ---- limits ----

def test_a_reply_that_is_cut_says_so(real):
    chat = Terminal(real, "chat", "--seed", "7", "--max-new-tokens", "5", colour=True)
    chat.wait_for("You:")
    chat.type(f"{STORY}\r")
    chat.wait_for("cut at 5 tokens: --max-new-tokens")
    chat.wait_for("You:")
    chat.kill()
    assert "  cut at 5 tokens: --max-new-tokens" in chat.lines()
    assert f"{DIM}  cut at 5 tokens" in chat.raw
    flags = ["chat", "--seed", "7", "--max-new-tokens", "5"]
    done = real.run(*flags, input=f"{STORY}\n".encode())
    assert done.returncode == 0 and b"cut at" not in done.stdout
    assert b"trivium: cut at 5 tokens: --max-new-tokens\n" in done.stderr
    both = real.popen(*flags, stdin=subprocess.PIPE, stderr=subprocess.STDOUT)
    shown, _ = both.communicate(f"{STORY}\nGo on.\n".encode(), timeout=TIMEOUT_S)
    assert re.fullmatch(rb"(.+\ntrivium: cut at 5 tokens: --max-new-tokens\n){2}", shown), shown
    seen, told = talk(real, *flags[1:], lines=[STORY])
    assert (seen[0]["finish_reason"], seen[0]["limit"]) == ("length", "max_new_tokens") and "cut at" not in told
    seen, _ = talk(real, "--seed", "7", lines=["Say hello."])
    assert seen[0]["finish_reason"] == "stop" and "limit" not in seen[0]


def test_without_a_limit_a_reply_fills_the_context(chapter):
    """A preset is a strategy, and no more than that."""
    flags = ["--model", "chapter", "--seed", "5", "--preset", "creative", *ENDLESS]
    done = chapter.run("chat", *flags, input=b"Tell me a story about a duck.\n")
    assert b"the context of 256 tokens is full" in done.stderr
    seen, _ = talk(chapter, *flags, lines=["Tell me a story about a duck."])
    assert seen[0]["limit"] == "n_ctx"
    assert seen[0]["prompt_tokens"] + seen[0]["completion_tokens"] == 256 and seen[0]["completion_tokens"] > 100


LINES = ["Tell me a story about a duck.", "And then?", "Go on, please. " * 9, "Who was there?"]


def check_endless(stack, n_max, *flags):
    """Each line has its reply, and each prompt fits."""
    n_turns = 24
    seen, told = talk(stack, "--greedy", *flags, lines=LINES * (n_turns // len(LINES)))
    assert len(seen) == n_turns
    assert all(reply["finish_reason"] in ("stop", "length") for reply in seen), (seen, told)
    assert all(reply["prompt_tokens"] + reply["completion_tokens"] <= n_max for reply in seen)
    assert sum(reply["dropped"] for reply in seen) > n_turns and "no longer fit and are left out" in told
    return seen


def test_a_chat_is_endless_in_a_small_context(chapter):
    check_endless(chapter, 256)
    check_endless(chapter, 256, *ENDLESS)      # none ends by itself


@pytest.mark.parametrize("n_pages", [2, 3, 5])
def test_a_chat_is_endless_in_a_small_kv_cache(stack, n_pages):
    """The chapter's model keeps 2 × 3 × 112 numbers of 2 bytes a position."""
    stack.start_all("chapter", "--kv-memory", n_pages * KV_PAGE_TOKENS * 2 * 3 * 112 * 2)
    assert stack.lines("status")[0]["models"][0]["kv_pages"] == n_pages
    n_tokens = n_pages * KV_PAGE_TOKENS
    check_endless(stack, min(n_tokens, 256))
    seen = check_endless(stack, min(n_tokens, 256), *ENDLESS)
    assert all(reply["completion_tokens"] <= n_tokens // 4 for reply in seen)
    assert "kv_quarter" in [reply["limit"] for reply in seen]


def test_half_a_character_is_neither_shown_nor_kept(real, tmp_path):
    """A character of several tokens, of which there is only the first."""
    half = real.lines("tokenize", "--input", "-", input=json.dumps({"text": "🦆"}).encode())[0]["ids"][0]
    flags = ["--logit-bias", f"{half}=1000", "--seed", "1", "--max-new-tokens"]
    assert real.lines("generate", "Hi", *flags, "1", "--json")[-1]["done"]["text"] == "\ufffd"
    seen, _ = talk(real, *flags, "1", lines=["Hi", f"/save {tmp_path}/talk.jsonl"])
    assert seen[0]["text"] == "" and seen[0]["limit"] == "max_new_tokens"
    assert saved(tmp_path / "talk.jsonl")[1] == {"role": "assistant", "content": ""}
    done = real.run("chat", *flags, "1", input=b"Hi\n")
    assert done.stdout.decode().strip() == ""
