"""A client that is built by hand, to say to tokenizerd what the real one never would."""
import queue

from fake_link import Fake, common_pb2
import text_pb2


def requests_in(raw):
    """The requests of a Listed whose frames these are."""
    return list(text_pb2.RequestList.FromString(raw[0]).requests)


def put_messages(field, messages):
    """Roles and contents, text or bytes, into a list of Messages; their text is returned, a frame."""
    contents = [content if isinstance(content, bytes) else content.encode() for _, content in messages]
    for (role, _), content in zip(messages, contents):
        field.add(role=role, n_bytes=len(content))
    return b"".join(contents)


class FakeClient(Fake):
    incoming, outgoing, role = text_pb2.TextReply, text_pb2.TextRequest, common_pb2.CLIENT

    def __init__(self, address, name="fake client", owner=""):
        self.answers = queue.Queue()
        self.owner = owner                     # on behalf of whom all is asked; "": in its own name
        super().__init__(address, name)

    def send(self, message, raw=(), to=b"", control=True):
        if self.owner and message.WhichOneof("body"):
            message.owner = self.owner
        super().send(message, raw, to, control)

    def serve(self, sender, message, raw):
        self.answers.put((message.WhichOneof("body"), message, raw))

    def answer(self, kind, seconds=60):
        """The next answer of this kind; others before it are passed over."""
        while True:
            name, message, raw = self.answers.get(timeout=seconds)
            if name == kind:
                return getattr(message, name), raw

    def listed(self):
        """The requests of the next Listed; other answers before it are passed over."""
        return requests_in(self.answer("listed")[1])
