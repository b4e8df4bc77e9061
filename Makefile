.PHONY: check full bench soak

check: ## what CI checks, long tests sampled
	bash tests/run

full: ## what CI runs
	bash tests/run --full

bench: ## side by side with the peers, as ratios; see docs/performance.md
	.venv/bin/python -m bench

MINUTES ?= 5
soak: ## random faults over many runs at once: make soak MINUTES=30
	.venv/bin/python -m tests.soak --minutes $(MINUTES)
