#!/usr/bin/env bash
# What our triggers add to the application's own statements.
#
# Starts a throw-away cluster (fsync on), loads SEQPULSE's schema and ours, and runs each statement with pgbench:
#   none      without our triggers on it
#   bare      without them, the same statement inserting the outbox rows they would have enqueued: one statement, the least there is
#   trigger   as installed
#   by_hand   without them, as an application would write it: BEGIN, the statement, an INSERT of the outbox rows, COMMIT
#   in_tx     as installed: BEGIN, the statement, COMMIT
# Runs that are compared take turns of a quarter of a second, the others stopped meanwhile, so that they share the machine's moods;
# each has its turns for SECONDS_PER_RUN.  Prints the median latencies of the first three at one client, what the triggers add to
# it, and the throughput of trigger against bare and of in_tx against by_hand at 1 and at 8 clients.  A statement that causes
# nothing is compared with itself without triggers.
#
# A case is a statement of the application, with all triggers it fires, or a code: then that code's trigger alone is installed.
#
# usage: benches/triggers.sh [case…|codes]     SECONDS_PER_RUN=6 SCALE=2000 (users; 2 projects each, 20 deployments each)
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
seconds=${SECONDS_PER_RUN:-6}
scale=${SCALE:-2000}
bin=${PGBIN:-$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1)}
schema=${SEQPULSE_SCHEMA:-tests/seqpulse_schema.sql}
export PATH=${bin:+$bin:}$PATH
unset PGPORT PGDATABASE PGSERVICE # the server and its clients read the same environment

dir=$(mktemp -d)
as=()
if [ "$(id -u)" = 0 ]; then # Postgres does not run as root
    chown postgres "$dir"
    as=(setpriv --reuid=postgres --regid=postgres --clear-groups env "HOME=$dir" "PATH=$PATH")
