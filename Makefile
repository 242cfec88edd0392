PYTHON ?= python3
PORT ?= 8000
STAGE ?= dev
WORKERS ?= 2
VENV := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help run test unit fuzz check format explorer bench package deploy clean setup setup-dev

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 16

run: setup ## an embedded DynamoDB with sample data, and the API over it on http://127.0.0.1:8000
	@$(VENV)/python -m local --port $(PORT) $(if $(WRITES),--writes $(WRITES))

test: setup-dev ## all tests, with coverage, in two processes (WORKERS=2)
	@$(VENV)/node --test --test-reporter=dot "tests/web/explorer/*.test.js"
	@$(VENV)/python -m scripts.chromium
	@$(VENV)/pytest -n $(WORKERS) --dist loadgroup --no-loadscope-reorder --cov --cov-report=term-missing:skip-covered

unit: setup-dev ## the tests that start no emulator and no browser: some seconds
	@$(VENV)/node --test --test-reporter=dot "tests/web/explorer/*.test.js"
	@$(VENV)/pytest -n $(WORKERS) --dist worksteal -m "not system"

fuzz: setup-dev ## schemathesis over the API, with many cases and others each time
	@HYPOTHESIS_PROFILE=fuzz $(VENV)/pytest tests/openapi/test_schemathesis.py

check: setup-dev ## ruff and mypy --strict; for the explorer biome and tsc --strict
	@$(VENV)/ruff check .
	@$(VENV)/ruff format --check .
	@$(VENV)/mypy
	@$(VENV)/python -m scripts.node
	@PATH="$(CURDIR)/$(VENV):$$PATH" npm run --silent check

explorer: setup ## the explorer as one file, out/explorer.html: it opens from a disk, and takes ?api=URL
	@$(VENV)/python -m scripts.explorer

format: setup-dev ## formats the code, and corrects what ruff and biome can
	@$(VENV)/ruff check --fix .
	@$(VENV)/ruff format .
	@$(VENV)/python -m scripts.node
	@PATH="$(CURDIR)/$(VENV):$$PATH" npm run --silent format

bench: setup-dev ## this project and its peers, side by side in one run
	@$(VENV)/python -m bench

deploy: setup ## to AWS with chalice deploy: make deploy TABLE=orders (docs/deploy.md)
	$(VENV)/python -m infra --stage $(STAGE) $(if $(TABLE),--table $(TABLE))
	$(VENV)/chalice deploy --stage $(STAGE)
	$(VENV)/python -m infra --stage $(STAGE) --after-deploy

package: setup ## a zip and a CloudFormation template that deploys it, in out/ (docs/deploy.md)
	$(VENV)/chalice package --stage stack --merge-template infra/template.json out

clean: ## removes all that these commands made
	rm -rf .venv .venv-bench node_modules .venv.lock .venv-bench.lock out .chalice/deployments
	rm -rf .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

setup: ## .venv with what run, deploy and package need
	@$(PYTHON) scripts/setup.py

setup-dev: ## .venv with what the tests and checks need as well
	@$(PYTHON) scripts/setup.py dev
