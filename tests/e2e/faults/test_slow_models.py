"""A model that is slow by itself: the real one without the instructions of this processor, and heartbeats that are much
faster than some of its passes."""
import pytest

from conftest import Stack
from held_pass import lost_in

HEARTBEAT_MS = "250"            # three of them are shorter than the first pass
PROMPT = "The ship went north. " * 40                         # some 200 tokens
ASKED = ("generate", PROMPT, "--seed", "5", "--ignore-eos", "--max-new-tokens", "2")


def written(model, *arguments):
    """The ids of a text, and what the logs of those who wrote it say of peers that were lost."""
    with Stack() as one:
        one.start("tokenizerd", "--heartbeat-ms", HEARTBEAT_MS)
        one.start("modeld", "--model", model, "--heartbeat-ms", HEARTBEAT_MS, *arguments)
        one.start("samplerd", "--heartbeat-ms", HEARTBEAT_MS)
        one.wait_ready()
        lines = one.lines(*ASKED, timeout=300)
        assert lines[0]["start"]["prompt_tokens"] > 200
        return [line["id"] for line in lines if "id" in line], lost_in(one)


@pytest.mark.slow
def test_a_model_without_vector_instructions_loses_nobody_and_writes_the_same(real_model):
    """Its bits are those of each other instruction set: modeld/kernels/ARITHMETIC.md."""
    slow, lost = written(real_model, "--isa", "ref")
    assert len(slow) == 2 and not lost
    assert slow == written(real_model)[0]
