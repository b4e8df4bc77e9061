"""What starts a run and what does not, on the real file system with the real watchfiles."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
from typing import TYPE_CHECKING

import pytest

from rdev_bridge.errors import RdevError, UsageError
from rdev_bridge.model import BusyPolicy, Outcome, TriggerKind
from rdev_bridge.watch.clocks import both_clocks
from rdev_bridge.watch.notice import NoticeKind
from rdev_bridge.watch.watcher import WorkspaceWatcher
from tests.support.wait import eventually_async

if TYPE_CHECKING:
    from pathlib import Path

    from rdev_bridge.model import RunRequest
    from tests.watch.desk import Desk


async def run(argv: list[str]) -> None:
    process = await asyncio.create_subprocess_exec(*argv)
    assert await process.wait() == 0


async def test_a_changed_file_starts_the_task_that_watches_it(desk: Desk) -> None:
    desk.write("src/a.py", "old")
    async with desk.watching(desk.watch("t", "src/**/*.py") | desk.watch("docs", "*.md")):
        desk.write("src/a.py", "new")
        await desk.asked(1)
        request = desk.requests[0]
        assert request.task is not None
        assert request.task.name == "t"
        assert request.trigger.kind is TriggerKind.CHANGE
        assert request.trigger.files == (desk.folder / "src/a.py",)
        assert request.file == desk.folder / "src/a.py"
        desk.write("README.md")
        await desk.asked(2)
        assert desk.requests[1].task.name == "docs"


IGNORED_AND_TEMPORARY = """
    a.log build/x.py build/deep/x.py lib/gen_a.py .git/config .git/refs/heads/x
    .a.py.swp 4913 a.py~ #a.py# a.py___jb_tmp___ .DS_Store flycheck_a.py
""".split()  # noqa: SIM905 - one a line is hard to read


async def test_what_does_not_count(desk: Desk) -> None:
    await run(["git", "init", "-q", str(desk.folder)])
    desk.write(".gitignore", "*.log\nbuild/\n")
    desk.write("lib/.gitignore", "gen_*\n")
    desk.write("build/old", "")
    async with desk.watching():
        for name in IGNORED_AND_TEMPORARY:
            desk.write(name, "x")
        (desk.folder / ".#a.py").symlink_to("me@host.1")
        (desk.folder / "empty").mkdir()
        os.mkfifo(desk.folder / "pipe")
        (desk.folder / "pipe").unlink()
        await desk.sentinel()
        assert desk.all_files == {"sentinel.py"}


@pytest.mark.parametrize("save", ["in place", "rename over", "backup and rename", "delete and write"])
async def test_each_way_to_save_is_one_change(desk: Desk, save: str) -> None:
    path = desk.write("a.py", "old")
    async with desk.watching():
        match save:
            case "in place":
                path.write_text("new")
            case "rename over":
                desk.write("a.py.tmp8f3", "new").rename(path)
            case "backup and rename":
                desk.write("4913", "").unlink()
                path.rename(desk.folder / "a.py~")
                path.write_text("new")
                (desk.folder / "a.py~").unlink()
            case "delete and write":
                path.unlink()
                path.write_text("new")
        await desk.asked(1)
        await desk.sentinel()
        assert desk.files[0] in (["a.py"], ["a.py", "sentinel.py"])
        assert sum("a.py" in names for names in desk.files) == 1


async def test_deleted_moved_and_new_folders_are_changes(desk: Desk) -> None:
    desk.write("old/deep/a.py")
    desk.write("b.py")
    outside = desk.folder.parent / "outside"
    (outside / "in").mkdir(parents=True)
    (outside / "in/c.py").write_text("c")
    async with desk.watching():
        (desk.folder / "b.py").unlink()
        await eventually_async(lambda: "b.py" in desk.all_files)
        (outside / "in").rename(desk.folder / "arrived")
        await eventually_async(lambda: "arrived/c.py" in desk.all_files)
        desk.write("arrived/d.py")
        await eventually_async(lambda: "arrived/d.py" in desk.all_files)
        (desk.folder / "old").rename(outside / "gone")
        await eventually_async(lambda: "old/deep/a.py" in desk.all_files)
        seen = len(desk.requests)
        (outside / "gone/deep/a.py").write_text("elsewhere now")
        await desk.sentinel()
        assert {name for names in desk.files[seen:] for name in names} == {"sentinel.py"}
        desk.write("x/y/z/deep.py")
        await eventually_async(lambda: "x/y/z/deep.py" in desk.all_files)
        shutil.rmtree(desk.folder / "x")
        desk.write("x/y/z/again.py")
        await eventually_async(lambda: "x/y/z/again.py" in desk.all_files)


async def test_every_file_of_many_new_folders_is_seen(desk: Desk) -> None:
    desk.instant = False
    async with desk.watching():
        names = {f"new/{n % 40}/{n}.py" for n in range(400)}
        for name in names:
            desk.write(name)
        await eventually_async(lambda: desk.all_files >= names)


async def test_a_touch_counts_and_so_does_saving_unchanged_text(desk: Desk) -> None:
    path = desk.write("a.py", "same")
    async with desk.watching():
        path.touch()
        await desk.asked(1)
        path.write_text("same")
        await desk.asked(2)


async def test_a_changed_gitignore_counts_from_then_on(desk: Desk) -> None:
    desk.write("out/a.py")
    async with desk.watching(desk.watch("t", "*.py")):
        desk.write("out/a.py", "1")
        await desk.asked(1)
        desk.write(".gitignore", "out/\n")
        await desk.sentinel()
        seen = len(desk.requests)
        desk.write("out/a.py", "2")
        await desk.sentinel("second.py")
        assert all("out/a.py" not in names for names in desk.files[seen:])
        (desk.folder / ".gitignore").unlink()
        await desk.sentinel("third.py")
        desk.write("out/a.py", "3")
        await eventually_async(lambda: "out/a.py" in desk.files[-1])


async def test_git_exclude_is_read_again(desk: Desk) -> None:
    await run(["git", "init", "-q", str(desk.folder)])
    async with desk.watching(desk.watch("t", "*.py")):
        (desk.folder / ".git/info/exclude").write_text("private.py\n")
        await eventually_async(lambda: ignored_now(desk))
        await desk.sentinel()
        assert "private.py" not in desk.files[-1]


def ignored_now(desk: Desk) -> bool:
    """Write the file and a witness until the file stays out of the witness's request."""
    desk.write("private.py", str(len(desk.requests)))
    desk.write("witness.py", str(len(desk.requests)))
    return bool(desk.files) and desk.files[-1] == ["witness.py"]


