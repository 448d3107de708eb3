#!/bin/bash
# run.sh BUILD_DIR [BACKEND]: registry, simulator and backend, until Ctrl-C.
. "$(dirname "$0")/stack.sh"
trap 'stack_down; exit 0' INT TERM
trap stack_down EXIT
stack_up "$1" "${MODE:-reverse}" "${2:-aca}" || exit 1
echo "export DOCKER_HOST=$DOCKER_HOST"
echo "# docker run --rm busybox echo hello        (Ctrl-C here ends it; logs in $STACK_DIR)"
while :; do sleep 3600 & wait $!; done
