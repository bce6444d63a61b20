# Every target sets up a fresh machine by itself: Debian 12 or Ubuntu with Python 3.11 or newer, g++ and make.
PYTHON ?= python3
BIN := .venv/bin
SOURCES := pyproject.toml CMakeLists.txt $(shell find csrc -type f)

.DEFAULT_GOAL := help
.PHONY: help install run test lint docs sanitize sanitize-threads bench gate gate-check scale gpu-check wheel clean

help:  ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## / - /'

install: .venv/installed  ## make .venv, build the native ops, install pybench (editable) with the tools for tests and documentation

.venv/installed: $(SOURCES)
	@.ci/prepare $(PYTHON)
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[test,docs]'
	@touch $@

run: install  ## the main job: MVTec AD's objects, rotated and cropped, with every method
	$(BIN)/pybench run suites/mvtec_rto.yaml

test: install  ## the tests
	$(BIN)/python -m pytest -n 2 --dist loadfile --durations=15

lint: install  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: install  ## the documentation as a site in docs/_build/html; warnings are errors
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html

sanitize: install  ## the tests of the native ops under AddressSanitizer and UndefinedBehaviorSanitizer
	.ci/sanitize address,undefined -n 2 --dist loadfile

sanitize-threads: install  ## what the native ops do on several threads, under ThreadSanitizer
	.ci/sanitize thread -k threads

bench: install  ## the benchmarks of the native ops, each beside what a user would otherwise call; BENCH='-k NAME'
	$(BIN)/python -m pytest tests/bench --benchmark-only --benchmark-columns=min,median,iqr,rounds $(BENCH)

gate: install  ## is a native op slower than in the revision that landed last? (docs/guide/gate.md)
	.ci/gate

gate-check: install  ## the gate on identical code and on planted slow-downs, 40 times; half an hour
	$(BIN)/python tests/gate/check.py

scale: install  ## what pybench itself costs (20,000 trials that do nothing), and how much faster four nodes are than one
	$(BIN)/python tests/scale/measure.py
	$(BIN)/python tests/scale/nodes.py

gpu-check: install  ## build the ops for this machine's NVIDIA GPU, check them against float64 and time them
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --config-settings cmake.define.PYBENCH_CUDA=ON --editable .
	$(BIN)/python tests/gpu/check.py

wheel: install  ## a wheel in dist/
	$(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .

clean:  ## remove what the other targets made, results aside
	rm -rf .venv build dist docs/_build .hypothesis .pytest_cache .mypy_cache .ruff_cache