async def test_a_checkout_of_two_thousand_files_is_one_run(desk: Desk) -> None:
    git = ["git", "-C", str(desk.folder), "-c", "user.name=n", "-c", "user.email=e@example.com", "-c", "gc.auto=0"]
    await run([*git, "init", "-q", "-b", "main"])
    for n in range(2000):
        desk.write(f"d{n % 50}/f{n}.py", "one")
    await run([*git, "add", "."])
    await run([*git, "commit", "-q", "-m", "one"])
    await run([*git, "switch", "-q", "-c", "other"])
    for n in range(2000):
        desk.write(f"d{n % 50}/f{n}.py", "two, longer")
    await run([*git, "commit", "-q", "-a", "-m", "two"])
    async with desk.watching(desk.watch("t", "d*/")):
        await run([*git, "switch", "-q", "main"])
        await desk.asked(1)
        desk.write("d0/sentinel.py")
        await eventually_async(lambda: "d0/sentinel.py" in desk.all_files)
        assert len(desk.requests) <= 2
        assert len(desk.files[0]) == 2000 or (len(desk.requests) == 1 and len(desk.files[0]) == 2001)


async def test_a_save_told_by_the_editor_starts_once(desk: Desk) -> None:
    path = desk.write("a.py", "old")
    async with desk.watching() as watcher:
        path.write_text("new")
        watcher.saved(path)
        await desk.asked(1)
        assert desk.requests[0].trigger.kind is TriggerKind.SAVE
        await desk.sentinel()
        assert sum("a.py" in names for names in desk.files) == 1
        path.write_text("newer")
        await eventually_async(lambda: sum("a.py" in names for names in desk.files) == 2)
        watcher.saved(path)
        await desk.sentinel("second.py")
        assert sum("a.py" in names for names in desk.files) == 2, "the editor was slower than the file system"
        watcher.saved(path)
        await eventually_async(lambda: sum("a.py" in names for names in desk.files) == 3)


async def test_an_editor_that_writes_the_saved_text_again_has_saved_once(desk: Desk) -> None:
    path = desk.write("a.py", "new")
    async with desk.watching() as watcher:
        watcher.saved(path)
        path.write_text("new")
        await desk.sentinel()
        assert sum("a.py" in names for names in desk.files) == 1
        path.write_text("new, and more")
        await eventually_async(lambda: sum("a.py" in names for names in desk.files) == 2)


