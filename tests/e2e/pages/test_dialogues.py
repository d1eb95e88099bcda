"""The dialogues of PROTOCOL.md: real daemons answer what the golden bytes say, and the page says the same."""
import pytest

from conftest import GOLDEN, ROOT
import dialogue
from talking import DAEMONS, MODEL


@pytest.mark.parametrize("name", dialogue.LINKS)
def test_daemons_answer_as_they_did(stack, models, name):
    link = dialogue.LINKS[name]
    lines = dialogue.read(GOLDEN / "dialogues" / f"{name}.jsonl")
    dialogue.replay(link, lines, *DAEMONS[name](stack, models(**MODEL)))


@pytest.mark.parametrize("name", dialogue.LINKS)
def test_the_page_says_what_the_bytes_say(name):
    link = dialogue.LINKS[name]
    page = dialogue.blocks((ROOT / "proto" / "PROTOCOL.md").read_text())[name]
    lines = dialogue.read(GOLDEN / "dialogues" / f"{name}.jsonl")
    told = list(dialogue.messages(link, lines))
    for at, (one, other) in enumerate(zip(dialogue.parse(link, page), told, strict=True)):
        assert one == other, f"message {at}"


def test_a_dialogue_that_differs_is_told(stack, models):
    link = dialogue.LINKS["logits"]
    lines = dialogue.read(GOLDEN / "dialogues" / "logits.jsonl")
    at = next(i for i, (who, message, _) in enumerate(dialogue.messages(link, lines))
              if who == link.daemon and message.HasField("sample"))
    message = link.types[link.daemon].FromString(bytes.fromhex(lines[at]["frames"][0]))
    message.sample.drawn[0].logprob += 1e-12
    lines[at]["frames"][0] = message.SerializeToString().hex()
    with pytest.raises(AssertionError, match=f"message {at}"):
        dialogue.replay(link, lines, *DAEMONS["logits"](stack, None))
