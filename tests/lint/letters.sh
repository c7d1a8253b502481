#!/bin/sh
# Checks rendered letters with other people's tools: HTML validity, accessibility, spam score, spelling, client support.
#
#     tests/lint/letters.sh DIRECTORY      (as written by `seqpulse-mailer preview --out DIRECTORY`)
#
# A tool that is not installed is skipped with a line that says how to get it; a check that fails fails the script.
# LINT_STRICT=1 makes a missing tool a failure too.
set -eu

letters=${1:?usage: letters.sh DIRECTORY}
here=$(cd "$(dirname "$0")" && pwd)
work=${LINT_WORK:-$here/../../target/lint}
failed=0

skip() {
    echo "skipped: $1"
    if [ "${LINT_STRICT:-0}" = 1 ]; then failed=1; fi
}
check() {
    name=$1
    shift
    if "$@"; then echo "ok: $name"; else echo "FAILED: $name"; failed=1; fi
}

if command -v npm >/dev/null 2>&1; then
    mkdir -p "$work"
    cp "$here/package.json" "$here/package-lock.json" "$here"/*.mjs "$here/htmlvalidate.json" "$work/"
    if (cd "$work" && npm ci --no-audit --no-fund --loglevel=error); then
        check "html-validate" "$work/node_modules/.bin/html-validate" --config "$work/htmlvalidate.json" "$letters"/E-*.html
        check "caniemail" node "$work/clients.mjs" "$letters"
        chromium=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
        if [ -n "$chromium" ]; then
            check "axe-core" node "$work/axe.mjs" "$letters" "$chromium"
        else
            skip "axe-core needs chromium (apt-get install chromium)"
        fi
    else
        skip "the npm packages of tests/lint could not be installed"
    fi
else
    skip "html-validate, caniemail and axe-core need npm (apt-get install npm)"
fi

if command -v spamassassin >/dev/null 2>&1 && command -v python3 >/dev/null 2>&1; then
    check "spamassassin" python3 "$here/spam.py" "$letters"
else
    skip "spam scores need spamassassin and python3 (apt-get install spamassassin)"
fi

if command -v hunspell >/dev/null 2>&1 && hunspell -D </dev/null 2>&1 | grep -q '/fr'; then
    check "spelling" "$here/spelling.sh" "$letters"
else
    skip "spelling needs a French dictionary (apt-get install hunspell hunspell-fr)"
fi

exit "$failed"
