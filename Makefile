# Every target works on a fresh machine with only Python >= 3.11, git and make:
# the environment is built on first use and reused until the lock file changes.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.ready

.PHONY: setup demo up test soak check bench bench-hold fmt lock clean
.DELETE_ON_ERROR:

setup: $(STAMP)

$(STAMP): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Sendgate needs Python 3.11 or newer; set PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' \
		|| { echo "Python lacks venv; on Debian: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(STAMP)
	$(BIN)/sendgate demo

up: $(STAMP)
	$(BIN)/sendgate up

test: $(STAMP)
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n 2 --dist worksteal
	@$(BIN)/coverage combine -q
	$(BIN)/coverage report

# The fault suite alone, ten times as much mail, three times over; about an hour.
soak: $(STAMP)
	$(BIN)/pytest -q tests/faults --fault-scale 10 --fault-rounds 3 --fault-table fault-table.json

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q tests/architecture

# Everything, about half an hour; `loadtest/README.md` has the options.
bench: $(STAMP)
	$(BIN)/python -m loadtest.bench --json --svg

bench-hold: $(STAMP)
	$(BIN)/python -m loadtest.benchhold

fmt: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# New versions come in here and nowhere else: two machines get the same.
lock: $(STAMP)
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header \
		--python-version 3.11 --all-extras pyproject.toml -o requirements.lock

clean:
	rm -rf .venv .sendgate build dist *.egg-info .coverage* .pytest_cache .mypy_cache .ruff_cache
