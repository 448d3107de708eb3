#!/bin/sh
# fetch wanted | fetch get URL FILE: as this machine's service account; Terraform sets the metadata.
set -eu
metadata=${METADATA:-http://169.254.169.254}/computeMetadata/v1/instance

case $1 in
wanted)
    curl -sSf --noproxy '*' --retry 5 -H 'Metadata-Flavor: Google' "$metadata/attributes/sockerless-package"
    ;;
get)
    token=$(curl -sSf --noproxy '*' --retry 5 -H 'Metadata-Flavor: Google' "$metadata/service-accounts/default/token" |
        sed -n 's/.*"access_token": *"\([^"]*\)".*/\1/p')
    # By a file, so that no list of processes shows the token.
    header=$(mktemp)
    trap 'rm -f "$header"' EXIT
    printf 'Authorization: Bearer %s\n' "$token" >"$header"
    curl -sSf --retry 5 -H "@$header" -o "$3" "$2"
    ;;
esac
