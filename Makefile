# make demo and make test do everything from a fresh Debian 12 machine with Rust. They install what is missing with apt
# (tests/ensure-packages.sh says what) where this user may, and say what is missing where not.

CARGO ?= cargo
# For the demo: make demo ARGS=--exit
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo test crash lint letters lint-letters bench bench-full schema

help: ## show this
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name what; do \
		printf '  make %-13s %s\n' "$$name" "$$what"; done

demo: ## a private Postgres, the sandbox, the sidecar and sample users, to look at (ARGS=--exit: stop when done)
	@sh tests/ensure-packages.sh build server
	@$(CARGO) run --locked --quiet -- demo $(ARGS)

test: lint ## format, lints, build and every test (installs PostgreSQL, pg_cron, pgTAP, plpgsql_check)
	@sh tests/ensure-packages.sh build server tests
	$(CARGO) build --locked
	REQUIRE_PG_TOOLS=1 $(CARGO) test --locked

crash: ## 200 times kill -9 while 3 sidecars drain 20,000 letters, for Resend and for Postmark (CRASH_SEED repeats a run)
	@sh tests/ensure-packages.sh build server
	CRASH_CYCLES=$${CRASH_CYCLES:-200} CRASH_LETTERS=$${CRASH_LETTERS:-20000} CRASH_SIDECARS=$${CRASH_SIDECARS:-3} \
		$(CARGO) test --locked --test it crash:: -- --nocapture --test-threads 1

lint: ## rustfmt and clippy, warnings are errors; squawk and pgspot; the letters with the tools that are installed
	@sh tests/ensure-packages.sh build lint
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	@sh tests/lint/sql.sh
	@$(MAKE) --no-print-directory letters

letters:
	@$(CARGO) run --locked --quiet -- preview --out target/letters
	@sh tests/lint/letters.sh target/letters

lint-letters: ## the letters against html-validate, axe-core, caniemail, SpamAssassin and a French dictionary (installs them)
	@sh tests/ensure-packages.sh build letters
	@LINT_STRICT=1 $(MAKE) --no-print-directory letters

bench: ## measurements against a yardstick: draining, latency, producers, idling, rendering (about ten minutes)
	@sh tests/ensure-packages.sh build server
	$(CARGO) bench --locked --bench scale
	$(CARGO) bench --locked --bench render

bench-full: ## the same with the long parts: five million journal rows, ten minutes at a thousand letters a second
	@sh tests/ensure-packages.sh build server
	$(CARGO) bench --locked --bench scale -- --full

schema: ## write tests/schema.sql anew, after a change of the schema that is meant
	@sh tests/ensure-packages.sh build server tests
	UPDATE_GOLDEN=1 REQUIRE_PG_TOOLS=1 $(CARGO) test --locked --quiet --test it schema_dump
