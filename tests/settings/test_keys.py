"""Keys: where they are kept, where they may go, and that they show nowhere."""

from __future__ import annotations

import logging
import os
import stat
import sys
import traceback
from typing import TYPE_CHECKING

import keyring
import pytest
from keyring.backend import KeyringBackend

from rdev_bridge import keys, places
from rdev_bridge.errors import RdevError
from rdev_bridge.model import RemoteServer, Secret

if TYPE_CHECKING:
    from pathlib import Path

KEY = "rdev_s3cr3t"
SERVER = RemoteServer("work", "https://work.example/rdev", key_from_environment=True)


class MemoryKeyring(KeyringBackend):
    """A keyring that a test can look into."""

    priority = 1.0  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.entries: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.entries[service, username]


@pytest.fixture
def ring() -> MemoryKeyring:
    before = keyring.get_keyring()
    ring = MemoryKeyring()
    keyring.set_keyring(ring)
    yield ring
    keyring.set_keyring(before)


def revealed(server: RemoteServer = SERVER, **environ: str) -> str | None:
    key = keys.key_for(server, environ)
    return key and key.reveal()


def of_command(*argv: str) -> RemoteServer:
    return RemoteServer("work", SERVER.url, argv, key_from_environment=True)


def test_no_key_is_none() -> None:
    assert revealed() is None
    assert keys.describe_source(SERVER, {}) == ""


def test_the_keyring_holds_it_under_the_place_not_the_name(ring: MemoryKeyring) -> None:
    assert keys.store_key(SERVER, Secret(KEY)) == "the system's keyring"
    assert list(ring.entries) == [("rdev-bridge", "https://work.example:443")]
    assert revealed() == KEY
    assert revealed(RemoteServer("other", "https://WORK.example:443/x")) == KEY
    for url in ("http://work.example", "https://work.example:444", "https://work.example.evil", "https://evil.example"):
        assert revealed(RemoteServer("work", url)) is None
    assert keys.forget_key(SERVER)
    assert not keys.forget_key(SERVER)
    assert revealed() is None


def test_without_a_keyring_a_0600_file_holds_it() -> None:
    told = keys.store_key(SERVER, Secret(KEY))
    (path,) = (places.state_dir() / "keys").iterdir()
    assert str(path) in told
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert revealed() == KEY
    assert revealed(RemoteServer("work", "https://work.example:444")) is None
    assert keys.forget_key(SERVER)
    assert revealed() is None


def test_a_key_that_moves_to_the_keyring_leaves_no_file(ring: MemoryKeyring) -> None:
    places.replace_file(keys._file(SERVER), b"old\n")
    keys.store_key(SERVER, Secret(KEY))
    assert not keys._file(SERVER).exists()
    assert revealed() == KEY


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o620])
def test_a_file_that_others_can_open_is_not_used(mode: int) -> None:
    keys.store_key(SERVER, Secret(KEY))
    keys._file(SERVER).chmod(mode)
    with pytest.raises(RdevError, match="by others"):
        revealed()


def test_a_file_of_somebody_else_or_a_link_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys.store_key(SERVER, Secret(KEY))
    path = keys._file(SERVER)
    path.rename(tmp_path / "key")
    path.symlink_to(tmp_path / "key")
    with pytest.raises(RdevError, match="cannot be read"):
        revealed()
    path.unlink()
    os.mkfifo(path, 0o600)
    with pytest.raises(RdevError, match="by others"):
        revealed()
    path.unlink()
    keys.store_key(SERVER, Secret(KEY))
    folder = path.parent
    monkeypatch.setattr(keys, "_file", lambda server: folder / path.name)
    monkeypatch.setattr(os, "getuid", lambda: path.stat().st_uid + 1)
    with pytest.raises(RdevError, match="by others"):
        revealed()


def test_the_environment_wins_where_it_may_go(ring: MemoryKeyring) -> None:
    keys.store_key(SERVER, Secret(KEY))
    assert revealed(RDEV_API_KEY="  from-env\n") == "from-env"
    assert revealed(RDEV_API_KEY=" ") == KEY
    assert revealed(of_command("echo", "x"), RDEV_API_KEY="from-env") == "from-env"
    elsewhere = RemoteServer("flag", "https://evil.example")
    assert revealed(elsewhere, RDEV_API_KEY="from-env") is None


def test_a_commands_output_is_the_key(tmp_path: Path) -> None:
    assert revealed(of_command("printf", f"\n {KEY}\n\n"), PATH=os.environ["PATH"]) == KEY
    # It gets no stdin, no RDEV_API_KEY, and a child that stays behind holds nothing up.
    text = "import os, sys; assert not sys.stdin.read(); print(os.environ.get('RDEV_API_KEY', 'none'))"
    server = RemoteServer("work", SERVER.url, (sys.executable, "-c", text))
    assert revealed(server, RDEV_API_KEY=KEY) == "none"
    (tmp_path / "wait").touch()
    script = f"while [ -e {tmp_path}/wait ]; do sleep 0.05; done & echo {KEY}"
    assert revealed(of_command("sh", "-c", script), PATH=os.environ["PATH"]) == KEY
    (tmp_path / "wait").unlink()


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("/no/such/command",), "cannot be started: No such file"),
        (("sh", "-c", f"echo {KEY}; echo {KEY} >&2; exit 3"), "failed with exit code 3"),
        (("sh", "-c", f"echo {KEY}; kill -9 $$"), "ended by SIGKILL"),
        (("true",), "printed nothing"),
        (("echo", f"{KEY}\nmore"), "is no key"),
        (("echo", f"{KEY}\x1b[0m"), "is no key"),
    ],
)
def test_a_command_that_fails_says_so_without_its_output(argv: tuple[str, ...], message: str) -> None:
    with pytest.raises(RdevError, match=message) as error:
        revealed(of_command(*argv), PATH=os.environ["PATH"])
    shown = "".join(traceback.format_exception(error.value)) if "sh" not in argv else str(error.value)
    assert KEY not in shown.replace(repr(argv), "")


def test_a_command_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "COMMAND_TIMEOUT_S", 0.2)
    with pytest.raises(RdevError, match=r"did not end within 0\.2 s"):
        revealed(of_command("sleep", "60"), PATH=os.environ["PATH"])


def test_a_key_shows_in_no_repr_and_no_log(ring: MemoryKeyring, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    keys.store_key(SERVER, Secret(KEY))
    key = keys.key_for(SERVER, {})
    assert KEY not in f"{key} {key!r} {[key]} {SERVER!r} {keys.describe_source(SERVER, {'RDEV_API_KEY': KEY})}"
    assert KEY not in caplog.text


@pytest.mark.parametrize("key", ["", " ", "a b", "a\nX-Evil: 1", "clé", "a\x00"])
def test_what_no_header_can_hold_is_no_key(key: str, ring: MemoryKeyring) -> None:
    with pytest.raises(RdevError, match="is no key"):
        keys.store_key(SERVER, Secret(key))
    assert not ring.entries
