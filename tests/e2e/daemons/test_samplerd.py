"""samplerd alone, at the end of a socket that plays modeld: what it answers, and what it refuses."""
import array
import math
import random
import signal

import pytest

from examples import EXAMPLES, start_example
from fake_link import VERSION, common_pb2
from modeld_by_hand import GREEDY, ROW, ModeldByHand, ids_of
import logits_pb2


def chain(**steps):
    return common_pb2.Strategy(steps=[common_pb2.Step(name=name, numbers=[value]) for name, value in steps.items()])


@pytest.fixture
def address(stack):
    stack.folder.joinpath("sockets").mkdir()
    return f"ipc://{stack.folder}/sockets/samplers"


@pytest.fixture
def modeld(stack, address, fakes):
    one = fakes(ModeldByHand, address)
    stack.samplerd = stack.start("samplerd", "--join", address, "--pool", "careful", "--name", "s1", "--heartbeat-ms", "100")
    return one.join()


def test_hello_says_who_it_is(modeld):
    assert (modeld.hello.version, modeld.hello.role, modeld.hello.name) == (VERSION, common_pb2.SAMPLERD, "s1")
    assert (modeld.hello.sampler.pool, modeld.hello.sampler.semantics) == ("careful", "trivium/3")


def test_a_row_gets_an_id_and_its_raw_log_probability(modeld):
    reply, frames = modeld.ask(ROW, strategy=GREEDY, step=9)
    assert ids_of(reply) == [0] and reply.step == 9 and frames == []
    assert reply.request == b"r" * 16 and reply.drawn[0].state == b"" and reply.sample_ms >= 0
    assert reply.drawn[0].logprob == pytest.approx(-0.19437115708676, abs=1e-12)


def test_the_same_step_gives_the_same_id_whenever_it_is_asked(modeld):
    first = [ids_of(modeld.ask(ROW, seed=2 ** 53 - 1, step=step, strategy=chain(temperature=2.0))[0]) for step in range(40)]
    again = [ids_of(modeld.ask(ROW, seed=2 ** 53 - 1, step=step, strategy=chain(temperature=2.0))[0]) for step in range(40)]
    assert first == again and len({tuple(ids) for ids in first}) > 2


@pytest.mark.parametrize("threads", (1, 3))
def test_texts_are_drawn_for_side_by_side_and_each_gets_its_ids(stack, address, fakes, threads):
    one = fakes(ModeldByHand, address)
    stack.start("samplerd", "--join", address, "--threads", threads)
    one.join()
    asked = [dict(seed=n, step=n, strategy=chain(temperature=2.0), ticket=100 + n) for n in range(40)]
    for fields in asked:
        one.sample(ROW, **fields)
    replies = [one.sampled()[0] for _ in asked]
    assert [reply.ticket for reply in replies] == [fields["ticket"] for fields in asked]
    assert [ids_of(reply) for reply in replies] == [ids_of(one.ask(ROW, **fields)[0]) for fields in asked]


def test_each_row_follows_what_the_rows_before_it_drew(modeld):
    alone = ids_of(modeld.ask(ROW, seed=7, step=1, strategy=chain(temperature=2.0))[0])
    rows = ids_of(modeld.ask(ROW, ROW, seed=7, step=0, strategy=chain(temperature=2.0))[0])
    assert rows[1:] == alone                           # row i is drawn for step + i
    banning = common_pb2.Strategy(steps=[common_pb2.Step(name="presence_penalty", numbers=[100]), common_pb2.Step(name="greedy")])
    assert ids_of(modeld.ask(*[ROW] * 5, strategy=banning, ids=[1])[0]) == [0, 2, 3, 4, 0]


@pytest.mark.parametrize("drafts,drawn", [([0, 2, 3, 4], [0, 2, 3, 4, 0]), ([0, 2, 3, 0], [0, 2, 3, 4]), ([0, 3, 3, 4], [0, 2]),
                                          ([1, 2, 3, 4], [0])])
def test_drafted_rows_are_drawn_from_until_one_differs(modeld, drafts, drawn):
    banning = common_pb2.Strategy(steps=[common_pb2.Step(name="presence_penalty", numbers=[100]), common_pb2.Step(name="greedy")])
    assert ids_of(modeld.ask(*[ROW] * 5, strategy=banning, ids=[1], drafts=drafts)[0]) == drawn
    assert ids_of(modeld.ask(ROW, strategy=banning, ids=[1])[0]) == [0]


def test_candidates_and_probabilities(modeld):
    reply, frames = modeld.ask(ROW, ids=[0], strategy=chain(repetition_penalty=1.1, temperature=0.8, top_p=0.9),
                               n_candidates=3, want_probabilities=True)
    probabilities = array.array("d", frames[0])
    assert sum(probabilities) == pytest.approx(1) and list(probabilities[2:]) == [0, 0, 0]
    assert [one.id for one in reply.drawn[0].candidates] == [0, 1, 2]
    assert [one.probability for one in reply.drawn[0].candidates] == list(probabilities[:3])
    total = sum(map(math.exp, ROW))
    for one in reply.drawn[0].candidates:
        assert one.logprob == pytest.approx(math.log(math.exp(ROW[one.id]) / total))


