"""What a folder's own files say can be built, tested and run there. Nothing is executed."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from typing import TYPE_CHECKING, Any

from rdev_bridge.cli.init_draft import Draft, Findings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_MAX_BYTES = 1024 * 1024
_MAX_TASKS = 40

_PYTHON = ("**/*.py",)
_SCRIPTS = ("**/*.{js,jsx,ts,tsx,mjs,cjs}",)
_GROUPS = (
    ("test", re.compile(r"tests?|check|spec|e2e|unit|coverage|verify|vet", re.IGNORECASE)),
    ("build", re.compile(r"all|build|compile|lint|types?|typecheck|tsc|format|fmt|docs?|dist|bundle", re.IGNORECASE)),
    ("run", re.compile(r"run|start|dev|serve|watch|preview", re.IGNORECASE)),
)
_SCRIPT_MATCHERS = (
    (re.compile(r"\btsc\b.*(--watch|-w\b)"), "$tsc-watch"),
    (re.compile(r"\b(vue-)?tsc\b"), "$tsc"),
    (re.compile(r"\beslint\b"), "$eslint-stylish"),
    (re.compile(r"\bvitest\b"), "vitest"),
    (re.compile(r"\b(jest|react-scripts test)\b"), "jest"),
    (re.compile(r"\bnode\b.*\s--test\b"), "node-test"),
)
_TARGET = re.compile(
    r"^([A-Za-z0-9][\w.+-]*(?:[ \t]+[A-Za-z0-9][\w.+-]*)*)[ \t]*::?(?![:=])[^#\n]*(?:##+[ \t]*(.*)|#.*)?$", re.MULTILINE
)
_PHONY = re.compile(r"^\.PHONY[ \t]*:((?:[^\n\\]|\\\n|\\.)*)", re.MULTILINE)
_RECIPE = re.compile(
    r"^(?:#[ \t]*([^\n]*)\n)?((?:\[[^\n]*\]\n)*)"  # a comment and attributes above it
    r"@?([A-Za-z][\w-]*)((?:[ \t]+[^:\n=]+(?:=[^:\n]*)?)*)[ \t]*:(?!=)",
    re.MULTILINE,
)
_USUAL = frozenset("all build test tests check lint run clean install fmt format docs dist dev".split())  # noqa: SIM905


def detect(folder: Path, findings: Findings) -> None:
    """Add a draft for everything that `folder` offers, in the order in which people look."""
    detectors: tuple[Callable[[Path], Iterator[Draft]], ...] = (_just, _make, _python, _node, _cargo, _go)
    for detector in detectors:
        try:
            for draft in detector(folder):
                if len(findings.drafts) >= _MAX_TASKS:
                    findings.notes.append(f"only the first {_MAX_TASKS} tasks were taken")
                    return
                findings.add(draft)
        except _UnreadableError as error:
            findings.notes.append(str(error))


class _UnreadableError(Exception):
    """A file that is there and cannot be used."""


def group_of(name: str) -> str | None:
    """The group that a name speaks of, by its words (`test:unit`, `build-docs`)."""
    words = re.split(r"[^A-Za-z0-9]+", name)
    return next((group for group, pattern in _GROUPS if any(pattern.fullmatch(word) for word in words)), None)


def _read(path: Path) -> str | None:
    """The text of a file; None where there is none."""
    try:
        with path.open("rb") as file:
            return file.read(_MAX_BYTES).decode("utf-8", "replace").replace("\r\n", "\n")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _UnreadableError(f"{path.name} was not read: {error.strerror}") from None


def _first(folder: Path, *names: str) -> tuple[str, str] | None:
    return next(((name, text) for name in names if (text := _read(folder / name)) is not None), None)


def _make(folder: Path) -> Iterator[Draft]:
    found = _first(folder, "GNUmakefile", "makefile", "Makefile")
    if not found:
        return
    name, text = found
    phony = {target for match in _PHONY.finditer(text) for target in match[1].replace("\\\n", " ").split()}
    matcher = "gcc" if _has(folder, "*.c", "*.cc", "*.cpp", "src/*.c", "src/*.cc", "src/*.cpp") else "generic"
    seen = set()
    for match in _TARGET.finditer(text):
        for target in match[1].split():
            if target in seen or target not in (phony or _USUAL):
                continue
            seen.add(target)
            group = group_of(target)
            yield Draft(
                name=target,
                command=f"make {shlex.quote(target)}",
                origin=name,
                description=match[2] or None,
                group=group,
                problem_matcher=matcher if group in {"build", "test"} else None,
            )


def _just(folder: Path) -> Iterator[Draft]:
    found = _first(folder, "justfile", "Justfile", ".justfile")
    if not found:
        return
    for comment, attributes, recipe, parameters in _RECIPE.findall(found[1]):
        needs_words = any("=" not in word and not word.startswith("*") for word in parameters.split())
        if recipe in {"set", "alias", "export", "import", "mod"} or "private" in attributes or needs_words:
            continue
        yield Draft(
            name=recipe,
            command=f"just {recipe}",
            origin=found[0],
            description=comment.strip() or None,
            group=group_of(recipe),
            problem_matcher="generic" if group_of(recipe) in {"build", "test"} else None,
        )


def _python(folder: Path) -> Iterator[Draft]:
    text = _read(folder / "pyproject.toml")
    setup = _first(folder, "setup.cfg", "setup.py", "requirements.txt", "pytest.ini", "tox.ini")
    if text is None and setup is None:
        return
    try:
        tools = tomllib.loads(text or "").get("tool", {})
    except (ValueError, RecursionError) as error:
        raise _UnreadableError(f"pyproject.toml was not read: {error}") from None
    tools = tools if isinstance(tools, dict) else {}
    origin = "pyproject.toml" if text is not None else setup[0] if setup else ""
    locks = {"uv.lock": "uv run ", "poetry.lock": "poetry run ", "pdm.lock": "pdm run ", "Pipfile.lock": "pipenv run "}
    python = next((f"{venv}/bin/python" for venv in (".venv", "venv") if _has(folder, f"{venv}/bin/python")), "python3")
    prefix = next((runner for lock, runner in locks.items() if (folder / lock).exists()), f"{python} -m ")
    says_pytest = "pytest" in tools or "pytest" in (text or "") or "pytest" in (setup[1] if setup else "")
    if says_pytest or _has(folder, "pytest.ini", "conftest.py", "tests/conftest.py"):
        yield _python_draft("test", f"{prefix}pytest", origin, matcher="pytest", group="test")
    elif _has(folder, "tests/test_*.py", "test_*.py", "test/test_*.py"):
        runner = python if prefix.endswith(" -m ") else f"{prefix}python"
        where = "" if _has(folder, "test_*.py") else " tests" if _has(folder, "tests") else " test"
        yield _python_draft("test", f"{runner} -m unittest discover{where}", origin, matcher="unittest", group="test")
    for tool, command in (("mypy", "mypy ."), ("pyright", "pyright"), ("ruff", "ruff check .")):
        if tool in tools or _has(folder, f"{tool}.toml", f"{tool}.ini", f"{tool}config.json", f".{tool}.toml"):
            yield _python_draft(tool, prefix + command, origin, matcher=tool, group="build")


def _python_draft(name: str, command: str, origin: str, *, matcher: str, group: str) -> Draft:
    return Draft(name=name, command=command, origin=origin, group=group, watch=_PYTHON, problem_matcher=matcher)


def _node(folder: Path) -> Iterator[Draft]:
    text = _read(folder / "package.json")
    if text is None:
        return
    try:
        package: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _UnreadableError(f"package.json was not read: {error}") from None
    scripts = package.get("scripts") if isinstance(package, dict) else None
    scripts = scripts if isinstance(scripts, dict) else {}
    locks = {"pnpm-lock.yaml": "pnpm", "yarn.lock": "yarn", "bun.lockb": "bun", "bun.lock": "bun"}
    runner = next((name for lock, name in locks.items() if (folder / lock).exists()), "npm")
    for name, script in scripts.items():
        hook = re.fullmatch(r"(pre|post)(.+)", name)
        if (
            not isinstance(script, str)
            or (hook and hook[2] in {*scripts, "install", "pack", "publish"})
            or name == "prepare"
        ):
            continue
        if not name.isprintable() or name.startswith("-"):
            continue
        group = group_of(name)
        stays = re.search(r"--watch|\bwatch\b|\b(serve|dev|start)\b", f"{name} {script}") is not None
        yield Draft(
            name=name,
            command=f"{runner} run {shlex.quote(name)}",
            origin=f"package.json ({script})",
            group=group,
            watch=_SCRIPTS if group == "test" and not stays else (),
            problem_matcher=next((matcher for pattern, matcher in _SCRIPT_MATCHERS if pattern.search(script)), None),
        )


def _cargo(folder: Path) -> Iterator[Draft]:
    if _read(folder / "Cargo.toml") is None:
        return
    watch = ("**/*.rs", "**/Cargo.toml")
    groups = {"build": "build", "test": "test", "clippy": "build"}
    for name, group in groups.items():
        yield Draft(
            name=name,
            command=f"cargo {name}",
            origin="Cargo.toml",
            group=group,
            watch=watch if name == "test" else (),
            problem_matcher="cargo",
        )
    if _has(folder, "src/main.rs"):
        yield Draft(name="run", command="cargo run", origin="Cargo.toml", group="run", problem_matcher="cargo")


def _go(folder: Path) -> Iterator[Draft]:
    if _read(folder / "go.mod") is None:
        return
    groups = {"build": "build", "test": "test", "vet": "build"}
    for name, group in groups.items():
        yield Draft(
            name=name,
            command=f"go {name} ./...",
            origin="go.mod",
            group=group,
            watch=("**/*.go", "go.mod") if name == "test" else (),
            problem_matcher="go",
        )


def _has(folder: Path, *patterns: str) -> bool:
    return any(next(folder.glob(pattern), None) is not None for pattern in patterns)
