"""--config FILE of the daemons: flags win, a wrong line is named, and SIGHUP has the file read again, in the middle of a text, too."""
import signal
import subprocess

import pytest

from conftest import BUILD, TIMEOUT_S, wait_until

TEXT = ("hello", "--seed", "1", "--ignore-eos", "--max-new-tokens", "8000")


@pytest.fixture
def file(tmp_path):
    return tmp_path / "settings"


def refusal(stack, program, *arguments, code=2):
    """What a daemon says that does not start for the sake of its settings."""
    done = subprocess.run([BUILD / program, *map(str, arguments)], env=stack.environment, capture_output=True, text=True,
                          timeout=TIMEOUT_S)
    assert done.returncode == code and done.stdout == "", done
    sentence, = done.stderr.splitlines()
    assert sentence.startswith(f"{program}: ")
    return sentence.removeprefix(f"{program}: ")


def hang_up(stack, process, event):
    """The next line of that event that the log has after a SIGHUP."""
    def lines():
        return [line for line in stack.log(process).splitlines() if f" {event} " in line]
    n_before = len(lines())
    process.send_signal(signal.SIGHUP)
    return wait_until(lambda: lines()[n_before:], what=event)[0]


def test_three_daemons_with_files(stack, tmp_path, models):
    files = {
        "tokenizerd": "name = front\ndefault-model = mine\r\nlog = debug\r\n",
        "modeld": f"# the model\nmodel = {models(type='F32', seed=1)}\nname = mine\nthreads = 1\nno-blas\nno-mapping = true\n"
                  "kv-memory = 64M\nisa = ref\n",
        "samplerd": "name = drawer\nno-mapping = false\nisa = ref\nthreads = 2\n",
    }
    for program, text in files.items():
        (tmp_path / program).write_text(text)
        stack.start(program, "--config", tmp_path / program, *(["--name", "flag"] if program == "samplerd" else []))
    stack.wait_ready()
    assert {d["role"]: d["name"] for d in stack.daemons()} == {"tokenizerd": "front", "modeld": "mine", "samplerd": "flag"}
    assert stack.lines("status")[0]["default_model"] == "mine"
    stack.text("hello", "--max-new-tokens", "3")


@pytest.mark.parametrize("program", ["tokenizerd", "modeld", "samplerd"])
@pytest.mark.parametrize("text, said", [
    (b"\n# a comment\nheartbeat = 5\n", ":3: there is no setting heartbeat: did you mean heartbeat-ms?"),
    (b"log = loud\n", ":1: --log must be quiet, error, info or debug, not loud"),
    (b"heartbeat-ms = 0\n", ":1: --heartbeat-ms needs a whole number"),
    (b"insecure = perhaps\n", ":1: insecure is true or false, not perhaps"),
    (b"log = info\nlog = debug\n", ":2: log stands in line 1 already"),
    (b"log = info\n\0\n", " has a NUL byte in it"),
    (b"name = \xff\n", " is not UTF-8"),
], ids=["key", "word", "number", "flag", "twice", "nul", "bytes"])
def test_what_is_wrong_in_a_file(stack, file, program, text, said):
    file.write_bytes(text)
    assert refusal(stack, program, "--config", file).startswith(f"{file}{said}")


@pytest.mark.parametrize("program, key", [("tokenizerd", "bind-models"), ("modeld", "join"), ("samplerd", "join")])
def test_an_endpoint_that_is_none_is_named_with_its_line(stack, file, models, program, key):
    file.write_text(f"log = info\n{key} = tcp://nowhere\n")
    model = ("--model", models(type="F32", seed=1)) if program == "modeld" else ()
    assert refusal(stack, program, *model, "--config", file).startswith(f"{file}:2: ")
    assert str(file) not in refusal(stack, program, *model, f"--{key}", "tcp://nowhere")


@pytest.mark.parametrize("program", ["modeld", "samplerd"])
def test_more_joins_than_there_can_be(stack, file, models, program):
    file.write_text("log = info\n" + 17 * "join = tcp://127.0.0.1:1\n")
    model = ("--model", models(type="F32", seed=1)) if program == "modeld" else ()
    assert refusal(stack, program, *model, "--config", file) == f"{file}:2: --join may be given at most 16 times"


