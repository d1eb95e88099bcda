"""One owner has as many texts as may be, and as many large ones encoded, on two connections: what modeld says is read all the
same. So the link stands, and another owner's text is what it is when nobody else asks."""
import threading

from asking_client import AskingClient
from pipelining import nobody_was_lost, start_at, text_of

N_FLOODERS, N_TEXTS, WAITING_MAX = 2, 4, 500
TEXT = ("Once upon a time", "--seed", "3", "--temperature", "1.5", "--ignore-eos", "--max-new-tokens", "200", "--owner", "bob")


class Flooder(AskingClient):
    def flood(self, over):
        """Until it is `over`. What is answered is of no interest, and taken off the queue."""
        n = 0
        while not over.wait(0.0005):
            n += 1
            if len(self.outbox) < WAITING_MAX:
                if n % 2:
                    self.generate(n_tokens=200)
                else:
                    self.ask("tokenize", [text_of((100, 10000, 200000)[n % 3])])
            while not self.answers.empty():
                self.answers.get_nowait()


def test_texts_and_calls_of_one_owner(stack, fakes, models):
    address = start_at(stack, "ipc", models(type="Q4_1", seed=1))
    expected = stack.text(*TEXT)
    over = threading.Event()
    threads = []
    for i in range(N_FLOODERS):
        flooder = fakes(Flooder, address, f"flood {i}", "ann")
        threads.append(threading.Thread(target=flooder.flood, args=(over,)))
        threads[-1].start()
    try:
        for _ in range(N_TEXTS):
            assert stack.text(*TEXT) == expected
    finally:
        over.set()
        for thread in threads:
            thread.join()
    nobody_was_lost(stack)
    assert " left tokenizerd=" not in stack.log(stack.modeld)
