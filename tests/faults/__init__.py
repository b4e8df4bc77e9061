"""Faults on the way between a bridge and a server."""
