#!/bin/sh
# deb-test.sh BUILD_DIR DEB_DIR: the packages in DEB_DIR on a clean Debian 12, which is made there once.
set -eu
build=$1
folder=$2
[ -f "$folder/root.tar" ] || {
    nice mmdebstrap --quiet --variant=minbase --include=systemd,systemd-sysv,dbus bookworm "$folder/root.new" http://deb.debian.org/debian
    mv "$folder/root.new" "$folder/root.tar"
}
exec "$(dirname "$0")/test.sh" "$build" --suite deb