def test_given_ids_are_scored_and_nothing_is_drawn(modeld):
    reply, _ = modeld.ask(ROW, [0, 0, 0, 0, -math.inf], ROW, given=[3, 4, -1], n_candidates=2)
    assert ids_of(reply) == [3, 4, -1]
    assert reply.drawn[0].logprob == pytest.approx(-4.19437115708676)
    assert reply.drawn[1].logprob == -math.inf and reply.drawn[2].logprob == 0
    assert [len(drawn.candidates) for drawn in reply.drawn] == [0, 0, 2]


REFUSED = [
    (dict(n_rows=0), common_pb2.BAD_MESSAGE), (dict(n_rows=65), common_pb2.BAD_MESSAGE), (dict(n_rows=2), common_pb2.BAD_MESSAGE),
    (dict(n_vocab=0), common_pb2.NO_CANDIDATE), (dict(n_vocab=4), common_pb2.BAD_MESSAGE),
    (dict(n_vocab=2 ** 32 - 1, n_rows=64), common_pb2.TOO_LONG), (dict(n_ids=1), common_pb2.BAD_MESSAGE),
    (dict(n_ids=2 ** 32 - 1), common_pb2.BAD_MESSAGE), (dict(n_prompt=1), common_pb2.BAD_MESSAGE),
    (dict(raw=[]), common_pb2.BAD_MESSAGE), (dict(raw=[b""]), common_pb2.BAD_MESSAGE), (dict(raw=[b"x" * 19]), common_pb2.BAD_MESSAGE),
    (dict(ids=[5]), common_pb2.BAD_ID), (dict(ids=[-1]), common_pb2.BAD_ID), (dict(given=[5]), common_pb2.BAD_ID),
    (dict(given=[-2]), common_pb2.BAD_ID), (dict(given=[1, 1]), common_pb2.BAD_MESSAGE), (dict(seed=2 ** 53), common_pb2.BAD_REQUEST),
    (dict(step=2 ** 32 - 1), common_pb2.BAD_REQUEST), (dict(state=b"x"), common_pb2.BAD_REQUEST),
    (dict(n_candidates=1025), common_pb2.BAD_REQUEST), (dict(request=b"x" * 17), common_pb2.BAD_MESSAGE),
    (dict(strategy=chain(warmth=1)), common_pb2.UNSUPPORTED), (dict(strategy=chain(top_p=2)), common_pb2.BAD_REQUEST),
    (dict(strategy=chain(temperature=math.nan)), common_pb2.BAD_REQUEST), (dict(strategy=chain(greedy=1)), common_pb2.BAD_MESSAGE)]


@pytest.mark.parametrize("fields,code", REFUSED, ids=[str(fields).replace("\n", " ")[:40] for fields, _ in REFUSED])
def test_what_is_wrong_is_refused_with_a_sentence_and_the_next_step_goes_on(modeld, fields, code):
    reply, frames = modeld.ask(ROW, **fields)
    assert reply.error.code == code and len(reply.error.message) > 10
    assert len(reply.drawn) == 0 and frames == []
    assert ids_of(modeld.ask(ROW, strategy=GREEDY)[0]) == [0]


def test_rows_that_leave_nothing_to_draw_are_refused(modeld):
    for row in [math.nan, 1, 2], [math.inf, 1, 2], [-math.inf] * 3:
        assert modeld.ask(row)[0].error.code == common_pb2.NO_CANDIDATE
    assert modeld.ask(ROW, ROW, want_probabilities=True)[0].error.code == common_pb2.BAD_REQUEST


def test_a_heartbeat_is_answered_and_say_hello_makes_it_join_again(modeld):
    modeld.send(control=common_pb2.Control(heartbeat=common_pb2.Heartbeat()))
    assert modeld.receive()[0].control.WhichOneof("word") == "heartbeat"
    modeld.send(control=common_pb2.Control(say_hello=common_pb2.SayHello()))
    modeld.join()
    assert ids_of(modeld.ask(ROW, strategy=GREEDY)[0]) == [0]


def test_another_incarnation_of_modeld_is_joined(stack, modeld, address):
    modeld.close()
    modeld.__init__(address, incarnation=78)
    assert ids_of(modeld.join().ask(ROW, strategy=GREEDY)[0]) == [0]


def test_several_modelds_are_served(stack, address, fakes):
    both = [fakes(ModeldByHand, address, 77), fakes(ModeldByHand, address + "2", 78)]
    stack.start("samplerd", "--join", address, "--join", address + "2")
    for modeld in both:
        modeld.join()
    for modeld in both * 2:
        assert ids_of(modeld.ask(ROW, strategy=GREEDY)[0]) == [0]


