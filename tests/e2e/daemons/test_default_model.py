"""Which model a request without a name means: the first that joined, or the setting, and no restart changes it."""
import os
import re
import signal

import pytest

from conftest import wait_until

SHORT = ("hello", "--max-new-tokens", "2", "--ignore-eos", "--seed", "1")
SOON = ("--wait", "0.5")


class Two:
    """tokenizerd and the models a and b, each with a samplerd; a has joined first."""

    def __init__(self, stack, models):
        self.stack, self.paths, self.running = stack, {"a": models(type="F32", seed=1), "b": models(type="F32", seed=2)}, {}

    def start(self, *tokenizerd_flags):
        self.start_tokenizerd(*tokenizerd_flags)
        for name in "ab":
            self.stack.start("samplerd", "--join", self.samplers(name))
            self.start_model(name)
            self.wait_here(name)
        self.wait_first("a", "a", "b")
        return self

    def wait_first(self, name, *modelds):
        """tokenizerd takes it for the first, and these have heard of it."""
        def knows(process):
            return re.findall('first_model name="(.*?)"', self.stack.log(process))[-1:] == [name]
        for one in ("tokenizerd", *modelds):
            wait_until(lambda: knows(self.running[one]), what=f"{one} knows that {name} is the first")

    def samplers(self, name):
        return f"ipc://{self.stack.runtime}/samplers-{name}"

    def start_tokenizerd(self, *flags):
        self.running["tokenizerd"] = self.stack.start("tokenizerd", *flags)

    def start_model(self, name):
        self.running[name] = self.stack.start("modeld", "--model", self.paths[name], "--name", name, "--bind-samplers",
                                              self.samplers(name))

    def kill(self, *names):
        for name in names:
            self.stack.kill(self.running[name])

    def hold(self, name):
        self.running[name].send_signal(signal.SIGSTOP)

    def let_go(self, name):
        self.running[name].send_signal(signal.SIGCONT)

    def here(self):
        """The models that are ready, each with its samplerd. Of one that was started again the new process counts."""
        daemons = self.stack.daemons()
        samplers = {d["model"] for d in daemons if d["role"] == "samplerd"}
        modelds = [d for d in daemons if d["role"] == "modeld" and d["state"] == "ready"]
        return {d["model"] for d in modelds if d["model"] not in self.running or
                d["pid"] == self.running[d["model"]].pid} & samplers

    def wait_here(self, *names):
        wait_until(lambda: set(names) <= self.here(), what=f"{names} are here")

    def wait_alone(self, *names):
        wait_until(lambda: set(names) == self.here(), what=f"only {names} are here")

    def writer(self, *flags):
        return self.stack.lines("generate", *SHORT, *flags)[0]["start"]["model"]

    def default(self):
        return self.stack.lines("status")[0]["default_model"]

    def check_waits_for(self, name, others):
        """A request without a name fails after its wait, and its sentence says what is missing and what is there."""
        sentence = self.stack.refused_soon("generate", *SHORT, *SOON)
        assert f"default model '{name}' is not here" in sentence, sentence
        assert f"there are: {others}" in sentence and "--model" in sentence and "--default-model" in sentence, sentence


@pytest.fixture
def two(stack, models):
    return Two(stack, models)


# restarts

def test_no_restart_of_tokenizerd_changes_it(two):
    two.start()
    assert (two.writer(), two.writer("--model", "b")) == ("a", "b")
    for _ in range(4):
        two.hold("a")                           # so that b joins first
        two.kill("tokenizerd")
        two.start_tokenizerd()
        two.wait_alone("b")
        two.check_waits_for("a", "'b'")
        assert two.writer("--model", "b") == "b"
        two.let_go("a")
        two.wait_here("a", "b")
        assert two.writer() == "a"


