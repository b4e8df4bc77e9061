"""Random faults over many runs at once, through server, proxy, bridge and daemon: `python -m tests.soak`."""
