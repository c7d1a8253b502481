#!/usr/bin/env bash
# How long `migrate` holds anybody up while it adopts a big journal.
#
# Starts a throw-away cluster (fsync on), makes SEQPULSE's schema with the application's own journal of ROWS rows and 1000 pending
# jobs, and runs the real `migrate` while four clients of each probe go on: reading the journal by key, writing it, signing users up
# with a job for their welcome, and updating deployments.  Prints what migrate said, and the longest time any statement of each
# probe took before and during it.
#
#   plain     the journal as the application made it
#   lacking   without the indexes that are needed, which are built meanwhile
#   busy      as it made it, while somebody holds every table open for seconds at a time (reports, slow requests)
#
# usage: benches/adoption.sh [plain] [lacking] [busy]     ROWS=1000000 SECONDS_PER_RUN=60
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
rows=${ROWS:-1000000}
seconds=${SECONDS_PER_RUN:-60}
bin=${PGBIN:-$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1)}
export PATH=${bin:+$bin:}$PATH
unset PGPORT PGDATABASE PGSERVICE # the server and its clients read the same environment
mailer=${MAILER:-target/release/seqpulse-mailer}
[ -x "$mailer" ] || cargo build --release --locked

dir=$(mktemp -d)
as=()
if [ "$(id -u)" = 0 ]; then # Postgres does not run as root
    chown postgres "$dir"
    as=(setpriv --reuid=postgres --regid=postgres --clear-groups env "HOME=$dir" "PATH=$PATH")
fi
stop() {
    cd /
    "${as[@]}" pg_ctl -D "$dir/data" -m immediate stop >/dev/null 2>&1 || true
    rm -rf "$dir"
}
trap stop EXIT
cd "$dir"
"${as[@]}" initdb -D "$dir/data" -U postgres -A trust >/dev/null
cat >>"$dir/data/postgresql.conf" <<CONF
listen_addresses = ''
unix_socket_directories = '$dir'
fsync = on
shared_buffers = 512MB
max_wal_size = 4GB
checkpoint_timeout = 30min
CONF
"${as[@]}" pg_ctl -D "$dir/data" -l "$dir/log" -w start >/dev/null
export PGHOST=$dir PGUSER=postgres PGOPTIONS='-c client_min_messages=warning'
cd "$root"

run() { psql -qX -v ON_ERROR_STOP=1 -d "$1" -o /dev/null "${@:2}"; }
createdb template
run template -f tests/seqpulse_schema.sql
# The journal stands in the schema's comments.
sed -n 's/^-- //; /^CREATE TABLE email_deliveries/,$p' tests/seqpulse_schema.sql | run template -f -
run template -c "
insert into users (name, email, hashed_password, created_at)
select 'User ' || n, n || '@bench.example', 'x', now() - interval '1 year' from generate_series(1, 20000) n" -c "
insert into projects (name, owner_id, api_key, hmac_secret) select 'Project', id, gen_random_uuid(), gen_random_uuid() from users limit 2000" -c "
insert into deployments (deployment_number, project_id, env, state) select n, p.id, 'prod', 'analyzed' from projects p, generate_series(1, 10) n" -c "
insert into email_deliveries (id, user_id, email_type, dedupe_key, status, provider_message_id, payload_json, sent_at, created_at)
select gen_random_uuid(), u.id, 'E-TRX-01', 'history:' || n, case when n % 50 = 0 then 'suppressed' when n % 1000 = 1 then 'failed' else 'sent' end,
    'message-' || n, jsonb_build_object('to_email', u.email, 'subject', 'Bienvenue', 'context', jsonb_build_object('first_name', 'User')),
    now() - n * interval '20 seconds', now() - n * interval '20 seconds'
from generate_series(1, $rows) n
join (select id, email, row_number() over () as place from users) u on u.place = n % 20000 + 1" -c "
insert into scheduled_jobs (job_type, scheduled_at, job_metadata)
select 'email_send', now() + interval '1 hour', jsonb_build_object('user_id', id, 'to_email', email, 'email_type', 'E-TRX-01',
    'dedupe_key', 'welcome_signup:' || id, 'project_id', null, 'context', '{}'::jsonb)
