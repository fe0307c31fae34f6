# AI-BOS. Needs Python 3.11 or newer and make; everything else is fetched, checked and kept in this folder.
# Choose the Python with PYTHON=…, the web port with PORT=…; docs/install.md has the rest.
PYTHON ?= python3
RUNTIME = @$(PYTHON) apps/cli/bootstrap.py base
DEV = @$(PYTHON) apps/cli/bootstrap.py dev

.DEFAULT_GOAL := help
.PHONY: help run test chaos permissions-proof check reset lint format bench lock docs manage shell migrate demo backup restore logs install install-dev clean-venv

help: ## Show these targets
	@echo "AI-BOS: make TARGET"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r name text; do printf '  %-18s %s\n' "$$name" "$$text"; done

run: ## Start everything and print where to go (Ctrl-C stops; PORT=8000)
	$(RUNTIME) apps.cli.launch run

test: ## Run the tests with a database of their own (ARGS="tests/objects -x")
	$(DEV) apps.cli.launch test $(ARGS)

chaos: ## Kill workers, schedulers and the database for some minutes; all work must survive (ARGS=…)
	$(DEV) apps.cli.launch chaos $(ARGS)

permissions-proof: ## Compare the permission compiler with its reference on 10,000 random cases (R21_CASES=…)
	R21_CASES=$${R21_CASES:-10000} $(MAKE) test ARGS="tests/permissions/test_reach.py -s"

check: ## Style, types, imports, migrations, production settings, declared = enforced
	$(DEV) apps.cli.launch check

reset: ## Delete all data made by run, after a question (REALLY=yes)
	$(RUNTIME) apps.cli.launch reset

lint: ## Mend style and format
	$(DEV) ruff check --fix .
	$(DEV) ruff format .

bench: ## Measure the product beside its floor and a plain REST framework (ARGS=…)
	$(DEV) bench $(ARGS)

docs: ## Write the reference pages that are generated from the code
	$(RUNTIME) apps.cli.launch manage declared docs

manage: ## A Django command with the product's variables (ARGS="ledger verify")
	$(RUNTIME) apps.cli.launch manage $(ARGS)

shell: ## A Python shell with the product's variables
	$(RUNTIME) apps.cli.launch manage shell

migrate: ## Bring the tables of the platform and of every tenant up to date
	$(RUNTIME) apps.cli.launch manage migrate_all

demo: ## Make the demo tenants acme and globex (again)
	$(RUNTIME) apps.cli.launch manage demo

backup: ## Write one archive with database, files and key (TO=/safe/place/aibos.tar)
	$(RUNTIME) apps.cli.launch backup $(TO)

restore: ## Put such an archive in the place of the present data (FROM=/safe/place/aibos.tar)
	$(RUNTIME) apps.cli.launch restore $(FROM)

logs: ## Follow the logs of the running product
	@tail -n 20 -F $${AIBOS_VAR:-var}/log/*.log

lock: ## Resolve requirements/*.in into lock files with hashes (ARGS=--upgrade)
	$(DEV) apps.cli.launch lock $(ARGS)

install: ## Only make the environment of `run`
	$(RUNTIME)

install-dev: ## Only make the environment of `test` and `check`
	$(DEV)

clean-venv: ## Delete the Python environment; the next start makes it anew
	@rm -rf $${AIBOS_VENV:-.venv}
