# Two commands for a fresh machine: `make demo` and `make test`. Both set up what they need in .venv.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
# One more than there are cores: most of a test is waiting for processes.
TEST_JOBS ?= $(shell echo $$(( $$(nproc 2>/dev/null || echo 2) + 1 )))

.PHONY: mutants kill kill-steps contention planted demo test test-guarded test-servers test-thorough check lint types unit bench fuzz fuzz-hook sim sim-long model docs man clean

demo: $(STAMP)
	@$(BIN)/git-orch demo

test: $(STAMP)
	$(BIN)/python -m pytest -n $(TEST_JOBS) tests

# What tells little more than `make test`, and takes long.
test-thorough: $(STAMP)
	ORCH_TEST_THOROUGH=1 $(BIN)/python -m pytest -n $(TEST_JOBS) tests/hooks tests/servers/test_attacks.py \
		tests/git/test_hostile_*.py tests/git/test_doctor*.py tests/git/test_hooks_*.py tests/git/test_crashes.py

# Everything over every server that is installed (lighttpd, nginx-light, fcgiwrap, openssh-server, gitolite3), and over one
# that is known to lose races. What is missing is skipped, with the package to install.
test-servers: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[servers]'
	ORCH_SERVERS_ALL=1 $(BIN)/python -m pytest -n $(TEST_JOBS) -rs tests/servers

# Landings, claims, recovery and all the rest, with the server's hook in front of every remote.
test-guarded: $(STAMP)
	ORCH_TEST_GUARDED=1 $(BIN)/python -m pytest -n $(TEST_JOBS) tests/git

check: lint types unit

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

unit: $(STAMP)
	$(BIN)/python -m pytest tests/unit tests/test_tidy.py

# Clients and servers that are killed, a thousand times, over a path and ssh; every step of every command: make kill-steps.
kill: $(STAMP)
	@$(BIN)/python -m kills $(if $(KILLS),--kills $(KILLS)) $(if $(SEED),--seed $(SEED))

kill-steps: $(STAMP)
	ORCH_KILL_ALL=1 $(BIN)/python -m pytest -n auto tests/git/test_crashes.py

# Sixteen clones at once for a minute; then their histories are read from the refs.
contention: $(STAMP)
	@$(BIN)/python -m kills.contention $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED))

# Every planted bug must be caught.
planted: $(STAMP)
	@$(BIN)/python -m planted $(BUG)

# A world of virtual machines with all that goes wrong, from seeds: `make sim SEED=17` shows one again.
sim: $(STAMP)
	@$(BIN)/python -m sim $(if $(SEED),--seed $(SEED)) $(if $(SEEDS),--seeds $(SEEDS)) $(if $(FIRST),--first $(FIRST)) \
		$(if $(STEPS),--steps $(STEPS))

sim-long: $(STAMP)
	@$(BIN)/python -m sim --seeds $(or $(SEEDS),2000) --first $(or $(FIRST),1000)

# The protocol, exhaustively, as it is and with each part left out. Needs spin and gcc.
model: $(STAMP)
	@$(BIN)/python -m model

# Thousands of small changes to the decisions, one by one: `make mutants` says which of them no test noticed.
mutants: $(VENV)-mutants/.installed
	HYPOTHESIS_PROFILE=mutants ORCH_TEST_PYTHON_ALONE=1 $(VENV)-mutants/bin/mutmut run
	@$(VENV)-mutants/bin/mutmut results

$(VENV)-mutants/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)-mutants
	$(VENV)-mutants/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,mutants]'
	@touch $@

bench: $(STAMP)
	@$(BIN)/python -m bench $(PART)

fuzz: $(STAMP)
	@$(BIN)/python -m fuzz $(if $(COUNT),--count $(COUNT)) $(if $(SEED),--seed $(SEED))

# Pushes that nobody thought of, judged by the hook's shell and by Python.
fuzz-hook: $(STAMP)
	@$(BIN)/python -m fuzz.hook $(if $(COUNT),--count $(COUNT)) $(if $(SEED),--seed $(SEED))

docs: $(STAMP)
	$(BIN)/python docs/generate.py

man: $(STAMP)
	$(BIN)/python -m gitorch.cli.manpage --strict man/git-orch.1

clean:
	rm -rf $(VENV) $(VENV)-mutants mutants .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@
