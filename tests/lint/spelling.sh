#!/bin/sh
# French spelling of every subject and text part; product names and terms of the trade are in words.txt.
set -eu

letters=$1
words=$(cd "$(dirname "$0")" && pwd)/words.txt
unknown=$(
    for text in "$letters"/E-*.txt; do
        sed -n 's/^Subject: //p' "${text%.txt}.headers"
        # Without addresses and without the code of E-ACT-02.
        sed -e '/^env:$/,/[$]result/d' -e 's#https*://[^ ]*##g' -e 's/[a-z]*@example.com//' "$text"
    done | sed 's/\xc2\xa0/ /g' | hunspell -d fr -i utf-8 -p "$words" -l | tr -d '.' | sort -u | grep -vxFf "$words" | grep -vx -e '-*' || true
)
if [ -n "$unknown" ]; then
    echo "not French, and not in words.txt:"
    echo "$unknown"
    exit 1
fi
