# The daily work, one word each. `make` alone lists them.
#
# CONFIG=…   configuration file for `make run` (without it, the hub's own defaults)
# ARGS=…     further arguments for `make run`, `make bench` and `make load`

SHELL := /bin/sh
.SHELLFLAGS := -eu -c
.DEFAULT_GOAL := help
.PHONY: help deps run test sdk check fmt clippy deny doc bench load

ARGS ?=
CONFIG ?=
VENV := target/sdk-venv
NODE := tests/sdk/node
AIGNE := tests/sdk/aigne

help: ## what there is
	@grep -E '^[a-z]+:.*##' Makefile | sed 's/:.*##/\t/' | sort

# pingora compiles zlib-ng with cmake; the Python clients live in a venv. Where they are
# missing and we may, they are installed; where we may not, the reader learns what to do.
deps: ## build needs beside Rust: cmake, a C compiler, Python's venv
	@missing=""; \
	command -v cmake >/dev/null || missing="$$missing cmake"; \
	command -v cc >/dev/null || missing="$$missing build-essential"; \
	python3 -c 'import ensurepip, venv' 2>/dev/null || missing="$$missing python3-venv"; \
	command -v npm >/dev/null || missing="$$missing nodejs npm"; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
		echo "please install:$$missing" >&2; exit 1; \
	fi; \
	echo "installing:$$missing"; \
	apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $$missing

# `fast` runs nearly as fast as `release` and builds in a fraction of its time.
run: deps ## build and serve
	cargo run --profile fast --bin aigne-hub -- serve $(if $(CONFIG),--config $(CONFIG)) $(ARGS)

# Installed anew only when what is pinned changes.
$(VENV)/installed: tests/sdk/python/requirements.txt
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r $<
	touch $@

$(NODE)/node_modules/installed: $(NODE)/package-lock.json
	cd $(NODE) && npm ci --no-audit --no-fund --ignore-scripts
	touch $@

$(AIGNE)/node_modules/installed: $(AIGNE)/package-lock.json
	cd $(AIGNE) && npm ci --no-audit --no-fund --ignore-scripts
	touch $@

sdk: deps $(VENV)/installed $(NODE)/node_modules/installed $(AIGNE)/node_modules/installed ## the vendors' own clients, for the tests

test: deps sdk ## all tests
	@if cargo nextest --version >/dev/null 2>&1; then \
		cargo nextest run --workspace --no-fail-fast && cargo test --workspace --doc --quiet; \
	else \
		cargo test --workspace --no-fail-fast; \
	fi

check: fmt clippy deny test doc ## everything that must hold before a commit

fmt:
	cargo fmt --all -- --check

clippy:
	cargo clippy --workspace --all-targets -- -D warnings

# The advisory database comes over the network; without one the rest still counts.
deny:
	@command -v cargo-deny >/dev/null || cargo install --locked cargo-deny
	cargo deny check bans licenses sources
	@if cargo deny fetch db; then cargo deny check advisories; \
	else echo "no advisory database within reach: advisories were not checked" >&2; fi

doc:
	RUSTDOCFLAGS=-Dwarnings cargo doc --workspace --no-deps

bench: deps ## micro-benchmarks
	cargo bench -- $(ARGS)

load: deps ## load tests against the real binary
	cargo build --release --workspace --bins
	target/release/load-tests $(or $(ARGS),run)