def test_whoever_lives_knows_it(two):
    """tokenizerd and the default's modeld are killed together, then the other two, then each modeld alone."""
    two.start()
    two.kill("tokenizerd", "a")
    two.start_tokenizerd()
    two.wait_alone("b")
    two.check_waits_for("a", "'b'")
    two.start_model("a")
    two.wait_here("a")
    assert two.writer() == "a"

    two.hold("a")
    two.kill("tokenizerd", "b")
    two.start_tokenizerd()
    two.start_model("b")                        # it has heard nothing, and nobody else comes
    two.wait_first("b", "b")
    two.let_go("a")
    two.wait_here("a", "b")
    assert two.default() == two.writer() == "a"
    for name in "ab":
        two.kill(name)
        two.start_model(name)
        two.wait_here("a", "b")
        two.wait_first("a", name)
        assert two.writer() == "a"
    two.kill("tokenizerd", "a")                 # b was told anew
    two.start_tokenizerd()
    two.wait_alone("b")
    two.check_waits_for("a", "'b'")


def test_a_fresh_start_knows_nothing(two):
    two.start()
    two.kill("tokenizerd", "a", "b")
    two.start_tokenizerd()
    sentence = two.stack.refused_soon("generate", *SHORT, *SOON)
    assert "no modeld has joined within 0.5 s" in sentence
    two.start_model("b")
    two.wait_here("b")
    assert two.writer() == "b"


# while it is away

def test_a_request_waits_for_it_and_then_is_written_by_it(two):
    two.start()
    two.kill("a")
    two.wait_alone("b")
    client = two.stack.popen("generate", *SHORT, "--wait", "100")
    wait_until(lambda: two.stack.lines("ps")[0]["requests"], what="the request has come")
    two.check_waits_for("a", "'b'")
    assert client.poll() is None
    two.start_model("a")
    output, errors = client.communicate(timeout=100)
    assert client.returncode == 0 and "model a" in errors.decode().splitlines()
    assert output == two.stack.text(*SHORT, "--model", "a") != two.stack.text(*SHORT, "--model", "b")


CALLS = {
    "tokenize": (("tokenize", "hello"), '{"text": "hello"}'),
    "detokenize": (("detokenize", "--ids", "5,6"), '{"ids": [5, 6]}'),
    "score": (("score", "hello"), '{"text": "hello"}'),
    "probe": (("probe", "--logits", "1,2,3"), '{"logits": [1, 2, 3]}'),
    "explore": (("explore", "temperature", "hello", "--max-new-tokens", "2"), None),
    "bench": (("bench", "decode", "--tokens", "2"), None),
}


def check_line(two, name, line):
    """The answer to a line of --input, as soon as tokenizerd itself is quick enough."""
    def answer():
        told = two.stack.run(name, "--input", "-", *SOON, input=line.encode()).stdout.decode()
        return "no tokenizerd answers" not in told and told
    told = wait_until(answer, what="an answer of tokenizerd")
    assert "the default model 'a' is not here" in told, (name, told)


def test_nothing_else_goes_to_another_model_either(two):
    two.start()
    for command, line in CALLS.values():
        assert two.stack.run(*command).returncode == 0, command
    two.kill("a")
    two.wait_alone("b")
    for name, (command, line) in CALLS.items():
        assert "the default model 'a' is not here" in two.stack.refused_soon(*command, *SOON), name
        if line:
            check_line(two, name, line)
            done = two.stack.run(name, "--input", "-", "--model", "b", input=line.encode())
            assert done.returncode == 0 and b"error" not in done.stdout, (name, done)
    check_line(two, "tokenize", '{"messages": [{"role": "user", "content": "hello"}]}')      # Render
    assert "the default model 'a' is not here" in two.stack.refused_soon("chat", *SOON, input=b"hello\n")


def test_nobody_is_here(two):
    two.start()
    two.kill("a", "b")
    two.wait_alone()
    sentence = two.stack.refused_soon("generate", *SHORT, *SOON)
    assert "no modeld of the default model 'a' is here" in sentence and "--name a" in sentence


# the setting

def test_the_setting_wins(two):
    two.start("--default-model", "b")
    assert two.default() == two.writer() == "b"
    two.kill("tokenizerd")
    two.start_tokenizerd("--default-model", "b")
    two.wait_here("a", "b")
    assert two.writer() == "b"
    two.kill("b")
    two.wait_alone("a")
    two.check_waits_for("b", "'a'")
    assert two.writer("--model", "a") == "a"
    two.kill("tokenizerd")                      # without the setting the rule holds
    two.start_tokenizerd()
    two.wait_alone("a")
    assert two.writer() == "a"


