"""A round, run on daemons of its own."""
import json
import signal
import time

import pytest

from conftest import TIMEOUT_S

from .fault import PREFILL
from .kept_stack import READABLE, KeptStack
from .outcome import Outcome, check_text, first_difference
from .strategy import TUNED, chain_json
from .undisturbed import generate_arguments
from .writing import Writing

QUIET_S = 0.03          # after a fault: what was on its way has arrived
WAIT_S = 60             # a client waits so long for daemons: they are started again, however busy the machine is


def run_round(plan, paths, undisturbed, make_stack=KeptStack):
    """The Outcome of a Round. `paths`: files of the models by name."""
    outcome = Outcome(plan)
    stack = make_stack(paths[plan.model], plan.transport, plan.relayed, ("--name", plan.model))
    try:
        for text in plan.texts:
            undisturbed.text(text)
        stack.begin_all()
        Trial(plan, stack, undisturbed, outcome).run()
    except (Exception, pytest.fail.Exception) as error:
        outcome.add("end", f"{type(error).__name__}: {error}")
    finally:
        if outcome.wrong:
            outcome.logs = stack.last_words()
        stack.close()
    return outcome


class Trial:
    def __init__(self, plan, stack, undisturbed, outcome):
        self.plan, self.stack, self.undisturbed, self.outcome = plan, stack, undisturbed, outcome
        self.writings = []
        self.tune = None                # the process, once begun
        self.tuned_step = None          # from which its strategy holds, when it said so
        self.tune_asked_at = 0          # how many tokens had been seen by then

    @property
    def first(self):
        return self.writings[0]

    def run(self):
        for text in self.plan.texts:
            arguments = [*generate_arguments(text), "--json", "--wait", WAIT_S, *self.stack.reach]
            self.writings.append(Writing(self.stack.popen(*arguments)))
        tune = self.plan.tune
        if tune and self.plan.kind != "kill-in-tune" and self.reached(tune.step):
            self.begin_tune()
            self.end_tune(must_hold=True)
        self.outcome.counted = all([self.happen(fault) for fault in self.plan.faults])
        if self.tune and self.tuned_step is None:
            self.end_tune(must_hold=False)
        self.check_texts()
        self.check_daemons()

    def reached(self, step):
        return self.first.wait(lambda: self.first.has_shown(step), TIMEOUT_S)

    # what goes wrong

    def happen(self, fault):
        """Whether it fell in the middle of text 0."""
        in_prefill = fault.step == PREFILL
        came = self.first.wait(self.first.has_begun, TIMEOUT_S) if in_prefill else self.reached(fault.step)
        if came and self.plan.kind == "kill-in-tune":
            self.begin_tune()
        time.sleep(fault.lag_ms / 1000)
        begun_s = time.monotonic()
        self.break_it(fault)
        self.first.wait_quiet(QUIET_S, 1)
        n_seen = len(self.first.tokens)
        counted = came and not self.first.dones and not self.first.over and (n_seen == 0) == in_prefill
        time.sleep(max(0, begun_s + fault.away_ms / 1000 - time.monotonic()))
        self.mend(fault)
        if counted and self.reached(n_seen):
            self.outcome.pauses_s.append(self.first.seen_s[n_seen] - begun_s)
        return counted

    def break_it(self, fault):
        if fault.how == "kill":
            self.stack.kill_all(fault.who)
        elif fault.how == "stop":
            self.stack.signal(fault.who, signal.SIGSTOP)
        elif fault.how == "cut":
            self.stack.relays[fault.who[0]].cut(open_again=False)
        else:
            self.stack.relays[fault.who[0]].stall()

    def mend(self, fault):
        if fault.how == "kill":
            for role in fault.who:
                self.stack.begin(role)
        elif fault.how == "stop":
            self.stack.signal(fault.who, signal.SIGCONT)
        else:
            self.stack.relays[fault.who[0]].mend()

    # the tune

    def begin_tune(self):
        self.tune_asked_at = len(self.first.tokens)
        self.tune = self.stack.popen("tune", self.first.start_line["request"], "--chain",
                                     chain_json(TUNED[self.plan.tune.strategy]), "--json", "--wait", WAIT_S,
                                     *self.stack.reach)

    def end_tune(self, must_hold):
        """A tune may fail when what it asked was lost, or when the text is over: in words."""
        told, errors = self.tune.communicate(timeout=TIMEOUT_S)
        if self.tune.returncode == 0:
            self.tuned_step = json.loads(told)["step"]
        elif must_hold and not self.first.dones:
            self.outcome.add("end", f"the tune failed: {errors.decode(errors='replace').strip()!r}")
        elif not errors.strip():
            self.outcome.add("end", f"the tune ended with {self.tune.returncode}, without a word")

    def expected(self, which):
        """A tune that failed may have come to hold all the same, at a step that nobody was told."""
        text = self.plan.texts[which]
        plain = self.undisturbed.text(text)
        if which > 0 or not self.tune:
            return plain
        if self.tuned_step is not None:
            return self.undisturbed.tuned_text(text, self.plan.tune.strategy, self.tuned_step)
        parted = first_difference(self.first.ids, plain.ids)
        for step in range(parted, self.tune_asked_at - 1, -1) if parted < len(plain.ids) else ():
            tuned = self.undisturbed.tuned_text(text, self.plan.tune.strategy, step)
            if first_difference(self.first.ids, tuned.ids) == len(tuned.ids):
                return tuned
        return plain

    # what must be right

    def check_texts(self):
        for which, writing in enumerate(self.writings):
            writing.join(TIMEOUT_S)
            if writing.is_alive():
                self.outcome.add("end", f"text {which} stands still after {len(writing.tokens)} tokens")
                writing.process.kill()
                writing.join()
            check_text(self.outcome, which, writing, self.expected(which))
            said = "clients" in self.plan.relayed and self.plan.transport in READABLE and writing.start_line
            sentence = self.stack.dones.wrong(writing.start_line["request"]) if said else ""
            if sentence:
                self.outcome.add("done", f"text {which}: {sentence}")

    def check_daemons(self):
        """They live, have nothing under way, keep nothing of those that are gone, and end without a trace."""
        ended = [role for role, process in self.stack.kept.items() if process.poll() is not None]
        if ended:
            self.outcome.add("end", f"ended by itself: {', '.join(ended)}")
            return
        status = self.stack.wait_idle()
        if status["garbage"]:
            self.outcome.add("end", f"{status['garbage']} messages could not be read")
        for role in ("modeld", "samplerd"):
            rows = self.stack.mapped_rows(role)
            if len(rows) > 1:
                self.outcome.add("end", f"{role} has {len(rows)} row memories mapped")
        for sentence in self.stack.end():
            self.outcome.add("end", sentence)
