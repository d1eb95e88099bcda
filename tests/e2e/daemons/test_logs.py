"""What the daemons' logs say of a text: each line about it has its id, as `ps` shows it, and reasons are words."""
import re
import subprocess

from conftest import wait_until
import fake_samplerd
from modeld_by_hand import ROW, ModeldByHand

TEXT = ("generate", "hello", "--greedy", "--max-new-tokens", "12", "--ignore-eos")


def lines_of(stack, process, event):
    return [line for line in stack.log(process).splitlines() if f" {event} " in line]


def start(stack, models):
    daemons = (stack.start("tokenizerd", "--log", "debug"),
               stack.start("modeld", "--log", "debug", "--model", models(type="F32", seed=4), "--step-deadline-ms", "60000"))
    stack.wait_ready(2)
    return daemons


def test_a_text_is_followed_by_its_id(stack, models, fakes):
    tokenizerd, modeld = start(stack, models)
    fakes(fake_samplerd.FakeSamplerd, f"ipc://{stack.runtime}/samplers",
          misbehave=fake_samplerd.changes("id", -1, every=5)).wait_joined()
    ids = [stack.lines(*TEXT)[0]["start"]["request"] for _ in range(2)]
    wait_until(lambda: len(lines_of(stack, tokenizerd, "request_done")) == 2, what="both have ended")
    retries = lines_of(stack, modeld, "retry")
    assert {line.split(" retry ")[1].split()[0] for line in retries} == {f"request={one}" for one in ids}
    for one, line in zip(ids, lines_of(stack, tokenizerd, "request_done")):
        assert line.endswith(f' request_done request={one} attempt=1 reason=length tokens=12 why=""')
    for daemon in (tokenizerd, modeld):
        assert not re.search(r"\b(reason|why|code)=\d", stack.log(daemon))


def events_of(stack, process, request):
    return [line.split()[2] for line in stack.log(process).splitlines() if f" request={request} " in line]


def test_each_turn_of_a_text_is_told(stack, models):
    path = models(type="Q8_0", seed=3, context=100000)
    stack.tokenizerd = stack.start("tokenizerd", "--log", "debug")
    stack.modeld = stack.start("modeld", "--log", "debug", "--model", path)
    samplerd = stack.start("samplerd", "--log", "debug")
    stack.wait_ready()
    long = ("generate", "hello", "--ignore-eos", "--max-new-tokens", "99000")
    stack.popen(*long, stdout=subprocess.DEVNULL)
    one = stack.running(n_steps=3)[0]["request"]
    client = stack.popen(*long, stdout=subprocess.DEVNULL)
    wait_until(lambda: len(stack.running(n_steps=3)) == 2, what="both run")
    lost = next(report["request"] for report in stack.running() if report["request"] != one)
    assert stack.run("tune", one, "--temperature", "0.5").returncode == 0
    stack.kill(samplerd)
    wait_until(lambda: "request_waits" in events_of(stack, stack.tokenizerd, one), what="the wait is told")
    stack.start("samplerd")
    stack.running(n_steps=stack.running()[0]["step"])
    stack.kill(client)
    assert stack.run("cancel", one).returncode == 0
    wait_until(lambda: len(lines_of(stack, stack.tokenizerd, "request_done")) == 2, what="both have ended")
    wait_until(lambda: len(lines_of(stack, stack.modeld, "closed")) == 2, what="at modeld, too")
    assert events_of(stack, stack.tokenizerd, one) == ["request_begun", "request_opened", "request_tuned", "request_waits",
                                                       "request_done"]
    ends = {re.search("request=(\\S+)", line)[1]: line for line in lines_of(stack, stack.tokenizerd, "request_done")}
    assert " reason=cancelled " in ends[one]
    assert " reason=superseded " in ends[lost] and ends[lost].endswith('why="its client is gone"')
    at_modeld = [event for event in events_of(stack, stack.modeld, one) if event != "retry"]
    assert at_modeld == ["opened", "closed"]
    assert all(' reason=asked why=""' in line for line in lines_of(stack, stack.modeld, "closed"))


def test_samplerd_tells_of_each_id_that_it_draws(stack, models):
    start(stack, models)
    samplerd = stack.start("samplerd", "--log", "debug")
    stack.wait_ready(3)
    one = stack.lines(*TEXT)[0]["start"]["request"]
    wait_until(lambda: len(lines_of(stack, samplerd, "drawn")) == 12, what="the last line, which follows its id")
    drawn = [line.split(" ", 2)[2] for line in stack.log(samplerd).splitlines() if f" request={one} " in line]
    steps = [re.fullmatch(r'drawn request=\S+ modeld="\S+" step=(\d+) rows=1 id=\d+', line)[1] for line in drawn]
    assert steps == [str(step) for step in range(12)]


def test_a_text_that_fails_says_why(stack, models):
    tokenizerd, _ = start(stack, models)
    done = stack.run(*TEXT, "--wait", "1", "--json")
    assert done.returncode == 1
    wait_until(lambda: lines_of(stack, tokenizerd, "request_done"), what="it has ended")
    line = lines_of(stack, tokenizerd, "request_done")[0]
    assert re.search(r' request=[0-9a-f]{32} attempt=1 reason=error tokens=0 why="no samplerd of pool ', line), line


def test_a_step_that_samplerd_refuses_names_its_text(stack, fakes):
    stack.folder.joinpath("sockets").mkdir()
    address = f"ipc://{stack.folder}/sockets/samplers"
    modeld = fakes(ModeldByHand, address)
    samplerd = stack.start("samplerd", "--join", address)
    modeld.join()
    for request in (b"r" * 16, b"", b"x" * 17):
        modeld.ask(ROW, step=2 ** 32 - 1, request=request)
    wait_until(lambda: len(lines_of(stack, samplerd, "refused")) == 3, what="the last line, which follows its answer")
    names = [re.search(r" refused request=(\S+) ", line)[1] for line in lines_of(stack, samplerd, "refused")]
    assert names == ["72" * 16, "-", "78" * 16]
    assert " code=bad_request " in lines_of(stack, samplerd, "refused")[0]
