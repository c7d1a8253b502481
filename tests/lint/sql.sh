#!/bin/sh
# Checks the SQL with other people's linters: squawk (migrations that lock or rewrite) and pgspot (what a hostile search_path
# could reach).
#
#     tests/lint/sql.sh
#
# Both come from PyPI into target/lint/venv; where that cannot be had they are skipped with a line that says so.
# LINT_STRICT=1 makes that a failure.
set -eu

cd "$(dirname "$0")/../.."
venv=target/lint/venv
if ! [ -x "$venv/bin/squawk" ] || ! [ -x "$venv/bin/pgspot" ]; then
    if ! { python3 -m venv "$venv" && "$venv/bin/pip" install --quiet --disable-pip-version-check squawk-cli==2.70.0 pgspot==0.9.4; } >/dev/null 2>&1; then
        echo "skipped: squawk and pgspot need python3-venv and PyPI"
        exit "${LINT_STRICT:-0}"
    fi
fi

"$venv/bin/squawk" --config .squawk.toml --reporter gcc migrations/*.sql
echo "ok: squawk"

# As migrate runs them: the search_path is set before the first file.  PS002 is about create or replace, which is what the
# repeatable files are; PS012 and PS014 about create table and create index if not exists, which adopt an existing journal.  email_now(),
# email_urgent(), email_journaled() and email_delivery_id() have no pinned search_path, so that they can be inlined; their bodies are qualified.
prelude=$(mktemp)
trap 'rm -f "$prelude"' EXIT
echo "set search_path = pg_catalog, pg_temp;" >"$prelude"
failed=0
for file in migrations/*.sql sql/core/*.sql sql/triggers/*.sql; do
    inlined=
    case $file in
    # Functions that must be inlined, as their comments say.
    sql/core/24_figures.sql | sql/core/62_activity.sql | sql/core/84_kpi_facts.sql | sql/triggers/E-TRX-01_* | sql/triggers/E-ACT-0[1-5]_*)
        inlined='--ignore PS001 --ignore PS005 --ignore PS016'
        ;;
    esac
    # shellcheck disable=SC2086
    if ! report=$("$venv/bin/pgspot" --append --ignore PS002 --ignore PS012 --ignore PS014 --proc-without-search-path 'public.email_now()' --proc-without-search-path 'public.email_urgent(rank integer)' \
        --proc-without-search-path 'public.email_journaled(key text,delivery_id uuid)' --proc-without-search-path 'public.email_delivery_id(enqueued_at timestamptz,dedupe_key text)' $inlined \
        "$prelude" "$file" 2>&1); then
        echo "$file:"
        echo "$report"
        failed=1
    fi
done
[ "$failed" = 0 ] || exit 1
echo "ok: pgspot"