async def test_saves_outside_or_ignored_start_nothing(desk: Desk) -> None:
    desk.write(".gitignore", "*.log\n")
    async with desk.watching() as watcher:
        watcher.saved(desk.write("a.log"))
        elsewhere = desk.folder.parent / "b.py"
        elsewhere.write_text("")
        watcher.saved(elsewhere)
        await desk.sentinel()
        assert desk.all_files == {"sentinel.py"}


async def test_ten_quick_saves_are_two_requests(desk: Desk) -> None:
    path = desk.write("a.py")
    async with desk.watching() as watcher:
        for n in range(10):
            path.write_text(str(n))
            watcher.saved(path)
            await eventually_async(lambda: len(desk.requests) >= 1)
        await desk.sentinel()
        assert len(desk.requests) <= 2 or desk.files[2:] == [["sentinel.py"]]


async def test_a_folder_opened_by_way_of_a_link_keeps_its_name(desk: Desk) -> None:
    link = desk.folder.parent / "link"
    link.symlink_to(desk.folder)
    real, desk.folder = desk.folder, link
    async with desk.watching() as watcher:
        (real / "a.py").write_text("1")
        await desk.asked(1)
        assert desk.requests[0].trigger.files == (link / "a.py",)
        watcher.saved(link / "a.py")
        await desk.sentinel()
        assert sum("a.py" in names for names in desk.files) == 1


async def test_what_a_run_makes_is_not_a_change_and_a_loop_is_told(desk: Desk) -> None:
    desk.instant = False
    path = desk.write("src/a.py", "0")
    async with desk.watching() as watcher:
        await desk.begin(watcher, "r1")
        desk.write("made.txt", "product")
        await eventually_async(lambda: desk.of(NoticeKind.LOOP))
        assert "made.txt" in desk.of(NoticeKind.LOOP)[0]
        path.write_text("formatted")
        await desk.asked(1)
        await desk.end(watcher, "r1")
        await desk.begin(watcher, "run1")
        path.write_text("formatted again")
        await desk.end(watcher, "run1")
        await eventually_async(lambda: len(desk.of(NoticeKind.LOOP)) == 2)
        assert "src/a.py" in desk.of(NoticeKind.LOOP)[1]
        path.write_text("edited by the user")
        await desk.asked(2)
        assert desk.files == [["src/a.py"], ["src/a.py"]]


async def test_a_loop_is_told_of_each_file_whatever_changes_with_it(desk: Desk) -> None:
    desk.instant = False
    path = desk.write("z.py", "0")
    async with desk.watching() as watcher:
        for n in (1, 2):
            await desk.begin(watcher, f"run{n}")
            desk.write("made.txt", str(n))
            path.write_text(f"formatted {n}")
            await eventually_async(lambda n=n: len(desk.of(NoticeKind.LOOP)) >= n)
            await desk.end(watcher, f"run{n}")
    assert ["made.txt" in desk.of(NoticeKind.LOOP)[0], "z.py" in desk.of(NoticeKind.LOOP)[1]] == [True, True]


async def test_many_files_that_appear_during_a_run_are_told_in_few_words(desk: Desk) -> None:
    desk.instant = False
    async with desk.watching(desk.watch("t", "*.py", "*.txt")) as watcher:
        await desk.begin(watcher, "run1")
        for n in range(8):
            desk.write(f"made{n}.txt")
            await eventually_async(lambda n=n: f"made{n}.txt" in desk.changed)
        assert len(desk.of(NoticeKind.LOOP)) == 3


def test_two_clocks_are_read_at_the_same_moment_however_busy_the_machine() -> None:
    """Where it does something else between two looks, they are of no use."""
    now_s = 0.0
    busy = iter([0.0, 0.03, 0.0, 0.03])

    def clock() -> float:
        nonlocal now_s
        now_s += next(busy, 0.0)
        return now_s

    shown_s, wall_s = both_clocks(clock, lambda: 1000.0 + clock())
    assert wall_s - shown_s == pytest.approx(1000.0, abs=0.001)


async def test_a_file_that_comes_and_goes_within_a_run_does_not_loop(desk: Desk) -> None:
    desk.instant = False
    async with desk.watching() as watcher:
        await desk.begin(watcher, "r1")
        desk.write("lock", "x")
        await eventually_async(lambda: desk.of(NoticeKind.LOOP))
        (desk.folder / "lock").unlink()
        await desk.end(watcher, "r1")
        await desk.sentinel()
        assert desk.all_files == {"sentinel.py"}


