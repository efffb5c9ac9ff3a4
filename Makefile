# Developer commands. `make help` lists them. The same commands run by hand and in CI.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory

GO ?= go
TOOL := $(GO) tool -modfile=tools/go.mod
PORT ?= 8080
FUZZTIME ?= 30s
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
BUILDFLAGS := -trimpath -ldflags "-s -w -X main.build=$(VERSION)"
PACKAGES := $(shell $(GO) list ./... 2>/dev/null)

.PHONY: help
help: ## this list
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  %-14s %s\n", $$1, $$2}'

# --- run ---------------------------------------------------------------------------------------------------------

.PHONY: build
build: ## bin/swindon and bin/swindon-dev
	CGO_ENABLED=0 $(GO) build $(BUILDFLAGS) -o bin/ ./cmd/swindon ./cmd/swindon-dev

.PHONY: demo
demo: demo-build ## the example: gateway with its NATS, two chat and two pizza backends, one page (PORT=8080)
	@exec bin/chat-example -port $(PORT)

.PHONY: demo-cluster
demo-cluster: demo-build ## the same on three NATS servers and two gateways behind a front: kill any of them (PORT=8080)
	@exec bin/chat-example -cluster -port $(PORT)

.PHONY: demo-build
demo-build: build
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/chat-example ./examples/chat

# --- test --------------------------------------------------------------------------------------------------------

.PHONY: test
test: browser-setup ## all tests, with the race detector; sets up what they need
	$(GO) test -race -shuffle=on -timeout 15m ./...
	$(GO) test -shuffle=on ./internal/sock ./internal/ws ./internal/listen ./internal/http1 ./proxy # what race builds leave out

.PHONY: test-short
test-short: ## the tests that need no browser and little time
	$(GO) test -short -shuffle=on ./...

.PHONY: browser-setup
browser-setup: # Debian's Chromium, where it is missing and may be installed
	@if ! command -v chromium >/dev/null && ! command -v chromium-browser >/dev/null && ! command -v google-chrome >/dev/null; then \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "Installing Chromium for the browser test …"; \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; \
	  else \
	    echo "Chromium is missing: the browser test will fail (install it, or use: make test-short)"; \
	  fi; \
	fi

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (30s)
	@grep -rlE '^func Fuzz' --include='*_test.go' . | xargs -n1 dirname | sort -u | while read -r dir; do \
	  for f in $$(grep -hoE '^func Fuzz[A-Za-z0-9_]*' $$dir/*_test.go | cut -d' ' -f2); do \
	    echo "== $$dir $$f"; $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) $$dir; \
	  done; \
	done

# A long run with a program that finds data races, over every way to run nodes.
SOAK ?= 10m
.PHONY: soak
soak: ## whole clusters under faults for SOAK (10m), and a storm of 5,000 clients (about 20 minutes)
	$(GO) build -race -o bin/swindon-race ./cmd/swindon
	SWINDON_TEST_BIN=$(CURDIR)/bin/swindon-race SWINDON_SOAK=$(SOAK) $(GO) test -race -count=1 -v -timeout 90m ./integration/cluster
	SWINDON_STORM=5000 $(GO) test -count=1 -v -run '^TestReconnectStorm$$' -timeout 10m ./integration/cluster

.PHONY: bench
bench: build bench-setup ## CPU and memory beside the baselines, written to docs/performance.md (about 20 minutes)
	$(GO) run ./integration/bench/cmd/bench -swindon bin/swindon -write docs/performance.md

.PHONY: bench-setup
bench-setup: # the load generator and the baseline server
	@for p in wrk nginx; do command -v $$p >/dev/null || MISSING="$${MISSING:-} $${p/nginx/nginx-light}"; done; \
	if [ -n "$${MISSING:-}" ]; then \
	  if [ "$$(id -u)" = 0 ]; then apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $$MISSING >/dev/null; \
	  else echo "make bench needs:$$MISSING" >&2; exit 1; fi; \
	fi

.PHONY: microbench
microbench: ## Go benchmarks of the hot paths
	$(GO) test -run '^$$' -bench . -benchmem ./gateway/... ./internal/... ./proxy/... ./routing/... ./static/... ./broker/... ./lattice/...

.PHONY: cover
cover: ## coverage per package
	$(GO) test -short -coverprofile=coverage.out ./... && $(GO) tool cover -func=coverage.out | tail -1

# --- check -------------------------------------------------------------------------------------------------------

.PHONY: fmt
fmt: ## format all Go files
	$(TOOL) gofumpt -w $$(git ls-files '*.go')

.PHONY: lint
lint: ## formatting, vet, golangci-lint, dead code, tidy modules
	@out=$$($(TOOL) gofumpt -l $$(git ls-files '*.go')); [ -z "$$out" ] || { echo "not formatted (make fmt):"; echo "$$out"; exit 1; }
	$(GO) vet ./...
	$(TOOL) golangci-lint run
	@out=$$($(TOOL) deadcode -test ./...); [ -z "$$out" ] || { echo "$$out"; exit 1; }
	$(GO) mod tidy -diff

.PHONY: vuln
vuln: ## known vulnerabilities in what we depend on (needs the network)
	$(TOOL) govulncheck ./...

.PHONY: generate
generate: ## the generated parts of the documentation
	$(GO) generate ./...

.PHONY: hooks
hooks: ## use the repository's git hooks
	git config core.hooksPath .githooks

.PHONY: ci
ci: test lint ## what CI runs
