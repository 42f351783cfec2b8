# make demo   set up, then run the main job
# make check  set up, then format, lint, types, import contracts and unit tests: about a minute
# make test   set up, then every check and test
# make docs   set up, then build the documents' site, strictly: open docs/_build/html/index.html
# make messages, make notebooks, make bench: see below. Everything is installed into .venv.
PYTHON ?= python3
BIN := .venv/bin
# Versions that were tested together; /dev/null takes the newest.
CONSTRAINTS ?= constraints.txt
# torch comes first and alone, pinned. PyPI's build for Linux brings CUDA along, gigabytes of it; the
# CPU build is enough: make demo TORCH_INDEX=https://download.pytorch.org/whl/cpu
TORCH_INDEX ?=
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1
export HF_HUB_OFFLINE ?= 1

.PHONY: setup demo check lint test docs messages notebooks bench

setup: .venv/.done

.venv/.done: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --constraint $(CONSTRAINTS) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch
	$(BIN)/pip install --quiet --constraint $(CONSTRAINTS) --group dev --editable '.[all,demo]'
	touch $@

demo: setup
	$(BIN)/kakehashi demo

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint
	$(BIN)/pytest -n 2 --dist loadgroup -m "not slow" --ignore tests/contract --ignore tests/end_to_end

test: lint
	$(BIN)/pytest -n 2 --dist loadgroup

# A broken link, a missing reference or a public name without a place fails.
docs: setup
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --nitpicky --quiet docs docs/_build/html

# Compile the messages of the command line.
messages: setup
	$(BIN)/python -c "import pathlib, polib; [polib.pofile(str(p)).save_as_mofile(str(p.with_suffix('.mo'))) for p in pathlib.Path('src/kakehashi/language').rglob('*.po')]"

# Refresh what the notebooks print; a test compares it with what they print now.
notebooks: setup
	test -d notebooks/kakehashi-demo || (cd notebooks && ../$(BIN)/kakehashi demo)
	$(BIN)/python notebooks/refresh.py

# make bench DATA=folder [OUT=folder] [PEER_PYTHON=python of the LlamaIndex engine's environment]
OUT ?= bench-out
PEER_PYTHON ?=
bench: setup
	$(if $(DATA),,$(error make bench needs DATA=folder; benchmarks/build_data.py makes it))
	$(BIN)/python benchmarks/accuracy.py $(DATA) $(OUT) $(if $(PEER_PYTHON),--peer-python $(PEER_PYTHON))
	$(BIN)/python benchmarks/tables.py $(OUT)
