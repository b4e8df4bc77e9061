"""All targets by name."""

from tests.fuzz import files, requests, streams

TARGETS = files.TARGETS | streams.TARGETS | requests.TARGETS
