#!/bin/sh
# bench.sh BUILD_DIR: figures against the budgets.
set -eu
exec /usr/bin/python3 "$(dirname "$0")/../tests/bench/bench.py" "$1"
