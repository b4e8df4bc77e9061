"""What a variable becomes in a shell's text, checked against real shells."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rdev_bridge.core.paths import PathMap
from rdev_bridge.core.variables import expand, fill, used, variables_of
from rdev_bridge.errors import UsageError

SHOW = """show() { for word; do printf '%s\\036' "$word"; done; }\n"""
ODD = "a b'c\"d$(echo x)`id`\\\n;*?~#{é"


def words_seen(command: str, shell: str = "sh") -> list[str]:
    """The words that the function `show` of `command` is given, as the shell makes them."""
    text = (SHOW + command).encode("utf-8", "surrogateescape")
    done = subprocess.run([shell, "-c", text], capture_output=True, timeout=20, check=True)
    assert done.stderr == b""
    return done.stdout.decode("utf-8", "surrogateescape").split("\x1e")[:-1]


@pytest.mark.parametrize("shell", ["dash", "bash", "mksh"])
@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("show ${file}", [ODD]),
        ('show "${file}"', [ODD]),
        ("show '${file}'", [ODD]),
        ("show --file=${file} x", [f"--file={ODD}", "x"]),
        ('show "a ${file} b"', [f"a {ODD} b"]),
        ("show 'it '\\''is' \"don't ${file}\"", ["it 'is", f"don't {ODD}"]),
        ('show "$(printf %s "${file}")"', [ODD]),
        ('show "$(printf %s ${file} | cat)" ${file}', [ODD, ODD]),
        ("# don't\nshow ${file} # ${file} isn't here\nshow x", [ODD, "x"]),
        ("case a in a) show ${file};; esac", [ODD]),
        ("(show ${file})", [ODD]),
        ('x=${file}; show "$x"', [ODD]),
        ('x="${file}"; show "${x:-no}" ${#x}', [ODD, str(len(ODD))]),
        ('show "$(( 1 + 2 ))" ${file}', ["3", ODD]),
        ("show ${changedFiles}", ["one", "t w o", "$3"]),
        ("show a ${changedFiles} b", ["a", "one", "t w o", "$3", "b"]),
        ('show "${changedFiles}"', ["one", "t w o", "$3"]),
        ("file=shell; show $file $${file} \\${file} ${file:-x}", ["shell", "shell", "${file}", "shell"]),
        ("show ${HOME:+home} a\\ ${file}", ["home", f"a {ODD}"]),
        ("show a#'b' ${file}", ["a#b", ODD]),
    ],
)
def test_each_place_gives_exactly_the_value(shell: str, command: str, expected: list[str]) -> None:
    value = ODD if shell != "dash" or "${#x}" not in command else ODD.replace("é", "e")
    expected = [value if word == ODD else word for word in expected]
    text = expand(command, {"file": value, "changedFiles": ("one", "t w o", "$3")})
    assert words_seen(text, shell) == expected


@pytest.mark.parametrize("shell", ["dash", "bash", "mksh"])
@pytest.mark.parametrize("command", ["show ${changedFiles}", 'show "${changedFiles}"', "show '${changedFiles}'"])
def test_names_that_are_no_utf8_are_said_in_text_that_is(shell: str, command: str) -> None:
    names = tuple(map(os.fsdecode, (b"\xff", b"a b\xfe\xffc'\xe9", b"\xc3\n\xa9\n", "é%s\\".encode() + b"\x80")))
    text = expand(command, {"changedFiles": names})
    text.encode()
    assert words_seen(text, shell) == list(names)


@given(
    st.text(st.characters(exclude_characters="\0\x1e", codec=None, exclude_categories=[]), max_size=30).filter(
        lambda name: not any(0xD800 <= ord(c) < 0xDC80 or 0xDCFF < ord(c) < 0xE000 for c in name)
    ),
    st.sampled_from(
        ["show ${file}", 'show "${file}"', "show '${file}'", 'show "$(printf %s. "${file}")"', "show x${file}"]
    ),
)
@settings(max_examples=150)
def test_whatever_the_name_holds_the_shell_sees_just_it(name: str, command: str) -> None:
    before = "x" if "x$" in command else ""
    after = "." if "%s." in command else ""  # keeps the line ends that `$(…)` takes off
    assert words_seen(expand(command, {"file": name})) == [before + name + after]


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("cat <<EOF\n${file}\nEOF", "here-document"),
        ("cat <<-'E'\nit's\nE\nshow ${file}", "here-document"),
        ("show `cat ${file}`", "backticks"),
        ('show "`cat "${file}"`"', "backticks"),
        ("show $(( ${file} ))", "arithmetic"),
        ("(( ${file} ))", "arithmetic"),
        ("show ${x:-${file}}", "inside ${"),
        ('show "${x:-"${file}"}"', "read differently"),
        ("show $'a\\'b' ${file}", "read differently"),
        ("show $[ ${file} ]", "read differently"),
        ('show "$(case x in x) cat ${file};; esac)"', "read differently"),
        ("sh -c 'wc ${file}'", "program"),
        ('bash -lc "cd x && wc ${file}"', "program"),
        ("bash -eu -c \"wc '${file}'\"", "program"),
        ("docker exec box sh -c 'wc \"${file}\"'", "program"),
        ("python3 -c \"print('${file}')\"", "program"),
        ("perl -ne 'print if /${file}/'", "program"),
        ('eval "wc ${file}"', "program"),
        ("eval wc ${file}", "program"),
        ("ssh host wc ${file}", "program"),
        ('cd x; ssh -t host "wc ${file}"', "program"),
        ('sh -c "$(cat "${file}")"', "program"),
    ],
)
def test_where_no_quoting_is_safe_the_task_is_refused(command: str, why: str) -> None:
    with pytest.raises(UsageError, match=r"\$\{file\} cannot stand") as error:
        expand(command, {"file": "x"})
    assert why in str(error.value)


@pytest.mark.parametrize(
    "command",
    [
        "gcc -c ${file}",
        'gcc -c "${file}"',
        "python -m pytest -c setup.cfg ${file}",
        'bash -e "${file}"',
        "rsync -e ssh ${file} host:",
        "sed -i -e s/a/b/ ${file}",
        "sh -c 'wc -l \"$1\"' sh ${file}",
        "cat <<<x ${file}",
        "echo $((1<<2)) ${file}",
    ],
)
def test_ordinary_commands_are_not_refused(command: str) -> None:
    assert "odd" in expand(command, {"file": "odd"})


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("cat ${file}", "--file"),
        ("cat ${env:SECRET}", "write $SECRET"),
        ("cat ${input:name}", "not known"),
        ("cat ${lineNumber}", "not known"),
    ],
)
def test_a_variable_without_a_value_is_named(command: str, says: str) -> None:
    with pytest.raises(UsageError) as error:
        expand(command, {"workspaceFolder": "/w"})
    assert command.removeprefix("cat ") in str(error.value)
    assert says in str(error.value)


@given(
    st.lists(st.sampled_from([*"'\"`$(){}[]\\#<;\n x", "${file}", "$${file}", "$((", "case "]), max_size=25).map(
        "".join
    )
)
@settings(max_examples=300)
def test_any_text_is_either_filled_in_or_refused(text: str) -> None:
    try:
        filled = expand(text, {"file": "v"})
    except UsageError:
        return
    if "${file}" not in text:
        assert filled == text


@given(
    st.lists(
        st.sampled_from(
            ["${file}", "'", '"', "$(", ")", "`", "# ", "\n", " ", "\\", "echo ", "{x", "$", "{", "}", "((", "<<E", ";"]
        ),
        max_size=9,
    )
)
@settings(max_examples=200)
def test_no_text_around_it_lets_a_name_run(tmp_path_factory: pytest.TempPathFactory, pieces: list[str]) -> None:
    """The name tries to run `touch` in every way there is; whatever the command is, no file may appear."""
    folder = tmp_path_factory.mktemp("run")
    name = "x\ntouch p1\n`touch p2`$(touch p3)';touch p4;'\";touch p5;\"\nE\ntouch p6\n"
    try:
        command = expand("".join(pieces), {"file": name})
    except UsageError:
        return
    for shell in ("dash", "bash"):
        subprocess.run(
            [shell, "-c", command], cwd=folder, capture_output=True, timeout=20, stdin=subprocess.DEVNULL, check=False
        )
    assert not [path.name for path in folder.iterdir() if path.name.startswith("p")], command


def test_what_no_shell_reads_is_not_quoted() -> None:
    values = {"workspaceFolder": "/a b", "changedFiles": ("x", "y z")}
    assert fill("${workspaceFolder}/c ${changedFiles} $${file}", values) == "/a b/c x y z ${file}"


def test_used_names_what_a_text_needs() -> None:
    assert used("a ${file} '${relativeFile}' $${fileBasename} ${HOME}") == {"file", "relativeFile"}


def test_values_are_paths_as_the_server_sees_them() -> None:
    paths = PathMap.of(Path("/home/me/w"), "/workspace", [("/opt/lib", "vendor/lib")])
    changed = (Path("/home/me/w/a b.py"), Path("/elsewhere/x"), Path("/home/me/w/vendor/lib/c.c"))
    assert variables_of(paths, Path("/home/me/w/src/-t.test.py"), changed) == {
        "workspaceFolder": "/workspace",
        "workspaceFolderBasename": "workspace",
        "changedFiles": ("/workspace/a b.py", "/opt/lib/c.c"),
        "file": "/workspace/src/-t.test.py",
        "relativeFile": "src/-t.test.py",
        "fileBasename": "./-t.test.py",
        "fileBasenameNoExtension": "./-t.test",
        "fileExtname": ".py",
        "fileDirname": "/workspace/src",
        "relativeFileDirname": "src",
    }
    assert variables_of(paths, Path("/home/me/w/-rf"))["relativeFile"] == "./-rf"
    assert "file" not in variables_of(paths, Path("/etc/passwd"))
