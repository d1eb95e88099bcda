"""A name server on a host of a Network: dnsmasq, which says what a test wants."""
import signal
import subprocess

ADDRESS = "127.0.0.53"          # on loopback of its host


class NameServer:
    """`stack` is a HostStack, `host` one of its hosts, whose resolver asks this server from now on."""

    def __init__(self, stack, host):
        self.stack, self.host, self.process = stack, host, None
        self.file = stack.folder / "names"
        self.file.write_text("")
        stack.network[host].names_from(ADDRESS)

    def start(self):
        enter, *rest = self.stack.network[self.host].enter
        self.process = self.stack.spawn(
            enter, *rest, "dnsmasq", "--keep-in-foreground", "--no-hosts", "--no-resolv", "--user=", "--pid-file=",
            "--conf-file=/dev/null", f"--addn-hosts={self.file}", "--local=/#/", f"--listen-address={ADDRESS}",
            "--bind-interfaces", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return self

    def says(self, **names):
        """name=[address, …]; of no other name it knows anything."""
        self.file.write_text("".join(f"{address} {name}\n" for name, all in names.items() for address in all))
        if self.process:
            self.process.send_signal(signal.SIGHUP)
        return self

    def be_mute(self):
        self.process.send_signal(signal.SIGSTOP)

    def speak(self):
        self.process.send_signal(signal.SIGCONT)
