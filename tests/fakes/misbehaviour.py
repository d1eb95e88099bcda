"""What a fake modeld or tokenizerd may do where the next token is due: functions of (fake, sender, text, step), which say
whether that was all for this step."""


def dies(at):
    """Gone at this step, without a word."""
    def do(fake, sender, text, step):
        if step >= at:
            fake.die()
        return step >= at
    return do


def hangs(at):
    """From this step on it says nothing more, heartbeats included."""
    def do(fake, sender, text, step):
        fake.silent = step >= at
        return step >= at
    do.heartbeat_ms = 500                      # its silence is soon noticed
    return do


def garbage():
    """Bytes that are no message before each token."""
    def do(fake, sender, text, step):
        fake.send_garbage(sender)
        return False
    return do


def drains(at):
    """At this step it says that it takes nothing new, and goes on."""
    def do(fake, sender, text, step):
        if step == at:
            fake.drain(sender)
        return False
    return do