def test_it_says_leave_when_it_is_told_to_end(stack, modeld):
    assert ids_of(modeld.ask(ROW, strategy=GREEDY)[0]) == [0]
    stack.samplerd.send_signal(signal.SIGTERM)
    assert modeld.receive()[0].control.WhichOneof("word") == "draining"
    assert ids_of(modeld.ask(ROW, strategy=GREEDY)[0]) == [0]       # until nobody needs it any more
    modeld.send(released=logits_pb2.Released())
    assert modeld.receive()[0].control.WhichOneof("word") == "leave"
    assert stack.samplerd.wait(60) == 0


@pytest.fixture(params=EXAMPLES)
def example(request, stack, address, fakes):
    """A modeld that one of samplerd/examples has joined."""
    modeld = fakes(ModeldByHand, address)
    modeld.process = start_example(stack, request.param, address, "mine")
    return modeld.join()


def test_an_example_joins_and_draws(example):
    assert example.hello.sampler.pool == "mine"
    drawn = [ids_of(example.ask(ROW, ROW, seed=7, step=step)[0]) for step in range(30)]
    assert drawn == [ids_of(example.ask(ROW, ROW, seed=7, step=step)[0]) for step in range(30)]
    after_0 = [ids_of(example.ask(ROW, ids=[0], seed=7, step=step)[0])[0] for step in range(30)]
    assert {ids[0] for ids in drawn} == {0}     # 0.2 times 0.82 squared drops the others
    assert [ids[1] for ids in drawn[:-1]] == after_0[1:] and set(after_0) == {0, 1}     # 0 is penalized
    flat = [ids_of(example.ask([1.0, 0.9, -5.0], seed=7, step=step)[0])[0] for step in range(30)]
    assert set(flat) == {0, 1}
    for drafts, n_drawn in ([0, 0], 3), ([0, 1], 2), ([1, 0], 1):
        assert ids_of(example.ask([9, 0], [9, 0], [9, 0], drafts=drafts)[0]) == [0] * n_drawn


def test_an_example_refuses_what_it_cannot_do_and_goes_on(example):
    for fields in dict(given=[0]), dict(want_probabilities=True):
        assert example.ask(ROW, **fields)[0].error.code == common_pb2.UNSUPPORTED
    assert ids_of(example.ask(ROW)[0]) == [0]


def heard(modeld, word):
    """What comes until then is passed over: where the test stands still, a sampler says Hello again."""
    while modeld.receive()[0].control.WhichOneof("word") != word:
        pass


def test_an_example_keeps_the_link_and_leaves_when_told(example):
    example.send(control=common_pb2.Control(heartbeat=common_pb2.Heartbeat()))
    heard(example, "heartbeat")
    heard(example.welcome(), "leave")           # after a silence
    assert example.receive()[0].control.WhichOneof("word") == "hello"
    for word in dict(say_hello=common_pb2.SayHello()), dict(leave=common_pb2.Leave()):
        example.send(control=common_pb2.Control(**word))
        example.join()
        assert ids_of(example.ask(ROW)[0]) == [0]
    example.process.send_signal(signal.SIGTERM)
    heard(example, "leave")
    assert example.process.wait(60) == 0


def test_an_example_joins_another_incarnation_of_modeld(example, address):
    assert ids_of(example.ask(ROW)[0]) == [0]
    example.close()
    example.__init__(address, incarnation=78)
    assert ids_of(example.join().ask(ROW)[0]) == [0]


def test_an_example_that_is_refused_says_why(stack, address, fakes):
    for name in EXAMPLES:
        modeld = fakes(ModeldByHand, address + name)
        process = start_example(stack, name, address + name)
        hello, _ = modeld.receive()
        modeld.theirs = getattr(hello.control, "from")
        modeld.send(control=common_pb2.Control(refused=common_pb2.Error(code=common_pb2.BAD_REQUEST, message="no place for such")))
        assert process.wait(60) == 1 and "no place for such" in stack.log(process)


def test_all_examples_draw_the_same(stack, address, fakes):
    """To the bit, log-probabilities too: random numbers, sums and rounding are the same in these languages."""
    chance = random.Random(1)
    rows = [[chance.gauss(0, 3) for _ in range(500)] for _ in range(3)]
    asked = [dict(seed=seed, step=step, ids=[chance.randrange(500) for _ in range(70)])
             for step in (0, 1, 999) for seed in (0, 1, 2 ** 32, 2 ** 53 - 1)]
    answers = []
    for name in EXAMPLES:
        modeld = fakes(ModeldByHand, address + name)
        start_example(stack, name, address + name)
        modeld.join()
        replies = [modeld.ask(*rows, **fields)[0] for fields in asked]
        answers.append((modeld.hello.sampler.semantics, [[(one.id, one.logprob) for one in reply.drawn] for reply in replies]))
    assert all(one == answers[0] for one in answers) and len(set(map(str, answers[0][1]))) == len(asked)
