from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from rdev_bridge.ignore import IgnoreRules

if TYPE_CHECKING:
    from pathlib import Path


def write(path: Path, text: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    top = (tmp_path / "repo").resolve()
    top.mkdir()
    subprocess.run(["git", "init", "-q", str(top)], check=True)
    write(top / ".gitignore", "*.log\n!keep.log\n/build/\nout\ntrailing/*\n[broken\n[z-a].py\n# note\n\\#odd\n")
    write(top / "pkg/.gitignore", "!*.log\n*.tmp\n/local\n")
    write(top / "pkg/deep/.gitignore", "*.log\n")
    write(top / ".git/info/exclude", "secret.txt\n*.md\n!README.md\n")
    write(top / "notes/.gitignore", "!*.md\n")
    return top


FILES = """
    a.py a.log keep.log build/x build/.gitignore pkg/build/x pkg/a.log pkg/a.tmp pkg/local pkg/deep/local pkg/deep/a.log
    pkg/deep/keep.log pkg/deep/a.tmp out sub/out/file sub/out2 trailing/a trailing/b/c secret.txt sub/secret.txt
    a.md README.md notes/a.md [broken #odd m.py .hidden/x
""".split()  # noqa: SIM905 - one a line is hard to compare


def test_it_agrees_with_git(repository: Path) -> None:
    for name in FILES:
        if name != "build/.gitignore":
            write(repository / name)
    write(repository / "build/.gitignore", "!x\n")
    asked = subprocess.run(
        ["git", "-C", str(repository), "check-ignore", "--no-index", "--stdin"],
        input="\n".join(FILES), capture_output=True, text=True, check=False,
    )  # fmt: skip
    ignored = set(asked.stdout.split())
    assert len(ignored) > 8
    rules = IgnoreRules(str(repository))
    assert {name for name in FILES if rules.file_ignored(f"{repository}/{name}")} == ignored


def test_a_folder_inside_a_repository_keeps_its_rules(repository: Path) -> None:
    (repository / "sub").mkdir()
    rules = IgnoreRules(f"{repository}/sub")
    assert rules.file_ignored(f"{repository}/sub/a.log")
    assert rules.file_ignored(f"{repository}/sub/secret.txt")
    assert not rules.file_ignored(f"{repository}/sub/a.py")


def test_the_opened_folder_counts_even_where_its_parent_ignores_it(repository: Path) -> None:
    (repository / "build").mkdir()
    rules = IgnoreRules(f"{repository}/build")
    assert not rules.file_ignored(f"{repository}/build/a.py")


def test_no_pattern_can_hold_anybody_up(tmp_path: Path) -> None:
    """Python's own expressions would need minutes for each of these."""
    write(tmp_path / ".gitignore", "*a*a*a*a*a*a*a*a*b\n**/a*/**/a*/**/a*/**/b\n[ab]*[ab]*[ab]*[ab]*[ab]*[ab]*c\n")
    rules = IgnoreRules(str(tmp_path))
    assert not rules.file_ignored(f"{tmp_path}/{'a' * 250}")
    assert not rules.file_ignored(f"{tmp_path}/{'a' * 50}" + "/aaaa" * 60)
    assert rules.file_ignored(f"{tmp_path}/{'a' * 250}b")


def test_thousands_of_lines(tmp_path: Path) -> None:
    lines = [f"dir{number}/**/*.{number}x" for number in range(6000)]
    write(tmp_path / ".gitignore", "\n".join(["*.keep", *lines, "[", "!dir5999/a.5999x"]))
    rules = IgnoreRules(str(tmp_path))
    assert rules.file_ignored(f"{tmp_path}/x.keep")
    assert rules.file_ignored(f"{tmp_path}/dir1/x/y.1x")
    assert rules.file_ignored(f"{tmp_path}/dir5999/b.5999x")
    assert not rules.file_ignored(f"{tmp_path}/dir5999/a.5999x")


def test_names_that_are_no_utf_8(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_bytes(b"*.o\nd\xff*\n")
    rules = IgnoreRules(str(tmp_path))
    top = str(tmp_path)
    assert rules.file_ignored(f"{top}/\udce9.o")
    assert rules.file_ignored(f"{top}/d\udcffx")
    assert not rules.file_ignored(f"{top}/d\udcfex")
    assert not rules.file_ignored(f"{top}/\udcff")


def test_version_control_is_never_work(repository: Path) -> None:
    rules = IgnoreRules(str(repository))
    assert rules.folder_ignored(f"{repository}/.git")
    assert rules.file_ignored(f"{repository}/.git/index")
    assert rules.file_ignored(f"{repository}/lib/.hg/store")


def test_the_users_own_ignore_file_counts(tmp_path: Path, own_home: Path) -> None:
    write(own_home / ".config/git/ignore", "*.personal\n")
    rules = IgnoreRules(str(tmp_path))
    assert rules.file_ignored(f"{tmp_path}/x.personal")


def test_rules_are_read_again_on_request(tmp_path: Path) -> None:
    rules = IgnoreRules(str(tmp_path))
    assert not rules.file_ignored(f"{tmp_path}/a.o")
    write(tmp_path / ".gitignore", "*.o\n")
    rules.reload()
    assert rules.file_ignored(f"{tmp_path}/a.o")


def test_a_worktree_knows_its_git_folder(repository: Path, tmp_path: Path) -> None:
    git = ["git", "-C", str(repository), "-c", "user.name=n", "-c", "user.email=e@example.com"]
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    subprocess.run([*git, "worktree", "add", "-q", str(tmp_path / "tree")], check=True)
    rules = IgnoreRules(str(tmp_path / "tree"))
    assert rules.git_dir == f"{repository}/.git/worktrees/tree"
    write(repository / ".git/info/exclude", "*.mine\n")
    rules.reload()
    assert rules.file_ignored(f"{tmp_path}/tree/a.mine"), "as git does there"
    assert rules.file_ignored(f"{tmp_path}/tree/.git"), "the file in the folder's place"
