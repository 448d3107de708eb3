#!/bin/sh
# test.sh BUILD_DIR [meson test options]: runs the tests and ends with "N passed, N failed[, N skipped]".
set -u
build=$1
shift
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 TSAN_OPTIONS=exitcode=66
meson test -C "$build" --no-rebuild --print-errorlogs "$@"
code=$?
/usr/bin/python3 - "$build/meson-logs/testlog.json" <<'EOF'
import json, sys
results = [json.loads(line)["result"] for line in open(sys.argv[1])]
passed = sum(r in ("OK", "EXPECTEDFAIL") for r in results)
skipped = results.count("SKIP")
failed = len(results) - passed - skipped
print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
EOF
exit $code
