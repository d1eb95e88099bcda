"""How often each Done was said, on the road between tokenizerd and its clients: a client does not show a second one."""
import collections

from fake_link import common_pb2        # noqa: F401  (it knows where the generated modules lie)
import text_pb2
from zmtp import Messages


class DoneCount:
    """What the Relay of the client link hears: heard() takes the pieces of all its connections."""

    def __init__(self):
        self.connections = collections.defaultdict(Messages)
        self.times = collections.Counter()      # (request, attempt) → how often

    def heard(self, connection, piece):
        for frames in self.connections[connection].feed(piece):
            reply = text_pb2.TextReply.FromString(frames[0])
            if reply.WhichOneof("body") == "done":
                self.times[reply.done.request.hex(), reply.done.attempt] += 1

    def wrong(self, request):
        """What is wrong with the Dones of a request, as a sentence; "" if nothing."""
        times = {attempt: n for (of, attempt), n in self.times.items() if of == request}
        if not times:
            return "no Done was said on the link"
        doubled = {attempt: n for attempt, n in times.items() if n > 1}
        return f"Dones said on the link, by attempt: {doubled}" if doubled else ""
