# Two commands: `make demo` shows the main job, `make test` passes the tests.
# Both install what they need (as root: Debian packages; below target/: the rest).

MUSL := x86_64-unknown-linux-musl
# What is tested is what is published: the same compiler flags, the same binary, the same wheel.
SHIPPED := target/shipped
BINARY := $(SHIPPED)/$(shell uname -m)/lyftlearn-runtime
WHEELS := $(SHIPPED)/wheels
PYTHON := target/venv/bin/python
RELEASE := target/release-tools/bin/python release/make.py
# The oracle for SM_*: without what its runners need (scipy, gevent, paramiko).
TOOLKIT := target/toolkit/bin/python
# The SDKs whose local mode starts our image; of the newer one what a ModelTrainer
# imports, without mlflow, paramiko and scipy.
SDK_2 := target/sdk-2/bin/python
SDK_3 := target/sdk-3/bin/python
LAYER := target/image-layer
CONTEXT := $(LAYER)/context
ENTER := conformance/engine/enter.sh $(LAYER)/storage
# A cloned checkout's own; nothing of another's counts.
export CARGO_TARGET_DIR := $(CURDIR)/target

.PHONY: demo test docs reference test-spark test-distributed test-events test-kubernetes test-go cluster check check-images messages fresh build build-rest release peers peers-rest setup context clippy lint compiled-tests test-rust test-python test-packages test-under-load test-release test-artefacts publish fuzz deny bench clean

demo: build context
	cargo build --quiet -p lyftlearn-conformance
	@if conformance/engine/usable.sh; then \
	    $(ENTER) target/debug/lyftlearn-conformance demo; \
	else \
	    target/debug/lyftlearn-conformance demo; \
	fi

# What only tests want is fetched and compiled while one processor links the release for minutes.
test: setup
	$(MAKE) --no-print-directory peers-rest compiled-tests clippy & rest=$$!; $(MAKE) --no-print-directory build; build=$$?; \
	    wait $$rest && exit $$build
	$(MAKE) --no-print-directory context lint test-rust test-python

# What a change is tried with while it is written, by any user and with nothing but Rust: format,
# clippy, unit and model tests. What wants root, peers or the wheel says SKIPPED or is left out.
CHECKED := -p lyftlearn-runtime -p lyftlearn-conformance
check:
	cargo fmt --all --check
	cargo clippy --locked $(CHECKED) --all-targets -- -D warnings
	cargo build --locked -p lyftlearn-runtime
	cargo test --locked -p lyftlearn-runtime --lib --test messages --test metrics --test oracle \
	    --test routes --test shutdown --test tidy -- --skip fuzz
	LYFTLEARN_CONFORMANCE_BINARY=$(CURDIR)/target/debug/lyftlearn-runtime cargo test --locked \
	    -p lyftlearn-conformance --lib --test check --test model --test same_job --test tidy

# The image checker at length, as root: the whole check of the example, every image that fails one, and every
# job that is described twice in real containers.
check-images: build context
	conformance/setup.sh uidmap slirp4netns
	conformance/engine/context.sh $(LAYER) $(BINARY) $(PYTHON) $(WHEELS) script_mode
	conformance/engine/soci.sh target/soci/soci
	conformance/engine/toolkit.sh $(PYTHON) target/toolkit-image
	conformance/engine/docker-packages.sh target/docker
	LYFTLEARN_CONFORMANCE_AT_LENGTH=1 cargo test --locked -p lyftlearn-conformance --test image -- --include-ignored --nocapture \
	    check:: lazy:: ran:: script_mode:: same_job::every_job

# Rewrites every message that a test quotes; the diff is what is reviewed. As root, after `make
# peers`: the process layer quotes them, too. It goes on where a test fails for another reason.
REWRITE := UPDATE_EXPECT=1 LYFTLEARN_CONFORMANCE_BINARY=$(CURDIR)/target/$(MUSL)/debug/lyftlearn-runtime \
    cargo test --locked --no-fail-fast
