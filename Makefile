# One command each: `make run`, `make test`. Everything else builds on them.

# Without PYTHON, the first of these commands that can make environments.
PYTHON ?=
PYTHONS := $(or $(PYTHON),python3.11 python3.12 python3.13 python3.14 python3)
SUPPORTED := 3.11 3.12 3.13 3.14
LOOKALIKE_DATA_DIR ?= data
IMAGES ?=
# Test files run side by side, more than there are cores, because many tests wait for a server or a
# time limit. Each worker has servers of its own and needs about 1.5 GB.
WORKERS ?= 4

# Not by `abspath`, which takes a path with spaces for several.
BENTOML_HOME ?= $(if $(filter /%,$(firstword $(LOOKALIKE_DATA_DIR))),,$(CURDIR)/)$(LOOKALIKE_DATA_DIR)/bentoml

export LOOKALIKE_DATA_DIR BENTOML_HOME
# A folder may have any name: Make hands it on as it was written, and the shell never reads it.
unexport IMAGES
run: export RUN_IMAGES := $(value IMAGES)
# The server is several processes; each would compile all that it imports at every start.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
BIN := $(VENV)/bin

.PHONY: run torch model sync dist test page chaos chaos-uploads chaos-replicas hostile deploy-check bulk-check image audit sbom check lint types imports format bento lock clean help

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: model ## Set up, build the model if needed, serve; IMAGES=/folder also indexes that folder
	@exec $(BIN)/python -m bento_service $${RUN_IMAGES:+"--images=$$RUN_IMAGES"}

torch: $(VENV)/torch.stamp ## Install PyTorch: for NVIDIA devices, and to compare a new model with it

test: $(VENV)/dev.stamp ## Run all tests
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --max-worker-restart 0 $(TESTS)

page: $(VENV)/dev.stamp ## The page in every view, theme, size and language, for minutes
	$(BIN)/python -m pytest -m "long or not long" tests/browser

chaos: $(VENV)/dev.stamp ## The whole fault campaign, for hours; CHAOS="--backend server --kills 300", see docs/reliability.md
	$(BIN)/python -m tests.chaos $(CHAOS)

chaos-uploads: $(VENV)/dev.stamp ## A thousand uploads through lost connections and a restart, to the whole service
	$(BIN)/python -m tests.chaos.uploads

chaos-replicas: $(VENV)/dev.stamp ## Two replicas on PostgreSQL and Milvus, one of them killed 50 times, for half an hour
	$(BIN)/python -m tests.replicas $(CHAOS)

hostile: $(VENV)/dev.stamp ## The whole hostile campaign, for an hour; HOSTILE="--light", see docs/reliability.md
	$(BIN)/python -m tests.hostile $(HOSTILE)

deploy-check: $(VENV)/dev.stamp ## Build the images and a Bento, run them and the compose file, and overload a service, for two hours; needs Docker
	$(BIN)/python -m pytest -s tests/deploy tests/deploy/check_*.py

bulk-check: $(VENV)/dev.stamp .cache/bulk/stamp ## Kill parts of a Ray cluster during a bulk run, for minutes
	$(BIN)/python -m pytest tests/bulk

EXTRAS ?= $(USUAL_EXTRAS)
USUAL_EXTRAS = server,lite,openvino
# A variant is named by its extras, such as lookalike-server-openvino.
IMAGE ?= lookalike$(if $(filter-out $(USUAL_EXTRAS),$(EXTRAS)),-$(subst $(COMMA),-,$(EXTRAS)))
COMMA = ,
image: ## Build the image, `lookalike` or another IMAGE; EXTRAS=server,openvino for a Milvus server, EXTRAS=server,lite,torch for an NVIDIA device
	docker build --tag $(IMAGE) --build-arg EXTRAS=$(EXTRAS) --build-arg VERSION=$(VERSION) \
		--build-arg REVISION=$(shell git rev-parse HEAD 2> /dev/null) .
VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' client_sdk/__init__.py)

audit: $(VENV)/uv.stamp ## Ask for known vulnerabilities in what the service is built from
	$(BIN)/uv tool run --from pip-audit==2.10.1 pip-audit --strict --disable-pip --require-hashes -r requirements/service.txt

sbom: $(VENV)/uv.stamp ## List what the service is built from, as CycloneDX, in sbom.json
	$(BIN)/uv tool run --from cyclonedx-bom==7.5.0 cyclonedx-py requirements requirements/service.txt --output-reproducible -o sbom.json

check: ## Everything that continuous integration checks, side by side
	@$(MAKE) --no-print-directory --jobs lint types imports test

lint: $(VENV)/dev.stamp ## Style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python .ci/generate_sync.py --check

sync: $(VENV)/dev.stamp ## Write the synchronous half of the client from the asynchronous one
	$(BIN)/python .ci/generate_sync.py

types: $(VENV)/dev.stamp ## Types
	$(BIN)/mypy
	$(PYRIGHT) --project pyproject.toml
	$(PYRIGHT) --verifytypes client_sdk --ignoreexternal
	@if command -v tsc > /dev/null; then $(TSC); \
	else echo "tsc is not installed (Debian: node-typescript): the types of the page are not checked"; fi

