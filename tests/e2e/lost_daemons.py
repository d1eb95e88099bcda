"""A daemon that is lost while several owners' texts of one id are written."""
import os

import pytest

from conftest import wait_until


def lost_while_all_write(stack, users, role, n_steps, begin):
    """A request of all at once, which begin(request) begins; at about this step of it the daemon is killed, and another one
    begins. Where the test itself stood still a text may be over by then, and another request is begun."""
    for _ in range(5):
        request = os.urandom(16)
        begin(request)
        wait_until(lambda: all(user.chunks(request) and user.chunks(request)[-1].step >= n_steps for user in users),
                   what=f"{n_steps} steps of each")
        stack.kill(getattr(stack, role))
        is_caught = all(user.is_writing(request) for user in users)
        stack.start_again(role)
        if is_caught:
            return request
        for user in users:
            user.text(request)
    pytest.fail("each text was over before its daemon was")