messages:
	cargo build --locked --target $(MUSL) -p lyftlearn-runtime
	$(REWRITE) -p lyftlearn-runtime --lib --test routes -- --skip fuzz
	$(REWRITE) -p lyftlearn-conformance --test model through_the_library
	$(REWRITE) -p lyftlearn-conformance --test check
	-$(REWRITE) -p lyftlearn-conformance --test process
	-$(REWRITE) -p lyftlearn-conformance --test init --test identity -- faults required restricted
	$(MAKE) reference
	cargo fmt --all

# The site, into target/docs; mdBook is compiled once, without its server. CI tests the pages without it.
MDBOOK := target/mdbook/0.5.4
docs:
	[ -x $(MDBOOK)/bin/mdbook ] || cargo install mdbook --version 0.5.4 --locked --no-default-features \
	    --features search --root $(MDBOOK)
	$(MDBOOK)/bin/mdbook build

# Rewrites docs/reference from the registers of the code; without it a test compares the two.
reference:
	UPDATE_EXPECT=1 cargo test --quiet --locked -p lyftlearn-runtime --lib reference::
	UPDATE_EXPECT=1 cargo test --quiet --locked -p lyftlearn-conformance --test docs reference::

# The two commands in a new root of Debian, with what the README asks for and nothing else;
# another release: make fresh SUITE=trixie.
SUITE := bookworm
fresh:
	conformance/fresh.sh $(SUITE) demo test

# What the machine must have.
setup:
	conformance/setup.sh

