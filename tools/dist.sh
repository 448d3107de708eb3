#!/bin/sh
# dist.sh BUILD_DIR: the release tarball BUILD_DIR/sockerless-VERSION.tar.gz, of the commit that is checked out. The same commit
# gives the same bytes: its time is the time of every file.
set -eu
build=$1
cd "$(dirname "$0")/.."
version=$(cat VERSION)
[ -z "$(git status --porcelain --untracked-files=no)" ] || echo "dist: changes that are not committed are left out" >&2
mkdir -p "$build"
out=$build/sockerless-$version.tar.gz
git archive --format=tar --prefix="sockerless-$version/" HEAD | gzip -n9 >"$out.new"
mv "$out.new" "$out"
echo "$out"
