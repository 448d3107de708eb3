#!/bin/bash
# analyze.sh: gcc's analyser, clang-tidy and shellcheck over our code (not the tests); fails on any finding.
set -u
cd "$(dirname "$0")/.." || exit 1
tools/install-deps.sh analyze || exit 1
findings=0

tell() { # WHAT FILE: counts and shows the findings
    local n
    n=$(grep -c 'warning:' "$2")
    grep 'warning:' "$2"
    echo "$1: $n findings"
    findings=$((findings + n))
}

# A build of its own: the objects are the analyser's by-product. LTO and sanitizers would hide or multiply what it says.
[ -f build-analyze/build.ninja ] || CC=gcc meson setup build-analyze --buildtype=debugoptimized -Dtests=false -Dc_args=-fanalyzer >/dev/null || exit 1
ninja -C build-analyze -t clean >/dev/null
ninja -C build-analyze -k0 >build-analyze/gcc.log 2>&1 || { cat build-analyze/gcc.log; exit 1; }
tell "gcc -fanalyzer" build-analyze/gcc.log

# clang does not know gcc's option.
mkdir -p build-analyze/clang
sed 's/ -fanalyzer / /' build-analyze/compile_commands.json >build-analyze/clang/compile_commands.json
git ls-files 'libsockerless/*.c' 'backends/*.c' 'cmd/*.c' |
    xargs -n 4 -P "$(nproc)" clang-tidy -p build-analyze/clang --quiet >build-analyze/tidy.log 2>build-analyze/tidy.err ||
    { cat build-analyze/tidy.err; exit 1; }
tell clang-tidy build-analyze/tidy.log

git ls-files '*.sh' .ci/run | xargs shellcheck -x -P SCRIPTDIR -f gcc >build-analyze/shell.log
tell shellcheck build-analyze/shell.log
exit $((findings > 0))
