# Two commands do everything on a fresh machine: `make run` and `make test`.
# They need python3 (3.11 to 3.13, with its venv module) and make.
.DELETE_ON_ERROR:
.DEFAULT_GOAL := run
.PHONY: run test test-slow torture coverage lint bench tables scale neighbours clients docs lock audit client-wheel clean help same-python

PYTHON ?= python3
V := .venv/bin
UV := $(shell command -v uv 2>/dev/null || echo .tools/bin/uv)
UV_VERSION := 0.13.9
S3_TESTS := tests/serving/storage/test_folder.py tests/serving/embedded/test_mirror_s3.py tests/pipeline/remote \
    tests/pipeline/test_helping_worker.py::test_two_workers_train_with_a_root_in_a_store_what_they_train_with_one_that_both_mount
MANIFESTS := $(wildcard pipeline/deploy/kubernetes/*.yaml serving/deploy/kubernetes/*.yaml)
COMPILE := --no-emit-index-url --no-header --no-annotate --universal --generate-hashes -q
# Compiled bytecode more than halves the time TensorFlow takes to import. Our own is checked against the source's hash:
# by its second and size, as usual, Python would take old bytecode for a source that an edit left with both.
INSTALL := $(UV) pip install -q -p $(V)/python --compile-bytecode

# What is done while nothing else is printed: a line, and on a terminal the seconds since.
TELL = @echo "$(1) ..." >&2
COUNT := if [ -t 2 ]; then (s=0; while sleep 1; do s=$$((s + 1)); printf '\r  %s s' $$s >&2; done) & \
    trap "kill $$! 2>/dev/null; printf '\r\033[K' >&2" EXIT; fi;
INSTALLS = $(call TELL,Installing the $(shell grep -c '^[a-z].*==' $(1)) packages of $(1) into .venv: a minute or two where they have to be loaded)

run: .venv/.run ## set up, then run the pipeline on the built-in table
	@$(V)/crossnet run $(ARGS)

test: .venv/.dev ## set up, then run the tests in two processes
	@$(V)/python -m pytest -n 2 $(ARGS)

test-slow: .venv/.dev ## run the tests that take more than ten seconds each
	@$(V)/python -m pytest -m slow $(ARGS)

torture: .venv/.dev ## break the pipeline on purpose, up to two hours; goes on where it stopped, ARGS=--fresh begins anew
	@$(V)/python -m pytest tests/torture -m torture --torture -n 2 $(if $(PAGE),--page docs/reliability.md) $(ARGS)

# The pages of docs run commands; each line that these reach has a test of its own.
coverage: .venv/.dev ## run all tests but the pages', slow ones too, and count the lines that they reach
	@$(V)/python -m pytest -m "slow or not torture" --ignore=tests/walks/test_docs.py -n 2 --cov --cov-report=term $(ARGS)

lint: .venv/.dev ## check style, types, spelling, the Dockerfile and manifests
	@$(V)/ruff check .
	@$(V)/ruff format --check .
	@$(V)/mypy
	@$(V)/codespell
	@$(V)/hadolint Dockerfile
	@$(V)/kubernetes-validate --strict --quiet $(MANIFESTS)

bench: .venv/.dev ## run the benchmarks, or ARGS=NAME; ARGS=--compare shows what changed
	@$(V)/python -m benchmarks --json bench.json --page docs/benchmarks.md \
	    --history benchmarks/history.jsonl $(ARGS)

tables: .venv-tables/.ok ## run ours and boosted trees on ten real tables, hours of CPU; ARGS="--tables cars --splits 1"
	@.venv-tables/bin/python -m benchmarks.tables $(ARGS)

lock: $(UV) ## resolve the locks again; LOCK_FLAGS=--upgrade takes the newest
	@$(UV) pip compile $(COMPILE) $(LOCK_FLAGS) pyproject.toml -o requirements.lock
	@$(UV) pip compile $(COMPILE) $(LOCK_FLAGS) pyproject.toml --extra test --extra lint --extra board \
	    --extra sbom --extra audit --extra sql --extra bench --extra lightgbm --extra tune --extra export -c requirements.lock \
	    -o requirements-dev.lock
	@$(UV) pip compile $(COMPILE) $(LOCK_FLAGS) pyproject.toml --extra tables \
	    --override benchmarks/real_tables/overrides.txt -c requirements.lock -o requirements-tables.lock
	@$(UV) pip compile $(COMPILE) $(LOCK_FLAGS) pyproject.toml --extra kfp --extra test -o requirements-kfp.lock
	@$(UV) pip compile $(COMPILE) $(LOCK_FLAGS) pyproject.toml --extra spark --extra test -c requirements.lock \
	    -o requirements-spark.lock
	@$(UV) pip compile $(COMPILE) $(LOCK_FLAGS) pyproject.toml --extra beam --extra test -o requirements-beam.lock
	@$(UV) pip compile $(COMPILE) $(LOCK_FLAGS) pyproject.toml --extra mlflow --extra test -o requirements-mlflow.lock
	@$(UV) pip compile $(COMPILE) $(LOCK_FLAGS) pyproject.toml --extra test tests/support/tfma.in \
	    --override tests/support/tfma_overrides.txt -o requirements-tfma.lock
	@$(UV) pip compile $(COMPILE) $(LOCK_FLAGS) --python-version 3.11 \
	    tests/support/s3_server.in -o requirements-s3.lock
	@$(UV) pip compile $(COMPILE) $(LOCK_FLAGS) --python-version 3.11 docs/requirements.in -o requirements-docs.lock
	@$(UV) pip compile $(COMPILE) $(LOCK_FLAGS) --python-version 3.11 \
	    tests/clients/requirements.in -o requirements-clients.lock

# 0: no known vulnerability. Else make prints "Error 1" (there is one) or "Error 4" (not audited, which is not a pass).
audit: .venv/.dev ## ask an advisory database about the pinned versions; says so where it cannot
	@$(V)/python -m crossnet.pipeline.audit $(ARGS)

client-wheel: .venv/.run ## pack the client alone, for machines without TensorFlow, into dist/
	@$(V)/python -m crossnet.pipeline.client_wheel $(ARGS)

# What an engine or an orchestrator needs beside the pipeline, each in an environment of its own.
scale: .venv-kfp/.ok .venv-spark/.ok .venv-beam/.ok .venv-s3/.ok .venv-mlflow/.ok .venv/.dev ## run the tests of Kubeflow, Spark (Java 17), Beam, S3 and MLflow, each where it is installed
	@S3_SERVER=.venv-s3/bin/moto_server .venv-kfp/bin/python -m pytest -m "slow or not torture" tests/pipeline/kubeflow $(ARGS)
# pyspark leaves a pipe open where Java does not start.
	@.venv-spark/bin/python -W ignore::ResourceWarning -m pytest -W ignore::ResourceWarning -m "slow or not torture" \
	    tests/components/engines/test_spark.py $(ARGS)
	@OTHER_PYTHON=$(V)/python .venv-beam/bin/python -m pytest -m "slow or not torture" tests/components/engines/test_beam.py \
	    tests/walks/test_environments.py $(ARGS)
	@S3_SERVER=.venv-s3/bin/moto_server $(V)/python -m pytest -m "slow or not torture" $(S3_TESTS) $(ARGS)
	@.venv-mlflow/bin/python -m pytest -m "slow or not torture" tests/pipeline/tracking/test_mlflow.py $(ARGS)

# TFDV is in no lock: it needs glibc 2.38. Where it is installed into .venv-tfma, its test runs too.
neighbours: .venv-tfma/.ok ## judge our models by TensorFlow Model Analysis, in an environment of 3 GB
	@.venv-tfma/bin/python -m pytest -m "slow or not torture" -rs tests/walks/test_tfx_tools.py $(ARGS)

clients: .venv-clients/.ok .venv/.dev ## ask the embedded server by other people's clients: ovmsclient and, where npm is, @grpc/grpc-js
	@if command -v npm >/dev/null; then cd tests/clients && npm ci --ignore-scripts --no-audit --no-fund --silent --fetch-retries=1 --fetch-timeout=30000 \
	    || echo "npm could not install tests/clients: its test is skipped" >&2; fi
	@CLIENTS_PYTHON=.venv-clients/bin/python $(V)/python -m pytest -m slow tests/walks/test_other_clients.py $(ARGS)

.venv-clients/.ok: requirements-clients.lock | $(UV)
	$(CHECK_PYTHON)
	@$(UV) venv -q --allow-existing -p $(PYTHON) .venv-clients
	@$(UV) pip sync -q -p .venv-clients/bin/python --require-hashes requirements-clients.lock
	@touch $@

.venv-s3/.ok: requirements-s3.lock | $(UV)
	$(CHECK_PYTHON)
	@$(UV) venv -q --allow-existing -p $(PYTHON) .venv-s3
	@$(UV) pip sync -q -p .venv-s3/bin/python --require-hashes requirements-s3.lock
	@touch $@

.venv-kfp/.ok .venv-spark/.ok .venv-beam/.ok .venv-mlflow/.ok .venv-tfma/.ok: .venv-%/.ok: requirements-%.lock pyproject.toml | $(UV)
	$(CHECK_PYTHON)
	@$(UV) venv -q --allow-existing -p $(PYTHON) .venv-$*
	@$(UV) pip sync -q -p .venv-$*/bin/python --compile-bytecode --require-hashes requirements-$*.lock
	@$(UV) pip install -q -p .venv-$*/bin/python --no-deps -e .
	@touch $@

.venv-tables/.ok: requirements-tables.lock | $(UV)
	$(CHECK_PYTHON)
	@$(UV) venv -q --allow-existing -p $(PYTHON) .venv-tables
	@$(UV) pip sync -q -p .venv-tables/bin/python --compile-bytecode --require-hashes requirements-tables.lock
	@touch $@

docs: .venv-docs/.ok ## build the site of the pages and the Python API into site/, and check its links
	@.venv-docs/bin/python docs/build_site.py

.venv-docs/.ok: requirements-docs.lock | $(UV)
	$(CHECK_PYTHON)
	@$(UV) venv -q --allow-existing -p $(PYTHON) .venv-docs
	@$(UV) pip sync -q -p .venv-docs/bin/python --require-hashes requirements-docs.lock
	@touch $@

clean: ## remove the environments
	rm -rf tests/clients/node_modules .venv .venv-beam .venv-clients .venv-docs .venv-kfp .venv-mlflow .venv-s3 .venv-spark .venv-tables .venv-tfma .tools

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s  %s\n", $$1, $$2 }' Makefile

# A Python that is named, as in `make PYTHON=python3.13 test`, must be the one of .venv.
same-python:
ifneq ($(origin PYTHON),file)
	@[ ! -e $(V)/python ] || [ "$$($(V)/python --version)" = "$$($(PYTHON) --version 2>&1)" ] || { \
	    echo ".venv has $$($(V)/python --version), and $(PYTHON) is $$($(PYTHON) --version 2>&1)." \
	         "Remove .venv first: make clean" >&2; exit 1; }
endif

define CHECK_PYTHON
@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' || { \
    echo "$(PYTHON) is $$($(PYTHON) --version 2>&1); CrossNet needs Python 3.11, 3.12 or 3.13." \
         "Name one: make PYTHON=python3.11 run" >&2; exit 1; }
endef

.tools/bin/uv:
	$(CHECK_PYTHON)
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	    echo "$(PYTHON) has no venv module. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	$(call TELL,Installing uv $(UV_VERSION) into .tools)
	@$(PYTHON) -m venv .tools
	@.tools/bin/pip install -q uv==$(UV_VERSION)

.venv/bin/python: | same-python $(UV)
	$(CHECK_PYTHON)
	@$(UV) venv -q --allow-existing -p $(PYTHON) .venv

.venv/.run: requirements.lock pyproject.toml .venv/bin/python | same-python $(UV)
	$(call INSTALLS,requirements.lock)
	@$(COUNT) $(INSTALL) --require-hashes -r requirements.lock
	@$(INSTALL) --no-deps -e .
	@$(V)/python -m compileall -q --invalidation-mode checked-hash crossnet components pipeline serving
	@touch $@

.venv/.dev: requirements-dev.lock pyproject.toml .venv/bin/python | same-python $(UV)
	$(call INSTALLS,requirements-dev.lock)
	@$(COUNT) $(UV) pip sync -q -p $(V)/python --compile-bytecode --require-hashes requirements-dev.lock
	@$(INSTALL) --no-deps -e .
	@$(V)/python -m compileall -q --invalidation-mode checked-hash crossnet components pipeline serving
	@touch $@ .venv/.run
