# The development interface. `make demo` and `make test` need only Python 3.10 to 3.14 and a network.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
REFERENCE := test/reference/.venv/bin/python
export AMENT_PREFIX_PATH := $(CURDIR)/$(VENV)$(if $(AMENT_PREFIX_PATH),:$(AMENT_PREFIX_PATH))

PYTEST := $(BIN)/python -m pytest

.PHONY: help setup demo test test-untimed test-timed lint check format golden bench fuzz soak docs pictures
help:
	@echo "make demo     run the node on a real video over ROS 2; results in out/"
	@echo "make test     run all tests that need no root and no second environment, or TEST_ARGS"
	@echo "make check    lint, types, architecture, consistency, length of sentences"
	@echo "make bench    time the pipeline and the node; beside MediaPipe after make golden"
	@echo "make fuzz     send 20,000 fuzzed messages, and damaged models, from a random start"
	@echo "make soak     run the node for ten minutes with failing cameras; report in out/"
	@echo "make golden   make the reference figures again from MediaPipe itself"
	@echo "make docs     write docs/parameters.md and the table of joints again from the code"
	@echo "make pictures make the pictures of the documents again from real runs"
	@echo "make setup    only make the virtual environment in $(VENV)"

setup: $(VENV)/.ready
$(VENV)/.ready: pyproject.toml setup.py $(wildcard pose_ros/native/*.[ch])
	$(PYTHON) -c 'import sys, venv, ensurepip; assert (3, 10) <= sys.version_info < (3, 15)' || \
	    { echo "needs Python 3.10 to 3.14 with venv (Debian, Ubuntu: apt install python3-venv)"; exit 1; }
	@echo "making $(VENV): about 1 GB of packages, one to four minutes"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --group all
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --no-deps --editable .
	touch $@

demo: setup
	$(BIN)/python -m pose_ros.tools.demo $(DEMO_ARGS)

test: setup
ifdef TEST_ARGS
	$(PYTEST) $(TEST_ARGS)
else
	$(MAKE) --no-print-directory test-untimed
	$(MAKE) --no-print-directory test-timed
endif

# Three tests at a time, on two cores too: most wait for processes half of the time. Each worker goes
# through files in their order, and takes over what is left of another's. What judges times runs alone.
test-untimed: setup
	$(PYTEST) -n 3 --dist worksteal -m "not timed"

test-timed: setup
	$(PYTEST) -m timed

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python test/project/prose.py

check: lint
	$(PYTEST) --quiet test/project/test_architecture.py test/project/test_consistency.py

docs: setup
	$(BIN)/python test/project/parameters_page.py
	$(BIN)/python test/project/joints_table.py

pictures: setup
	$(BIN)/python test/project/moving_picture.py
	PYTHONPATH=.:test $(BIN)/python -m following.moving_picture
	PYTHONPATH=.:test $(BIN)/python -m body.moving_picture
	PYTHONPATH=.:test $(BIN)/python -m outputs.hri_picture

golden: setup
	$(BIN)/python test/reference/make.py

bench: setup
	PYTHONPATH=test $(BIN)/python -m benchmark core $(if $(wildcard $(REFERENCE)),--mediapipe $(REFERENCE))
	PYTHONPATH=test $(BIN)/python -m benchmark node

fuzz: setup
	$(PYTEST) -rP --show-capture=stdout test/node/test_fuzz.py test/node/test_fuzz_models.py \
	    --fuzz-messages 20000 --fuzz-seed random $(FUZZ_ARGS)

soak: setup
	PYTHONPATH=test $(BIN)/python -m soak $(SOAK_ARGS)

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
