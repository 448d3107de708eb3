#!/bin/sh
# The machine's metadata says which package to run ("URL SHA256"). When another one is installed it is replaced: the
# backend stops, leaves its workloads running, and takes them over again. Also keeps the certificate from running out.
set -eu
SERVICE=${SERVICE:?}
installed=${INSTALLED:-/var/lib/sockerless-upgrade/installed}
certificate=${CERTIFICATE:-/var/lib/sockerless/tls/server.pem}

wanted=$(sockerless-fetch wanted)
url=${wanted% *}
sum=${wanted#* }
if [ "$url" = "$sum" ]; then
    echo "the metadata names no package" >&2
    exit 1
fi

if [ ! -e "$installed" ] || [ "$(cat "$installed")" != "$wanted" ]; then
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    chmod 755 "$folder" # apt reads it as another user
    sockerless-fetch get "$url" "$folder/package.deb"
    echo "$sum  $folder/package.deb" | sha256sum --check --quiet
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --reinstall --allow-downgrades "$folder/package.deb"
    systemctl enable "$SERVICE"
    systemctl restart "$SERVICE"
    mkdir -p "$(dirname "$installed")"
    echo "$wanted" >"$installed.new"
    mv "$installed.new" "$installed"
elif ! openssl x509 -checkend 2592000 -noout -in "$certificate" >/dev/null; then
    systemctl restart "$SERVICE" # makes a new one before it starts
fi
