.PHONY: check full bench bench-doc soak lock audit

check: ## what CI checks, long tests sampled
	bash tests/run

full: ## what CI runs
	bash tests/run --full

bench: ## side by side with the peers, as ratios; make bench TABLES="stream true" ROUNDS=3; see docs/performance.md
	.venv/bin/python -m bench $(TABLES) --rounds $(or $(ROUNDS),4)

bench-doc: ## the same, and its tables into docs/performance.md: make bench-doc BEFORE=8efa269 (eight minutes on a quiet machine)
	.venv/bin/python -m bench $(TABLES) --rounds $(or $(ROUNDS),4) --write $(if $(BEFORE),--before $(BEFORE))

MINUTES ?= 5
soak: ## random faults over many runs at once: make soak MINUTES=30
	.venv/bin/python -m tests.soak --minutes $(MINUTES)

lock: ## renew requirements-dev.lock: every development tool at its newest version, with hashes
	.venv/bin/python -m venv .tools/uv && .tools/uv/bin/pip install -q uv
	.tools/uv/bin/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
	  --upgrade --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" -q -o requirements-dev.lock

audit: ## known vulnerabilities of all that the lock names; asks an advisory service on the network
	.venv/bin/python -m venv .tools/audit && .tools/audit/bin/pip install -q pip-audit
	.tools/audit/bin/pip-audit --require-hashes --disable-pip -r requirements-dev.lock
