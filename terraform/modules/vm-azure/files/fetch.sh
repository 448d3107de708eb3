#!/bin/sh
# fetch wanted | fetch get URL FILE: as this machine's managed identity; Terraform sets the user data.
set -eu
metadata=$${METADATA:-http://169.254.169.254}/metadata

case $1 in
wanted)
    curl -sSf --noproxy '*' --retry 5 -H Metadata:true \
        "$metadata/instance/compute/userData?api-version=2021-01-01&format=text" | base64 -d
    ;;
get)
    token=$(curl -sSf --noproxy '*' --retry 5 -H Metadata:true \
        "$metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fstorage.azure.com%2F&client_id=${client_id}" |
        sed -n 's/.*"access_token": *"\([^"]*\)".*/\1/p')
    # By a file, so that no list of processes shows the token.
    header=$(mktemp)
    trap 'rm -f "$header"' EXIT
    printf 'Authorization: Bearer %s\n' "$token" >"$header"
    curl -sSf --retry 5 -H "@$header" -H 'x-ms-version: 2021-08-06' -o "$3" "$2"
    ;;
esac
