"""Folders of keys, made as anybody would make them."""
import subprocess

from conftest import BUILD


def make_keys(folder, *hosts):
    """A set for this host, for --keys; {host: the part of that other host}, which would be copied there."""
    subprocess.run([BUILD / "trivium", "keygen", folder, *(word for host in hosts for word in ("--host", host))],
                   check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return {host: folder / "hosts" / host for host in hosts}
