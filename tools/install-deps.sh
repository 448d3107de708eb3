#!/bin/sh
# install-deps.sh [docker-test|clients|analyze|check-model|deb|valgrind]: installs the Debian packages that are missing. Quiet and quick
# when nothing is. With docker-test also what the tests beside a real Engine and with real clients need; with analyze the
# analysers, with clients an SSH server (not started), with check-model the model checker, with deb what builds packages and a
# clean system to try them on, with valgrind that.
set -eu
packages="build-essential meson ninja-build pkg-config libuv1-dev node-llhttp libcurl4-openssl-dev
 zlib1g-dev libbz2-dev liblzma-dev libzstd-dev libcjson-dev libmbedtls-dev libsqlite3-dev libarchive-dev libcivetweb-dev check
 runc skopeo umoci docker-registry busybox-static curl python3 systemd groff-base"
[ "${1-}" != check-model ] || packages="$packages spin"
[ "${1-}" != deb ] || packages="$packages debhelper dpkg-dev lintian mmdebstrap systemd-container"
[ "${1-}" != docker-test ] || packages="$packages docker.io containerd python3-docker docker-compose"
[ "${1-}" != clients ] || packages="$packages openssh-server openssh-client"
[ "${1-}" != valgrind ] || packages="$packages valgrind"
[ "${1-}" != analyze ] || packages="$packages clang-tidy shellcheck"
missing=
for p in $packages; do
    dpkg-query -W -f='${db:Status-Status}\n' "$p" 2>/dev/null | grep -qx installed || missing="$missing $p"
done
# Any Node.js with npm will do; without them its test skips.
[ "${1-}" != docker-test ] || command -v npm >/dev/null || missing="$missing nodejs npm"
# Any docker CLI will do.
command -v docker >/dev/null || missing="$missing docker.io"
[ -n "$missing" ] || exit 0
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
echo "installing:$missing"
$sudo apt-get update -qq
# Services of these packages are not wanted: a policy file keeps them from being started.
# shellcheck disable=SC2086 # words are what is meant
DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 $sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null