def test_a_setting_that_is_no_name_is_refused(stack):
    for name in ("", "x" * 129, "a\nb", "\udcff"):     # the last one is the byte 255
        process = stack.start("tokenizerd", f"--default-model={name}")
        assert process.wait(60) == 2 and "--default-model must " in stack.log(process), stack.log(process)


# what is told

def test_status_marks_it(two):
    two.start()
    report = two.stack.lines("status")[0]
    assert {m["name"]: m["default"] for m in report["models"]} == {"a": True, "b": False}
    assert report["default_model"] == "a"
    shown = two.stack.run("status").stdout.decode()
    assert re.search(r"^a \(default\) ", shown, re.M) and re.search(r"^b  ", shown, re.M)
    assert "not here" not in shown
    two.kill("a")
    two.wait_alone("b")
    report = two.stack.lines("status")[0]
    assert [(m["name"], m["default"]) for m in report["models"]] == [("b", False)]
    assert report["default_model"] == "a"
    assert "the default model 'a' is not here\n" in two.stack.run("status").stdout.decode()


def test_generate_says_which_model_writes_where_several_are_there(two):
    two.start()
    for flags, name in (((), "a"), (("--model", "b"), "b")):
        done = two.stack.run("generate", *SHORT, *flags)
        assert done.stderr.decode().splitlines() == [f"model {name}"]
        json_run = two.stack.run("generate", *SHORT, *flags, "--json")
        assert b"model" not in json_run.stderr and f'"model":"{name}"'.encode() in json_run.stdout.replace(b" ", b"")
    text = two.stack.text(*SHORT)
    two.kill("b")
    two.wait_alone("a")
    done = two.stack.run("generate", *SHORT)
    assert done.stdout == text and b"model" not in done.stderr


def talk(two, *flags, between=lambda: None):
    """Two messages to a chat, and what it says to each."""
    chat = two.stack.popen("chat", "--seed", "1", "--max-new-tokens", "6", "--json", *flags, stdin=-1)
    replies = []
    for _ in range(2):
        chat.stdin.write(b"hello\n")
        chat.stdin.flush()
        replies.append(chat.stdout.readline())
        between()
    chat.stdin.close()
    errors = chat.stderr.read().decode()
    assert chat.wait(60) == 0, errors
    return replies, errors.splitlines()


def test_a_chat_stays_with_its_model_and_says_which(two):
    """It begins while b is taken for the first, and goes on when a is back."""
    two.start()
    expected = {name: talk(two, "--model", name)[0] for name in "ab"}
    assert expected["a"] != expected["b"]
    two.hold("a")
    two.kill("tokenizerd", "b")
    two.start_tokenizerd()
    two.start_model("b")
    two.wait_first("b", "b")
    two.wait_here("b")

    def a_is_back():
        two.let_go("a")
        two.wait_here("a", "b")
        assert two.default() == "a"
    replies, _ = talk(two, between=a_is_back)
    assert replies == expected["b"]
    replies, told = talk(two)
    assert replies == expected["a"]
    assert [line for line in told if "answers" in line] == ["trivium: a answers"]


# up

def test_up_without_a_model_means_the_default(two):
    stack, model = two.stack, two.paths["a"]
    try:
        for path in (model, two.paths["b"]):
            assert stack.run("up", "--model", path).returncode == 0
        wait_until(lambda: two.default() == model.stem, what="the first is the default")
        stack.environment["TRIVIUM_MODEL"] = str(model)
        assert stack.run("up").stdout.decode() == f"everything runs already, with the model {model.stem}\n"
        pid = int((stack.runtime / "modeld.pid").read_text().split()[0])
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: model.stem not in two.here(), what="its end")
        assert stack.run("up", "--wait", "60").stdout.decode().startswith("started modeld (pid ")
        assert two.writer() == model.stem
    finally:
        stack.run("down")
