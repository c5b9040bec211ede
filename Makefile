# Every target works on a fresh machine with only Python >= 3.11, git and make:
# the environment is built on first use and reused until the lock file changes.
# The lock is installed closed: nothing is resolved, so that no newer version of anything matters.
# PIP='>=26' takes another pip than the interpreter brings.
# The distribution's own interpreter, where it will do: Debian's is built with profile-guided
# optimisation, and a worker needs a tenth less of the processor with it than with one that pyenv
# compiled. PYTHON=/path/to/python3 overrides.
FITS := import sys, sysconfig, venv, ensurepip, pathlib; sys.exit(not (sys.version_info >= (3, 11) \
	and (pathlib.Path(sysconfig.get_path("include")) / "Python.h").exists()))
PYTHON ?= $(shell /usr/bin/python3 -c '$(FITS)' 2>/dev/null && echo /usr/bin/python3 || echo python3)
BIN := .venv/bin
STAMP := .venv/.ready
# Tools that read the API's document ask for other versions than the product: a venv of their own.
DOCUMENT_BIN := .venv-schemathesis/bin
DOCUMENT_LOCK := tests/schemathesis/requirements
# As what drives a browser has: it is larger than the product with all it needs.
BROWSER_BIN := .venv-browser/bin
BROWSER_LOCK := tests/browser/requirements
# As what knows the specification of Compose has.
COMPOSE_BIN := .venv-compose/bin
COMPOSE_LOCK := tests/setup/compose/requirements
# A test waits more than it computes: three share two cores.
PYTEST = $(BIN)/pytest -n 3 --dist worksteal

# Processes begin by the thousand in the tests, and each would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup demo up quick test coverage test-compiled compiled compiler install schemathesis browser screenshots isolation commands compose deployment soak sixty-days check bench bench-quick bench-hold bench-control bench-console bench-viewers bench-accounting load dashboards fmt lock clean
.DELETE_ON_ERROR:

setup: $(STAMP)

$(STAMP): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Sendgate needs Python 3.11 or newer; set PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' \
		|| { echo "Python lacks venv; on Debian: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv --clear .venv
	@$(if $(PIP),$(BIN)/python -m pip install --quiet --disable-pip-version-check 'pip$(PIP)')
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/python -m pip check --disable-pip-version-check
	@touch $@