def test_a_flag_wins_over_what_it_excludes(stack, file):
    """keys and insecure; both in the file are refused."""
    file.write_text("keys = nowhere\n")
    samplerd = ("samplerd", "--config", file, "--join", "tcp://127.0.0.1:1")
    assert "nowhere" in refusal(stack, *samplerd, code=1)
    process = stack.start(*samplerd, "--insecure")
    wait_until(lambda: "ready" in stack.log(process), what="a samplerd without keys")
    file.write_text("insecure\n")
    assert "there is no folder nowhere" in refusal(stack, *samplerd, "--keys", "nowhere", code=1)
    file.write_text("insecure\nkeys = nowhere\n")
    assert refusal(stack, *samplerd).startswith(f"{file}:2: --keys and --insecure exclude each other")
    assert refusal(stack, *samplerd[:1], "--keys", "") == "--keys must name a folder"


def test_a_byte_order_mark_is_no_setting(stack, file):
    file.write_bytes(b"\xef\xbb\xbfname = front\n")
    stack.start("tokenizerd", "--config", file)
    stack.wait_ready(1)
    assert stack.daemons()[0]["name"] == "front"


def test_what_is_no_file_of_settings(stack, file, tmp_path):
    assert "No such file" in refusal(stack, "samplerd", "--config", file)
    assert "is a folder" in refusal(stack, "samplerd", "--config", tmp_path)
    assert "must name a file" in refusal(stack, "samplerd", "--config", "")
    assert "is none" in refusal(stack, "samplerd", "--config", "/dev/zero")
    assert "cannot read" in refusal(stack, "samplerd", "--config", "/proc/self/mem")
    file.touch()
    with open(file, "r+b") as stream:
        stream.truncate(1 << 30)
    assert "larger than the 65536 bytes" in refusal(stack, "samplerd", "--config", file)


def test_a_hangup_reads_the_file_again(stack, file, tmp_path, models):
    """While a text is written: what can change does, what is wrong changes nothing, and no byte differs."""
    (tmp_path / "modeld").write_text("step-deadline-ms = 5000\n")
    file.write_text("log = info\n")
    tokenizerd = stack.start("tokenizerd", "--config", file)
    modeld = stack.start("modeld", "--config", tmp_path / "modeld", "--model", models(type="Q4_1", seed=1, context=100000))
    samplerd = stack.start("samplerd", "--config", file)
    stack.wait_ready()
    whole = stack.text(*TEXT)
    text = stack.popen("generate", *TEXT, bufsize=0)
    begun = text.stdout.read(10)

    file.write_text("log = debug\nname = another\n")
    assert "changed=log at_next_start=name" in hang_up(stack, tokenizerd, "config_read")
    assert "changed=log" in hang_up(stack, samplerd, "config_read")
    file.write_text("log = loud\n")
    assert f"{file}:1: --log must be" in hang_up(stack, tokenizerd, "config_refused")
    file.unlink()
    assert hang_up(stack, samplerd, "config_refused").endswith(': No such file or directory: nothing was changed"')
    (tmp_path / "modeld").write_text("step-deadline-ms = 4000\n")
    assert "changed=step-deadline-ms" in hang_up(stack, modeld, "config_read")

    assert begun + text.communicate(timeout=TIMEOUT_S)[0] == whole and text.returncode == 0
    n_lines = stack.log(tokenizerd).count("\n")
    stack.text("hello", "--max-new-tokens", "3")
    wait_until(lambda: stack.log(tokenizerd).count("\n") > n_lines, what="lines that debug logs")
    for process in (tokenizerd, modeld, samplerd):
        stack.stop(process)
        assert process.returncode == 0


