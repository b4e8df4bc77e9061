"""Everything that reads a stranger's bytes, each under one property. See docs/security.md for what was run.

`test_fuzz.py` runs all of it with hypothesis; `python -m tests.fuzz TARGET` runs one with atheris for as long as you
like.
"""
