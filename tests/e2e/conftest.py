"""Real daemons on real sockets, in a runtime folder of their own.

TRIVIUM_BUILD: folder of the programs. TRIVIUM_MODEL: the real model's file (its tests fail without it).
"""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("TRIVIUM_BUILD", ROOT / "build"))
GOLDEN = ROOT / "tests" / "golden"
TIMEOUT_S = 120

# Tests that fill whole tables are for a build whose tables are tiny (make tiny).
IS_TINY = "-DTINY_LIMITS=1" in (BUILD / "flags").read_text() if (BUILD / "flags").exists() else False
collect_ignore = [] if IS_TINY else ["tiny"]


def wait_until(condition, seconds=60.0, what="condition"):
    """Poll until condition() is truthy and return that; fail loudly after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds} s: {what}")
        time.sleep(0.02)


def caught_running(begin):
    """What begin() returns, whose first is a process that still runs: where the test itself stood still its text may be
    over, and another one is begun."""
    for _ in range(5):
        begun = begin()
        if begun[0].poll() is None:
            return begun
    pytest.fail("each text was over before anything could be done to it")


# Whoever runs the tests may ignore these (cron, `nohup … &`), and what is started here would inherit it: that a program is
# told by one is what is tested. Python's own Ctrl-C is as ever.
for _number in (signal.SIGHUP, signal.SIGTERM):
    signal.signal(_number, signal.SIG_DFL)
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))


class Stack:
    """Daemons and clients that share one runtime folder. A context: what was started is ended, whatever happens."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="trv-", dir="/tmp"))
        self.runtime = self.folder / "trivium"
        self.environment = dict(os.environ, XDG_RUNTIME_DIR=str(self.folder), XDG_STATE_HOME=str(self.folder / "state"),
                                NO_COLOR="1")
        self.environment.pop("TRIVIUM_MODEL", None)     # `up` would add it
        self.processes = []
        self.logs = {}
        self.client_flags = ()      # of every command of the client

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def program(self, name):
        """The file of one of ours."""
        return BUILD / name

    def spawn(self, program, *arguments, **keywords):
        """Any process, in the environment of this stack."""
        keywords = {"env": self.environment, "stdin": subprocess.DEVNULL, **keywords}
        process = subprocess.Popen([program, *map(str, arguments)], **keywords)
        self.processes.append(process)
        return process

    def start(self, role, *arguments, program=None, **keywords):
        """Start a daemon; its stderr goes to a log file that log(process) reads."""
        log = self.folder / f"{role}-{len(self.processes)}.log"
        with open(log, "wb") as stream:
            process = self.spawn(program or self.program(role), *arguments, stdout=stream, stderr=stream, **keywords)
        self.logs[process.pid] = log
        return process

    def start_all(self, model, *modeld_arguments):
        self.tokenizerd = self.start("tokenizerd")
        self.modeld = self.start("modeld", "--model", model, *modeld_arguments)
        self.samplerd = self.start("samplerd")
        self.wait_ready()

    def log(self, process):
        return self.logs[process.pid].read_text(errors="replace")

    def daemons(self):
        done = self.run("status", "--json", "--wait", "1")
        return json.loads(done.stdout)["daemons"] if done.returncode == 0 else []

    def wait_ready(self, n_daemons=3, seconds=60.0):
        def ready():
            for process in self.processes:
                if process.poll() not in (None, 0):
                    pytest.fail(f"a daemon ended:\n{self.log(process)}")
            return [d for d in self.daemons() if d["state"] == "ready"]
        wait_until(lambda: len(ready()) >= n_daemons, seconds, f"{n_daemons} daemons ready")

    def command(self, *arguments):
        """Flags of the client stand after its command's name."""
        return [*arguments[:1], *self.client_flags, *map(str, arguments[1:])] if arguments else []

    def run(self, *arguments, input=None, timeout=TIMEOUT_S):
        """One run of the client; stdout and stderr as bytes."""
        return subprocess.run([self.program("trivium"), *self.command(*arguments)], env=self.environment, input=input,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout,
                              **({} if input is not None else {"stdin": subprocess.DEVNULL}))

    def popen(self, *arguments, **keywords):
        """A client that runs on; stdout and stderr are pipes."""
        return self.spawn(self.program("trivium"), *self.command(*arguments), **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **keywords})

    def text(self, *arguments, **keywords):
        """stdout of `generate` with these arguments, which must succeed."""
        done = self.run("generate", *arguments, **keywords)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def lines(self, *arguments, **keywords):
        """The JSON lines that a command prints; it must succeed."""
        done = self.run(*arguments, "--json", **keywords)
        assert done.returncode == 0, done.stderr.decode() + done.stdout.decode()[-500:]
        return [json.loads(line) for line in done.stdout.splitlines()]

    def refused(self, *arguments, code=1, **keywords):
        """The sentence of a command that must fail with this exit code."""
        done = self.run(*arguments, **keywords)
        sentence = done.stderr.decode()
        assert done.returncode == code, (done.returncode, sentence, done.stdout[:500])
        assert sentence.strip(), "an error without a sentence"
        return sentence

    def refused_soon(self, *arguments, **keywords):
        """As `refused`, of a command that waits for less than the daemons themselves may need on a busy machine."""
        def sentence_of_daemons():
            sentence = self.refused(*arguments, **keywords)
            return "no tokenizerd answers" not in sentence and sentence
        return wait_until(sentence_of_daemons, what="an answer of tokenizerd")

    def running(self, n_steps=0):
        """The requests that have taken more steps than that, when there are any."""
        return wait_until(lambda: [r for r in self.lines("ps")[0]["requests"] if r["step"] > n_steps],
                          what="a running request")

    def model(self):
        """What `status` says of the model that has joined."""
        return wait_until(lambda: self.lines("status")[0]["models"], what="a model")[0]

    def stop(self, process, how=signal.SIGTERM):
        """It ends at once: a daemon that has heard SIGTERM once drains, and so hears it again, as from `down`."""
        def ended():
            if process.poll() is None:
                process.send_signal(how)
            return process.poll() is not None
        wait_until(ended, TIMEOUT_S, "the end of a process")

    def kill(self, process):
        """SIGKILL; from then on it is not missed."""
        process.kill()
        process.wait()
        self.processes.remove(process)

    @contextlib.contextmanager
    def held(self):
        """No text goes on meanwhile: whoever watches one is there from its first step on."""
        self.samplerd.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.samplerd.send_signal(signal.SIGCONT)

    def strangers(self):
        """Processes of this runtime folder that still live, whoever started them: (pid, name)."""
        mark = f"XDG_RUNTIME_DIR={self.folder}".encode()
        found = []
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    found.append((int(folder.name), (folder / "comm").read_text().strip()))
            except OSError:                 # gone meanwhile, or somebody else's
                pass
        return found

    def close(self):
        for process in reversed(self.processes):
            if process.poll() is None:
                process.kill()
            process.wait()
        for pid, _ in self.strangers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture
