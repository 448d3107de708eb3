#!/bin/sh
# tls FOLDER NAME...: a certificate authority of this machine's own, a certificate for the names and for every address that
# the machine has, and one for Docker clients. Keys are made here and never leave; what is there and good is left alone.
set -eu
folder=$1
shift
umask 077
mkdir -p "$folder/client"
cd "$folder"

good() { openssl x509 -checkend 2592000 -noout -in "$1" >/dev/null 2>&1; }

# certificate NAME SUBJECT EXTENSIONS: NAME.pem and NAME-key.pem, signed by the authority
certificate() {
    openssl ecparam -name prime256v1 -genkey -noout -out "$1-key.pem"
    printf '%s\n' "$3" >"$1.ext"
    openssl req -new -key "$1-key.pem" -subj "/CN=$2" |
        openssl x509 -req -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 397 -sha256 -extfile "$1.ext" -out "$1.pem" 2>/dev/null
    rm "$1.ext"
}

if ! good ca.pem; then
    openssl ecparam -name prime256v1 -genkey -noout -out ca-key.pem
    openssl req -x509 -new -key ca-key.pem -sha256 -days 3650 -subj "/CN=Sockerless on $1" \
        -addext basicConstraints=critical,CA:TRUE,pathlen:0 -addext keyUsage=critical,keyCertSign,cRLSign -out ca.pem
    rm -f server.pem client/cert.pem
fi

names="DNS:localhost,IP:127.0.0.1"
for name; do names="$names,DNS:$name"; done
for address in $(hostname -I); do names="$names,IP:$address"; done
if ! good server.pem || [ "$(cat names 2>/dev/null)" != "$names" ]; then
    certificate server "$1" "subjectAltName=$names
extendedKeyUsage=serverAuth"
    echo "$names" >names
fi
if ! good client/cert.pem; then
    certificate client/cert client "extendedKeyUsage=clientAuth"
    mv client/cert-key.pem client/key.pem
    cp ca.pem client/ca.pem
fi

# The backend reads its own, and nothing else here; members of its group, who may use its socket, read no key.
if getent passwd sockerless >/dev/null; then
    chgrp sockerless .
    chmod 710 .
    chmod 644 ca.pem server.pem
    chown sockerless server-key.pem
    chmod 400 server-key.pem
fi
