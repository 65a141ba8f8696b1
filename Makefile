# make test runs all that CI runs. The other targets say what they do.
GO ?= go

.PHONY: test lint bench golden dev tools torture check-format

test: tools check-format
	$(GO) vet ./...
	$(GO) test -race -timeout 15m ./...

# What the tests need and the machine lacks: redis-server, from the system's packages.
tools:
	sh scripts/install-test-tools

check-format:
	@unformatted=$$(gofmt -l $$(git ls-files --cached --others --exclude-standard '*.go')); \
	if [ -n "$$unformatted" ]; then echo "not gofmt'ed:"; echo "$$unformatted"; exit 1; fi

# Slower checks by golangci-lint, built from its source at the version that tools/go.mod pins.
lint: check-format
	$(GO) vet ./...
	$(GO) tool -modfile=tools/go.mod golangci-lint run ./...

# Long faults and loads.
torture: tools
	ROLEWISE_TORTURE=1 $(GO) test -timeout 60m -v -run 'Torture|Property|Kill|Contract' ./...

# Figures for docs/benchmarks.md.
bench: tools
	cd bench && $(GO) run . -report ../docs/benchmarks.md

# Rewrites what is generated: wire files, OpenAPI. Look at the difference before you commit it.
golden:
	$(GO) test ./domain -run TestWire -update
	$(GO) test ./api -run "OpenAPI|Problem|Refus" -update

dev:
	$(GO) run ./cmd/rolewise dev
