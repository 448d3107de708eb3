#!/bin/sh
# install.sh CACHE [python|go|act|compose|rust|java|google|azure]...: fetches the clients of this suite into the folder CACHE, each from its own
# registry and at the version that is pinned here. What cannot be had is said; its test then skips.
set -u
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1" && cache=$(cd "$1" && pwd) || exit 1
shift
PATH=$PATH:/usr/local/go/bin:$HOME/.cargo/bin
GO=$(command -v go || true)

from_pip() { # VENV REQUIREMENTS
    [ -x "$1/bin/python" ] || /usr/bin/python3 -m venv "$1" || python3 -m venv --clear "$1" || return 1
    "$1/bin/python" -m pip install -q --disable-pip-version-check -r "$2"
}
python() { from_pip "$cache/venv" "$here/python/requirements.txt"; }
go() { cd "$here/go" && "$GO" build -mod=readonly -o "$cache/go-clients" .; }
act() { [ -x "$cache/act" ] || GOBIN=$cache "$GO" install github.com/nektos/act@v0.2.82; }
# A module of our own, because Compose's excludes versions, which `go install` does not take. Compiles for minutes.
compose() {
    [ -x "$cache/docker-compose" ] && return
    mkdir -p "$cache/compose" && cd "$cache/compose" && { [ -f go.mod ] || "$GO" mod init compose; } &&
        "$GO" get github.com/docker/compose/v2/cmd@v2.40.3 && "$GO" build -o "$cache/docker-compose" github.com/docker/compose/v2/cmd
}
rust() { cd "$here/rust" && CARGO_TARGET_DIR=$cache/rust cargo build -q --locked; }
java() {
    rm -rf "$cache/java" && cp -R "$here/java" "$cache/java" && cd "$cache/java" &&
        mvn -q -B -Dmaven.repo.local="$cache/m2" compile \
            org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies -DoutputDirectory="$cache/java/lib"
}
from_npm() { # FOLDER
    mkdir -p "$cache/$1" && cp "$here/$1/"*.js* "$cache/$1/" && cd "$cache/$1" &&
        npm ci --ignore-scripts --no-audit --no-fund --silent
}
google() { from_npm google; }
azure() { from_pip "$cache/azure/venv" "$here/azure/requirements.txt" && from_npm azure; }

[ $# -gt 0 ] || set -- python go act compose rust java google azure
for client; do
    (set -e; "$client") || echo "$client: could not be installed; its test will skip" >&2
done
