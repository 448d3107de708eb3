#!/bin/sh
# fuzz.sh BUILD_DIR: every fuzz target under libFuzzer for SECONDS_EACH (60) seconds, beginning with its corpus. What is
# found stays in BUILD_DIR/found/NAME; an input that breaks a target is kept there too, and the script fails.
set -eu
build=$1
top=$(cd "$(dirname "$0")/.." && pwd)
if ! command -v clang >/dev/null || ! ls /usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-*.a >/dev/null 2>&1; then
    sudo=
    [ "$(id -u)" = 0 ] || sudo=sudo
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends clang libclang-rt-14-dev >/dev/null
fi
[ -f "$build/build.ninja" ] || CC=clang meson setup "$build" --buildtype=debugoptimized -Dfuzz=libfuzzer \
    -Db_sanitize=address,undefined -Db_lundef=false >/dev/null
targets=$(ninja -C "$build" -t targets all | sed -n 's#^\(tests/fuzz/fuzz_[a-z_]*\): .*#\1#p')
# shellcheck disable=SC2086 # words are what is meant
ninja -C "$build" $targets >/dev/null
failed=0
for target in $targets; do
    name=${target##*/fuzz_}
    found="$build/found/$name"
    mkdir -p "$found"
    if "$build/$target" -max_total_time="${SECONDS_EACH:-60}" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$found/" "$found" "$top/tests/fuzz/corpus/$name" >"$found.log" 2>&1; then
        echo "$name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$found.log") inputs, nothing found"
    else
        echo "$name: FAILED, see $found.log"
        failed=1
    fi
done
exit $failed
