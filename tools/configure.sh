#!/bin/sh
# configure.sh DIR release|sanitized|threads: sets a build folder up, once.
set -eu
[ -f "$1/build.ninja" ] && exit 0
case $2 in
release) set -- "$1" --buildtype=debugoptimized ;;
sanitized) set -- "$1" --buildtype=debugoptimized -Db_sanitize=address,undefined -Db_lundef=false ;;
threads) set -- "$1" --buildtype=debugoptimized -Db_sanitize=thread -Db_lundef=false ;;
esac
meson setup "$@" >/dev/null || { cat "$1/meson-logs/meson-log.txt"; exit 1; }
