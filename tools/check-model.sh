#!/bin/sh
# check-model.sh: checks the model of the agent protocol (tests/model/agent.pml) in every state it can reach, then makes
# each mistake that it knows of and wants it found.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
failed=0

# build NAME SPIN-OPTION...: the checker of one variant
build() {
    name=$1
    shift
    mkdir "$name"
    (cd "$name" && spin "$@" -a "$top/tests/model/agent.pml" >spin.out && cc -O2 -w -DVECTORSZ=2048 $cflags -o pan pan.c) ||
        { cat "$name/spin.out"; exit 1; }
}

# check NAME WANTED PAN-OPTION...: WANTED is 0 or 1 errors
check() {
    name=$1 wanted=$2
    shift 2
    (cd "$name" && ./pan -m1000000 "$@" >pan.out 2>&1) || true
    errors=$(sed -n 's/.*errors: \([0-9]*\).*/\1/p' "$name/pan.out")
    states=$(sed -n 's/ *\([0-9]*\) states, stored.*/\1/p' "$name/pan.out")
    why=$(sed -n 's/^pan:1: \(.*\) (at depth.*/\1/p' "$name/pan.out")
    if grep -q "search not completed\|max search depth too small\|out of memory" "$name/pan.out" && [ "$wanted" = 0 ]; then
        why="the search was cut short" errors=-1
    fi
    if [ "$errors" = "$wanted" ]; then verdict=ok; else verdict=FAILED failed=1; fi
    echo "$verdict $name: ${states:-0} states, ${errors:-no} errors${why:+: $why}"
}

cflags="-DSAFETY -DNOCLAIM"
build protocol -DBYTES=3 -DBREAKS=2 -DCRASHES=2
check protocol 0 -noclaim -w24
cflags=
build it-ends -DBYTES=2 -DBREAKS=1 -DCRASHES=2
check it-ends 0 -a -N delivered
cflags="-DSAFETY -DNOCLAIM -O0" # found in a moment
for mistake in CONFIRM_BEFORE_SPOOL CONFIRM_BEFORE_EXIT COUNT_BEFORE_TAKING EXIT_NOT_REPEATED RESUME_FROM_THE_START; do
    build "$mistake" "-D$mistake"
    check "$mistake" 1 -noclaim
done
exit $failed
