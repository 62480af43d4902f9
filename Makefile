# Two commands do everything on a fresh Debian or Ubuntu machine with Python 3.11 or newer: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# a file of tests is one process's, which has one core
JOBS ?= 2
TEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadfile
# one software renderer and one encoder per process share the cores; no network at run time
export MUJOCO_GL ?= egl

# ROS 2 comes as wheels into $(VENV); where an installation of ROS is sourced, that is used
DISTRO ?= kilted
ROS_SOURCES := $(shell find ros_ws -path ros_ws/build -prune -o -path ros_ws/install -prune -o -type f \
	\( -path '*/robo_reward_msgs/*' -o -name '*.sh' -o -name '*.cmake' -o -name 'setup.*' -o -name 'constraints-*' \) -print)

# many worlds on one device: MuJoCo Warp goes with MuJoCo 4, Meta-World with 3.3, so each has its environment
WARP := .venv-warp

.PHONY: help venv demo demo-ros test test-quick test-ros test-warp check format benchmark ros warp clean

help:
	@echo "make demo        record simulated tasks, put rewards into them, report: outputs/demo/report.html"
	@echo "make demo-ros    a simulated arm over ROS 2, its rewards, a bag and a plot: outputs/demo_ros/"
	@echo "make test        all tests, with ROS 2 (make test-quick: the quick part, with what is there)"
	@echo "make test-ros    the tests of the robot side; DISTRO=jazzy VENV=.venv-jazzy: on ROS 2 Jazzy"
	@echo "make check       format, lint, types, import rules"
	@echo "make benchmark   the speed figures of the README, as JSON under benchmarks/results/"
	@echo "make ros         ROS 2 messages and nodes into $(VENV) (wheels; DISTRO=jazzy), or by colcon where ROS is sourced"
	@echo "make warp        an environment for many worlds on one device, $(WARP) (make test-warp: its tests)"
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

demo-ros: ros
	rm -rf outputs/demo_ros
	$(BIN)/python -m robo_reward_ros.demo_ros

test: ros
	$(TEST)

test-ros: ros
	$(TEST) tests/ros -m "not slow"

test-quick: venv
	$(TEST) -m "not slow"

test-warp: warp
	OMP_NUM_THREADS=1 $(WARP)/bin/python -m pytest tests/sim/test_warp_*.py

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

ifneq ($(and $(ROS_DISTRO),$(if $(WHEELS),,1)),)
ros: venv
	ros_ws/build.sh
else
ros: $(VENV)/.ready-$(DISTRO)
endif

$(VENV)/.ready-$(DISTRO): $(VENV)/.ready $(ROS_SOURCES)
	VENV=$(VENV) DISTRO=$(DISTRO) ros_ws/build.sh
	@touch $@

warp: $(WARP)/.ready

$(WARP)/.ready: pyproject.toml constraints.txt sim/system_libraries.sh
	@sh sim/system_libraries.sh $(PYTHON)
	@$(PYTHON) -m venv $(WARP) || { echo "install the venv module: sudo apt-get install -y python3-venv" >&2; exit 1; }
	@grep -v '^mujoco==' constraints.txt > $(WARP)/constraints.txt
	$(WARP)/bin/pip install --quiet --disable-pip-version-check --constraint $(WARP)/constraints.txt \
		--editable '.[warp]' pytest pytest-timeout hypothesis beartype
	@touch $@

clean:
	rm -rf outputs $(VENV)
