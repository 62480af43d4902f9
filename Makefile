# Two commands do everything on a fresh Debian or Ubuntu machine with Python 3.11 or newer: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# one software renderer and one encoder per process share the cores; no network at run time
export MUJOCO_GL ?= egl

.PHONY: help venv demo test test-quick check format benchmark ros clean

help:
	@echo "make demo        record simulated tasks, put rewards into them, report: outputs/demo/report.html"
	@echo "make test        all tests (make test-quick: the quick part)"
	@echo "make check       format, lint, types, import rules"
	@echo "make benchmark   the speed figures of the README, as JSON under benchmarks/results/"
	@echo "make ros         ROS 2 messages and nodes into $(VENV) (wheels; DISTRO=jazzy), or by colcon where ROS is sourced"
	@echo "make venv        the project environment in $(VENV) (PYTHON=python3.12 picks the interpreter)"

venv: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml constraints.txt sim/system_libraries.sh
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed, $$($(PYTHON) --version) is $(PYTHON); name another: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@sh sim/system_libraries.sh $(PYTHON)
	@$(PYTHON) -m venv $(VENV) || { echo "install the venv module: sudo apt-get install -y python3-venv" >&2; exit 1; }
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: venv
	rm -rf outputs/demo
	$(BIN)/robo-reward demo

test: venv
	$(BIN)/python -m pytest

test-quick: venv
	$(BIN)/python -m pytest -m "not slow"

check: venv
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports

format: venv
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

benchmark: venv
	OMP_WAIT_POLICY=passive $(BIN)/python benchmarks/relabel.py

ros: venv
	VENV=$(VENV) DISTRO=$(or $(DISTRO),kilted) ros_ws/build.sh

clean:
	rm -rf outputs $(VENV)
