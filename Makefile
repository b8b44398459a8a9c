# make table: everything from a fresh clone to the table.   make test: everything from a fresh clone to the tests.
# make docs: the generated blocks of README and docs/.   make site: the same files as a website, in site/.
# make gpu: what only a GPU can show, into results/gpu/; make gpu-wheels: what it installs where there is no network.
# make results: the other data sets, every family on MNIST with three seeds, and whether the published table came out again.
PYTHON ?= python3
RESULTS ?= results
AGAIN ?= results/again
# a folder with Fashion-MNIST in torchvision's layout; downloaded if left out
FASHION ?=
BIN := .venv/bin
# Fashion-MNIST first: if it cannot be had, that shows at once and not after hours
BESIDE := fashion_mnist stacked_mnist grid_25 ring_8

.PHONY: table smoke results test slow lint docs site gpu gpu-wheels clean

table: .venv/installed
	$(BIN)/bench sweep configs/sweep/families.yaml seed=0 results=$(RESULTS)

results: .venv/installed
	for data in $(BESIDE); do \
	    case $$data in *mnist) seeds=0;; *) seeds="0 1 2";; esac; \
	    case $$data in fashion_mnist) root="$(if $(FASHION),data.root=$(FASHION))";; *) root=;; esac; \
	    for seed in $$seeds; do \
	        $(BIN)/bench train preset=quick data=$$data $$root seed=$$seed results=$(AGAIN)/$$data || exit; \
	    done; \
	    $(BIN)/bench table results=$(AGAIN)/$$data || exit; \
	done
	$(BIN)/bench sweep families results=$(AGAIN)
	$(BIN)/bench train model=vae model.latent_dim=2 train.images=140_000 results=$(AGAIN)/latent-plane
	$(BIN)/bench table results=$(AGAIN)
	$(BIN)/bench report results=$(AGAIN)
	for data in $(BESIDE); do $(BIN)/bench table results=$(AGAIN)/$$data --against results/published/$$data || exit; done
	$(BIN)/bench table results=$(AGAIN) --against results/published

smoke: .venv/installed
	$(BIN)/bench train preset=smoke

test: .venv/tested lint
	OMP_NUM_THREADS=1 $(BIN)/pytest -m "not slow" -n auto --maxprocesses 4

slow: .venv/tested
	$(BIN)/pytest -m slow

lint: .venv/tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: .venv/tested
	$(BIN)/python docs/generate.py

site: .venv/installed
	$(BIN)/python -m pip install -e ".[site]"
	$(BIN)/mkdocs build

.venv/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "bench needs Python 3.10 or newer; run make PYTHON=python3.12, say")'
	$(PYTHON) -m venv .venv
	touch $@

.venv/installed: .venv/python pyproject.toml
	$(BIN)/python -m pip install --progress-bar on -e .
	touch $@

.venv/tested: .venv/installed
	$(BIN)/python -m pip install -e ".[test]"
	touch $@

# with the machine's own PyTorch; wheels/ is made by gpu-wheels and carried there
gpu: .venv/gpu/installed
	.venv/gpu/bin/python .ci/gpu.py $(GPU)

.venv/gpu/installed: .ci/gpu.txt
	$(PYTHON) -m venv --system-site-packages .venv/gpu
	.venv/gpu/bin/python -m pip install --no-deps $(if $(wildcard wheels),--no-index --find-links wheels) -r .ci/gpu.txt
	.venv/gpu/bin/python -m pip install --no-deps --no-build-isolation $(if $(wildcard wheels),--no-index) -e .
	touch $@

gpu-wheels:
	$(PYTHON) -m pip wheel --wheel-dir wheels --no-deps -r .ci/gpu.txt

clean:
	rm -rf .venv site results/runs results/smoke
