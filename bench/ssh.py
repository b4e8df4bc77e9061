"""A throwaway ssh server on the loopback, with keys of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = "box"


@contextmanager
def ssh_server(scratch: Path) -> Iterator[list[str]]:
    """The server, and the ssh command that reaches it as `HOST`: a new connection each time, as `ssh host` is used.

    `scratch` is an empty folder of this user alone.
    """
    port = free_port()
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", scratch / name], check=True)
    shutil.copy(scratch / "user.pub", scratch / "authorized")
    (scratch / "sshd").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {scratch}/host\nAuthorizedKeysFile {scratch}/authorized\n"
        f"PidFile {scratch}/pid\nStrictModes no\nPasswordAuthentication no\nPermitRootLogin yes\nUsePAM no\n"
    )
    (scratch / "ssh").write_text(
        f"Host {HOST}\n HostName 127.0.0.1\n Port {port}\n IdentityFile {scratch}/user\n StrictHostKeyChecking no\n"
        f" UserKnownHostsFile /dev/null\n LogLevel ERROR\n ControlPath {scratch}/m\n"
    )
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    server = subprocess.Popen([shutil.which("sshd") or "/usr/sbin/sshd", "-D", "-f", scratch / "sshd"])
    ssh = ["ssh", "-F", str(scratch / "ssh")]
    try:
        for _ in range(100):
            if subprocess.run([*ssh, HOST, "true"], capture_output=True).returncode == 0:
                break
            time.sleep(0.1)
        else:
            raise SystemExit("the ssh server did not come up")
        yield ssh
    finally:
        server.terminate()
        server.wait()


@contextmanager
def warm_ssh(scratch: Path) -> Iterator[str]:
    """The same over one connection that stays open, as a command line for `rsync -e`."""
    with ssh_server(scratch) as ssh:
        subprocess.run([*ssh, "-o", "ControlMaster=yes", "-o", "ControlPersist=600", HOST, "true"], check=True)
        try:
            yield " ".join(ssh)
        finally:
            subprocess.run([*ssh, "-O", "exit", HOST], capture_output=True)


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
