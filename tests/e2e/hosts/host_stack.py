"""Daemons and clients on hosts of a Network."""
import subprocess

from conftest import TIMEOUT_S, Stack


class HostStack(Stack):
    """Each host has a runtime folder and a home of its own."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def environment_of(self, host):
        home = self.folder / host
        home.mkdir(exist_ok=True)
        return dict(self.environment, XDG_RUNTIME_DIR=str(home), HOME=str(home), XDG_STATE_HOME=str(home / "state"))

    def start_on(self, host, role, *arguments):
        """Start a daemon there; log(process) is what it says."""
        enter, *rest = self.network[host].enter
        return self.start(role, *rest, self.program(role), *arguments, program=enter, env=self.environment_of(host))

    def popen_on(self, host, *arguments, **keywords):
        """A client there that runs on; stdout and stderr are pipes."""
        enter, *rest = self.network[host].enter
        keywords = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **keywords}
        return self.spawn(enter, *rest, self.program("trivium"), *arguments, env=self.environment_of(host), **keywords)

    def run_on(self, host, *arguments, timeout=TIMEOUT_S):
        """One run of the client there: exit code, stdout and stderr."""
        process = self.popen_on(host, *arguments)
        told, errors = process.communicate(timeout=timeout)
        self.processes.remove(process)
        return process.returncode, told, errors.decode(errors="replace")
