# make demo   set up, build, run the whole loop on a simulated cloud
# make test   set up, build, run every test
# make bench  print the benchmark tables of BENCHMARKS.md
# make peers  print the peers' tables beside them (needs python3)
# make fuzz   fuzz the readers for a minute each
# Everything is built in the release profile: the engine is compiled once for demo, test, lint and bench.

CARGO ?= cargo
TARGET := $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),target)

.PHONY: all setup build demo test lint bench peers fuzz conformance monitoring-conformance install

all: build

setup:
	@scripts/setup

build: setup
	$(CARGO) build --release --locked --bin cardinal

demo: build
	@scripts/demo $(TARGET)/release/cardinal

# The licence test reads the manifests of all dependencies, also of those that other systems alone need.
test: setup
	$(CARGO) fetch --locked --quiet
	$(CARGO) test --release --locked --workspace

lint: setup
	$(CARGO) fmt --all --check
	$(CARGO) clippy --release --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings -A rustdoc::private-intra-doc-links" $(CARGO) doc --release --locked --workspace --no-deps --quiet

bench: build
	$(CARGO) bench --locked -p cardinal-benches

peers:
	benches/peers/run

fuzz: setup
	fuzz/run

conformance: build
	scripts/conformance $(TARGET)/release/cardinal

monitoring-conformance: build
	scripts/monitoring-conformance $(TARGET)/release/cardinal

install: setup
	$(CARGO) install --locked --path cli
