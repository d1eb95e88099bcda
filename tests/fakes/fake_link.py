"""One end of a link, in Python: what a stand-in for a daemon or a client needs to misbehave.

The generated modules lie in TRIVIUM_BUILD/gen/python (make tools).
"""
import collections
import os
import pathlib
import random
import socket
import sys
import threading
import time

import zmq

BUILD = pathlib.Path(os.environ.get("TRIVIUM_BUILD", pathlib.Path(__file__).resolve().parents[2] / "build"))
sys.path.insert(0, str(BUILD / "gen" / "python"))

import common_pb2  # noqa: E402
import pieces  # noqa: E402

VERSION = 2


class Fake(threading.Thread):
    """A peer with one socket, served by one thread until close().

    A subclass names its message types (`incoming`, `outgoing`), fills `offer(hello)` and answers messages in
    `serve(sender, message, raw)`. `joins` tells whether it is the DEALER that says Hello. Only its thread touches the
    socket: what a test sends waits in `outbox` for it.
    """
    incoming = outgoing = None
    role = common_pb2.ROLE_NONE
    joins = True
    receive_mark = None                        # messages that may lie unread with it; None: as ZeroMQ likes
    keys = None                                # over tcp with keys: the server's public one, its own public and secret one
    sends_whole = False                        # rows do not go in pieces
    version, version_oldest = VERSION, 0       # of the protocol, the newest and the oldest that it speaks
    heartbeat_ms = 5000                        # a test may stand still for a while before its fake counts as lost

    def __init__(self, address, name="fake"):
        super().__init__(daemon=True)
        self.name_on_link = name
        self.incarnation = random.getrandbits(63) | 1
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.DEALER if self.joins else zmq.ROUTER)
        self.socket.linger = self.linger_ms = 0
        if self.receive_mark is not None:
            self.socket.rcvhwm = self.receive_mark
        self.outbox = collections.deque()      # frames
        self.woken, self.wake = socket.socketpair()     # a byte for each item of outbox
        self.arrivals = {}                     # routing id → what comes from there in pieces
        self.peers = {}                        # routing id (b"" for the only one) → its incarnation
        self.seen = []                         # (sender, message, raw frames), in order
        self.hellos = []                       # that were said to it
        self.silent = False                    # says nothing, not even heartbeats
        self.reads = True                      # else what comes lies unread
        self.ending = threading.Event()
        self.ready = threading.Event()
        self.n_refused, self.refusal = 0, None # and the newest, an Error
        if self.keys:
            self.socket.curve_serverkey, self.socket.curve_publickey, self.socket.curve_secretkey = self.keys
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
        if self.sends_whole or not pieces.needed(raw):
            self.send_frames([message.SerializeToString(), *raw], to)
            return
        message.control.more[:] = map(len, raw)
        self.send_frames([message.SerializeToString()], to)
        for index, piece in enumerate(pieces.cut(raw)):
            self.send_piece(index, piece, to)

    def send_piece(self, index, piece, to=b""):
        message = self.outgoing()
        message.control.piece.index = index
        setattr(message.control, "from", self.incarnation)
        message.control.to = self.peers.get(to, 0)
        self.send_frames([message.SerializeToString(), piece], to)

    def send_frames(self, frames, to=b""):
        self.outbox.append(([to] if not self.joins else []) + list(frames))
        if threading.current_thread() is self:
            self.send_outbox()
        else:
            self.wake.send(b"x")

    def send_garbage(self, to=b""):
        for frames in [os.urandom(64)], [b""], [b"x"] * 9:
            self.send_frames(frames, to)

    def send_outbox(self):
        while self.outbox:
            self.send_now(self.outbox.popleft())

    def send_now(self, frames):
        try:
            self.socket.send_multipart(frames, zmq.DONTWAIT)
        except zmq.ZMQError:
            pass                               # not connected (yet): the next Hello comes anyway

    def hello(self, to=b""):
        message = self.outgoing()
        hello = message.control.hello
        hello.version, hello.version_oldest = self.version, self.version_oldest
        hello.role, hello.name, hello.heartbeat_ms = self.role, self.name_on_link, self.heartbeat_ms
        hello.pid, hello.host = os.getpid(), "fake"
        self.offer(hello)
        self.send(message, to=to)

    def heartbeat(self, to=b""):
        message = self.outgoing()
        message.control.heartbeat.SetInParent()
        self.send(message, to=to)

    def say_hello(self, asker, to):
        """To whoever is not known here, or asks who is."""
        message = self.outgoing()
        message.control.say_hello.SetInParent()
        setattr(message.control, "from", self.incarnation)
        message.control.to = asker
        self.send(message, to=to, control=False)

    def drain(self, to=b""):
        """It says that it takes nothing new, and takes whatever comes all the same."""
        message = self.outgoing()
        message.control.draining.SetInParent()
        self.send(message, to=to)

    # the thread
    def run(self):
        poller = zmq.Poller()
        poller.register(self.woken, zmq.POLLIN)
        while not self.ending.is_set():
            poller.register(self.socket, zmq.POLLIN if self.reads else 0)
            if not self.silent:
                if self.joins and not self.peers:
                    self.hello()
                for sender in self.peers:
                    self.heartbeat(sender)
            if self.woken.fileno() in dict(poller.poll(200)):
                self.woken.recv(4096)
                self.send_outbox()
            self.receive_all()
        self.socket.close(self.linger_ms)
        self.context.term()

    def receive_all(self):
        while self.reads and not self.ending.is_set() and self.socket.poll(0):
            self.receive()
            self.send_outbox()                 # what comes may never end

    def receive(self):
        frames = self.socket.recv_multipart()
        sender = b"" if self.joins else frames.pop(0)
        message = self.incoming()
        message.ParseFromString(frames[0])
        control = message.control
        word = control.WhichOneof("word")
        if word == "hello":
            self.peers[sender] = getattr(control, "from")
            self.hellos.append(control.hello)
            if not self.joins:
                self.hello(sender)
            self.joined(sender)
            self.ready.set()
        elif word == "say_hello":
            self.peers.pop(sender, None)
        elif word == "heartbeat" and not self.joins and sender not in self.peers:
            self.say_hello(getattr(control, "from"), sender)
        elif word == "leave":
            self.peers.pop(sender, None)
        elif word == "refused":
            self.refusal = control.refused
            self.n_refused += 1
        elif word == "piece":
            self.arrivals[sender].take(frames[1])
        elif control.more:
            self.arrivals[sender] = pieces.Arrival(message)
        elif message.WhichOneof("body"):
            self.hand_on(sender, message, frames[1:])
        if sender in self.arrivals and self.arrivals[sender].whole():
            arrival = self.arrivals.pop(sender)
            self.hand_on(sender, arrival.message, list(map(bytes, arrival.raw)))

    def hand_on(self, sender, message, raw):
        self.seen.append((sender, message, raw))
        self.serve(sender, message, raw)

    def die(self):
        """Called by its own thread: the end, once what was sent before has left, and most likely was read."""
        self.linger_ms = 10000
        time.sleep(0.3)
        self.ending.set()

    def close(self):
        """Gone without a Leave, like a process that was killed."""
        self.ending.set()
        self.join()

    def wait_joined(self, seconds=60):
        assert self.ready.wait(seconds), f"{self.name_on_link} was not accepted within {seconds} s"
