"""Whoever sends without end."""
import contextlib
import time

import pytest

from conftest import TIMEOUT_S


def pour(one, pieces):
    """The bytes that it takes of these pieces until it is cut, which it must be."""
    one.settimeout(TIMEOUT_S)
    n_bytes = 0
    with contextlib.suppress(ConnectionError):
        for piece in pieces:
            one.sendall(piece)
            n_bytes += len(piece)
        pytest.fail(f"{n_bytes} bytes were taken")
    return n_bytes


def repeated(piece, n, pause_s=0):
    for _ in range(n):
        yield piece
        time.sleep(pause_s)
