# make test runs all that CI runs. The other targets say what they do.
GO ?= go
SHELL := /bin/bash

.PHONY: test lint bench golden dev tools torture check-format

# Of what go test -v prints, the script leaves what matters: skipped tests with their reasons, failures whole.
test: tools lint
	set -o pipefail; $(GO) test -race -v -timeout 15m ./... | awk -f scripts/test-report.awk
	cd bench && $(GO) test ./...

# What the tests need and the machine lacks, from the system's packages.
tools:
	GO="$(GO)" sh scripts/install-test-tools

check-format:
	@unformatted=$$(gofmt -l .) || exit 1; \
	if [ -n "$$unformatted" ]; then echo "not gofmt'ed:"; echo "$$unformatted"; exit 1; fi

# The checks of make test that run no tests.
lint: check-format
	$(GO) vet ./...
	cd bench && $(GO) vet ./...

# All tests again, with longer faults and larger loads.
torture: tools
	ROLEWISE_TORTURE=1 $(GO) test -timeout 120m ./...

# Figures for docs/benchmarks.md.
bench: tools
	cd bench && $(GO) run . -report ../docs/benchmarks.md

# Rewrites what is generated: wire files, OpenAPI, the list of metrics. Look at the difference before you commit it.
golden:
	$(GO) test ./domain -run TestWire -update
	$(GO) test ./api -run "OpenAPI|Problem|Refus" -update
	$(GO) test ./telemetry/metrics -run TestDocument -update

dev:
	$(GO) run ./cmd/rolewise dev
