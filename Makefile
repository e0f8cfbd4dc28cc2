# Every target with a ## comment shows up in `make help`.
.DEFAULT_GOAL := help
.PHONY: help demo up down status logs env test compat torture bench clean

STACK ?= default
export STACK
# DOCKER=1: the servers run in containers; each STACK is a compose project, ports are a prefix and two digits
ifdef DOCKER
RIDEHAIL_PORT_PREFIX ?= $(shell expr $(or $(RIDEHAIL_PORT_BASE),15000) / 100)
export RIDEHAIL_PORT_PREFIX
endif
COMPOSE = docker compose -f docker/compose.yaml $(if $(filter-out default,$(STACK)),-p ridehail-$(STACK))

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## From nothing to live metrics and a built warehouse, checked to the last event
	@.ci/demo

up: ## Start the servers and wait until they answer (DOCKER=1: in containers)
ifdef DOCKER
	$(COMPOSE) up -d --wait
else
	@docker/stack up
endif

down: ## Stop the servers; data stays (DOCKER=1: the containers)
ifdef DOCKER
	$(COMPOSE) down
else
	@docker/stack down
endif

status: ## Each server's state, port and memory (DOCKER=1: the containers)
ifdef DOCKER
	$(COMPOSE) ps
else
	@docker/stack status
endif

logs: ## The last lines of the servers' logs (S=name for one, FOLLOW=1 to go on)
ifdef DOCKER
	$(COMPOSE) logs --tail 20 $(if $(FOLLOW),-f) $(S)
else
	@FOLLOW=$(FOLLOW) docker/stack logs $(S)
endif

env: ## The variables that clients of this stack need, as shell exports
	@docker/stack env $(if $(DOCKER),--docker)

test: ## Format, lints, unit, property, integration and comparison tests; ends with a line of counts
	@.ci/test

compat: ## Build projects with real dbt too and compare everything (RENEW=1 records its answers anew)
	@.ci/compat

torture: ## Kill the archive 200 times at random and look for lost or doubled rows (KILLS=n SEED=n)
	@.ci/torture

bench: ## Measure generator, landing and builds
	@.ci/bench

clean: ## Stop the servers and forget their data; downloads stay (DOCKER=1: containers and volumes)
ifdef DOCKER
	$(COMPOSE) down --volumes
else
	@docker/stack clean
endif
