#!/bin/sh
# How long every scan takes at 200,000 users, 400,000 projects and 2,000,000 deployments, and by which plan.
#
#   benches/scans.sh [--index] [--plans]
#
# Starts a throw-away PostgreSQL of its own (loopback only, a free directory, removed at the end), fills it and prints one line
# per scan.  --index builds the optional index of docs/scans.md first; --plans prints EXPLAIN (ANALYZE, BUFFERS) of what each
# scan ran.  USERS, PROJECTS and DEPLOYMENTS change the size.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
users=${USERS:-200000} projects=${PROJECTS:-400000} deployments=${DEPLOYMENTS:-2000000}
index=false plans=false
for option in "$@"; do
    case $option in
        --index) index=true ;;
        --plans) plans=true ;;
        *) echo "usage: $0 [--index] [--plans]" >&2; exit 2 ;;
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
# What a server of this size would have; fsync is off because only reading is measured.
cat >> "$dir/data/postgresql.conf" <<CONF
listen_addresses = ''
unix_socket_directories = '$dir'
fsync = off
shared_buffers = 1GB
effective_cache_size = 3GB
work_mem = 16MB
maintenance_work_mem = 256MB
max_wal_size = 4GB
random_page_cost = 1.1
CONF
as "'$bin/pg_ctl' -D '$dir/data' -w -l '$dir/log' start >/dev/null"
export PGHOST="$dir" PGUSER=postgres PGDATABASE=bench PGOPTIONS='-c client_min_messages=warning'
createdb bench

psql -qX -v ON_ERROR_STOP=1 -f "${SCHEMA:-$root/tests/seqpulse_schema.sql}"
psql -qX -v ON_ERROR_STOP=1 -c 'create table public.email_schema_history (version integer primary key, name text, applied_on text, checksum text)'
for file in "$root"/migrations/V01__*.sql "$root"/sql/core/0*.sql "$root"/migrations/V0[2-9]__*.sql "$root"/sql/core/[1-9]*.sql "$root"/sql/triggers/*.sql; do
    psql -qX1 -v ON_ERROR_STOP=1 -f "$file" >/dev/null
done
echo "filling: $users users, $projects projects, $deployments deployments" >&2
psql -qX -v users="$users" -v projects="$projects" -v deployments="$deployments" -f "$root/benches/scans_data.sql" >/dev/null
if $index; then
    psql -qX -c 'create index concurrently deployments_started_at on public.deployments using brin (started_at) with (pages_per_range = 32)' -c 'analyze public.deployments'
fi

# One scan, each run in a session of its own as pg_cron makes it: the first enqueues, the second finds all of it known.
scan() {
    psql -qX -c "alter database bench set email.clock_offset = '$(psql -qXAtc "select extract(epoch from timestamptz '$2' - now()) || ' seconds'")'"
    if $plans; then
        PGOPTIONS="$PGOPTIONS -c session_preload_libraries=auto_explain -c auto_explain.log_min_duration=0 -c auto_explain.log_analyze=on -c auto_explain.log_buffers=on -c auto_explain.log_nested_statements=on -c auto_explain.log_timing=off" \
            psql -qX -c "set client_min_messages = log" -c "select count(*) from public.email_audience('$1')" 2>&1
    fi
    first=$(run "$1") second=$(run "$1")
    psql -qXAt -c "select format('%-9s  every %-8s  first run %6s ms  repeated %6s ms  letters %6s', '$1', s.every, $first, $second, (select count(*) from public.email_outbox o where o.email_type = '$1')) || coalesce('  ' || s.last_error, '') from public.email_schedules s where s.code = '$1'"
}
run() {
    psql -qXAt -c "select email_run_schedule('scan $1')" >/dev/null
    psql -qXAtc "select round(1000 * extract(epoch from last_duration)) from public.email_schedules where code = '$1'"
}
for code in E-CONV-01 E-CONV-02 E-RET-01 E-RET-02 E-RET-03 E-RET-04 E-ADV-01; do
    scan "$code" '2026-03-30 05:30Z'
done
scan E-CONV-05 '2026-04-01 05:30Z'
