"""Counts what stands on the shelves: slow enough to be watched and cancelled."""

import random
import time

SHELVES = 120


def main() -> None:
    """Print one line a shelf; a shelf that is nearly empty in yellow."""
    for shelf in range(1, SHELVES + 1):
        count = random.randrange(40)
        colour = 33 if count < 5 else 32
        print(f"shelf {shelf:3}  \033[{colour}m{'▪' * count}\033[0m {count}")
        time.sleep(1)


if __name__ == "__main__":
    main()
