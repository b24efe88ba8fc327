# fallline: `make demo` compares six optimizers on real data; `make test` runs the tests.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
.PHONY: demo test lint conformance benchmarks clean

demo: $(READY)
	$(BIN)/fallline compare digits

# A worker for each core, with one thread each: more would only wait for one another.
test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal

lint: $(READY)
	$(BIN)/ruff format --check src tests benchmarks scripts examples
	$(BIN)/ruff check src tests benchmarks scripts examples
	$(BIN)/mypy
	$(BIN)/lint-imports

conformance: $(READY)
	FALLLINE_CONFORMANCE=full OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/conformance tests/gallery -n auto --dist worksteal

benchmarks: $(READY)
	$(BIN)/python benchmarks/epoch.py

# torch first and pinned, so that nothing can pull another build in.
$(READY): pyproject.toml constraints/cpu.txt
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is needed; or name another: make demo PYTHON=python3.12"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check torch -c constraints/cpu.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[dev]" -c constraints/cpu.txt
	@touch $@

clean:
	rm -rf $(VENV) build dist
