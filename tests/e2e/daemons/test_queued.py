"""A text that waits for pages of its modeld's KV-cache is shown so."""
from conftest import wait_until

LONG = ("generate", "hello", "--max-new-tokens", "200", "--ignore-eos")


def states(stack):
    return sorted(request["state"] for request in stack.lines("ps")[0]["requests"])


def test_a_text_that_waits_for_pages_is_shown_as_waiting(stack, models):
    model = models(type="F32", seed=1)
    refused = stack.start("modeld", "--model", model, "--kv-memory", "1")
    assert refused.wait(60) == 2
    page = int(stack.log(refused).split("a page at least: ")[1].split()[0])
    stack.processes.remove(refused)
    stack.start_all(model, "--kv-memory", 4 * page)            # 64 tokens a page: one text fills it
    with stack.held():
        texts = [stack.popen(*LONG, "--seed", n) for n in range(2)]
        wait_until(lambda: states(stack) == ["running", "waiting"], what="a text that waits for the other's pages")
    for text in texts:
        assert text.wait(60) == 0
