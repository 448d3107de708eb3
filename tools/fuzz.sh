#!/bin/sh
# fuzz.sh BUILD_DIR [TARGET...]: fuzz targets (all) under libFuzzer for SECONDS_EACH (60) seconds each, JOBS (all
# processors) at a time, beginning with their corpora. What is found stays in BUILD_DIR/found/NAME; an input that breaks a
# target is kept there too, and the script fails.
set -eu
build=$1
shift
top=$(cd "$(dirname "$0")/.." && pwd)
if ! command -v clang >/dev/null || ! ls /usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-*.a >/dev/null 2>&1; then
    sudo=
    [ "$(id -u)" = 0 ] || sudo=sudo
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends clang libclang-rt-14-dev >/dev/null
fi
[ -f "$build/build.ninja" ] || CC=clang meson setup "$build" --buildtype=debugoptimized -Dfuzz=libfuzzer \
    -Db_sanitize=address,undefined -Db_lundef=false >/dev/null
all=$(ninja -C "$build" -t targets all | sed -n 's#^tests/fuzz/fuzz_\([a-z_]*\): .*#\1#p')
# shellcheck disable=SC2086 # words are what is meant
[ $# -gt 0 ] || set -- $all
for name; do
    echo "tests/fuzz/fuzz_$name"
done | xargs ninja -C "$build" >/dev/null
# shellcheck disable=SC2016 # the inner shell expands it
printf '%s\n' "$@" | SECONDS_EACH=${SECONDS_EACH:-60} UBSAN_OPTIONS=halt_on_error=1 xargs -P "${JOBS:-$(nproc)}" -I '{}' sh -euc '
    build=$1 corpus=$2 name=$3
    found="$build/found/$name"
    mkdir -p "$found"
    if "$build/tests/fuzz/fuzz_$name" -max_total_time="$SECONDS_EACH" -timeout=30 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$found/" "$found" "$corpus/$name" >"$found.log" 2>&1; then
        echo "$name: $(sed -n "s/^stat::number_of_executed_units: *//p" "$found.log") inputs, nothing found"
    else
        echo "$name: FAILED, see $found.log"
        exit 1
    fi' fuzz "$build" "$top/tests/fuzz/corpus" '{}'
