# `make demo`, `make test`, `make notebooks` and `make bench`. All set up what they need in .venv first.
PYTHON ?= python3
BIN := .venv/bin
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1
export HF_HUB_OFFLINE ?= 1

.PHONY: setup demo test bench notebooks

setup: .venv/.done

# torch comes first and alone, pinned. PyPI's build for Linux brings CUDA along, gigabytes of it; the
# CPU build is enough: make demo TORCH_INDEX=https://download.pytorch.org/whl/cpu
TORCH_INDEX ?=
.venv/.done: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --constraint constraints.txt $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch
	$(BIN)/pip install --quiet --constraint constraints.txt --group dev --editable '.[all,demo]'
	touch $@

demo: setup
	$(BIN)/kakehashi demo

test: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest

# Refresh what the notebooks print; a test compares it with what they print now.
notebooks: setup
	$(BIN)/jupyter execute --inplace notebooks/*.ipynb

# make bench DATA=folder [OUT=folder] [PEER_PYTHON=python of the LlamaIndex engine's environment]
OUT ?= bench-out
PEER_PYTHON ?=
bench: setup
	$(if $(DATA),,$(error make bench needs DATA=folder; benchmarks/datasets.py says what lies in it))
	$(BIN)/python benchmarks/accuracy.py $(DATA) $(OUT) $(if $(PEER_PYTHON),--peer-python $(PEER_PYTHON))
	$(BIN)/python benchmarks/tables.py $(OUT)
