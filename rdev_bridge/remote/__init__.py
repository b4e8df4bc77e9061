"""The rdev API as a client."""

import sys

# httpx comes with a command line of its own, imports it if it can, and does without if it cannot. We never use it, and
# with click, rich and pygments it is a third of what `rdev-bridge run -- true` imports: 6 to 33 of 90 ms.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # None: "not to be had" (import system, 5.3.1)