def stack():
    with Stack() as one:
        yield one


@pytest.fixture
def fakes():
    """fakes(Class, …) makes one that is closed at the end."""
    made = []

    def make(kind, *arguments, **keywords):
        made.append(kind(*arguments, **keywords))
        return made[-1]
    yield make
    for fake in made:
        fake.close()


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """models(type="Q4_1", seed=1, …) → path of a tiny random model, made once a session."""
    folder = tmp_path_factory.mktemp("models")
    made = {}

    def make(**options):
        key = tuple(sorted(options.items()))
        if key not in made:
            path = folder / ("tiny-" + "-".join(f"{k}{v}" for k, v in key) + ".gguf")
            flags = [text for name, value in key for text in (f"--{name}", str(value))]
            subprocess.run([BUILD / "tests" / "make_model", path, *flags], check=True)
            made[key] = path
        return made[key]
    return make


@pytest.fixture(scope="module")
def tiny(models):
    """A running stack with a tiny random model, shared by the tests of a module."""
    with Stack() as one:
        one.start_all(models(type="Q4_1", seed=1))
        yield one


@pytest.fixture(scope="session")
def real_model():
    path = os.environ.get("TRIVIUM_MODEL", "")
    assert path and os.path.exists(path), "TRIVIUM_MODEL must name the real model's file (make model fetches it)"
    return pathlib.Path(path)


@pytest.fixture(scope="session")
def real(real_model):
    """A running stack with the real model, shared by all tests that need it."""
    with Stack() as one:
        one.start_all(real_model)
        yield one


@pytest.fixture(scope="session")
def golden():
    def read(name):
        with open(GOLDEN / name, encoding="utf-8") as stream:
            return [json.loads(line) for line in stream]
    return read