@pytest.mark.parametrize("program, wrong, said", [
    ("tokenizerd", "bind-clients = tcp://nowhere", ":2: tcp://nowhere has no port"),
    ("tokenizerd", "bind-models = tcp://127.0.0.1:5556", ":2: tcp://127.0.0.1:5556 needs keys"),
    ("tokenizerd", "keys = there\ninsecure", ":2: --keys and --insecure exclude each other"),
    ("modeld", "bind-samplers = nowhere", ":2: nowhere is no endpoint"),
    ("samplerd", "join = tcp://127.0.0.1:0\ninsecure", ":2: tcp://127.0.0.1:0: a port is"),
], ids=["endpoint", "tcp", "keys", "model", "join"])
def test_a_hangup_takes_nothing_that_does_not_start(stack, file, models, program, wrong, said):
    """Not even what is right in the same file; and without that line all of it holds."""
    model = ("--model", models(type="F32", seed=1)) if program == "modeld" else ()
    file.write_text("log = info\n")
    process = stack.start(program, *model, "--config", file)
    wait_until(lambda: " ready " in stack.log(process), what=program)
    file.write_text(f"log = debug\n{wrong}\n")
    assert f'error="{file}{said}' in hang_up(stack, process, "config_refused")
    assert refusal(stack, program, *model, "--config", file).startswith(f"{file}{said}")
    file.write_text("log = debug\nname = another\n")
    assert "changed=log at_next_start=name" in hang_up(stack, process, "config_read")
    stack.stop(process)
    assert process.returncode == 0


def test_another_default_model(stack, file, models):
    file.write_text("")
    tokenizerd = stack.start("tokenizerd", "--config", file)
    stack.start("modeld", "--model", models(type="F32", seed=1), "--name", "first")
    stack.wait_ready(2)
    for text, model in (("default-model = second\n", "second"), ("", "first")):
        file.write_text(text)
        hang_up(stack, tokenizerd, "config_read")
        wait_until(lambda: stack.lines("status")[0]["default_model"] == model, what=model)


def test_other_limits_of_an_owner(stack, file, models):
    """Lowered while a text is written: it goes on, and the next one is told; then there is room again."""
    file.write_text("")
    tokenizerd = stack.start("tokenizerd", "--config", file)
    stack.start("modeld", "--model", models(type="Q4_1", seed=1, context=100000))
    stack.wait_ready(2)
    text = stack.popen("generate", *TEXT, "--wait", "100")
    wait_until(lambda: stack.lines("ps")[0]["requests"], what="a text that waits for a samplerd")
    file.write_text("texts-an-owner = 1\n")
    hang_up(stack, tokenizerd, "config_read")
    assert "one owner may have 1" in stack.refused("generate", "hello")
    file.write_text("texts-an-owner = 2\n")
    hang_up(stack, tokenizerd, "config_read")
    stack.start("samplerd")
    stack.text("hello", "--max-new-tokens", "3", "--wait", "100")
    text.communicate(timeout=TIMEOUT_S)
    assert text.returncode == 0


def test_a_flag_still_wins_after_a_hangup(stack, file):
    file.write_text("log = error\n")
    tokenizerd = stack.start("tokenizerd", "--config", file, "--log", "info")
    stack.wait_ready(1)
    file.write_text("log = quiet\n")
    assert hang_up(stack, tokenizerd, "config_read").endswith("changed=")


@pytest.mark.parametrize("before", [signal.SIG_DFL, signal.SIG_IGN], ids=["plain", "nohup"])
def test_with_a_file_a_hangup_ends_nothing_and_without_one_it_does(stack, file, before):
    file.write_text("")
    for arguments in (("--config", file), ()):
        samplerd = stack.start("samplerd", *arguments, preexec_fn=lambda: signal.signal(signal.SIGHUP, before))
        wait_until(lambda: " ready " in stack.log(samplerd), what="samplerd")
        if arguments:
            hang_up(stack, samplerd, "config_read")
        else:
            samplerd.send_signal(signal.SIGHUP)
        if arguments or before == signal.SIG_IGN:
            stack.stop(samplerd)
        samplerd.wait(timeout=TIMEOUT_S)
        assert samplerd.returncode == 0
