#!/bin/bash
# demo.sh BUILD_DIR [BACKEND]: a real docker CLI against the backend and the simulated cloud, with what a Docker Engine does
# as the measure. Each step prints its command and output; the end is 0 only if every check held.
set -u
. "$(dirname "$0")/stack.sh"
trap stack_down EXIT
failures=0

step() { # EXPECTED_CODE EXPECTED_STDOUT COMMAND...
    local code=$1 expected=$2 got
    shift 2
    printf '\033[1m$ %s\033[0m\n' "$*"
    got=$(timeout 120 "$@" 2>"$STACK_DIR/stderr")
    local rc=$?
    [ -n "$got" ] && printf '%s\n' "$got"
    sed 's/^/  (stderr) /' "$STACK_DIR/stderr"
    check "exit code" "$code" "$rc"
    check "output" "$expected" "$got"
}

check() { # WHAT EXPECTED GOT
    [ "$2" = "$3" ] && return
    printf '  WRONG %s: expected "%s", got "%s"\n' "$1" "$2" "$3"
    failures=$((failures + 1))
}

stack_up "$1" reverse "${2:-aca}" || exit 1
echo "Docker API at $DOCKER_HOST, the cloud at $STACK_SIM, registry at $STACK_REGISTRY"
docker pull -q busybox >/dev/null

step 42 "hello from the cloud" docker run --rm busybox sh -c 'echo hello from the cloud; echo and its stderr >&2; exit 42'
check "stderr" "and its stderr" "$(cat "$STACK_DIR/stderr")"
step 0 "3" sh -c 'seq 3 | docker run --rm -i busybox wc -l'
step 127 "" docker run --rm busybox no-such-command

id=$(docker run -d --name web busybox sh -c 'trap "echo got TERM; exit 7" TERM; echo started; while :; do sleep 0.1; done')
check "id" 64 ${#id}
step 3 "in the container" docker exec web sh -c 'echo in the container; exit 3'
echo "some data" >"$STACK_DIR/file"
step 0 "" docker cp "$STACK_DIR/file" web:/tmp/file
step 0 "some data" docker exec web cat /tmp/file
step 0 "" docker cp web:/etc/passwd "$STACK_DIR/passwd"
step 0 "root:x:0:0:root:/root:/bin/sh" head -n 1 "$STACK_DIR/passwd"
timeout 60 docker logs -f web >"$STACK_DIR/followed" & follower=$!
step 0 "web" docker stop web
wait $follower
check "exit code of logs -f" 0 $?
check "followed logs" $'started\ngot TERM' "$(cat "$STACK_DIR/followed")"
step 0 "exited 7" docker inspect web --format '{{.State.Status}} {{.State.ExitCode}}'
step 0 "web" docker start web
step 0 "some data" docker exec web cat /tmp/file
step 0 "web" docker rm -f web
step 0 "" docker ps -aq
check "left in the cloud" "" "$(stack_left)"

if [ $failures = 0 ]; then echo "demo: everything as with a Docker Engine"; else echo "demo: $failures wrong"; fi
exit $((failures > 0))
