# Everything goes through `make setup`, which makes .venv with pinned packages; see `make help`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.setup-done

.PHONY: help setup run test test-full lint types lit unit wheel bench bench-ablation bench-compile-time bench-simulator bench-wafer bench-torch-compile pool imports fuzz conformance format clean
.DEFAULT_GOAL := help

help: ## show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-20s %s\n", $$1, $$2}'

$(STAMP): pyproject.toml .ci/constraints.txt .ci/make_stubs.sh
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "wse-mlir needs Python 3.11 or newer; set PYTHON=...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c .ci/constraints.txt -e '.[dev]'
	bash .ci/make_stubs.sh $(VENV)
	@touch $@

setup: $(STAMP) ## make .venv with everything pinned

run: setup ## train, compile and run the digits network on PyTorch, CPU and simulated wafer
	$(BIN)/wse run examples/digits.py --json main.json

lint: setup ## style: ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup ## types: pyright
	$(BIN)/pyright

lit: setup ## lit and FileCheck tests of every pass and tool
	$(BIN)/lit -s -v test/lit test/upstream

unit: setup ## pytest, slow tests left out
	$(BIN)/pytest -n 2 --dist worksteal -m "not slow and not wheel"

wheel: setup ## the built wheel in an empty environment
	$(BIN)/pytest -m wheel

test: lint types lit unit wheel ## everything that must hold, in 20 minutes at most
	@echo "make test: all passed"

test-full: lint types lit wheel ## everything, slow tests too
	$(BIN)/pytest -n 2 --dist worksteal -m "not wheel"

bench: setup ## how fast compiled models are on this CPU, beside PyTorch, torch.compile, ONNX Runtime and IREE
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c .ci/constraints.txt -e '.[bench]'
	$(BIN)/python bench/cpu.py

bench-ablation: setup ## what each step of the CPU pipeline is worth: models compiled without it
	$(BIN)/python bench/cpu_ablation.py

bench-compile-time: setup ## how long models take to import and compile
	$(BIN)/python bench/compile_time.py

bench-simulator: setup ## how fast the simulator is on large grids, and its peak memory
	$(BIN)/python bench/simulator.py

bench-wafer: setup ## what the model families cost on a simulated wafer, and what it takes to find out
	$(BIN)/python bench/wafer.py
	$(BIN)/python bench/wafer.py --goals

bench-torch-compile: setup ## what a call through torch.compile costs beside PyTorch's own backends
	$(BIN)/python bench/torch_compile_calls.py

pool: setup ## the thread pool's LLVM IR, from wse_mlir/runtime/native/pool.c
	$(BIN)/python .ci/make_pool.py

imports: setup ## which folders import which; fails on a cycle or an arrow back
	$(BIN)/python test/packaging/import_graph.py

MINUTES ?= 10
fuzz: setup ## draw models, pipelines, IR, files, machines and command lines for MINUTES=10; reduce what goes wrong
	cd test && ../$(BIN)/python -m fuzz --minutes $(MINUTES) --out ../build/fuzz

conformance: setup ## PyTorch's operators and ONNX's node tests, one by one: writes docs/conformance.md
	cd test && OMP_NUM_THREADS=1 ../$(BIN)/python -m conformance --record

format: setup ## rewrite files in the project's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## remove what tests and builds leave
	rm -rf build dist *.egg-info .ruff_cache .hypothesis main.json