async def test_an_editors_save_during_a_run_always_counts(desk: Desk) -> None:
    desk.instant = False
    path = desk.write("a.py", "0")
    async with desk.watching() as watcher:
        for n in range(1, 4):
            await desk.begin(watcher, f"run{n}")
            path.write_text(f"edit {n}")
            watcher.saved(path)
            await desk.asked(n)
            await desk.end(watcher, f"run{n}")


async def test_vims_way_of_saving_vouches_for_the_user(desk: Desk) -> None:
    desk.instant = False
    path = desk.write("a.py", "0")
    async with desk.watching() as watcher:
        for n in range(1, 4):
            await desk.begin(watcher, f"run{n}")
            desk.write("4913", "").unlink()
            path.rename(desk.folder / "a.py~")
            path.write_text(f"edit {n}")
            (desk.folder / "a.py~").unlink()
            await desk.asked(n)
            await desk.end(watcher, f"run{n}")


async def test_pause_remembers_and_switching_off_forgets(desk: Desk) -> None:
    witness = desk.watch("witness", "*.txt")
    async with desk.watching(desk.watch("t", "*.py", enabled=False) | witness) as watcher:
        desk.write("a.py", "1")
        await desk.sentinel("w.txt")
        assert desk.all_files == {"w.txt"}
        watcher.set_watches(desk.watch("t", "*.py") | witness)
        watcher.pause()
        desk.write("b.py", "1")
        await eventually_async(lambda: watcher.waiting == ("t",))
        assert desk.all_files == {"w.txt"}
        watcher.resume()
        await eventually_async(lambda: "b.py" in desk.all_files)
        assert "a.py" not in desk.all_files


async def test_a_save_right_after_switching_on_counts(desk: Desk) -> None:
    """The file system told of the text before, when nobody was to hear of it; the editor saves it again."""
    witness = desk.watch("witness", "*.txt")
    async with desk.watching(desk.watch("t", "*.py", enabled=False) | witness) as watcher:
        path = desk.write("a.py", "1")
        await desk.sentinel("w.txt")
        watcher.set_watches(desk.watch("t", "*.py") | witness)
        watcher.saved(path)
        await eventually_async(lambda: "a.py" in desk.all_files)


async def test_nothing_starts_by_itself_in_a_folder_that_is_not_trusted(desk: Desk) -> None:
    desk.trusted = False
    async with desk.watching() as watcher:
        watcher.pause()
        watcher.saved(desk.write("a.py"))
        assert watcher.waiting == ("t",)
        watcher.resume()
        await eventually_async(lambda: watcher.waiting == ())
        assert desk.requests == []
        desk.trusted = True
        await desk.sentinel()
        assert desk.all_files == {"sentinel.py"}


async def test_what_waits_for_a_task_that_is_switched_off_starts_nothing(desk: Desk) -> None:
    """A `git pull` brings sources and another `rdev.toml`: the sources settle when the task loses its consent."""
    witness = desk.watch("witness", "*.txt")
    async with desk.watching(desk.watch("t", "*.py") | witness) as watcher:
        watcher.pause()
        watcher.saved(desk.write("a.py"))
        assert watcher.waiting == ("t",)
        watcher.set_watches(desk.watch("t", "*.py", enabled=False) | witness)
        assert watcher.waiting == ()
        watcher.resume()
        await desk.sentinel("w.txt")
        assert desk.all_files == {"w.txt"}


async def test_a_run_is_stale_when_its_files_changed_after_it_began(desk: Desk) -> None:
    desk.instant = False
    path = desk.write("a.py", "0")
    witness = desk.watch("witness", "*.txt")
    async with desk.watching(desk.watch("t", "*.py") | witness) as watcher:
        await desk.begin(watcher, "r1")
        await desk.end(watcher, "r1")
        await desk.sentinel("w.txt")
        assert desk.stale == []
        watcher.set_watches(desk.watch("t", "*.py", enabled=False) | witness)
        path.write_text("1")
        await eventually_async(lambda: desk.stale == ["r1"])


