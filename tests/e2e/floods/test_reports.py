"""A modeld that reports more samplers than anybody can have: status and the texts of others go on."""
import pytest

from conftest import wait_until
from fake_modeld import FakeModeld
from pipelining import memory_is_bounded, start_at
from witness import Witness

N_SAMPLERS = 250000


class Boasting(FakeModeld):
    def boast(self, n_samplers, to):
        beat = self.outgoing()
        for i in range(n_samplers):
            beat.control.heartbeat.report.samplers.add(name=f"s{i}", pool="p", host="h", pid=i)
        self.send(beat, to=to)


@pytest.mark.parametrize("kind", ["ipc", "tcp"])
@pytest.mark.parametrize("n_messages, n_samplers", [(3, N_SAMPLERS), (60, N_SAMPLERS // 50)])
def test_more_samplers_than_there_can_be(stack, fakes, models, kind, n_messages, n_samplers):
    start_at(stack, kind, models(type="Q4_1", seed=1, context=100000))
    with Witness(stack):
        boaster = fakes(Boasting, f"ipc://{stack.runtime}/models", name="boaster")
        boaster.wait_joined()
        for _ in range(n_messages):
            boaster.boast(n_samplers, to=b"")
            assert stack.run("status").returncode == 0
        status = wait_until(lambda: stack.lines("status")[0], what="a status")
        assert len(status["daemons"]) < 4096
    assert 'modeld_left name="tiny' not in stack.log(stack.tokenizerd)
    assert stack.modeld.poll() is None
    memory_is_bounded(stack.tokenizerd)
