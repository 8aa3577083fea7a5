# Daybook. `make` lists the targets.

.DEFAULT_GOAL := help
SHELL := bash
BROWSERS := chromium chromium-browser google-chrome

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: build ## build, then serve a small demo desk from ./demo
	@bin/daybook simulate --data demo --days 14 >/dev/null
	@exec bin/daybook serve --data demo

.PHONY: build
build: ## build bin/daybook
	@go build -o bin/daybook ./cmd/daybook

.PHONY: test
test: ## run every test that this machine can run; list the tests that it cannot, and why
	@race=-race; left=(); \
	if ! command -v $${CC:-cc} >/dev/null; then race=; left+=("the race detector: it needs a C compiler"); fi; \
	if ! command -v $(firstword $(BROWSERS)) >/dev/null && ! command -v $(word 2,$(BROWSERS)) >/dev/null && ! command -v $(word 3,$(BROWSERS)) >/dev/null; then \
		left+=("the tests of pages in a browser: they need Chromium"); fi; \
	if ! command -v postgres >/dev/null && ! ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1; then \
		left+=("the tests of PostgreSQL: they need its server"); fi; \
	if ! command -v pgbouncer >/dev/null && [[ ! -x /usr/sbin/pgbouncer ]]; then left+=("the tests of a pooler: they need PgBouncer"); fi; \
	if ! command -v sqlite3 >/dev/null; then left+=("the restore drill: it needs sqlite3"); fi; \
	npm=(); if ! command -v npm >/dev/null || ! node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || a === 20 && b >= 19 ? 0 : 1)' 2>/dev/null; then \
		npm=("the linters of the contract and the TypeScript client: they need npm and Node.js 20.19 or later"); fi; \
	if [[ -n $${DAYBOOK_TEST_REQUIRE:-} && $${#left[@]} -gt 0 ]]; then printf 'missing: %s\n' "$${left[@]}" >&2; exit 1; fi; \
	status=0; go test $$race -timeout 14m ./... || status=$$?; \
	for l in "$${left[@]}" "$${npm[@]}"; do echo "skipped: $$l"; done; \
	exit $$status

.PHONY: test-esdb
test-esdb: ## run on a real EventStoreDB, URL=esdb://…, all that needs one: the store's suite and its own cases, what it notices and checks, and the server's rules
	@[[ -n "$(URL)" ]] || { echo "name a server to which tests may write, a single node: make test-esdb 'URL=esdb://USER:PASSWORD@HOST:2113?tls=true'" >&2; exit 2; }
	@DAYBOOK_TEST_ESDB='$(URL)' go test -count=1 -timeout 30m ./eventstore/esdb ./eventstore/esdb/esdbtest

.PHONY: costs
costs: ## count what lists cost the databases, on a desk and on one ten times as large, without the race detector; DAYBOOK_SOAK=1 asks all of two filters
	@go test -count=1 -run '^TestWhatListsCost' ./readmodels/table

.PHONY: check
check: lint costs test ## run everything that CI runs

.PHONY: rows
rows: ## list the features, with the tests that prove them, and what is not built yet
	@set -o pipefail; go test -v -run '^TestEveryRowIsProved$$' . | sed -n 's/^    //p'

.PHONY: lint
lint: ## check the formatting, vet and lint
	@test -z "$$(gofmt -l .)" || { echo "not formatted:"; gofmt -l .; exit 1; }
	@go vet ./...
	@go tool -modfile=tools/go.mod golangci-lint run

.PHONY: soak
soak: ## run the long tests (kills, faults, long histories, random desks); write docs/soak.md
	@set -o pipefail; { printf '# The last soak\n\n`make soak`, %s, %s\n\n```\n' "$$(date -u +%Y-%m-%d)" "$$(go version)"; { \
	DAYBOOK_SOAK=1 go test -count=1 -timeout 60m -v -run 'Kill|History|Concurrent|Stalled|Resume|Crash|Faults|Dies|Fails|Backends|Odd' ./cmd/... ./api/... ./journal/... ./commands/... ./eventstore/... && \
	go test -count=1 -timeout 60m -v -run 'ProjectingIsAFold|RowIsTheSame|Resume|Buckets|TestFile/C46' ./projections ./projections/engine ./journal ./readmodels/report ./eventstore/sqlite -rapid.checks=3000; } \
		| grep -E '^(---|ok|FAIL|PASS|    --- |.*(soak:|\[rapid\]))' ; printf '```\n'; } > docs/soak.md.new && mv docs/soak.md.new docs/soak.md && cat docs/soak.md

.PHONY: bench
bench: ## run the benchmarks; write bench/results; needs PostgreSQL
	@go run ./bench -dir .

.PHONY: bench-quick
bench-quick: ## run each benchmark once at a small size, in about five minutes, to see that it works; write bench/results-quick; needs PostgreSQL
	@go run ./bench -dir . -results bench/results-quick -rounds 1 -time 500ms -events 20000 -history 20000 -tickets 20000 -contacts 20000

.PHONY: bench-full
bench-full: ## measure appends and rebuilds at 10 million events, one round; write bench/results; needs half an hour and 20 GB of disk
	@go run ./bench -dir . -only P11,P11r -rounds 1 -time 10s

.PHONY: fuzz
fuzz: ## fuzz the decoders, one minute each
	@go test ./domain/catalogue -run '^$$' -fuzz FuzzDecode -fuzztime 1m
	@go test ./domain/personal -run '^$$' -fuzz FuzzOpen -fuzztime 1m
	@go test ./journal -run '^$$' -fuzz FuzzParse -fuzztime 1m
	@go test ./domain/field -run '^$$' -fuzz FuzzRead -fuzztime 1m
	@go test ./internal/square -run '^$$' -fuzz FuzzMake -fuzztime 1m
	@go test ./internal/square -run '^$$' -fuzz FuzzOrientation -fuzztime 1m

.PHONY: clean
clean: ## remove the build and the demo desk
	@rm -rf bin demo
