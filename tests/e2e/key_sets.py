"""Folders of keys, as `--keys` takes them."""
import os
import pathlib

import zmq

JOINERS = {"text": "client", "tokens": "modeld", "logits": "samplerd"}
SERVERS = ("tokenizerd", "modeld")


def write(path, text, mode):
    """In one step, as the file may be read at any moment."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name("." + path.name)
    new.write_text(text)
    new.chmod(mode)
    os.replace(new, path)


class Pair:
    def __init__(self):
        self.public, self.secret = (half.decode() for half in zmq.curve_keypair())

    def curve(self, *halves):
        return "curve\n" + "".join(f'    {name}-key = "{getattr(self, name)}"\n' for name in halves)

    def save(self, path, secret=True):
        """As zcert does: X with the public half, X_secret with both."""
        write(path, "#   a public key\nmetadata\n" + self.curve("public"), 0o644)
        if secret:
            write(path.with_name(path.name + "_secret"), "metadata\n" + self.curve("public", "secret"), 0o600)


class KeySet:
    """One folder with all keys of a machine on which everything runs. Others may be let in by `authorise`."""

    def __init__(self, folder, authorised=True):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(mode=0o700)
        self.servers = {role: Pair() for role in SERVERS}
        self.own = {role: Pair() for role in JOINERS.values()}
        for role, pair in self.servers.items():
            pair.save(self.folder / "server" / f"{role}.key")
        for role, pair in self.own.items():
            pair.save(self.folder / "own" / f"{role}.key")
        for link, role in JOINERS.items():
            (self.folder / "authorised" / link).mkdir(mode=0o700, parents=True)
            if authorised:
                self.authorise(link, "admin", self.own[role], "operator")

    def authorised(self, link, name):
        return self.folder / "authorised" / link / f"{name}.key"

    def authorise(self, link, name, pair, rights=""):
        write(self.authorised(link, name), f'metadata\n    name = "{name}"\n    rights = "{rights}"\n' + pair.curve("public"), 0o644)

    def revoke(self, link, name):
        self.authorised(link, name).unlink()

    def joiner(self, folder, role):
        """Another machine's folder, whose own key of this role is a new one; returns that."""
        folder, pair = pathlib.Path(folder), Pair()
        folder.mkdir(mode=0o700)
        for name, server in self.servers.items():
            server.save(folder / "server" / f"{name}.key", secret=False)
        pair.save(folder / "own" / f"{role}.key")
        return pair
