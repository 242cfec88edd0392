PYTHON ?= python3
PORT ?= 8000
STAGE ?= dev
VENV := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help run test fuzz check bench package deploy clean setup

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 12

run: setup ## an embedded DynamoDB with sample data, and the API over it on http://127.0.0.1:8000
	@$(VENV)/python -m local --port $(PORT) $(if $(WRITES),--writes $(WRITES))

test: setup ## the tests, with coverage
	@$(VENV)/python -m scripts.chromium
	@$(VENV)/python -m pytest

fuzz: setup ## schemathesis over the API, with many cases and others each time
	@HYPOTHESIS_PROFILE=fuzz $(VENV)/python -m pytest --no-cov tests/test_schemathesis.py

check: setup ## ruff and mypy --strict
	@$(VENV)/ruff check .
	@$(VENV)/ruff format --check .
	@$(VENV)/mypy

bench: setup ## this project and its peers, side by side in one run
	@$(VENV)/python -m bench

deploy: setup ## to AWS with chalice deploy: make deploy TABLE=orders (docs/deploy.md)
	$(VENV)/python -m infra --stage $(STAGE) $(if $(TABLE),--table $(TABLE))
	$(VENV)/chalice deploy --stage $(STAGE)
	$(VENV)/python -m infra --stage $(STAGE) --after-deploy

package: setup ## a zip and a CloudFormation template that deploys it, in out/ (docs/deploy.md)
	$(VENV)/chalice package --stage stack --merge-template infra/template.json out

clean: ## takes away all that these commands made
	rm -rf .venv .venv-bench .venv.lock .venv-bench.lock out .chalice/deployments .coverage .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

setup:
	@$(PYTHON) scripts/setup.py
