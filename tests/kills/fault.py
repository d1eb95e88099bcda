"""One thing that goes wrong while texts are written, and the kinds of rounds that there are."""
import dataclasses

DAEMONS = ("samplerd", "modeld", "tokenizerd")
LINKS = ("clients", "models", "samplers")
PREFILL = -1            # a step before the first: the prompt is being computed


@dataclasses.dataclass(frozen=True)
class Fault:
    """Kill and stop fall on daemons, cut and stall on a link. It falls when text 0 has shown token `step`."""
    how: str            # "kill": -9, and started again; "stop": SIGSTOP, and SIGCONT; "cut": the connections of a link
                        # break, and may come again; "stall": nothing passes on a link, then all of it
    who: tuple          # of DAEMONS, or one of LINKS
    step: int
    away_ms: int        # from the fault until its end: started again, continued, …
    lag_ms: int = 0     # after the moment that `step` names

    def __str__(self):
        when = f"at token {self.step}" if self.step != PREFILL else "in the prefill"
        lag = f" and {self.lag_ms} ms" if self.lag_ms else ""
        return f"{self.how} {'+'.join(self.who)} {when}{lag}, away {self.away_ms} ms"


# kind → (how, who), of a round with a single fault in the middle of its texts
SINGLE = {
    **{f"{how}-{name}": (how, who) for how in ("kill", "stop")
       for name, who in (*((one, (one,)) for one in DAEMONS), ("all", DAEMONS))},
    **{f"{how}-{link}": (how, (link,)) for how in ("cut", "stall") for link in LINKS},
}
KINDS = (*SINGLE, "kill-in-prefill", "kill-in-tune", "two-faults")
