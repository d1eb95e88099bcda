"""--help of every program and command: it is there, shows an example, and fits a terminal of 80 columns."""
import re

import pytest

from programs import all_of_them, help_of


def test_there_are_commands():
    assert len(list(all_of_them())) > 15


@pytest.mark.parametrize("words", all_of_them(), ids="-".join)
def test_no_line_is_wider_than_80_columns(words):
    text = help_of(*words)
    assert [line for line in text.splitlines() if len(line) > 80] == []
    assert text.startswith(f"usage: {' '.join(words)}")
    if words[0] == "trivium" and len(words) > 1:
        assert re.search(rf"^  .*{' '.join(words)}\b", text, re.MULTILINE), "no example"
