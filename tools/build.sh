#!/bin/bash
# Builds all of Shoal on every CPU, and shows on a terminal that it goes on. Usage: build.sh MAKE (from a recipe)
set -eu

BUILD=build
PERIOD_S=2

# The line moves only after a moment: a build of nothing says nothing.
show() {
    local made
    while sleep "$PERIOD_S"; do
        made=$(find "$BUILD" -newer "$1" -name '*.o' -not -path '*/build-*' | wc -l)
        printf '\r\033[Kbuild: %d files compiled, %d s' "$made" "$SECONDS"
    done
}

jobs=-j$(nproc)
[[ " ${MAKEFLAGS-} " != *" -j"* ]] || jobs= # the caller has said how many
begin=$(mktemp)
shower=
trap 'rm -f "$begin"' EXIT
[ ! -t 1 ] || { show "$begin" & shower=$!; }
status=0
"$1" --no-print-directory -s $jobs build || status=$?
if [ -n "$shower" ]; then
    kill "$shower" 2>/dev/null || true
    wait "$shower" 2>/dev/null || true
    printf '\r\033[K'
fi
exit "$status"
