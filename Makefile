.PHONY: check full bench bench-doc soak

check: ## what CI checks, long tests sampled
	bash tests/run

full: ## what CI runs
	bash tests/run --full

bench: ## side by side with the peers, as ratios; make bench TABLES="stream true" ROUNDS=3; see docs/performance.md
	.venv/bin/python -m bench $(TABLES) --rounds $(or $(ROUNDS),5)

bench-doc: ## the same, and its tables into docs/performance.md
	.venv/bin/python -m bench $(TABLES) --rounds $(or $(ROUNDS),5) --write

MINUTES ?= 5
soak: ## random faults over many runs at once: make soak MINUTES=30
	.venv/bin/python -m tests.soak --minutes $(MINUTES)
