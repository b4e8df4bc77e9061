"""Readers for tools whose problems stretch over as many lines as they like; all made on the same `Reader`."""
