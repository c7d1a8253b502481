#!/bin/sh
# Installs what is missing, and only that, with apt where this user may; otherwise says what is missing.
#
#   sh tests/ensure-packages.sh [make] [build] [lint] [server] [tests] [versions] [letters] [screenshots]
#
#   make     make itself
#   build    what cargo needs to link, and a check that cargo is there
#   lint     a check that rustfmt and clippy are there
#   server   a PostgreSQL server, and pg_cron (without pg_cron the sidecar does its work)
#   letters  npm, Chromium, SpamAssassin, a French dictionary
#   screenshots  Chromium and pngquant
#   tests    pgTAP, pg_prove, plpgsql_check, psql and pg_dump, pgbouncer; a mail server, unless another one would have to go
#   versions npm, which brings other versions of PostgreSQL (without it they are skipped)
#
# Exits 1 when something that cannot be done without is missing and could not be installed.
set -eu

say() { printf '%s\n' "ensure-packages: $*" >&2; }
has() { command -v "$1" >/dev/null 2>&1; }
installed() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q ' installed$'; }

# Prints the directory of the newest server, as crates/throwaway/src/pg_bin.rs looks for it.
server_bin() {
    if [ -n "${SEQPULSE_PG_BIN:-}" ]; then
        printf '%s\n' "$SEQPULSE_PG_BIN"
        return
    fi
    for dir in $(printf '%s\n' /usr/lib/postgresql/*/bin /usr/pgsql-*/bin | sort -rV); do
        if [ -x "$dir/postgres" ] && [ -x "$dir/initdb" ]; then
            printf '%s\n' "$dir"
            return
        fi
    done
    postgres=$(command -v postgres || true)
    [ -z "$postgres" ] || dirname "$(readlink -f "$postgres")"
}

# The prefix of commands that need root: nothing, sudo, or "no".
root=no
if [ "$(id -u)" -eq 0 ]; then
    root=
elif has sudo && sudo -n true 2>/dev/null; then
    root='sudo -n'
fi

updated=no
log=
trap '[ -z "$log" ] || rm -f "$log"' EXIT

# Runs apt-get quietly: what it prints is shown only when it fails.
# shellcheck disable=SC2086
apt() {
    [ -n "$log" ] || log=$(mktemp)
    $root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@" >"$log" 2>&1 </dev/null && return
    cat "$log" >&2
    return 1
}

# install WHY PACKAGE…: true when they are there afterwards.
install() {
    why=$1
    shift
    if ! has apt-get; then
        say "missing: $why. This is not Debian or Ubuntu; there the packages are: $*"
        return 1
    fi
    if [ "$root" = no ]; then
        say "missing: $why. Not root and no passwordless sudo, so please run: sudo apt-get install $*"
        return 1
    fi
    say "installing $* ($why)"
    if [ "$updated" = no ]; then
        apt update || say "apt-get update failed; trying with what is known"
        updated=yes
    fi
    apt install -y --no-install-recommends "$@"
}

# Sets "missing" to those of its arguments that dpkg does not know as installed.
find_missing() {
    missing=
    for package in "$@"; do
        installed "$package" || missing="$missing $package"
    done
}

failed=no
for group in "$@"; do
    case $group in
    make)
        has make || install "make" make || failed=yes
        ;;
    build)
        # gcc only recommends the headers and start files that linking needs.
        has cc || install "a C compiler and linker for cargo" gcc libc6-dev || failed=yes
        if ! has cargo; then
            say "missing: cargo. Debian's own is too old; install Rust from https://rustup.rs"
            failed=yes
        fi
        ;;
    lint)
        for component in fmt clippy; do
            if has cargo && ! cargo "$component" --version >/dev/null 2>&1; then
                say "missing: cargo $component. Please run: rustup component add rustfmt clippy"
                failed=yes
            fi
        done
        ;;
    server)
        if [ -z "$(server_bin)" ]; then
            say "Debian's package also makes and starts a cluster of its own on port 5432; nothing here uses it"
            install "a PostgreSQL server" postgresql || failed=yes
        fi
        bin=$(server_bin)
        case $bin in
        /usr/lib/postgresql/*)
            major=$(basename "$(dirname "$bin")")
            if has dpkg-query && ! installed "postgresql-$major-cron"; then
                install "pg_cron, which runs the scans inside PostgreSQL" "postgresql-$major-cron" ||
                    say "going on without pg_cron"
            fi
            ;;
        esac
        ;;
    tests)
        bin=$(server_bin)
        case $bin in
        /usr/lib/postgresql/*)
            major=$(basename "$(dirname "$bin")")
            if has dpkg-query; then
                find_missing "postgresql-client-$major" "postgresql-$major-pgtap" "postgresql-$major-plpgsql-check" \
                    libtap-parser-sourcehandler-pgtap-perl
                # shellcheck disable=SC2086
                [ -z "$missing" ] || install "the tools of the SQL tests" $missing || failed=yes
            fi
            ;;
        *)
            has pg_prove || say "missing: pg_prove, pgTAP and plpgsql_check for the server in ${bin:-(none)}"
            ;;
        esac
        if ! has pgbouncer && ! [ -x /usr/sbin/pgbouncer ]; then
            say "Debian's package also starts a pgbouncer of its own on port 6432; nothing here uses it"
            install "the pooler that the tests go through" pgbouncer || failed=yes
        fi
        # Debian allows one mail server only, so installing Exim would remove the one that is there.
        if [ ! -x /usr/sbin/exim4 ]; then
            if [ -x /usr/sbin/sendmail ]; then
                say "missing: exim4-daemon-light, and not installed because this machine has another mail server; its tests are skipped"
            else
                say "where services are started, Debian's package also starts a mail server of its own on loopback; nothing here uses it"
                install "a mail server, for the tests of EMAIL_PROVIDER=smtp" exim4-daemon-light || failed=yes
            fi
        fi
        ;;
    versions)
        has npm || install "npm, for servers of other PostgreSQL versions" npm || say "going on without other versions"
        ;;
    letters)
        find_missing npm chromium spamassassin hunspell hunspell-fr python3
        # A Node.js from elsewhere brings its npm along.
        if has npm; then missing=$(printf '%s' "$missing" | sed 's/ npm//'); fi
        # shellcheck disable=SC2086
        [ -z "$missing" ] || install "the tools that check letters" $missing || failed=yes
        ;;
    screenshots)
        find_missing chromium pngquant
        # shellcheck disable=SC2086
        [ -z "$missing" ] || install "the tools that make pictures" $missing || failed=yes
        ;;
    *)
        say "unknown group: $group"
        exit 2
        ;;
    esac
done
[ "$failed" = no ]