fi
stop() {
    cd /
    # shellcheck disable=SC2046
    kill -KILL $(jobs -p) 2>/dev/null || true # the runs of pgbench that wait for their turn
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
autovacuum_naptime = 10s
CONF
"${as[@]}" pg_ctl -D "$dir/data" -l "$dir/log" -w start >/dev/null
export PGHOST=$dir PGUSER=postgres PGOPTIONS='-c client_min_messages=warning'
cd "$root"

load() { psql -qX -v ON_ERROR_STOP=1 -d "$1" -o /dev/null "${@:2}"; }
createdb installed
load installed -f "$schema" -c 'create table public.email_schema_history (version integer primary key, name text, applied_on text, checksum text)'
for file in migrations/V01__*.sql sql/core/0*.sql migrations/V0[2-9]__*.sql sql/core/[1-9]*.sql sql/triggers/*.sql; do
    load installed -1 -f "$file"
done
# A history our triggers have not seen: every project has finished deployments with verdicts, every user has logged in.
load installed -c "set session_replication_role = replica" -c "
insert into public.users (name, email, hashed_password, created_at)
select 'User ' || n, n || '@bench.example', 'x', now() - interval '1 year' from generate_series(1, $scale) n" -c "
insert into public.projects (name, owner_id, api_key, hmac_secret, created_at)
select 'Project ' || n, u.id, gen_random_uuid(), gen_random_uuid(), now() - interval '1 year' from public.users u, generate_series(1, 2) n" -c "
insert into public.deployments (deployment_number, project_id, env, state, started_at, finished_at)
select n, p.id, 'prod', 'analyzed', now() - make_interval(days => n), now() from public.projects p, generate_series(1, 20) n" -c "
insert into public.deployment_verdicts (deployment_id, verdict, confidence, created_at)
select d.id, 'ok', 0.5, d.started_at from public.deployments d" -c "
insert into public.email_signals (kind, user_id, payload, occurred_at)
select 'login', u.id, '{\"ip\": \"203.0.113.24\", \"country\": \"FR\", \"device\": \"Firefox\"}', now() - make_interval(days => n)
from public.users u, generate_series(1, 50) n"
load installed -c "
create table bench_ids (n int primary key, user_id uuid, project_id uuid, deployment_id uuid)" -c "
insert into bench_ids select row_number() over (), u.id, p.id, d.id
from public.users u
join lateral (select p.id from public.projects p where p.owner_id = u.id limit 1) p on true
join lateral (select d.id from public.deployments d where d.project_id = p.id order by deployment_number limit 1) d on true" -c "
create sequence bench_numbers start 1000" -c "vacuum analyze"
createdb -T installed without
load without -c "do \$\$
declare
    t record;
begin
    for t in
        select g.tgrelid::regclass as relation, g.tgname from pg_trigger g join pg_class c on c.oid = g.tgrelid
        where not g.tgisinternal and g.tgname like 'email\_%' and g.tgname <> 'email_signals_fill'
        and (c.relname not like 'email\_%' or c.relname = 'email_signals')
    loop
        execute format('alter table %s disable trigger %I', t.relation, t.tgname);
    end loop;
end \$\$"

# Each case (pgbench takes a colon and a word for one of its variables, also in quotes): the application's statement, and its outbox rows by hand from f, the rows it made ("" where it causes none).
declare -A statement bare
one="from bench_ids where n = :r"
statement[user-signs-up]="insert into public.users (name, email, hashed_password) values ('Nassir Martin', gen_random_uuid() || '@x.example', 'x')"
bare[user-signs-up]="insert into public.email_outbox (email_type, user_id, dedupe_key, run_at)
select k.email_type, f.id, k.prefix || f.id, now() + k.delay
from f, (values ('E-TRX-01', 'welcome_signup:', interval '0'), ('E-ACT-01', 'no_project_after_signup:', '2 hours')) k (email_type, prefix, delay)"
statement[bulk-sign-up]="insert into public.users (name, email, hashed_password) select 'Nassir Martin', gen_random_uuid() || '@x.example', 'x' from generate_series(1, 500)"
bare[bulk-sign-up]=${bare[user-signs-up]}
statement[user-updated]="update public.users set updated_at = now() where id = (select user_id $one)"
statement[twofa-changed]="update public.users set twofa_enabled = not twofa_enabled where id = (select user_id $one)"
bare[twofa-changed]="insert into public.email_outbox (email_type, user_id, dedupe_key, payload, run_at)
select 'E-SEC-01', f.id, 'twofa_changed:' || f.id || ':' || 'on' || ':' || floor(1000000 * extract(epoch from clock_timestamp())),
jsonb_build_object('enabled', true, 'changed_at', now()), now() from f"
statement[project-created]="insert into public.projects (name, owner_id, api_key, hmac_secret) select 'Project', user_id, gen_random_uuid(), gen_random_uuid() $one"
bare[project-created]="insert into public.email_outbox (email_type, user_id, project_id, dedupe_key, run_at)
select 'E-ACT-02', f.owner_id, f.id, 'no_deployment_after_project:' || f.id, now() + interval '24 hours' from f"
statement[project-updated]="update public.projects set updated_at = now() where id = (select project_id $one)"
statement[deployment-started]="insert into public.deployments (deployment_number, project_id, env, state) select nextval('bench_numbers'), project_id, gen_random_uuid(), 'running' $one"
statement[deployment-updated]="update public.deployments set duration_ms = coalesce(duration_ms, 0) + 1 where id = (select deployment_id $one)"
new_deployment="with d as (insert into public.deployments (deployment_number, project_id, env, state) select nextval('bench_numbers'), project_id, 'prod', 'analyzed' $one returning id)"
statement[verdict-ok]="$new_deployment insert into public.deployment_verdicts (deployment_id, verdict, confidence) select id, 'ok', 0.9 from d"
statement[verdict-critical]="$new_deployment insert into public.deployment_verdicts (deployment_id, verdict, confidence) select id, 'warning', 0.9 from d"
bare[verdict-critical]="insert into public.email_outbox (email_type, user_id, project_id, dedupe_key, payload, run_at)
select 'E-ACT-05', i.user_id, i.project_id, 'critical_verdict_alert:' || f.deployment_id,
jsonb_build_object('deployment_id', f.deployment_id, 'verdict', f.verdict), now() from f, bench_ids i where i.n = :r"
signal="insert into public.email_signals (kind, user_id, project_id, payload) select"
facts="f.payload || jsonb_build_object('occurred_at', f.occurred_at, 'signal_id', f.id"
statement[login-known]="$signal 'login', user_id, null::uuid, '{\"ip\": \"203.0.113.24\", \"country\": \"FR\", \"device\": \"Firefox\"}'::jsonb $one"
statement[login-new]="$signal 'login', user_id, null::uuid, jsonb_build_object('ip', '203.0.113.24', 'country', 'FR', 'device', gen_random_uuid()) $one"
bare[login-new]="insert into public.email_outbox (email_type, user_id, dedupe_key, payload, run_at)
select 'E-SEC-02', f.user_id, 'suspicious_login:' || f.id, $facts, 'new_device', true), f.occurred_at from f"
statement[payment-failed]="$signal 'payment_failed', user_id, project_id, jsonb_build_object('invoice_id', gen_random_uuid(), 'amount', 4900, 'currency', 'EUR') $one"
bare[payment-failed]="insert into public.email_outbox (email_type, user_id, project_id, dedupe_key, payload, run_at)
select 'E-BILL-01', f.user_id, f.project_id, 'payment_failed:' || (f.payload ->> 'invoice_id') || ':' || s.step, $facts, 'step', s.step), f.occurred_at + s.delay
from f, (values ('J0', interval '0'), ('J3', '3 days'), ('J7', '7 days'), ('J10', '10 days')) s (step, delay)"
statement[payment-succeeded]="$signal 'payment_succeeded', user_id, project_id, jsonb_build_object('invoice_id', gen_random_uuid(), 'amount', 4900, 'currency', 'EUR') $one"
bare[payment-succeeded]="insert into public.email_outbox (email_type, user_id, project_id, dedupe_key, payload, run_at)
select 'E-BILL-02', f.user_id, f.project_id, 'payment_succeeded:' || (f.payload ->> 'invoice_id'), $facts), f.occurred_at from f"
statement[invitation]="$signal 'invitation_created', user_id, project_id, jsonb_build_object('invitation_id', gen_random_uuid(), 'invitee_email', 'x@acme.example') $one"
bare[invitation]="insert into public.email_outbox (email_type, user_id, project_id, to_email, dedupe_key, payload, run_at)
select 'E-TRX-02', f.user_id, f.project_id, f.payload ->> 'invitee_email', 'invitation:' || (f.payload ->> 'invitation_id') || ':' || s.step, $facts, 'step', s.step), f.occurred_at + s.delay
from f, (values ('J0', interval '0'), ('J2', '2 days'), ('J5', '5 days')) s (step, delay)"
statement[pro-feature]="$signal 'pro_feature_attempted', user_id, project_id, jsonb_build_object('feature', gen_random_uuid()) $one"
bare[pro-feature]="insert into public.email_outbox (email_type, user_id, project_id, dedupe_key, payload, run_at)
select 'E-CONV-04', f.user_id, f.project_id, 'pro_feature:' || f.user_id || ':' || (f.payload ->> 'feature') || ':2026-03', $facts), f.occurred_at from f"
# The codes: the trigger, and a statement that always causes its letter.
new_user="with u as (insert into public.users (name, email, hashed_password) values ('Nassir Martin', gen_random_uuid() || '@x.example', 'x') returning id)"
new_project="with p as (insert into public.projects (name, owner_id, api_key, hmac_secret) select 'Project', user_id, gen_random_uuid(), gen_random_uuid() $one returning id, owner_id)"
declare -A only=(
    [E-TRX-01]="users email_trx_01_insert" [E-TRX-02]="email_signals email_trx_02_signal" [E-SEC-01]="users email_sec_01_update"
    [E-SEC-02]="email_signals email_sec_02_signal" [E-ACT-01]="users email_act_01_insert" [E-ACT-02]="projects email_act_02_insert"
    [E-ACT-03]="deployments email_act_03_insert" [E-ACT-04]="deployment_verdicts email_act_04_insert"
    [E-ACT-05]="deployment_verdicts email_act_05_insert" [E-CONV-03]="email_signals email_conv_03_signal"
    [E-CONV-04]="email_signals email_conv_04_signal" [E-ADV-02]="email_signals email_adv_02_signal"
    [E-BILL-01]="email_signals email_bill_01_signal" [E-BILL-02]="email_signals email_bill_02_signal"
)
for same in E-TRX-02=invitation E-SEC-01=twofa-changed E-SEC-02=login-new E-ACT-02=project-created E-ACT-05=verdict-critical \
    E-CONV-04=pro-feature E-BILL-01=payment-failed E-BILL-02=payment-succeeded; do
    statement[${same%=*}]=${statement[${same#*=}]}
    bare[${same%=*}]=${bare[${same#*=}]}
done
statement[E-TRX-01]=${statement[user-signs-up]}
bare[E-TRX-01]="insert into public.email_outbox (email_type, user_id, dedupe_key, run_at) select 'E-TRX-01', f.id, 'welcome_signup:' || f.id, now() from f"
statement[E-ACT-01]=${statement[user-signs-up]}
bare[E-ACT-01]="insert into public.email_outbox (email_type, user_id, dedupe_key, run_at)
select 'E-ACT-01', f.id, 'no_project_after_signup:' || f.id, now() + interval '2 hours' from f"
statement[E-ACT-03]="$new_project insert into public.deployments (deployment_number, project_id, env, state) select 1, id, 'prod', 'running' from p"
bare[E-ACT-03]="insert into public.email_outbox (email_type, user_id, project_id, dedupe_key, payload, run_at)
select 'E-ACT-03', i.user_id, f.project_id, 'deployment_never_finished:' || f.project_id, jsonb_build_object('deployment_id', f.id),
now() + interval '48 hours' from f, bench_ids i where i.n = :r"
statement[E-ACT-04]="$new_project, d as (insert into public.deployments (deployment_number, project_id, env, state) select 1, id, 'prod', 'analyzed' from p returning id)
insert into public.deployment_verdicts (deployment_id, verdict, confidence) select id, 'ok', 0.9 from d"
bare[E-ACT-04]="insert into public.email_outbox (email_type, user_id, project_id, dedupe_key, payload, run_at)
select 'E-ACT-04', i.user_id, i.project_id, 'first_verdict_available:' || f.deployment_id, jsonb_build_object('deployment_id', f.deployment_id), now()
from f, bench_ids i where i.n = :r"
statement[E-CONV-03]="$new_project insert into public.email_signals (kind, user_id, project_id, payload) select 'quota_refused', owner_id, id, '{}' from p"
bare[E-CONV-03]="insert into public.email_outbox (email_type, user_id, project_id, dedupe_key, payload, run_at)
select 'E-CONV-03', f.user_id, f.project_id, 'free_quota_reached:' || f.project_id || ':2026-03', $facts), f.occurred_at from f"
statement[E-ADV-02]="$new_user insert into public.email_signals (kind, user_id, project_id, payload) select 'nps_answered', id, null::uuid, '{\"score\": 10}'::jsonb from u"
bare[E-ADV-02]="insert into public.email_outbox (email_type, user_id, dedupe_key, payload, run_at)
select 'E-ADV-02', f.user_id, 'review_request:' || f.user_id, jsonb_build_object('score', f.payload -> 'score', 'signal_id', f.id), f.occurred_at + interval '1 day' from f"
cases=("$@")
if [ "$*" = codes ]; then
    mapfile -t cases < <(printf '%s\n' "${!only[@]}" | sort)
elif [ ${#cases[@]} = 0 ]; then
    cases=(user-signs-up user-updated twofa-changed project-created project-updated deployment-started deployment-updated
        verdict-ok verdict-critical login-known login-new payment-succeeded payment-failed invitation pro-feature bulk-sign-up)
fi

# The row a statement answered, as pgbench's variables f_id and so on, for the INSERT that follows it.
answered() { # statement
    case $1 in
        *email_signals*) echo "(select :f_id::bigint as id, nullif(:f_user_id, '')::uuid as user_id, nullif(:f_project_id, '')::uuid as project_id, :f_payload::jsonb as payload, :f_occurred_at::timestamptz as occurred_at) f" ;;
        *deployment_verdicts*) echo "(select :f_deployment_id::uuid as deployment_id, :f_verdict as verdict) f" ;;
        *deployments*) echo "(select :f_id::uuid as id, :f_project_id::uuid as project_id) f" ;;
        *projects*) echo "(select :f_id::uuid as id, :f_owner_id::uuid as owner_id) f" ;;
        *) echo "(select :f_id::uuid as id) f" ;;
    esac
}
# The script of a variant of a case, and its database.
script() { # case variant
    local sql=${statement[$1]}
    if [ "$2" = bare ] && [ -n "${bare[$1]:-}" ]; then # one statement: the strongest bare insert there is
        case $sql in
            with*) sql="${sql/)[[:space:]]insert into/), f as (insert into} returning *) ${bare[$1]}" ;;
            *) sql="with f as ($sql returning *) ${bare[$1]}" ;;
        esac
        sql="$sql on conflict (dedupe_key) do nothing"
    fi
    case $2 in
        in_tx) sql="begin; $sql; commit" ;;
        by_hand)
            if [ -n "${bare[$1]:-}" ]; then
                local insert=${bare[$1]}
                sql="begin; $sql returning *"$'\n\\gset f_\n'"${insert/from f/from $(answered "$sql")} on conflict (dedupe_key) do nothing; commit"
            else
                sql="begin; $sql; commit"
            fi
            ;;
    esac
    printf '\\set r random(1, %s)\n%s;\n' "$scale" "${sql//; /;$'\n'}"
}
database() { case $1 in trigger | in_tx) echo "$with" ;; *) echo without ;; esac }
# Runs variants of a case in turns.  Answers for each: transactions in its turns, and their median latency in microseconds.
take_turns() { # case clients variant…
    local name=$1 clients=$2 variant turn started ended
    shift 2
    local length=$(($# * (seconds + 1) + 3)) # pgbench's own end: a killed one keeps the last lines of its log
    local -A run=()
    rm -f "$dir"/turn.*
    for variant; do
        script "$name" "$variant" >"$dir/turn.$variant.sql"
        (cd "$dir" && exec pgbench -n -M prepared -c "$clients" -j 2 -T "$length" -l --log-prefix="turn.$variant.log" -f "turn.$variant.sql" "$(database "$variant")" >"turn.$variant.out" 2>&1) &
        run[$variant]=$!
        sleep 1 # sessions and their plans are made before anything counts
        kill -STOP "${run[$variant]}" || { cat "$dir/turn.$variant.out" >&2; exit 1; }
    done
    started=$(date +%s.%N)
    for ((turn = 0; turn < 4 * seconds; turn++)); do
        for variant; do
            kill -CONT "${run[$variant]}"
            sleep 0.25
            kill -STOP "${run[$variant]}"
        done
    done
    ended=$(date +%s.%N)
    for variant; do kill -CONT "${run[$variant]}"; done
    for variant; do
        wait "${run[$variant]}" || { cat "$dir/turn.$variant.out" >&2; exit 1; }
        cat "$dir/turn.$variant.log".* | awk -v from="$started" -v to="$ended" '
            $5 + $6 / 1000000 >= from && $5 + $6 / 1000000 <= to {print $3}' >"$dir/turn.$variant.latencies"
        echo "$variant $(wc -l <"$dir/turn.$variant.latencies") $(middle <"$dir/turn.$variant.latencies")"
    done
}
middle() { sort -n | awk '{a[NR] = $1} END {print a[int((NR + 1) / 2)]}'; }

printf '%-18s| %6s %6s %6s %8s | %9s %5s %9s %5s | %7s %5s %7s %5s\n' 'median latency, us' \
    none bare trig added_ms trig_tps1 ratio trig_tps8 ratio in_tx1 ratio in_tx8 ratio
for name in "${cases[@]}"; do
    base=bare
    [ -n "${bare[$name]:-}" ] || base=none
    with=installed
    if [ -n "${only[$name]:-}" ]; then
        with=alone
        createdb -T without alone
        read -r relation trigger <<<"${only[$name]}"
        load alone -c "alter table public.$relation enable trigger $trigger"
    fi
    {
        take_turns "$name" 1 none bare trigger
        take_turns "$name" 8 "$base" trigger
        if [ "$name" != bulk-sign-up ]; then # many rows cannot be handed on from one statement to the next
            take_turns "$name" 1 by_hand in_tx
            take_turns "$name" 8 by_hand in_tx
        fi
    } >"$dir/results"
    awk -v name="$name" -v base="$base" -v seconds="$seconds" '
        {if (($1, 1) in n) {n[$1, 8] = $2} else {n[$1, 1] = $2; l[$1] = $3}}
        function per_second(v, c) {return n[v, c] / seconds}
        function ratio(a, b, c) {return n[b, c] ? sprintf("%.2f", n[a, c] / n[b, c]) : "-"}
        END {printf "%-18s| %6d %6d %6d %8.3f | %9.0f %5s %9.0f %5s | %7.0f %5s %7.0f %5s\n",
            name, l["none"], l["bare"], l["trigger"], (l["trigger"] - l["none"]) / 1000,
            per_second("trigger", 1), ratio("trigger", base, 1), per_second("trigger", 8), ratio("trigger", base, 8),
            per_second("in_tx", 1), ratio("in_tx", "by_hand", 1), per_second("in_tx", 8), ratio("in_tx", "by_hand", 8)}' "$dir/results"
    missed=$(psql -qXAt -F ': ' -d "$with" -c "select count(*), email_type, min(error) from public.email_trigger_errors group by email_type")
    if [ -n "$missed" ]; then # kept, to be replayed, as when the application's statement must not wait for a lock any longer
        echo "facts put off by the guard: $missed"
        load "$with" -c "truncate public.email_trigger_errors"
    fi
    [ "$with" = installed ] || dropdb --force alone
done
