"""Decisions only: plain functions and state machines, tested as tables. No I/O, no clock, no event loop."""
