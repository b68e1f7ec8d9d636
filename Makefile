# The commands people type. Continuous integration calls the same ones.
SHELL := /bin/bash
.ONESHELL:
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/dask-runtime
TARGET = $(or $(CARGO_TARGET_DIR),target)
export CACHE

.PHONY: help build dist develop run test test-rust test-python test-dask test-dask-some e2e lint fmt deny licenses bench bench-python bench-operator schema crds doc packages images cluster cluster-down clean

help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "%-14s %s\n", $$1, $$2}'

build: ## Build the release binaries
	cargo build --release --locked --bin dask-runtime --bin dask-operator

dist: ## Build the static binaries and the wheel for this machine's architecture, as images hold them
	arch=$$(uname -m | sed 's/x86_64/amd64/; s/aarch64/arm64/')
	mkdir -p dist/$$arch
	for program in dask-runtime dask-operator; do
	    # Only the program itself is linked anew: the flag is not handed to what it depends on.
	    cargo rustc --release --locked -p $$program --bin $$program -- -C target-feature=+crt-static
	    strip -o dist/$$arch/$$program $(TARGET)/release/$$program
	done
	rm -rf dist/$$arch/wheel
	PYTHONDONTWRITEBYTECODE=1 $$(scripts/venv) -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist/$$arch/wheel ./python

develop: ## Build the Python package's extension where its sources are, for tests
	cargo build --release --locked -p dask-runtime-python
	cp --remove-destination $(TARGET)/release/lib_engine.so python/dask_runtime/_engine.abi3.so

run: ## Compute the main example
	cargo run --release --locked --bin dask-runtime -- run manifests/samples/transpose-sum.yaml

test: test-rust test-python test-dask-some e2e ## Run every test; makes the Python environment and the Kubernetes that some need

test-rust: ## Run the tests written in Rust, but for the scenarios on Kubernetes
	DASK_RUNTIME_TEST_PYTHON=$$(scripts/venv) cargo test --workspace --exclude e2e --locked

test-python: develop ## Compare the binary with numpy, Dask and zarr-python; test the Python package
	python=$$(scripts/venv)
	# As the tests in Rust are built, so that nothing is compiled twice.
	cargo test --workspace --exclude e2e --locked --no-run
	DASK_RUNTIME=$$(realpath $(TARGET))/debug/dask-runtime $$python -m pytest -q -n 2 runtime/tests/conformance
	PYTHONPATH=python $$python -m pytest -q python/tests --ignore python/tests/suites
	cd python && $$python -m mypy.stubtest dask_runtime._engine && cd ..
	# The same with the oldest Dask, numpy and pandas that pyproject.toml allows.
	python=$$(scripts/venv python/tests/requirements-oldest.txt)
	PYTHONPATH=python $$python -m pytest -q -n 2 python/tests --ignore python/tests/suites

test-dask: develop ## Run Dask's own test suites on the engine, in its process and through two worker processes
	$$(scripts/venv) python/tests/suites/run.py embedded
	$$(scripts/venv) python/tests/suites/run.py processes

test-dask-some: develop ## The same, through worker processes only what passes most kinds of values between tasks
	$$(scripts/venv) python/tests/suites/run.py embedded
	$$(scripts/venv) python/tests/suites/run.py processes dask/array/tests/test_array_core.py dask/bag

e2e: images ## Run the scenarios on Kubernetes, on a cluster that is brought up if it is not; SCENARIO=name runs one
	# With the features of the whole workspace, as the other tests are built, so that nothing is compiled twice. The first
	# is one of the operator's tests, with which its program is built.
	cargo test --workspace --locked --no-run --test manifests
	cargo test --workspace --locked --test scenarios -- $(SCENARIO)

lint: ## Formatting, clippy, style of Python, shell scripts, workflows and the Helm chart
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	$$(scripts/venv) -m ruff check python runtime scripts
	$$(scripts/venv) -m ruff format --check python runtime scripts
	cd python && $$(../scripts/venv) -m mypy && cd ..
	$$(dirname $$(scripts/venv))/shellcheck -x -P SCRIPTDIR $$(git grep -lE '^#!/usr/bin/env bash')
	$$(scripts/go-tool github.com/rhysd/actionlint/cmd/actionlint v1.7.12)/actionlint
	$$(e2e/cluster/cluster path helm) lint --strict --quiet charts/dask-operator

fmt: ## Format the sources
	cargo fmt --all
	$$(scripts/venv) -m ruff format python runtime scripts

deny: ## Licences, sources and bans of the dependencies (offline)
	$$(scripts/cargo-tool cargo-deny 0.20.2)/cargo-deny --offline check --hide-inclusion-graph licenses bans sources
	scripts/third_party_licenses.py --check

licenses: ## Write THIRD-PARTY-LICENSES anew
	scripts/third_party_licenses.py

bench: ## Measure what docs/benchmarks.md shows, with each floor or peer in the same run
	cargo build --release --locked --bin dask-runtime --examples
	$$(scripts/venv) runtime/benches/bench.py --bin $$(realpath $(TARGET))/release $(BENCH_FLAGS)

bench-python: develop ## Measure the Python package beside Dask's own schedulers; BENCH_FLAGS=--quick for a look
	PYTHONPATH=python:python/benches:runtime/benches $$(scripts/venv) python/benches/bench.py $(BENCH_FLAGS)

bench-operator: packages ## Measure the operator against a real API server; BENCH_FLAGS=--quick for a look
	cargo build --release --locked -p dask-operator -p e2e --bin dask-operator --bin bench-operator
	$(TARGET)/release/bench-operator $(BENCH_FLAGS)

schema: ## Write the JSON Schema of graph documents
	cargo run --locked --bin dask-runtime -- graph schema > docs/graph.schema.json

crds: ## Write the custom resources' definitions, and the page of their fields
	cargo run --locked --bin dask-operator -- crd crds
	cargo run --locked --bin dask-operator -- fields > docs/fields.md

doc: ## Build the API documentation
	cargo doc --workspace --no-deps --locked

packages: ## Install the packages that the cluster needs and that are missing, if this is root
	@if [ $$(id -u) = 0 ]; then e2e/cluster/cluster install; fi

images: packages dist ## Build the container images, and import them into the cluster if it runs
	e2e/cluster/cluster images

cluster: packages ## Bring up a Kubernetes for the end-to-end tests: kind's where Docker and kind are, else one of processes
	e2e/cluster/cluster up

cluster-down: ## Take that Kubernetes down; only the caches stay
	e2e/cluster/cluster down

clean: ## Remove what was built
	cargo clean
	rm -rf dist
