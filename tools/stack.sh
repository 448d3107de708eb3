# shellcheck shell=bash
# stack - a registry, the simulator and the backend on free loopback ports; sourced by demo.sh and run.sh.
#
#   stack_up BUILD_DIR [forward|reverse] [aca|azf|gcf]   sets DOCKER_HOST, STACK_DIR, STACK_REGISTRY, STACK_SIM
#   stack_left                             tells what the backend has left in the cloud: nothing, else some text
#   stack_down                             ends what stack_up started, by pid, and removes its folder

stack_free_port() {
    /usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# Until the command succeeds; fails after 20 s.
stack_await() {
    local until=$((SECONDS + 20))
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $until ] || return 1
        sleep 0.05
    done
}

stack_start() { # LOG COMMAND...
    local log=$1
    shift
    "$@" >"$STACK_DIR/$log" 2>&1 &
    STACK_PIDS="$! $STACK_PIDS"
}

stack_up() {
    local build mode=${2:-reverse} backend=${3:-aca} registry_port agent_port
    build=$(realpath "$1")
    STACK_DIR=$(mktemp -d /tmp/skl-XXXXXX)
    STACK_PIDS=
    registry_port=$(stack_free_port)
    STACK_REGISTRY=127.0.0.1:$registry_port
    cat >"$STACK_DIR/registry.yml" <<EOF
version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: $STACK_DIR/registry}}
http: {addr: $STACK_REGISTRY}
EOF
    stack_start registry.log docker-registry serve "$STACK_DIR/registry.yml"
    stack_await curl -fs "http://$STACK_REGISTRY/v2/" || { echo "the registry did not start" >&2; return 1; }
    /usr/bin/python3 "$(dirname "${BASH_SOURCE[0]}")/seed-registry.py" "http://$STACK_REGISTRY" library/busybox:latest

    local cloud=azure flags=()
    if [ "$backend" = gcf ]; then
        cloud=gcp flags=(--credentials-dir "$STACK_DIR/credentials" --bucket sockerless --docker-runtime
            --registry "$STACK_REGISTRY")
    fi
    stack_start sim.log "$build/tests/simulators/sockerless-sim-$cloud" --listen 127.0.0.1:0 \
        --agent "$build/cmd/sockerless-agent" --registry-mirror "$STACK_REGISTRY" \
        --state-dir "$STACK_DIR/sim" --log-level info "${flags[@]}"
    stack_await grep -q '^listening on' "$STACK_DIR/sim.log" || { cat "$STACK_DIR/sim.log" >&2; return 1; }
    STACK_SIM=$(sed -n 's/^listening on //p' "$STACK_DIR/sim.log")

    agent_port=$(stack_free_port)
    export DOCKER_HOST=unix://$STACK_DIR/docker.sock
    (
        export SOCKERLESS_ENDPOINT_URL=$STACK_SIM
        export SOCKERLESS_ACA_SUBSCRIPTION_ID=00000000-0000-0000-0000-000000000000
        export SOCKERLESS_ACA_RESOURCE_GROUP=sockerless
        export SOCKERLESS_ACA_LOG_ANALYTICS_WORKSPACE=11111111-2222-3333-4444-555555555555
        export SOCKERLESS_AZF_SUBSCRIPTION_ID=$SOCKERLESS_ACA_SUBSCRIPTION_ID
        export SOCKERLESS_AZF_RESOURCE_GROUP=sockerless SOCKERLESS_AZF_STORAGE_ACCOUNT=sockerless
        export SOCKERLESS_AZF_APP_SERVICE_PLAN=sockerless
        export AZURE_TENANT_ID=tenant AZURE_CLIENT_ID=client AZURE_CLIENT_SECRET=simulated
        export SOCKERLESS_GCF_PROJECT=sockerless
        export GOOGLE_APPLICATION_CREDENTIALS=$STACK_DIR/credentials/service_account.json
        export SOCKERLESS_REGISTRY_MIRROR=http://$STACK_REGISTRY
        if [ "$mode" = reverse ]; then
            export SOCKERLESS_CALLBACK_URL=http://127.0.0.1:$agent_port/agent/v1
        fi
        exec "$build/cmd/sockerless-backend-$backend" -H "$DOCKER_HOST" --state-dir "$STACK_DIR/state" \
            --log-level "${STACK_LOG_LEVEL:-info}" --pidfile "$STACK_DIR/backend.pid"
    ) >"$STACK_DIR/backend.log" 2>&1 &
    STACK_PIDS="$! $STACK_PIDS"
    stack_await curl -fs --unix-socket "$STACK_DIR/docker.sock" http://x/_ping ||
        { cat "$STACK_DIR/backend.log" >&2; return 1; }
}

# The members of the simulator's state that count what is made for containers.
stack_left() {
    curl -s "$STACK_SIM/simulator/state" | /usr/bin/python3 -c 'import json, sys
state = json.load(sys.stdin)
print(*(f"{k}: {state[k]}" for k in ("jobs", "sites", "functions", "services") if state.get(k)))'
}

stack_down() {
    [ -n "${STACK_KEEP_LOGS:-}" ] && cp "$STACK_DIR"/*.log "$STACK_KEEP_LOGS"/
    local pid
    for pid in $STACK_PIDS; do # backend, simulator, registry
        kill "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    STACK_PIDS=
    [ -n "${STACK_DIR:-}" ] && rm -rf --one-file-system "$STACK_DIR"
}
