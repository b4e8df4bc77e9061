"""`python -m tests.fuzz TARGET|all [SECONDS]`: coverage-guided, with atheris (`pip install atheris`; Linux).

Each target runs in a process of its own, on from the corpus that earlier runs left in `.tools/fuzz/TARGET`. What fails
is written next to it as `crash-…`; `python -m tests.fuzz TARGET FILE` tries that again without atheris.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

WORK = Path(__file__).parents[2] / ".tools" / "fuzz"
INSTRUMENTED = ["rdev_bridge", "tomllib"]


def run(name: str, seconds: int) -> int:
    """Fuzz one target in this process; does not return where something was found."""
    import atheris

    with atheris.instrument_imports(include=INSTRUMENTED):
        from tests.fuzz.targets import TARGETS

    target = TARGETS[name]
    corpus = WORK / name
    corpus.mkdir(parents=True, exist_ok=True)
    (corpus / "words").write_bytes(b"".join(target.words))
    words = WORK / f"{name}.dict"
    words.write_text("".join(map(_entry, target.words)))
    limits = [f"-max_total_time={seconds}", "-max_len=2000", "-timeout=60", "-rss_limit_mb=2048"]
    quiet = ["-print_final_stats=1", "-verbosity=1", f"-artifact_prefix={WORK}/{name}-"]
    atheris.Setup([sys.argv[0], *limits, *quiet, f"-dict={words}", str(corpus)], target.check)
    atheris.Fuzz()
    return 0


def _entry(word: bytes) -> str:
    """A line of libFuzzer's dictionary."""
    return '"' + "".join(f"\\x{byte:02x}" for byte in word) + '"\n'


def run_all(seconds: int) -> int:
    """Each target for so long; a line of figures for each. The exit code says whether anything was found."""
    from tests.fuzz.targets import TARGETS

    found = 0
    for name in TARGETS:
        argv = [sys.executable, "-m", "tests.fuzz", name, str(seconds)]
        done = subprocess.run(argv, capture_output=True, text=True, errors="replace", check=False)
        executed = re.search(r"number_of_executed_units: (\d+)", done.stderr)
        corpus = len(list((WORK / name).glob("*")))
        result = "nothing found" if done.returncode == 0 else f"FOUND, exit code {done.returncode}"
        print(f"{name:20} {executed[1] if executed else '?':>10} in {seconds} s, corpus {corpus}: {result}", flush=True)
        if done.returncode:
            found = 1
            print(done.stderr[-4000:])
    return found


def main(words: list[str]) -> int:
    """The command line above."""
    name, second = (*words, "60")[:2]
    if name == "all":
        return run_all(int(second))
    if second.isdigit():
        return run(name, int(second))
    from tests.fuzz.targets import TARGETS

    TARGETS[name].check(Path(second).read_bytes())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