# The static binary, and a Python environment with the wheel and the example's packages.
build: setup
	release/tools.sh requirements-build.txt $(MUSL)
	$(RELEASE) build & release=$$!; $(MAKE) --no-print-directory build-rest; rest=$$?; \
	    wait $$release && exit $$rest
	$(PYTHON) -m pip install --quiet --force-reinstall --no-deps $(WHEELS)/*.whl

# What is built meanwhile: the release is linked by one processor for minutes.
build-rest:
	cargo build --quiet --locked --target $(MUSL) -p lyftlearn-conformance --bin lyftlearn-conformance --example actor
	[ -x $(PYTHON) ] || python3 -m venv target/venv
	$(PYTHON) -m pip install --quiet -r lyftlearn-runtime-py/requirements-dev.txt -r examples/digits/requirements.txt

# Everything that is published, into target/release-artefacts; see RELEASING.md.
release:
	release/tools.sh --exact requirements.txt $(foreach c,gnu musl,x86_64-unknown-linux-$(c) aarch64-unknown-linux-$(c))
	$(RELEASE) all

# PySpark of one line, from its source distribution of 300 MB, into an environment of its own.
define spark
	[ -x target/spark-$(1)/bin/python ] || python3 -m venv target/spark-$(1)
	target/spark-$(1)/bin/python -m pip install --quiet setuptools pyspark==$(2)
endef

# What only tests want: SageMaker's training toolkit, its SDKs, clients of AWS, a schema.
peers: setup peers-rest
peers-rest:
	[ -x $(TOOLKIT) ] || python3 -m venv target/toolkit
	$(TOOLKIT) -m pip install --quiet boto3 six
	$(TOOLKIT) -m pip install --quiet --no-deps sagemaker-training==5.1.4

	[ -x $(SDK_2) ] || python3 -m venv target/sdk-2
	$(SDK_2) -m pip install --quiet sagemaker==2.257.7
	[ -x $(SDK_3) ] || python3 -m venv target/sdk-3
	$(SDK_3) -m pip install --quiet boto3 pydantic 'PyYAML<7' 'jsonschema<5' 'platformdirs<5' 'rich<15' \
	    'importlib-metadata<7' typing_extensions pytz requests attrs packaging omegaconf 'graphene<4' pandas six
	$(SDK_3) -m pip install --quiet --no-deps sagemaker-core==2.27.0 sagemaker-train==1.27.0

	# Later ones have no schema of CloudWatch's documents.
	[ -d target/emf ] || $(SDK_2) -m pip install --quiet --no-deps --target target/emf aws-lambda-powertools==1.10.0

	$(call spark,3.5,3.5.6)

	conformance/tests/identity/setup.sh target/clients
	# Of the whole workspace: with the features of test-rust, which finds most of it compiled.
	cargo build --quiet --locked --workspace --example caller

# Every scenario of Spark, with both lines of it; some need a quarter of a minute. A comma-separated list
# of names runs those alone: make test-spark SPARK=two_drivers,ipv6_alone
SPARK := all
test-spark: build peers context
	$(call spark,4,4.3.0)
	LYFTLEARN_CONFORMANCE_SPARK=$(SPARK) cargo test --locked -p lyftlearn-conformance --test spark -- --nocapture
	cargo test --locked -p lyftlearn-conformance --test image spark:: -- --ignored

# Nodes that train together: torchrun with each starter's variables, nodes that come and go, Open MPI.
# Some five minutes.
test-distributed: build
	conformance/setup.sh openmpi-bin
	cargo test --locked -p lyftlearn-conformance --test distributed -- --ignored --nocapture

# Two hundred jobs whose agent is killed at any moment; some minutes.
test-events: build
	cargo test --locked -p lyftlearn-conformance --test process events::kills -- --ignored --nocapture

# Peers that are written in Go: Lyft's client of StatsD, Prometheus' server for it, OpenTelemetry's collector,
# AWS's SDKs. Built once, into target/go-peers; needs Go.
test-go: build peers
	conformance/go/build.sh target/go-peers
	cargo test --locked -p lyftlearn-conformance --test identity --test process go:: -- --ignored

# A real Kubernetes of one node in namespaces of its own, with the example's image, and a shell in it that has kubectl;
# another command: make cluster COMMAND='kubectl get nodes'. It ends with the command.
IN_CLUSTER := $(ENTER) conformance/cluster/up.sh target/cluster localhost/digits:latest
COMMAND :=
cluster: build context
	conformance/cluster/build.sh target/cluster
	$(ENTER) conformance/cluster/image.sh $(LAYER) localhost/digits:latest
	$(IN_CLUSTER) $(COMMAND)

# The example's pods in that cluster, and `check --engine kubernetes`. A few minutes, and twelve more for the first
# build. LYFTLEARN_CONFORMANCE_AT_LENGTH=1 also waits nine minutes for the renewal of a token.
test-kubernetes: build context
	conformance/cluster/build.sh target/cluster
	$(ENTER) conformance/cluster/image.sh $(LAYER) localhost/digits:latest
	cargo clippy --locked -p lyftlearn-conformance --features kubernetes --all-targets -- -D warnings
	cargo test --locked -p lyftlearn-conformance --features kubernetes --test kubernetes --no-run
	$(IN_CLUSTER) cargo test --locked --offline -p lyftlearn-conformance --features kubernetes --test kubernetes -- \
	    --ignored --nocapture --test-threads 5

# What the example's image is built from.
context:
	conformance/engine/context.sh $(LAYER) $(BINARY) $(PYTHON) $(WHEELS)

clippy:
	cargo clippy --quiet --locked --workspace --all-targets -- -D warnings
	cargo clippy --quiet --locked -p lyftlearn-runtime --no-default-features -- -D warnings
	cargo clippy --quiet --locked -p lyftlearn-runtime --no-default-features --features cli -- -D warnings
	cargo clippy --quiet --locked -p lyftlearn-runtime --no-default-features --features agent -- -D warnings

lint: clippy
	cargo fmt --all --check
	target/venv/bin/ruff check lyftlearn-runtime-py examples conformance release lint
	target/venv/bin/ruff format --check lyftlearn-runtime-py examples conformance release lint
	target/venv/bin/mypy --strict lint
	lint/plain_english.py
	cd lyftlearn-runtime-py && ../target/venv/bin/mypy
	target/venv/bin/mypy --strict conformance/benches/report.py conformance/fuzz.py
	cd examples/job-events && ../../target/venv/bin/mypy --strict consumer.py test_consumer.py
	cd release && MYPYPATH=.:tests:proof ../target/venv/bin/mypy --strict make.py tests proof

# Most tests wait for another process. So two halves of the suites run at a time, and in each half one test more at a
# time than there are processors. Every suite is in one half: the list is what is there.
SUITES := $(sort $(basename $(notdir $(wildcard */tests/*.rs))) $(notdir $(patsubst %/main.rs,%,$(wildcard */tests/*/main.rs))))
FIRST_HALF := identity image
SECOND_HALF := $(filter-out $(FIRST_HALF) kubernetes,$(SUITES))
compiled-tests:
	cargo test --quiet --locked --workspace --no-run
test-rust: compiled-tests
	export RUST_TEST_THREADS=$$(($$(nproc) + 1)); \
	    cargo test --locked --workspace $(FIRST_HALF:%=--test %) & first=$$!; \
	    cargo test --locked --workspace --lib --bin lyftlearn-conformance $(SECOND_HALF:%=--test %); second=$$?; \
	    wait $$first && exit $$second
	cargo test --locked --workspace --doc

test-python:
	cd lyftlearn-runtime-py && ../$(PYTHON) -m pytest -q
	cd examples/job-events && ../../$(PYTHON) -m pytest -q -W error -p no:cacheprovider

# The suites so often, beside a busy loop for each processor: a test that fails there is a defect.
RUNS := 10
test-under-load: build compiled-tests
	for _ in $$(seq $$(nproc)); do (while :; do :; done) & loops="$$loops $$!"; done; \
	trap 'kill $$loops' EXIT; trap 'exit 1' INT TERM; \
	for run in $$(seq $(RUNS)); do \
	    $(MAKE) --no-print-directory test-rust test-python || exit; echo "under load: passed $$run of $(RUNS)"; \
	done

# The artefacts of `make release` where users install them: Debian's releases, every CPython in reach,
# aarch64 under qemu-user; and all of it built a second time, equal to the byte. Takes an hour or more.
test-release: release test-artefacts
	target/release-tools/bin/python release/proof/twice.py all

ARTEFACTS := target/release-artefacts
test-artefacts:
	release/proof/setup.sh
	target/release-tools/bin/python release/proof/audits.py $(ARTEFACTS)
	target/release-tools/bin/python release/proof/installs.py $(ARTEFACTS)
	target/release-tools/bin/python release/proof/arm64.py $(ARTEFACTS)

# To an index, a registry and the repository's releases; IMAGE names the image there.
VERSION = $(shell sed -n 's/^version = "\(.*\)"$$/\1/p' Cargo.toml)
publish:
	release/publish.sh $(ARTEFACTS) $(VERSION)

# What is packaged around the binary and the wheel of `make build`: equal bytes, licences, lists.
test-packages: build
	release/tools.sh requirements.txt
	target/release-tools/bin/python -m pytest -q release/tests

# Each fuzz target for so many seconds, one for each processor at a time; one alone: TARGET=settings.
# The inputs that it finds worth keeping stay in target/fuzzing, and the next run starts from them.
SECONDS := 60
TARGET :=
fuzz:
	python3 conformance/fuzz.py --seconds $(SECONDS) --target '$(TARGET)'

# Licences, duplicate crates and sources; wants cargo-deny.
deny:
	cargo deny check bans licenses sources

# Figures, as ratios against peers in the same run.
bench: build
	cargo build --quiet --release --locked -p lyftlearn-runtime-py --example empty_call
	cargo build --quiet --release --locked --target $(MUSL) -p lyftlearn-runtime --example metrics_cost --example render_cost
	conformance/benches/run.sh $(BINARY) $(PYTHON) $(WHEELS)/*.whl target/release/examples/libempty_call.so

clean:
	rm -rf target
