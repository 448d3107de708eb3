#!/bin/sh
# install-deps.sh [FOR]: installs the Debian packages that are missing. Quiet and quick when nothing is. Without FOR: what
# building and `make test` need.
set -eu
build="build-essential meson ninja-build pkg-config python3 ca-certificates libuv1-dev node-llhttp libcurl4-openssl-dev
 zlib1g-dev libbz2-dev liblzma-dev libzstd-dev libcjson-dev libmbedtls-dev libsqlite3-dev libzip-dev libcivetweb-dev check"
packages="$build runc skopeo umoci docker-registry busybox-static curl systemd groff-base"
case ${1-} in
build) packages=$build ;; # nothing is run
docker-test) packages="$packages docker.io containerd python3-docker docker-compose" ;; # a real Engine, real clients
image-test) packages="$packages docker.io containerd docker-compose mmdebstrap iproute2 iptables" ;;
clients) packages="$packages openssh-server openssh-client" ;; # the server is not started
analyze) packages="$packages clang-tidy shellcheck" ;;
check-model) packages="$packages spin" ;;
valgrind) packages="$packages valgrind" ;;
deb) packages="$packages debhelper dpkg-dev lintian mmdebstrap systemd-container" ;; # and a clean system to try them on
esac
missing=
for p in $packages; do
    dpkg-query -W -f='${db:Status-Status}\n' "$p" 2>/dev/null | grep -qx installed || missing="$missing $p"
done
# Any Node.js with npm will do; without them its test skips.
[ "${1-}" != docker-test ] || command -v npm >/dev/null || missing="$missing nodejs npm"
# Any docker CLI will do.
[ "${1-}" = build ] || command -v docker >/dev/null || missing="$missing docker.io"
[ -n "$missing" ] || exit 0
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
echo "installing:$missing"
$sudo apt-get update -qq
# Services of these packages are not wanted: a policy file keeps them from being started.
# shellcheck disable=SC2086 # words are what is meant
DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 $sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null
