#!/bin/sh
# French spelling of every subject and text part; product names and terms of the trade are in words.txt.
set -eu

letters=$1
words=$(cd "$(dirname "$0")" && pwd)/words.txt
unknown=$(
    for text in "$letters"/E-*.txt; do
        sed -n 's/^Subject: //p' "${text%.txt}.headers"
        # Without addresses and without the code of E-ACT-02; elided articles are cut off below, for words of the trade.
        sed -e '/^env:$/,/[$]result/d' -e 's#https*://[^ ]*##g' -e 's/[a-z]*@example.com//' "$text"
    done | sed -e 's/\xc2\xa0/ /g' -e "s/’/'/g" | hunspell -d fr -i utf-8 -p "$words" -l | tr -d '.' | sed "s/^[dDlL]'//" | sort -u | grep -vxFf "$words" | grep -vx -e '-*' || true
)
if [ -n "$unknown" ]; then
    echo "not French, and not in words.txt:"
    echo "$unknown"
    exit 1
fi