from users limit 1000" -c "vacuum analyze"

cat >"$dir/read-journal.sql" <<'SQL'
\set n random(1, 1000)
select status from email_deliveries where dedupe_key = 'history:' || :n;
SQL
cat >"$dir/write-journal.sql" <<'SQL'
insert into email_deliveries (id, user_id, email_type, dedupe_key, status) select gen_random_uuid(), id, 'E-TRX-01', 'probe:' || gen_random_uuid(), 'sent' from users limit 1;
SQL
cat >"$dir/sign-up.sql" <<'SQL'
with u as (insert into users (name, email, hashed_password) values ('Nassir', gen_random_uuid() || '@x.example', 'x') returning id, email) insert into scheduled_jobs (job_type, scheduled_at, job_metadata) select 'email_send', now(), jsonb_build_object('user_id', id, 'to_email', email, 'email_type', 'E-TRX-01', 'dedupe_key', 'welcome_signup' || chr(58) || id) from u;
SQL
cat >"$dir/update-deployments.sql" <<'SQL'
\set n random(1, 10)
update deployments set duration_ms = coalesce(duration_ms, 0) + 1 where id = (select id from deployments where project_id = (select id from projects offset :n limit 1) limit 1);
SQL
# Holds every table of the application's open, a few seconds at a time.
cat >"$dir/hold.sql" <<'SQL'
begin;
select count(*) from (select from users limit 1) u, (select from projects limit 1) p, (select from deployments limit 1) d, (select from email_deliveries limit 1) e, (select from scheduled_jobs limit 1) j;
update users set updated_at = now() where id = (select id from users order by id limit 1);
\sleep 3 s
commit;
\sleep 1 s
SQL

# Runs every probe for so many seconds; each transaction's latency in microseconds is the third field of pgbench's log.
probe() {
    local database=$1 length=$2 where=$3
    mkdir -p "$where"
    for name in read-journal write-journal sign-up update-deployments; do
        (cd "$where" && pgbench -n -c 4 -R 400 -T "$length" -f "$dir/$name.sql" -l --log-prefix="$name" "$database" >/dev/null 2>"$name.err") &
    done
    wait
}
longest() { cat "$1/$2".* | awk '$3 ~ /^[0-9]+$/ && $3 - $7 > longest { longest = $3 - $7 } END { printf "%.0f", longest / 1000 }'; }

for variant in "${@:-plain}"; do
    createdb -T template "$variant"
    if [ "$variant" = lacking ]; then
        run lacking -c 'drop index uq_email_deliveries_dedupe_key, ix_email_deliveries_user_id, ix_email_deliveries_created_at' \
            -c 'alter table email_deliveries add constraint journal_once unique (dedupe_key)'
    fi
    probe "$variant" 10 "$dir/$variant-before"
    holder=
    if [ "$variant" = busy ]; then
        pgbench -n -T "$seconds" -f "$dir/hold.sql" busy >/dev/null 2>&1 &
        holder=$!
    fi
    probe "$variant" "$seconds" "$dir/$variant-during" &
    probes=$!
    sleep 3
    started=$(date +%s%N)
    DATABASE_URL="postgres:///$variant?host=$dir&user=postgres" "$mailer" migrate >"$dir/said"
    took=$((($(date +%s%N) - started) / 1000000))
    [ "$took" -lt $(((seconds - 4) * 1000)) ] || echo "migrate outlasted the probes: give SECONDS_PER_RUN more"
    wait "$probes" ${holder:+"$holder"}
    echo "== $variant: $rows rows, migrate took $took ms and said"
    grep -v '^applied' "$dir/said" | sed 's/^/   /'
    printf '   %-20s %22s %22s\n' probe 'longest before' 'longest during'
    for name in read-journal write-journal sign-up update-deployments; do
        printf '   %-20s %19s ms %19s ms\n' "$name" "$(longest "$dir/$variant-before" "$name")" "$(longest "$dir/$variant-during" "$name")"
        if grep -q ERROR "$dir/$variant-during/$name.err"; then grep -m1 ERROR "$dir/$variant-during/$name.err"; fi
    done
done
