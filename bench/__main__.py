"""Side by side with the named peers, on the loopback: `python -m bench`, or `python -m bench stream true`."""

from __future__ import annotations

import argparse
import os
import platform
import re
import time

from bench.stage import HOUSE, Stage
from bench.tables import TABLES

PAGE = HOUSE / "docs" / "performance.md"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("table", nargs="*", help=f"all without one: {', '.join(TABLES)}")
    parser.add_argument("--rounds", type=int, default=4, help="how often each contestant has its turn (4)")
    parser.add_argument("--before", metavar="COMMIT", help="let rdev-bridge as of COMMIT take part too")
    parser.add_argument("--write", action="store_true", help=f"also put the tables into {PAGE.relative_to(HOUSE)}")
    args = parser.parse_args()
    names = args.table or list(TABLES)
    unknown = [name for name in names if name not in TABLES]
    if unknown:
        parser.error(f"there is no table {unknown[0]!r}; they are: {', '.join(TABLES)}")
    reports, failed = [], []
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f} at the start"
    with Stage(args.before) as stage:
        for name in names:
            began_s = time.monotonic()
            try:
                report = TABLES[name](stage, args.rounds)
            except SystemExit as error:  # a tool that is missing here: the other tables have nothing to do with it
                failed.append(f"{name}: {error}")
                print(f"{failed[-1]}\n", flush=True)
                continue
            reports.append(report)
            print(report)
            print(f"({name} took {time.monotonic() - began_s:.0f} s)\n", flush=True)
            if args.write:
                write(name, str(report))
    count = sum(len(report.goals) for report in reports)
    missed = [f"- {report.title}, {str(goal)[2:]}" for report in reports for goal in report.goals if not goal.is_met]
    verdict = "\n".join([f"{count - len(missed)} of {count} goals are met.", *missed])
    print(verdict)
    if failed:
        raise SystemExit("\n".join(failed))
    if args.write and not args.table:
        write("machine", f"Measured with {machine}; {args.rounds} rounds.\n")
        write("verdict", f"{verdict}\n")


def write(name: str, text: str) -> None:
    """Put it between its marks on the page, which says where each one stands."""
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    page = PAGE.read_text()
    if page.count(begin) != 1 or page.count(end) != 1:
        raise SystemExit(f"{PAGE} has no place for {name}: a line {begin.strip()} and a line {end}")
    place = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    PAGE.write_text(place.sub(lambda _: f"{begin}{text}{end}", page))


if __name__ == "__main__":
    main()
