"""What all rounds came to, a line a kind."""
import statistics

COLUMNS = ("kind", "rounds", "counted", "too late", "differing", "Done≠1", "steps", "end", "pause ms")
WIDTHS = (16, 7, 8, 9, 10, 7, 6, 4, 9)


def line_of(kind, outcomes):
    counted = [outcome for outcome in outcomes if outcome.counted]
    pauses = [pause for outcome in counted for pause in outcome.pauses_s]
    def n_wrong(sort):
        return sum(any(s == sort for s, _ in outcome.wrong) for outcome in outcomes)
    return (kind, len(outcomes), len(counted), len(outcomes) - len(counted), n_wrong("text"), n_wrong("done"),
            n_wrong("steps"), n_wrong("end"), f"{1000 * statistics.median(pauses):.0f}" if pauses else "")


def table(outcomes):
    """`counted` rounds had their faults in the middle of text 0; `too late` ones did not, and are checked all the same.
    `steps`: doubled or missing. `end`: exit codes, and what is left of a daemon. `pause`: median from a fault to the
    next token, with the time that somebody was away."""
    kinds = dict.fromkeys(outcome.round.kind for outcome in outcomes)
    lines = [line_of(kind, [o for o in outcomes if o.round.kind == kind]) for kind in kinds]
    if len(lines) > 1:
        lines.append(line_of("all", outcomes))
    return "\n".join("".join(str(cell).ljust(width) if i == 0 else str(cell).rjust(width)
                             for i, (cell, width) in enumerate(zip(line, WIDTHS)))
                     for line in (COLUMNS, *lines))
