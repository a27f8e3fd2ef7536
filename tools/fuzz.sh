#!/bin/bash
# fuzz.sh TARGET runs N | TARGET seconds N: fuzzes from a copy of tests/fuzz/corpus/NAME. By runs, from a fixed seed, always
# the same inputs; by seconds, whatever comes, and what reached something new is kept, made few, in build/fuzz/corpus/NAME.
# An input that fails is left beside the target as crash-NAME-...; TARGET FILE replays it.
set -eu -o pipefail
target=$1 unit=$2 amount=$3
name=${target##*/fuzz_}
build=$(dirname "$target")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/corpus"
cp tests/fuzz/corpus/"$name"/* "$work/corpus/" 2>/dev/null || true
common=(-artifact_prefix="$build/crash-$name-" -timeout=60 -max_len=4096 -print_final_stats=1 -verbosity=1)
if [ "$unit" = runs ]; then
    "$target" "${common[@]}" -runs="$amount" -seed=1 "$work/corpus" 2>&1 | grep -v '^#'
else
    "$target" "${common[@]}" -max_total_time="$amount" "$work/corpus" 2>&1 | grep -E '^#.*DONE|ERROR|does not hold|invariant|SUMMARY|stat::' || failed=${PIPESTATUS[0]}
    mkdir -p "$build/corpus/$name"
    "$target" -merge=1 "$build/corpus/$name" "$work/corpus" >/dev/null 2>&1
    exit "${failed:-0}"
fi
