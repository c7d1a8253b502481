#!/bin/sh
# Makes the pictures of the README from the demo as it runs, docs/images/inbox.png and gallery.png, and letters.png from
# the preview: an urgent letter, the survey and the weekly report on a phone, light and dark, and at 600 px.
#
#   sh tests/screenshots.sh PROGRAM
#
# Needs Chromium; pngquant makes them smaller where it is installed.
set -eu
cd "$(dirname "$0")/.."
program=${1:-target/debug/seqpulse-mailer}
chromium=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || {
    echo "screenshots: Chromium is missing (Debian: chromium)" >&2
    exit 1
}
work=$(mktemp -d)
"$program" demo >"$work/log" 2>&1 &
demo=$!
trap 'kill -TERM "$demo" 2>/dev/null || true; wait "$demo" 2>/dev/null || true; rm -rf "$work"' EXIT

# The demo says where its inbox is, and when every letter has arrived.
tries=0
until grep -q 'letters arrived\|Ctrl-C' "$work/log" && inbox=$(grep -o 'http://127\.0\.0\.1:[0-9]*' "$work/log" | head -n 1) && [ -n "$inbox" ]; do
    tries=$((tries + 1))
    if [ "$tries" -gt 240 ] || ! kill -0 "$demo" 2>/dev/null; then
        cat "$work/log" >&2
        exit 1
    fi
    sleep 1
done

# shot NAME ADDRESS WIDTH HEIGHT
shot() {
    "$chromium" --headless=new --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$work/profile" \
        --force-device-scale-factor=1 --window-size="$3,$4" --virtual-time-budget=4000 \
        --screenshot="$PWD/docs/images/$1.png" "$2" >"$work/chromium" 2>&1 || { cat "$work/chromium" >&2; exit 1; }
    ! command -v pngquant >/dev/null 2>&1 || pngquant --force --skip-if-larger --quality=60-90 --output "docs/images/$1.png" "docs/images/$1.png" || true
    # A page that was not drawn yet compresses to almost nothing.
    [ "$(stat -c %s "docs/images/$1.png")" -gt 8000 ] || { echo "screenshots: $1.png is empty" >&2; exit 1; }
    echo "docs/images/$1.png: $(stat -c %s "docs/images/$1.png") bytes"
}
mkdir -p docs/images
shot inbox "$inbox/" 1100 720
shot gallery "$inbox/letters" 1100 720

# letter CODE WIDTH SCHEME: one letter as the media query of its scheme would show it.
letter() {
    query='not all'
    [ "$3" = light ] || query=all
    sed -e "s/@media (prefers-color-scheme:dark)/@media $query/" -e "s/content=\"light dark\"/content=\"$3\"/" \
        -e "s/:root{color-scheme:light dark/:root{color-scheme:$3/" "$work/letters/$1.html" >"$work/letters/$1-$2-$3.html"
    printf '<iframe src="%s" style="width:%spx;height:900px;border:0;margin:0 8px 8px 0;color-scheme:%s"></iframe>' "$1-$2-$3.html" "$2" "$3"
}
"$program" preview --out "$work/letters" E-CONV-03 E-ADV-01 E-RET-01 >/dev/null
{
    echo '<!DOCTYPE html><meta charset="utf-8"><body style="margin:0;background:#888;width:1376px">'
    for code in E-CONV-03 E-ADV-01 E-RET-01; do
        letter "$code" 375 light
        letter "$code" 375 dark
        letter "$code" 600 light
    done
} >"$work/letters/sheet.html"
shot letters "file://$work/letters/sheet.html" 1376 2724
