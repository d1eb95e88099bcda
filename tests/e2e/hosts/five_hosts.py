"""A client, two tokenizerds, two modelds and two samplerds on five hosts, and a road of each link that can be bad.

    c       client              joins t1 and t2
    t1, t2  tokenizerd          joined by w1 and w2
            samplerd            joins w1 and w2
    w1, w2  modeld              joins t1 and t2
"""
import json

from conftest import wait_until
from host_stack import HostStack
from keygen import make_keys
from kills.kept_stack import HEARTBEAT_MS, STEP_DEADLINE_MS
from name_server import NameServer
from proxy import Proxy

ASKERS, WORKERS = ("t1", "t2"), ("w1", "w2")
NAMES = ("c", *ASKERS, *WORKERS)
CLIENTS, MODELS, SAMPLERS = PORTS = 5555, 5556, 5557
# Of each port, whoever joins and whoever binds it.
ENDS = {CLIENTS: (("c",), ASKERS), MODELS: (WORKERS, ASKERS), SAMPLERS: (ASKERS, WORKERS)}
LINKS = [(port, joiner, binder) for port in PORTS for joiner in ENDS[port][0] for binder in ENDS[port][1]]
GROUPS = {"askers": ASKERS, "workers": WORKERS}                 # names that lead to several
# A road to a host begins at an address of the loopback of whoever joins, and that is where the host's name leads.
ROAD_BEGINS = {binder: f"127.0.1.{number}" for number, binder in enumerate((*ASKERS, *WORKERS), 1)}
ADDRESSES = {**{binder: [begin] for binder, begin in ROAD_BEGINS.items()},
             **{group: [ROAD_BEGINS[name] for name in those] for group, those in GROUPS.items()}}
# All hosts share a kernel, and must not read rows where they lie.
SENT_ROWS = {"t1": ["--no-mapping"], "t2": ["--no-mapping", "--whole-rows"]}
N_DAEMONS = 5                   # that a tokenizerd knows: itself and those of the workers


class FiveHosts(HostStack):
    """Links have keys. Whoever joins goes by names, and by roads[port, joiner, binder]. The network has NAMES."""

    def __init__(self, network, model):
        super().__init__(network)
        self.keys = make_keys(self.folder / "keys", *NAMES)
        servers = [NameServer(self, name).says(**ADDRESSES) for name in NAMES]
        for server in servers:          # they have one file, which is not written any more
            server.start()
        self.proxies = {name: Proxy(network[name].enter) for name in NAMES}
        self.roads = {(port, joiner, binder): self.proxies[joiner].road(f"tcp://{ROAD_BEGINS[binder]}:{port}",
                                                                        network[binder].tcp(port))
                      for port, joiner, binder in LINKS}
        for host in ASKERS:
            self.begin(host, "tokenizerd", "--bind-clients", network[host].tcp(CLIENTS),
                       "--bind-models", network[host].tcp(MODELS))
        for host in WORKERS:
            self.begin(host, "modeld", "--model", model, "--threads", 1, "--step-deadline-ms", STEP_DEADLINE_MS,
                       "--bind-samplers", network[host].tcp(SAMPLERS), "--join", f"tcp://askers:{MODELS}")
        for host, rows in SENT_ROWS.items():
            self.begin(host, "samplerd", *rows, "--join", f"tcp://workers:{SAMPLERS}")

    def begin(self, host, role, *arguments):
        return self.start_on(host, role, "--heartbeat-ms", HEARTBEAT_MS, "--keys", self.keys[host], *arguments)

    def roads_between(self, a, b):
        return [road for (_, *ends), road in self.roads.items() if set(ends) == {a, b}]

    def ask(self, *arguments, by=ASKERS):
        """A client on c that knows these tokenizerds, in this order: exit code, stdout and stderr."""
        reach = [word for binder in by for word in ("--endpoint", f"tcp://{binder}:{CLIENTS}")]
        return self.run_on("c", *arguments, "--keys", self.keys["c"], *reach)

    def status(self, by):
        """What the tokenizerd on that host says; None where it does not."""
        code, told, _ = self.ask("status", "--json", "--wait", 1, by=(by,))
        return json.loads(told) if code == 0 else None

    def wait_whole(self):
        """Until each tokenizerd has both modelds, and they both samplerds."""
        def n_ready(by):
            status = self.status(by)
            return sum(daemon["state"] == "ready" for daemon in status["daemons"]) if status else 0
        for by in ASKERS:
            wait_until(lambda: n_ready(by) == N_DAEMONS, what=f"{N_DAEMONS} daemons at {by}")

    def close(self):
        super().close()
        for proxy in self.proxies.values():
            proxy.close()
