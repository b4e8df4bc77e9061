"""A line each 5 ms that says when it was printed (monotonic, ns): COUNT."""

import sys
import time

due_s = time.monotonic()
for _ in range(int(sys.argv[1])):
    due_s += 0.005
    time.sleep(max(0.0, due_s - time.monotonic()))
    print(time.monotonic_ns(), flush=True)