async def test_a_restart_takes_over_the_files_of_the_run_it_cuts_off(desk: Desk) -> None:
    desk.instant = False
    async with desk.watching(desk.watch("t", "*.py", on_busy=BusyPolicy.RESTART)) as watcher:
        desk.write("a.py")
        await desk.asked(1)
        await desk.begin(watcher, "run1")
        watcher.saved(desk.write("b.py"))
        await desk.asked(2)
        assert desk.files == [["a.py"], ["a.py", "b.py"]]
        await desk.end(watcher, "run1", outcome=Outcome.SUPERSEDED)


@pytest.mark.parametrize(("outcome", "files"), [(Outcome.ERROR, ["a.py", "b.py"]), (Outcome.FAILED, ["b.py"])])
async def test_a_run_that_never_came_to_its_command_leaves_its_files(
    desk: Desk, outcome: Outcome, files: list[str]
) -> None:
    desk.instant = False
    async with desk.watching() as watcher:
        desk.write("a.py")
        await desk.asked(1)
        await desk.begin(watcher, "run1")
        await desk.end(watcher, "run1", outcome=outcome)
        watcher.saved(desk.write("b.py"))
        await desk.asked(2)
        assert desk.files == [["a.py"], files]


async def test_a_name_that_is_not_utf8_does_not_blind_the_watcher(desk: Desk) -> None:
    async with desk.watching():
        odd = os.fsencode(desk.folder) + b"/odd-\xff.py"
        os.close(os.open(odd, os.O_CREAT | os.O_WRONLY))
        await desk.sentinel()
        await eventually_async(lambda: os.fsdecode(b"odd-\xff.py") in desk.all_files)
        await desk.sentinel("after.py")


async def test_a_pattern_that_cannot_work_leaves_all_as_it_was(desk: Desk) -> None:
    async with desk.watching() as watcher:
        with pytest.raises(UsageError):
            watcher.set_watches(desk.watch("t", "../x"))
        await desk.sentinel()


async def test_a_folder_that_does_not_exist_cannot_be_watched(tmp_path: Path, desk: Desk) -> None:
    watcher = WorkspaceWatcher(tmp_path / "nowhere", submit=desk.submit, notice=desk.notices.append)
    with pytest.raises(OSError, match="nowhere"):
        await watcher.__aenter__()


async def test_a_watch_that_is_cancelled_while_it_begins_leaves_nothing_behind(tmp_path: Path) -> None:
    faults: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
    watcher = WorkspaceWatcher(tmp_path, submit=lambda _: pytest.fail("nothing starts"), notice=lambda _: None)
    beginning = asyncio.create_task(watcher.__aenter__())
    await asyncio.sleep(0)
    beginning.cancel()
    with pytest.raises(asyncio.CancelledError):
        await beginning
    await eventually_async(lambda: "file changes" not in {thread.name for thread in threading.enumerate()}, 20)
    await asyncio.sleep(0)
    assert not faults


@pytest.mark.parametrize("polling", [False, True])
async def test_the_folder_goes_and_comes_back(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, polling: bool, tmp_path: Path
) -> None:
    if polling:
        monkeypatch.setenv("WATCHFILES_FORCE_POLLING", "1")
    desk.write("lib/a.py")
    desk.write("b.py")
    async with desk.watching():
        shutil.rmtree(desk.folder)
        await eventually_async(lambda: desk.of(NoticeKind.GONE), what="the word that it is gone")
        assert str(desk.folder) in desk.of(NoticeKind.GONE)[0]
        desk.write("lib/a.py", "from a fresh clone")
        desk.write("b.py", "too")
        await eventually_async(lambda: {"lib/a.py", "b.py"} <= desk.all_files)
        await desk.sentinel("lib/c.py")
        desk.folder.rename(tmp_path / "aside")
        await eventually_async(lambda: len(desk.of(NoticeKind.GONE)) == 2, what="the word that it was moved")
        (tmp_path / "aside" / "b.py").write_text("edited meanwhile")
        count = len(desk.requests)
        (tmp_path / "aside").rename(desk.folder)
        await eventually_async(lambda: len(desk.requests) > count)
        assert desk.files[count] == ["b.py"], "it is the same folder: only what changed meanwhile"
        await desk.sentinel("lib/d.py")


async def test_a_request_that_is_refused_is_told(desk: Desk) -> None:
    def refuse(request: RunRequest) -> None:
        raise RdevError("no such server")

    watcher = WorkspaceWatcher(desk.folder, submit=refuse, notice=desk.notices.append)
    watcher.set_watches(desk.watch())
    async with watcher:
        desk.write("a.py")
        await eventually_async(lambda: desk.of(NoticeKind.FAILED) == ["t cannot start: no such server"])
