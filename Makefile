# The development interface. `make demo` and `make test` need only Python 3.10 to 3.13 and a network.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
REFERENCE := test/reference/.venv/bin/python
export AMENT_PREFIX_PATH := $(CURDIR)/$(VENV)$(if $(AMENT_PREFIX_PATH),:$(AMENT_PREFIX_PATH))

.PHONY: help setup demo test check format golden bench fuzz soak
help:
	@echo "make demo     run the node on a real video over ROS 2; results in out/"
	@echo "make test     run all tests that need no root and no second environment"
	@echo "make check    lint, types, architecture, consistency"
	@echo "make bench    time the pipeline and the node; beside MediaPipe after make golden"
	@echo "make fuzz     send 20,000 fuzzed messages, and damaged models, from a random start"
	@echo "make soak     run the node for ten minutes with failing cameras; report in out/"
	@echo "make golden   make the reference figures again from MediaPipe itself"
	@echo "make setup    only make the virtual environment in $(VENV)"

setup: $(VENV)/.ready
$(VENV)/.ready: pyproject.toml setup.py
	$(PYTHON) -c 'import sys, venv, ensurepip; assert (3, 10) <= sys.version_info < (3, 14)' || \
	    { echo "needs Python 3.10 to 3.13 with venv (Debian, Ubuntu: apt install python3-venv)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --group all
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --no-deps --editable .
	touch $@

demo: setup
	$(BIN)/python -m pose_ros.tools.demo $(DEMO_ARGS)

test: setup
	$(BIN)/python -m pytest $(TEST_ARGS)

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest --quiet test/test_architecture.py test/test_consistency.py

golden: setup
	$(BIN)/python test/reference/make.py

bench: setup
	$(BIN)/python -m pose_ros.tools.benchmark core $(if $(wildcard $(REFERENCE)),--mediapipe $(REFERENCE))
	$(BIN)/python -m pose_ros.tools.benchmark node

fuzz: setup
	$(BIN)/python -m pytest -rP --show-capture=stdout test/test_fuzz.py test/test_fuzz_models.py \
	    --fuzz-messages 20000 --fuzz-seed random $(FUZZ_ARGS)

soak: setup
	$(BIN)/python -m pose_ros.tools.soak $(SOAK_ARGS)

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
