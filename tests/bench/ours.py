"""Three daemons in a runtime folder of their own, and what `trivium bench` says of them."""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

READY_S = 120


class Refused(Exception):
    """A daemon or the client said no: its sentence."""


class Daemons:
    """One model, served. A context: what was started is ended, whatever happens."""

    def __init__(self, build, model):
        self.build, self.model = build, model
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="trivium-bench-", dir="/tmp"))
        self.environment = dict(os.environ, XDG_RUNTIME_DIR=str(self.folder))
        self.processes = []

    def __enter__(self):
        try:
            self.start("tokenizerd")
            self.modeld, self.start_ms = self.start_timed("modeld", "--model", self.model)
            self.start("samplerd")
            self.wait_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.send_signal(signal.SIGCONT)
            process.terminate()
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def log_of(self, role):
        return self.folder / f"{role}.log"

    def start(self, role, *arguments):
        with open(self.log_of(role), "wb") as log:
            process = subprocess.Popen([self.build / role, *arguments], env=self.environment,
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.processes.append(process)
        return process

    def start_timed(self, role, *arguments):
        """Start it, and the milliseconds until its log says that it is ready."""
        begin = time.monotonic()
        process = self.start(role, *arguments)
        while f"{role} ready" not in self.log_of(role).read_text(errors="replace"):
            if process.poll() is not None:
                raise Refused(self.log_of(role).read_text(errors="replace").strip().splitlines()[-1])
            if time.monotonic() - begin > READY_S:
                raise Refused(f"{role} is not ready after {READY_S} s")
            time.sleep(0.001)
        return process, (time.monotonic() - begin) * 1000

    def starts_ms(self, n):
        """Start-up times of n more modelds, each ended before the next; they join nobody."""
        times = []
        for i in range(n):
            nowhere = f"ipc://{self.folder}/nowhere-{i}"
            process, ms = self.start_timed("modeld", "--model", self.model, "--join", nowhere,
                                           "--bind-samplers", f"ipc://{self.folder}/samplers-{i}")
            process.terminate()
            process.wait()
            self.processes.remove(process)
            times.append(ms)
        return times

    def run(self, *arguments, **keywords):
        done = subprocess.run([self.build / "trivium", *map(str, arguments), "--json"], env=self.environment,
                              capture_output=True, **keywords)
        if done.returncode != 0:
            raise Refused(done.stderr.decode().strip() or f"trivium {arguments[0]} ended with {done.returncode}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def wait_ready(self):
        deadline = time.monotonic() + READY_S
        while sum(d["state"] == "ready" for d in self.run("status")[0]["daemons"]) < 3:
            if time.monotonic() > deadline:
                raise Refused(f"the daemons are not ready after {READY_S} s")
            time.sleep(0.05)

    @contextlib.contextmanager
    def stopped(self):
        """For as long as it lasts, they take no processor time."""
        for process in self.processes:
            process.send_signal(signal.SIGSTOP)
        yield
        for process in self.processes:
            process.send_signal(signal.SIGCONT)
        self.wait_ready()

    def resident_bytes(self):
        """(all, anonymous) of modeld."""
        lines = pathlib.Path(f"/proc/{self.modeld.pid}/status").read_text().splitlines()
        fields = dict(line.split(":", 1) for line in lines)
        return tuple(int(fields[name].split()[0]) * 1024 for name in ("VmRSS", "RssAnon"))

    def decode(self, n_tokens):
        return self.run("bench", "decode", "--tokens", n_tokens)[0]

    def prefill(self, n_tokens):
        return self.run("bench", "prefill", "--tokens", n_tokens)[0]["prefill_tok_s"]

    def clients(self, counts, n_tokens):
        lines = self.run("bench", "clients", "--clients", ",".join(map(str, counts)), "--tokens", n_tokens, "--runs", 1)
        return {line["clients"]: line["tok_s"] for line in lines}

    def kv_cache(self):
        """A line for each prompt length."""
        return self.run("bench", "kv-cache")

    def tokenize(self, text):
        return self.run("tokenize", "--no-special", "-", input=text.encode())[0]["ids"]
