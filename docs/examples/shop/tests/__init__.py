"""The shop's tests: `python3 -m tests`."""
