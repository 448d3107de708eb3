#!/bin/sh
# deb.sh BUILD_DIR: the Debian packages, out of the release tarball, into BUILD_DIR; fails on an error that lintian finds.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
build=$1
tarball=$("$top/tools/dist.sh" "$build")
build=$(cd "$build" && pwd)
folder=$build/deb
rm -rf "$folder"
mkdir -p "$folder"
tar -C "$folder" -xzf "$build/$(basename "$tarball")"
cd "$folder"/sockerless-*
[ "$(dpkg-parsechangelog -S Version)" = "$(cat VERSION)" ] || { echo "VERSION and debian/changelog differ" >&2; exit 1; }
DEB_BUILD_OPTIONS=noautodbgsym dpkg-buildpackage -us -uc -b >../build.log 2>&1 || { tail -n 40 ../build.log; exit 1; }
cd ..
lintian --fail-on error --tag-display-limit 0 ./*.changes
rm -f "$build"/sockerless-*.deb
mv ./*.deb "$build"
ls "$build"/*.deb
