# Everything a contributor or CI runs. CONTRIBUTING.md says when to use what.

GO       ?= go
BIN      ?= bin
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
COMMIT   ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
LDFLAGS  := -s -w -buildid= -X main.version=$(VERSION) -X main.commit=$(COMMIT)
TOOL     := $(GO) tool -modfile=tools/go.mod
MODULES  := . tools test/e2e
COMMANDS := $(notdir $(wildcard cmd/*))

# A count and not a time: at the end of a time the fuzzer reports its own deadline as a
# failure now and then.
FUZZTIME  ?= 20000x
SOAKTIME  ?= 10m
BENCHTIME ?= 1s
COUNT     ?= 6

.PHONY: all build test test-32 race e2e e2e-peers e2e-systemd bench bench-once bench-smoke bench-memory bench-http bench-generator lint format cross tidy fuzz soak check-clean clean

all: build

# Static and reproducible: two builds of one commit are the same bytes.
build: $(addprefix build-,$(COMMANDS))

build-%:
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)' -o $(BIN)/$* ./cmd/$*

# Allocation gates run here and not under -race, where they do not count.
test:
	$(GO) test -shuffle=on ./...

# Numbers and layouts where an int has 32 bits. It runs on an amd64 machine as it is.
test-32:
	GOARCH=386 CGO_ENABLED=0 $(GO) test -shuffle=on ./internal/config ./internal/httpwire ./internal/loop ./internal/swarm ./internal/tracker

race:
	$(GO) test -race -shuffle=on ./...

# The built binary with real BitTorrent clients. Needs Linux, root (network
# namespaces) and the clients that .ci/run installs.
e2e: build
	cd test/e2e && SPATE_BIN=$(abspath $(BIN)) $(GO) test -count=1 -parallel=4 -timeout=10m ./...

# Output for benchstat: make bench > old.txt; …; make bench > new.txt;
# go tool -modfile=tools/go.mod benchstat old.txt new.txt
bench:
	@$(GO) test -run='^$$' -bench=. -benchmem -benchtime=$(BENCHTIME) -count=$(COUNT) ./internal/...

# Every benchmark once, so that none rots.
bench-once:
	$(GO) test -run='^$$' -bench=. -benchtime=1x ./...

# The tools that measure, for a second each: they must not rot either.
bench-smoke: build
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/spate-bench bench/smoke.toml

# Spate against aquatic_http and its load tester, which cargo installs for minutes.
e2e-peers: build
	sh bench/peers.sh

# The units of deploy/ under a systemd that is process 1, in an emulated machine.
e2e-systemd: build-spate
	SPATE_BIN=$(BIN) bash test/systemd/run.sh

# Resident bytes for each peer, by shape of the swarms.
bench-memory:
	@$(GO) run ./bench/memory

# CPU time for each request, against a bare loop on the same machine. Needs wrk.
bench-http:
	@$(GO) run ./bench/http

# Requests that spate-load makes in a second of CPU time, against wrk. Needs wrk.
bench-generator:
	@$(GO) run ./bench/generator

lint: format cross tidy
	$(GO) vet ./...
	cd test/e2e && $(GO) vet ./...
	$(TOOL) staticcheck ./...

format:
	@out="$$($(TOOL) gofumpt -l .)"; test -z "$$out" || { echo "not formatted by gofumpt:"; echo "$$out"; exit 1; }

cross:
	GOOS=darwin CGO_ENABLED=0 $(GO) build ./...
	GOOS=freebsd CGO_ENABLED=0 $(GO) build ./...
	GOARCH=386 CGO_ENABLED=0 $(GO) vet ./...
	GOARCH=arm GOARM=6 CGO_ENABLED=0 $(GO) vet ./...
	GOARCH=arm GOARM=6 CGO_ENABLED=0 $(GO) build -o /dev/null ./cmd/spate

tidy:
	@for m in $(MODULES); do ( cd $$m && $(GO) mod tidy -diff ) || exit 1; done

# Each fuzz target for FUZZTIME; they are found by name, so none is forgotten.
fuzz:
	@grep -rl --include='*_test.go' '^func Fuzz' internal cmd | while read -r file; do \
	  for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$$file"); do \
	    echo "fuzz $$target ($$file)"; \
	    $(GO) test -run='^$$' -fuzz="^$$target\$$" -fuzztime=$(FUZZTIME) "./$$(dirname "$$file")" || exit 1; \
	  done; \
	done

soak:
	SPATE_SOAK=$(SOAKTIME) $(GO) test -run=Soak -timeout=24h ./internal/...

check-clean:
	@out="$$(git status --porcelain)"; test -z "$$out" || { echo "the tree is not clean:"; echo "$$out"; exit 1; }

clean:
	rm -rf $(BIN)