imports: $(VENV)/dev.stamp ## Who may import whom
	$(BIN)/lint-imports

format: $(VENV)/dev.stamp ## Bring the code into the house's form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

dist: $(VENV)/uv.stamp ## Build both wheels, of the client and of the service, into dist/
	$(BIN)/uv build --quiet --wheel --out-dir dist .
	$(BIN)/uv build --quiet --wheel --out-dir dist service

bento: model ## Build the Bento of the service
	$(BIN)/bentoml build

# A new data folder gets a copy of the model of the usual one; the digest of a copy is checked.
model: $(VENV)/run.stamp
	@test -e "$(BENTOML_HOME)/models" || test ! -e data/bentoml/models || \
		{ mkdir -p "$(BENTOML_HOME)" && cp -R data/bentoml/models "$(BENTOML_HOME)/"; }
	@$(BIN)/python -m model_build --if-missing > /dev/null

lock: $(VENV)/uv.stamp ## Rewrite the requirement files from pyproject.toml
	$(call COMPILE,$(EXTRAS_SERVED) $(SERVICE),service)
	$(call COMPILE,$(EXTRAS_SERVED) --extra model $(SERVICE),run)
	$(call COMPILE,$(EXTRAS_SERVED) --extra model --extra torch $(SERVICE),torch)
	$(call COMPILE,$(EXTRAS_SERVED) --extra model --extra torch --extra cli --group dev $(SERVICE) pyproject.toml,dev)
	$(call COMPILE,--extra baseline pyproject.toml,baseline)
	$(call COMPILE,--extra bulk --extra openvino -c requirements/service.txt $(SERVICE),bulk)

# Of PyPI's package, with its Node.js: neither asks for newer versions, nor fetches anything.
# `--verifytypes` looks for what the client needs where the first `python` of the path is.
TSC = tsc --noEmit --allowJs --checkJs --target esnext --module esnext bento_service/web/app.js
PYRIGHT = PATH="$(CURDIR)/$(BIN):$$PATH" PYTHONPATH=. PYRIGHT_PYTHON_IGNORE_WARNINGS=1 pyright

clean: ## Remove the environment and caches; the data folder stays
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .schemathesis

SERVICE = service/pyproject.toml
EXTRAS_SERVED = --extra server --extra lite --extra openvino --extra object-storage --extra tracing
COMPILE = $(BIN)/uv pip compile --quiet --generate-hashes --no-header --no-emit-index-url \
	--no-emit-package lookalike --no-annotate --universal --python-version 3.11 $(1) -o requirements/$(2).txt

version = $(if $(1),$(shell $(1) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2> /dev/null))
# Debian has `ensurepip` in a package of its own; without it, environments cannot be made.
able = $(shell $(1) -c 'import ensurepip, venv' 2> /dev/null && echo $(1))
usable = $(if $(filter $(SUPPORTED),$(call version,$(1))),$(call able,$(1)))
found = $(or $(firstword $(foreach python,$(PYTHONS),$(call usable,$(python)))),$(error $(NO_PYTHON)))
NO_PYTHON = $(if $(PYTHON),$(PYTHON) is no Python,There is no Python) 3.11 to 3.14 with `venv`: \
	run `apt install python3-venv` (Debian 12, Ubuntu 24.04 or newer) or `dnf install python3` \
	(Fedora), or name another one: make PYTHON=/path/to/python3.12

# An environment is made again where its Python is gone, is too old, or is not the one of PYTHON.
ifeq ($(filter $(or $(call version,$(PYTHON)),$(SUPPORTED)),$(call version,$(BIN)/python)),)
.PHONY: environment
environment:
	@$(found) -m venv --clear $(VENV)

$(VENV)/uv.stamp: environment
endif

$(VENV)/uv.stamp: requirements/uv.txt
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements/uv.txt
	@touch $@

# `dev` holds all of `torch`, and that all of `run`: going back and forth installs nothing.
$(VENV)/run.stamp: requirements/run.txt $(VENV)/uv.stamp
	@echo "installing what the service needs (once) ..." >&2
	@test -e $(VENV)/dev.stamp || $(BIN)/uv pip install --quiet --require-hashes -p $(BIN)/python -r $<
	@touch $@

$(VENV)/torch.stamp: requirements/torch.txt $(VENV)/uv.stamp
	@echo "installing PyTorch (once, 5 GB) ..." >&2
	@$(BIN)/uv pip install --quiet --require-hashes -p $(BIN)/python -r $<
	@touch $@

$(VENV)/dev.stamp: requirements/dev.txt $(VENV)/uv.stamp
	@echo "installing what the tests need (once) ..." >&2
	@$(BIN)/uv pip install --quiet --require-hashes -p $(BIN)/python -r $<
	@touch $@

# Ray is in an environment of its own: nothing else needs its packages.
.cache/bulk/stamp: requirements/bulk.txt $(VENV)/uv.stamp
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python .cache/bulk
	@$(BIN)/uv pip install --quiet --require-hashes -p .cache/bulk/bin/python -r $<
	@touch $@
