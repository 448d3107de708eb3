#!/bin/sh
# image-root.sh EXECUTABLE DIR: the root file system of an image that holds the executable and what it needs to run.
set -eu
exe=$1
root=$2
install -D -s "$exe" "$root/usr/bin/$(basename "$exe")"
# Each library, and the loader, at the path by which it is looked for.
ldd "$exe" | grep -o '/[^ ]*' | while read -r library; do
    install -D -m 644 "$library" "$root$library"
done
chmod 755 "$root"/lib64/ld-*
install -D -m 644 /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
echo 'sockerless:x:65532:65532::/var/lib/sockerless:/nonexistent' >"$root/etc/passwd"
echo 'sockerless:x:65532:' >"$root/etc/group"
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
install -d -o 65532 -g 65532 -m 700 "$root/var/lib/sockerless"
install -d -o 65532 -g 65532 -m 755 "$root/run/sockerless"
install -d -m 1777 "$root/tmp"
