"""What a daemon that cannot join says of it."""
import socket

from conftest import TIMEOUT_S, wait_until
from kills.kept_stack import free_port


def said_by(stack, process, words):
    wait_until(lambda: words in stack.log(process), TIMEOUT_S, f"{words} in {stack.log(process)}")


def test_nobody_is_there(stack):
    endpoint = f"tcp://127.0.0.1:{free_port()}"
    samplerd = stack.start("samplerd", "--join", endpoint, "--insecure")
    said_by(stack, samplerd, f" waiting endpoint={endpoint} reach=refused")


def test_what_listens_says_nothing(stack):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        endpoint = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        samplerd = stack.start("samplerd", "--join", endpoint, "--insecure")
        said_by(stack, samplerd, f" waiting endpoint={endpoint} reach=silent")


def test_a_name_has_no_address(stack):
    endpoint = "tcp://nowhere.invalid:5555"
    samplerd = stack.start("samplerd", "--join", endpoint, "--insecure")
    said_by(stack, samplerd, f" waiting endpoint={endpoint} reach=no_address")


def test_one_line_before_it_joins_and_one_after_a_loss(stack, models):
    endpoint = f"ipc://{stack.folder}/samplers"
    samplerd = stack.start("samplerd", "--join", endpoint)
    said_by(stack, samplerd, f" waiting endpoint={endpoint} reach=refused")
    stack.start("tokenizerd")
    modeld = stack.start("modeld", "--model", models(type="Q4_1", seed=1), "--bind-samplers", endpoint)
    said_by(stack, samplerd, " joined modeld=")
    assert stack.log(samplerd).count(" waiting ") == 1
    modeld.kill()
    modeld.wait()
    wait_until(lambda: stack.log(samplerd).count(" waiting ") == 2, TIMEOUT_S, "a line after the loss")


def test_a_modeld_that_ends_in_order_is_not_one_whose_connection_broke(stack, models):
    stack.start_all(models(type="Q4_1", seed=1))
    stack.modeld.terminate()
    assert stack.modeld.wait(TIMEOUT_S) == 0
    said_by(stack, stack.samplerd, " left modeld=")
    line, = [line for line in stack.log(stack.samplerd).splitlines() if " left modeld=" in line]
    assert 'why="it left"' in line or 'why="it drained, and its connection ended"' in line, line
