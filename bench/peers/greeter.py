"""Seconds from the start of a language server to its answer to `initialize`: DAEMON…"""

import sys
import time
from pathlib import Path

from bench.editor import Editor

began_s = time.perf_counter()
with Editor(sys.argv[1:], {}, Path.cwd()) as editor:
    editor.initialize()
    print(time.perf_counter() - began_s)
