"""Other users of this machine: what they can see, and what they can put in our way."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rdev_bridge import keys, places, trust
from rdev_bridge.errors import RdevError, SettingsError
from rdev_bridge.model import RemoteServer, Secret
from rdev_bridge.settings import load_user
from tests.support.wait import eventually

if TYPE_CHECKING:
    from tests.cli.bridge import Bridge

NOBODY = 65534
PEEK = 'for folder; do ls -d "$folder"; ls -A "$folder"; cat "$folder"/*; done 2>/dev/null'


@pytest.fixture
def open_umask() -> None:
    """Everybody may read and write all that does not say otherwise."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("open_umask")
def test_with_any_umask_all_that_is_ours_is_private(
    bridge: Bridge, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs and logs, the embedded server's journals and address, trust, a stored key; folders made on the way too."""
    for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(own_home / "new" / name / "deep"))
    runtime = Path(os.environ["XDG_RUNTIME_DIR"])
    (bridge.folder / "rdev.toml").write_text("[tasks.a]\ncommand = 'echo a'\nwatch = ['*']\n")
    assert bridge.call("run", "a").returncode == 0
    assert bridge.run("sleep 1000", "--detach").returncode == 0
    assert bridge.call("trust", "--yes").returncode == 0
    keys.store_key(RemoteServer("work", "https://work.example"), Secret("rdev_key"))
    paths = [path for root in (own_home / "new", runtime / "rdev-bridge") for path in (root, *root.rglob("*"))]
    names = {path.name for path in paths}
    assert {"keys", "trust", "workspaces", "server", "address.json", "lease", "output.log", "server.log"} <= names
    wrong = {
        str(path): oct(path.lstat().st_mode)
        for path in paths
        if stat.S_IMODE(path.lstat().st_mode) & 0o077 or path.is_symlink()
    }
    assert not wrong
    if os.getuid() == 0:  # then we can be that neighbour
        control = own_home / "open"
        control.mkdir()
        argv = ["sh", "-c", PEEK, "sh", str(control), str(places.state_dir()), str(runtime / "rdev-bridge")]
        seen: list[str] = []

        def peek() -> list[str]:
            for folder in (own_home, *own_home.parents):  # another pytest that starts closes the one of them all again
                folder.chmod(folder.stat().st_mode | 0o055)
            nobody = subprocess.run(argv, user=NOBODY, group=NOBODY, extra_groups=[], capture_output=True, text=True)
            seen[:] = nobody.stdout.split()
            return seen

        eventually(peek, what="a way to what is open")
        assert seen == [str(control)], "and that is all there is to see"
    assert bridge.call("cancel", "--all").returncode == 0


def in_a_shared_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without XDG_RUNTIME_DIR: the place in a /tmp for all where our runtime folder would be."""
    shared = tmp_path / "tmp"
    shared.mkdir()
    shared.chmod(0o1777)
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setenv("TMPDIR", str(shared))
    monkeypatch.setattr("tempfile.tempdir", None)
    return shared / f"rdev-bridge-{os.getuid()}"


@pytest.mark.parametrize("kind", ["link", "link to nothing", "file", "fifo"])
def test_a_trap_in_the_place_of_the_runtime_folder(
    bridge: Bridge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    place = in_a_shared_tmp(tmp_path, monkeypatch)
    lure = tmp_path / "lure"
    if kind == "link":
        lure.mkdir(mode=0o777)
        place.symlink_to(lure)
    elif kind == "link to nothing":
        place.symlink_to(lure)
    elif kind == "file":
        place.touch()
    else:
        os.mkfifo(place)
    done = bridge.run("echo hello")
    assert done.returncode == 125
    assert b"not a folder of yours" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not lure.exists() or not list(lure.iterdir())


def test_somebody_else_s_runtime_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = in_a_shared_tmp(tmp_path, monkeypatch)
    place.mkdir(mode=0o777)
    owner = place.stat().st_uid
    monkeypatch.setattr(os, "getuid", lambda: owner + 1)
    place.rename(place.with_name(f"rdev-bridge-{owner + 1}"))
    with pytest.raises(RdevError, match="not a folder of yours"):
        places.runtime_dir(tmp_path)


def test_a_runtime_folder_that_was_open_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = in_a_shared_tmp(tmp_path, monkeypatch)
    place.mkdir()
    place.chmod(0o777)
    places.runtime_dir(tmp_path)
    assert stat.S_IMODE(place.stat().st_mode) == 0o700


@pytest.mark.parametrize("name", ["lease", "start-lock", "address.json"])
def test_links_inside_of_it_are_not_followed(bridge: Bridge, tmp_path: Path, name: str) -> None:
    """Only we can make them, but what a restored backup holds shall hurt nobody either."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (places.runtime_dir(bridge.folder) / name).symlink_to(victim)
    bridge.run("true")
    assert victim.read_text() == "precious"


def test_an_unusable_folder_is_told_in_one_line(
    bridge: Bridge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file" / "state"))
    done = bridge.run("true")
    assert done.returncode == 125
    assert b"cannot be used" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_config_that_others_can_write_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    path = places.config_file()
    path.parent.mkdir(parents=True)
    path.write_text('[servers.work]\nurl = "https://work.example"\napi_key_command = ["touch", "attacked"]\n')
    path.chmod(0o644)
    assert load_user().servers
    path.chmod(0o646)
    with pytest.raises(SettingsError, match="chmod go-w"):
        load_user()
    path.chmod(0o644)
    monkeypatch.setattr(os, "getuid", lambda: path.stat().st_uid + 1)
    if path.stat().st_uid != 0:  # root's file is good for everybody
        with pytest.raises(SettingsError, match="somebody else"):
            load_user()


def test_no_file_of_a_neighbour_is_a_grant(tmp_path: Path) -> None:
    """A grant is bound to the folder it was given for, whatever its file is called."""
    mine, other = tmp_path / "mine", tmp_path / "other"
    for folder in (mine, other):
        folder.mkdir()
        (folder / "rdev.toml").write_text("")
    trust.grant(other, b"")
    (file,) = (places.state_dir() / "trust").iterdir()
    file.rename(file.with_name(f"{places.workspace_key(mine)}.json"))
    assert trust.granted(mine) is None


def test_what_other_users_see_of_our_processes(bridge: Bridge) -> None:
    """The embedded server's key is in no argv."""
    assert bridge.run("sleep 1000", "--detach").returncode == 0
    address = places.runtime_dir(bridge.folder) / "address.json"
    eventually(address.exists)
    facts = json.loads(address.read_text())
    assert facts["key"] not in Path(f"/proc/{facts['pid']}/cmdline").read_text()
    assert facts["key"] not in Path(f"/proc/{facts['pid']}/environ").read_text()
    assert bridge.call("cancel", "--all").returncode == 0
