"""llama.cpp on the same file: llama-bench for one sequence, llama-server for several clients."""
import concurrent.futures
import http.client
import json
import os
import socket
import subprocess
import threading
import time

READY_S = 180
SLOTS = 8


def bench(folder, model, n_tokens, n_prompt):
    """Tokens a second of decoding n_tokens or of a prefill of n_prompt, the other being 0: one run after a warm-up."""
    command = [folder / "llama-bench", "-m", model, "-t", os.cpu_count(), "-r", 1, "-n", n_tokens, "-p", n_prompt,
               "-o", "json"]
    done = subprocess.run(list(map(str, command)), capture_output=True, check=True, text=True)
    line, = json.loads(done.stdout)
    return line["avg_ts"]


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Server:
    """llama-server on a loopback port. A context: it is ended, whatever happens."""

    def __init__(self, folder, model):
        self.port = free_port()
        command = [folder / "llama-server", "-m", model, "-t", os.cpu_count(), "-np", SLOTS, "-c", SLOTS * 1024,
                   "--host", "127.0.0.1", "--port", self.port, "--no-webui"]
        self.process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self):
        deadline = time.monotonic() + READY_S
        while not self.is_healthy():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                raise RuntimeError("llama-server does not become ready")
            time.sleep(0.05)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def is_healthy(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def complete(self, prompt_ids, n_tokens, seed):
        """Our default chain as far as it has one; how many tokens came."""
        body = {"prompt": prompt_ids, "n_predict": n_tokens, "temperature": 0.8, "top_p": 0.9, "top_k": 0,
                "min_p": 0, "repeat_penalty": 1.1, "seed": seed, "ignore_eos": True, "cache_prompt": False}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        connection.request("POST", "/completion", json.dumps(body), {"Content-Type": "application/json"})
        answer = json.loads(connection.getresponse().read())
        connection.close()
        return answer["tokens_predicted"]

    def clients(self, prompts, n_tokens):
        """Tokens a second of clients that begin together, one a prompt."""
        gate = threading.Barrier(len(prompts) + 1)

        def client(number):
            gate.wait()
            return self.complete(prompts[number], n_tokens, number)

        with concurrent.futures.ThreadPoolExecutor(len(prompts)) as pool:
            running = [pool.submit(client, number) for number in range(len(prompts))]
            gate.wait()
            begin = time.monotonic()
            n_done = sum(one.result() for one in running)
            return n_done / (time.monotonic() - begin)
