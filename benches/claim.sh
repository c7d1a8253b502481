#!/bin/sh
# What the claim costs with every gate: milliseconds per 100 claimed rows, at 1,000,000 queued rows and 5,000,000 rows of the
# journal, and with empty tables.
#
#   benches/claim.sh [--plans]
#
# Starts a throw-away PostgreSQL of its own (loopback only, a free directory, removed at the end), fills it and claims in batches of
# 100, in one session, each claim a transaction: capped letters, uncapped ones, and both.  --plans prints EXPLAIN (ANALYZE,
# BUFFERS) of every statement of one claim.  USERS, QUEUED and JOURNAL change the size, CLAIMS how many claims are measured.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
users=${USERS:-200000} queued=${QUEUED:-1000000} journal=${JOURNAL:-5000000} claims=${CLAIMS:-50}
plans=false
for option in "$@"; do
    case $option in
        --plans) plans=true ;;
        *) echo "usage: $0 [--plans]" >&2; exit 2 ;;
    esac
done

bin=$(pg_config --bindir 2>/dev/null || true)
for candidate in "$bin" $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -rV); do
    if [ -x "$candidate/initdb" ]; then bin=$candidate; break; fi
done
[ -x "$bin/initdb" ] || { echo "no PostgreSQL server programs found" >&2; exit 1; }

dir=$(mktemp -d)
if [ "$(id -u)" = 0 ]; then
    chown postgres "$dir"
    as() { su postgres -s /bin/sh -c "$1"; }
else
    as() { sh -c "$1"; }
fi
stop() { as "'$bin/pg_ctl' -D '$dir/data' -m immediate stop" >/dev/null 2>&1 || true; rm -rf "$dir"; }
trap stop EXIT
trap 'exit 1' INT TERM
as "'$bin/initdb' -D '$dir/data' -A trust -U postgres --no-sync >/dev/null"
# What a server of this size would have; commits do not wait for the disk, so that the claim itself is what is measured.
cat >> "$dir/data/postgresql.conf" <<CONF
listen_addresses = ''
unix_socket_directories = '$dir'
fsync = off
synchronous_commit = off
shared_buffers = 1GB
effective_cache_size = 3GB
work_mem = 16MB
maintenance_work_mem = 256MB
max_wal_size = 4GB
random_page_cost = 1.1
autovacuum = off
CONF
as "'$bin/pg_ctl' -D '$dir/data' -w -l '$dir/log' start >/dev/null"
export PGHOST="$dir" PGUSER=postgres PGOPTIONS='-c client_min_messages=warning'

createdb template_bench
export PGDATABASE=template_bench
psql -qX -v ON_ERROR_STOP=1 -f "${SCHEMA:-$root/tests/seqpulse_schema.sql}"
psql -qX -v ON_ERROR_STOP=1 -c 'create table public.email_schema_history (version integer primary key, name text, applied_on text, checksum text)'
for file in "$root"/migrations/V01__*.sql "$root"/sql/core/0*.sql "$root"/migrations/V0[2-9]__*.sql "$root"/sql/core/[1-9]*.sql "$root"/sql/triggers/*.sql; do
    psql -qX1 -v ON_ERROR_STOP=1 -f "$file" >/dev/null
done

fill() {
    createdb -T template_bench "$1"
    psql -qX -d "$1" -v users="$2" -v queued="$3" -v journal="$4" -f "$root/benches/claim_data.sql" >/dev/null
}
# Prints the median and the worst of the measured claims, in milliseconds; the first five fill caches and plans.
measure() {
    psql -qX -d "$1" -v mix="$2" -v first="$3" -v due="$due" -f "$root/benches/claim_due.sql" >/dev/null
    psql -qXAt -d "$1" -c 'select pg_stat_reset()' >/dev/null
    {
        printf '%s\n' '\timing on'
        for _ in $(seq $((claims + 5))); do
            echo "select count(*) from public.email_claim('bench', 'resend', 100, interval '1 minute');"
        done
    } > "$dir/claims.sql"
    psql -qXAt -d "$1" -f "$dir/claims.sql" > "$dir/out"
    if [ "$(grep -c '^100$' "$dir/out")" != $((claims + 5)) ]; then
        echo "not every claim got 100 rows:" >&2; sort "$dir/out" | uniq -c | sort -rn | head -5 >&2; exit 1
    fi
    # The session has ended, so that its counts are in.
    psql -qXAt -d "$1" -c "select format('%s: %s rows were read in sequence', relname, seq_tup_read) from pg_stat_user_tables
        where relname in ('email_outbox', 'email_deliveries', 'users', 'email_marketing_slots', 'email_preferences') and seq_tup_read > 0" >&2
    sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p' "$dir/out" | tail -n +6 | sort -n | awk '{ t[NR] = $1 } END { printf "%.1f %.1f\n", t[int((NR + 1) / 2)], t[NR] }'
}

due=$(((claims + 10) * 100))
echo "filling: $users users, $queued queued, $journal in the journal" >&2
fill full "$users" "$queued" "$journal"
fill small $((3 * due)) 0 0
first=0
for mix in capped uncapped mixed; do
    full=$(measure full "$mix" "$first")
    small=$(measure small "$mix" "$first")
    echo "$mix $full $small" | awk '{ printf "%-9s per 100 rows: %5.1f ms (worst %5.1f); with empty tables %5.1f ms (worst %5.1f); ratio %.2f\n", $1, $2, $3, $4, $5, $2 / $4 }'
    if $plans; then
        PGOPTIONS="$PGOPTIONS -c session_preload_libraries=auto_explain -c auto_explain.log_min_duration=0 -c auto_explain.log_analyze=on -c auto_explain.log_buffers=on -c auto_explain.log_nested_statements=on -c auto_explain.log_timing=off" \
            psql -qX -d full -c "set client_min_messages = log" -c "select count(*) from public.email_claim('bench', 'resend', 100, interval '1 minute')" 2>&1
    fi
    for db in full small; do
        psql -qX -d "$db" -c "delete from public.email_outbox where status = 'sending' or run_at <= now()" -c 'vacuum public.email_outbox' >/dev/null
    done
    first=$((first + due))
done
