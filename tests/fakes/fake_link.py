"""One end of a link, in Python: what a stand-in for a daemon or a client needs to misbehave.

The generated modules lie in TRIVIUM_BUILD/gen/python (make tools).
"""
import os
import pathlib
import random
import sys
import threading
import time

import zmq

BUILD = pathlib.Path(os.environ.get("TRIVIUM_BUILD", pathlib.Path(__file__).resolve().parents[2] / "build"))
sys.path.insert(0, str(BUILD / "gen" / "python"))

import common_pb2  # noqa: E402

VERSION = 1


class Fake(threading.Thread):
    """A peer with one socket, served by one thread until close().

    A subclass names its message types (`incoming`, `outgoing`), fills `offer(hello)` and answers messages in
    `serve(sender, message, raw)`. `joins` tells whether it is the DEALER that says Hello.
    """
    incoming = outgoing = None
    role = common_pb2.ROLE_NONE
    joins = True

    def __init__(self, address, name="fake"):
        super().__init__(daemon=True)
        self.name_on_link = name
        self.incarnation = random.getrandbits(63) | 1
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.DEALER if self.joins else zmq.ROUTER)
        self.socket.linger = 0
        self.peers = {}                        # routing id (b"" for the only one) → its incarnation
        self.seen = []                         # (sender, message, raw frames), in order
        self.silent = False                    # says nothing, not even heartbeats
        self.ending = threading.Event()
        self.ready = threading.Event()
        if self.joins:
            self.socket.immediate = 1
            self.socket.connect(address)
        else:
            self.socket.bind(address)
        self.start()

    # what a subclass fills in
    def offer(self, hello):
        pass

    def joined(self, sender):
        pass

    def serve(self, sender, message, raw):
        pass

    # speaking
    def send(self, message, raw=(), to=b"", control=True):
        if control:
            setattr(message.control, "from", self.incarnation)
            message.control.to = self.peers.get(to, 0)
        self.send_frames([message.SerializeToString(), *raw], to)

    def send_frames(self, frames, to=b""):
        try:
            self.socket.send_multipart(([to] if not self.joins else []) + list(frames), zmq.DONTWAIT)
        except zmq.ZMQError:
            pass                               # not connected (yet): the next Hello comes anyway

    def hello(self, to=b""):
        message = self.outgoing()
        hello = message.control.hello
        hello.version, hello.role, hello.name, hello.heartbeat_ms = VERSION, self.role, self.name_on_link, 500
        hello.pid, hello.host = os.getpid(), "fake"
        self.offer(hello)
        self.send(message, to=to)

    def heartbeat(self, to=b""):
        message = self.outgoing()
        message.control.heartbeat.SetInParent()
        self.send(message, to=to)

    # the thread
    def run(self):
        poller = zmq.Poller()
        poller.register(self.socket, zmq.POLLIN)
        while not self.ending.is_set():
            if not self.silent:
                if self.joins and not self.peers:
                    self.hello()
                for sender in self.peers:
                    self.heartbeat(sender)
            if poller.poll(200):
                while self.socket.poll(0):
                    self.receive()
        self.socket.close(0)
        self.context.term()

    def receive(self):
        frames = self.socket.recv_multipart()
        sender = b"" if self.joins else frames.pop(0)
        message = self.incoming()
        message.ParseFromString(frames[0])
        control = message.control
        word = control.WhichOneof("word")
        if word == "hello":
            self.peers[sender] = getattr(control, "from")
            if not self.joins:
                self.hello(sender)
            self.joined(sender)
            self.ready.set()
        elif word == "say_hello":
            self.peers.pop(sender, None)
        elif word == "leave":
            self.peers.pop(sender, None)
        elif message.WhichOneof("body"):
            self.seen.append((sender, message, frames[1:]))
            self.serve(sender, message, frames[1:])

    def die(self):
        """Called by its own thread: the end, once what was sent before has left the socket (linger is 0)."""
        time.sleep(0.3)
        self.ending.set()

    def close(self):
        """Gone without a Leave, like a process that was killed."""
        self.ending.set()
        self.join()

    def wait_joined(self, seconds=10):
        assert self.ready.wait(seconds), f"{self.name_on_link} was not accepted within {seconds} s"
