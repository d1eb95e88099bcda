"""A joiner with keys (CurveZMQ, RFC 26) that speaks by hand: it may stop within its handshake, and say in boxes what no
library would."""
import ctypes
import os

from zmq.utils import z85

import zmtp

sodium = ctypes.CDLL("libsodium.so.23")
KEY_BYTES, CODE_BYTES = 32, 16
MORE, COMMAND = 1, 2                        # flags within a box
GREETING = zmtp.GREETING[:12] + b"CURVE".ljust(20, b"\0") + bytes(32)
PROPERTIES = zmtp.SOCKET_TYPE + b"\x08Identity" + bytes(4)
WELCOME_BYTES = 168
HANDSHAKE_BYTES = 64 + 202 + 301            # a greeting, HELLO and INITIATE


def box(plain, nonce, public, secret):
    made = ctypes.create_string_buffer(len(plain) + CODE_BYTES)
    assert sodium.crypto_box_easy(made, plain, ctypes.c_ulonglong(len(plain)), nonce, public, secret) == 0
    return made.raw


def opened(boxed, nonce, public, secret):
    plain = ctypes.create_string_buffer(len(boxed) - CODE_BYTES)
    assert sodium.crypto_box_open_easy(plain, boxed, ctypes.c_ulonglong(len(boxed)), nonce, public, secret) == 0
    return plain.raw


def new_pair():
    public, secret = ctypes.create_string_buffer(KEY_BYTES), ctypes.create_string_buffer(KEY_BYTES)
    sodium.crypto_box_keypair(public, secret)
    return public.raw, secret.raw


class Joiner:
    """`server` and `own` are pairs of key_sets; of the server only the public half is used."""

    def __init__(self, address, server, own):
        self.server = z85.decode(server.public.encode())
        self.own = z85.decode(own.public.encode()), z85.decode(own.secret.encode())
        self.short = new_pair()
        self.n_sent = 0
        self.socket = zmtp.bare(address)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def nonce(self):
        self.n_sent += 1
        return self.n_sent.to_bytes(8, "big")

    def hello(self):
        nonce = self.nonce()
        signed = box(bytes(64), b"CurveZMQHELLO---" + nonce, self.server, self.short[1])
        return zmtp.frame(b"\x05HELLO\x01\x00" + bytes(72) + self.short[0] + nonce + signed, zmtp.COMMAND)

    def take_welcome(self):
        zmtp.take(self.socket, zmtp.GREETING_BYTES + 2)
        welcome = zmtp.take(self.socket, WELCOME_BYTES)
        plain = opened(welcome[24:], b"WELCOME-" + welcome[8:24], self.server, self.short[1])
        self.server_short, self.cookie = plain[:KEY_BYTES], plain[KEY_BYTES:]

    def initiate(self, properties=PROPERTIES):
        nonce, vouch_nonce = self.nonce(), os.urandom(16)
        vouch = box(self.short[0] + self.server, b"VOUCH---" + vouch_nonce, self.server_short, self.own[1])
        plain = self.own[0] + vouch_nonce + vouch + properties
        signed = box(plain, b"CurveZMQINITIATE" + nonce, self.server_short, self.short[1])
        return zmtp.frame(b"\x08INITIATE" + self.cookie + nonce + signed, zmtp.COMMAND)

    def shake_hands(self, properties=PROPERTIES):
        """Until READY came. ConnectionError: it is refused."""
        self.socket.sendall(GREETING + self.hello())
        self.take_welcome()
        self.socket.sendall(self.initiate(properties))
        flags, n_bytes = zmtp.take(self.socket, 2)
        ready = zmtp.take(self.socket, n_bytes)
        if flags != zmtp.COMMAND or not ready.startswith(b"\x05READY"):
            raise ConnectionResetError("refused within the handshake")
        return self

    def boxed(self, body, flags=0):
        """A frame in its box. `flags` are those within."""
        nonce = self.nonce()
        signed = box(bytes([flags]) + body, b"CurveZMQMESSAGEC" + nonce, self.server_short, self.short[1])
        return zmtp.frame(b"\x07MESSAGE" + nonce + signed)

    def send_only(self, n_bytes):
        """The first bytes of a handshake, and no more."""
        first = GREETING + self.hello()
        self.socket.sendall(first[:n_bytes])
        if n_bytes > len(first):
            self.take_welcome()
            self.socket.sendall(self.initiate()[:n_bytes - len(first)])
