#!/bin/sh
# Runs the integration tests against PostgreSQL servers of other major versions, and prints a summary.
#
#   sh tests/on-versions.sh 18          the newest, which make test does
#   sh tests/on-versions.sh all         14 to 18, which make test-all does
#
# tests/pg-versions.sh brings the servers; a version that is not to be had is skipped, and said so.  They are servers alone: tests
# that need psql, pg_dump, pg_cron, pgTAP or plpgsql_check are skipped with them, each with a line in the summary.
set -u

cd "$(dirname "$0")/.." || exit 1
[ "$*" != all ] || set -- 14 15 16 17 18
logs=target/pg/logs
mkdir -p "$logs"
failed=0
summary=
for major in "$@"; do
    if ! sh tests/pg-versions.sh "$major"; then
        summary="$summary
PostgreSQL $major: skipped, it could not be fetched"
        continue
    fi
    bin=$PWD/target/pg/$major/bin
    log=$logs/$major.log
    echo "on-versions: running the integration tests against $("$bin/postgres" --version) (log: $log)"
    if env -u REQUIRE_PG_TOOLS "SEQPULSE_PG_BIN=$bin" "${CARGO:-cargo}" test --locked --quiet --test it -- --show-output >"$log" 2>&1; then
        outcome=passed
    else
        outcome=FAILED
        failed=1
        sed -n '/^failures:/,$p' "$log" | tail -60
    fi
    summary="$summary
$("$bin/postgres" --version | sed 's/postgres (\(.*\))/\1/'): $outcome, $(grep '^test result:' "$log" | tail -1 | sed 's/^test result: [A-Za-z]*\. //; s/; 0 measured.*finished/; finished/')$(
        grep '^skipped: ' "$log" | sed 's/^skipped: //; s/ (tests\/it.*//' | sort | uniq -c | sed 's/^ *\([0-9]*\) /    \1 skipped: /; 1s/^/\n/'
    )"
done
printf '%s\n' "$summary"
exit $failed