$(DOCUMENT_BIN)/.ready: $(DOCUMENT_LOCK).lock | $(STAMP)
	$(PYTHON) -m venv --clear .venv-schemathesis
	$(DOCUMENT_BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $(DOCUMENT_LOCK).lock
	@$(DOCUMENT_BIN)/python -m pip check --disable-pip-version-check
	@touch $@

$(BROWSER_BIN)/.ready: $(BROWSER_LOCK).lock | $(STAMP)
	$(PYTHON) -m venv --clear .venv-browser
	$(BROWSER_BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $(BROWSER_LOCK).lock
	@$(BROWSER_BIN)/python -m pip check --disable-pip-version-check
	@touch $@

$(COMPOSE_BIN)/.ready: $(COMPOSE_LOCK).lock
	$(PYTHON) -m venv --clear .venv-compose
	$(COMPOSE_BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $(COMPOSE_LOCK).lock
	@$(COMPOSE_BIN)/python -m pip check --disable-pip-version-check
	@touch $@

demo: $(STAMP)
	$(BIN)/sendgate demo

up: $(STAMP)
	$(BIN)/sendgate up

# What is quick stands in these, and needs nobody's leave to be run before each commit.
QUICK := tests/unit tests/contract tests/dialogs tests/architecture

# Thousands of requests by real HTTP, through code that others trace.
SCHEMA := tests/integration/control/test_schema.py

quick: $(STAMP)
	$(PYTEST) -q $(QUICK)

# A fault is met as the shipped product meets it (`test-compiled`), but for those that break a class from
# outside: a compiled one cannot be.
test: $(STAMP)
	$(PYTEST) $(QUICK) tests/hostile tests/integration --ignore $(SCHEMA) --durations 10
	$(PYTEST) tests/e2e tests/fuzz tests/faults/test_broken_on_purpose.py $(SCHEMA) --durations 10

# Which branches are taken; more than twice as slow, and apart from `test` for it. What drives whole stacks
# from outside is not traced.
coverage: $(STAMP)
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n 3 --dist worksteal $(QUICK) tests/hostile tests/integration \
		--ignore $(SCHEMA)
	@$(BIN)/coverage combine -q
	$(BIN)/coverage report

# The fault suite alone, ten times as much mail, three times over; about an hour.
soak: $(STAMP)
	$(BIN)/pytest -q tests/faults -o timeout=2400 --fault-scale 10 --fault-rounds 3 \
		--fault-table fault-table.json

# Every operation of the API's document, as each of seven roles; half an hour. SENDGATE_EXAMPLES=3 is the short
# form of it, four minutes; SENDGATE_SEED=7 asks otherwise than every other time. A table at the end, and what is
# left to mend.
FOUND := .venv-schemathesis/found
schemathesis: $(STAMP) $(DOCUMENT_BIN)/.ready
	@rm -rf $(FOUND) && mkdir $(FOUND)
	SENDGATE_EXAMPLES=$${SENDGATE_EXAMPLES:-20} SENDGATE_FINDINGS=$(CURDIR)/$(FOUND) \
		$(BIN)/pytest -q -n 2 --dist worksteal tests/schemathesis; \
		code=$$?; $(BIN)/python -m tests.schemathesis.summary $(FOUND) && exit $$code

# Every page in Chromium: light and dark, on a telephone, without JavaScript, with the keyboard alone, and by
# axe's rules; `apt-get install chromium` first.
browser: $(STAMP) $(BROWSER_BIN)/.ready
	$(BIN)/pytest -q -n 2 --dist worksteal tests/browser

# Pictures of every page of the console with something in it, into SENDGATE_PICTURES (.sendgate/screenshots), and
# one small sheet of all, console.jpg; the one of the repository is deploy/console/console.jpg.
screenshots: $(STAMP) $(BROWSER_BIN)/.ready
	$(BIN)/pytest -q tests/browser/pictures.py

# Every route as everybody, and with another tenant's names; prints how much was asked, and what came of it.
isolation: $(STAMP)
	$(BIN)/pytest -q -s tests/integration/control/test_roles.py tests/integration/control/test_isolation.py \
		tests/integration/control/test_guessing.py

# Eleven IPs warm up by themselves for two months of the calendar, 17,200 recipients on the fullest day; about
# six minutes.
sixty-days: $(STAMP)
	SENDGATE_WARMUP_DAYS=60 $(BIN)/pytest -q -s -o timeout=1800 tests/e2e/warmup

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q tests/architecture

# As it is shipped: what every message passes is compiled (`setup.py` has the list). Apart from the
# checkout, where a compiled copy would hide later edits.
COMPILED := build/compiled
# The folders too: one that lost a file is newer.
SOURCES := $(shell find policy settings gateway control loadtest -name __pycache__ -prune -o -print)

INSTALL_COMPILED := SENDGATE_COMPILE=1 $(BIN)/python -m pip install --quiet --disable-pip-version-check \
	--no-deps --no-build-isolation

compiled: $(COMPILED)/.ready

# In one step, so that no process starts from half of it.
$(COMPILED)/.ready: $(STAMP) setup.py pyproject.toml $(SOURCES) | compiler
	rm -rf build
	$(INSTALL_COMPILED) --target build/next .
	@touch build/next/.ready
	mv build/next $(COMPILED)

compiler: $(STAMP)
	@command -v $${CC:-cc} >/dev/null && $(BIN)/python -c \
		'import pathlib, sysconfig; (pathlib.Path(sysconfig.get_path("include")) / "Python.h").stat()' 2>&- \
		|| { echo "compiling needs a C compiler and Python's headers; on Debian: apt-get install gcc python3-dev"; exit 1; }

# On a server: the product in the venv itself, compiled. The checkout is not used any more.
install: $(STAMP) | compiler
	rm -rf build
	$(INSTALL_COMPILED) --force-reinstall .

# What was compiled is what is shipped: sessions, relay, hostile clients and every fault, run from
# there.
test-compiled: $(COMPILED)/.ready
	PYTHONPATH=$(CURDIR)/$(COMPILED) PYTHONSAFEPATH=1 $(PYTEST) --import-mode=append \
		tests/faults --ignore tests/faults/test_broken_on_purpose.py \
		tests/dialogs tests/fuzz tests/contract tests/unit --ignore-glob '*/test_bench_*' \
		--ignore-glob '*/test_control_*' --ignore-glob '*/test_agent_*' --ignore-glob '*/test_applying_*' \
		tests/hostile tests/integration/relay \
		tests/integration/process/test_workers.py tests/integration/ledger/test_rawconnection.py

# Every command of README and of the documents of operators, in their order, on a stack of its own.
commands: $(STAMP)
	$(BIN)/python -m tests.setup.commands

# The files of deploy/compose against the specification, the image and our rules.
compose: $(COMPOSE_BIN)/.ready
	$(COMPOSE_BIN)/python -m tests.setup.compose

# deploy/sendgate-setup on an empty Debian with a real systemd: installed, updated, every kind of failed update, kills,
# back. As root, with debootstrap; DEBIAN=trixie takes Debian 13.
DEBIAN := bookworm
DEPLOYED := build/deployment
deployment: $(STAMP)
	@mkdir -p $(DEPLOYED)
	$(BIN)/python -m tests.setup.deployment $(DEPLOYED) $(DEBIAN)

# Everything, about half an hour; `loadtest/README.md` has the options.
bench: $(COMPILED)/.ready
	$(BIN)/python -m loadtest.bench --json --svg

# Four cases beside the committed baseline, two minutes.
bench-quick: $(COMPILED)/.ready
	$(BIN)/python -m loadtest.bench --quick

bench-hold: $(COMPILED)/.ready
	$(BIN)/python -m loadtest.benchhold

# What a change costs control, with 10, 1,000 and 100,000 mailboxes.
bench-control: $(COMPILED)/.ready
	$(BIN)/python -m loadtest.benchcontrol

# What every page of the console takes, with 10, 1,000 and 100,000 mailboxes; half an hour, filling most of it.
bench-console: $(STAMP)
	$(BIN)/python -m tests.bench.console

# What fifty who watch the console's first page cost the gateway; four minutes.
bench-viewers: $(COMPILED)/.ready
	$(BIN)/python -m loadtest.benchviewers

# What a record costs on its way in, what questions to the sums of a month do, and what a file of history
# of 300 MB takes; ten minutes.
bench-accounting: $(STAMP)
	$(BIN)/python -m tests.bench.statistics --seconds 60
	$(BIN)/python -m tests.bench.importing

# The load laboratory: SCENARIO=ci, ten-minutes, ten-minutes-short, day or a file of your own
# (loadtest/README.md).
SCENARIO := ci
load: $(COMPILED)/.ready
	PYTHONPATH=$(CURDIR)/$(COMPILED) PYTHONSAFEPATH=1 $(BIN)/sendgate load --scenario $(SCENARIO) \
		--output load.json --report load.html

# deploy/grafana/*.json, of its panels/*.toml and the catalogues of metrics.
dashboards: $(STAMP)
	$(BIN)/python deploy/grafana/make.py

fmt: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# New versions come in here and nowhere else: two machines get the same.
lock: $(STAMP)
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header \
		--python-version 3.11 --all-extras pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header \
		--python-version 3.11 --constraint requirements.lock pyproject.toml \
		-o deploy/requirements.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header \
		--python-version 3.11 $(DOCUMENT_LOCK).in -o $(DOCUMENT_LOCK).lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header \
		--python-version 3.11 --constraint requirements.lock $(BROWSER_LOCK).in -o $(BROWSER_LOCK).lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header \
		--python-version 3.11 $(COMPOSE_LOCK).in -o $(COMPOSE_LOCK).lock

clean:
	rm -rf .venv .venv-schemathesis .venv-browser .venv-compose .sendgate build dist *.egg-info .coverage* .pytest_cache .mypy_cache .ruff_cache
