"""`python -m tests.soak --minutes 5`: break everything at random, then show what it cost, which must be nothing."""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import sys
import tempfile
from pathlib import Path

from tests.soak.work import Amount, soak


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=None, help="the same faults again (their timing is the machine's)")
    parser.add_argument("--at-once", type=int, default=12, help="runs at once in each of two daemons")
    args = parser.parse_args()
    seed = secrets.randbelow(10**6) if args.seed is None else args.seed
    print(f"seed {seed}, {args.minutes:g} minutes, {args.at_once} runs at once in each of two daemons", flush=True)
    with tempfile.TemporaryDirectory(prefix="rdev-soak-") as name:
        place = Path(name)
        for variable in ("HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"):
            (place / variable).mkdir(mode=0o700)
            os.environ[variable] = str(place / variable)
        figures = asyncio.run(
            soak(place, Amount(args.minutes * 60, args.at_once), seed, lambda text: print(text, flush=True))
        )
    print(figures.table())
    print(f"ends: {dict(figures.ends)}")
    return 0 if figures.good else 1


if __name__ == "__main__":
    sys.exit(main())
