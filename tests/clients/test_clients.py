"""Clients of other languages, each with a workload of its own: test_clients.py BUILD CLIENT.

They come from their own registries (install.sh fetches them into BUILD/clients), so this suite is not part of
`make test`; a client that is not there skips.
"""
import glob
import hashlib
import importlib.util
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import gzip

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "sim"))
from harness import BUILD, SKIP, TOP, Stack, await_true, free_port  # noqa: E402
from walk import walk  # noqa: E402

CACHE = os.environ.get("SKL_CLIENTS_CACHE") or os.path.join(BUILD, "clients")
TOOLS = ["bash", "cat", "chmod", "chown", "cp", "cut", "date", "dirname", "basename", "env", "grep", "head", "id", "ls",
         "mkdir", "mktemp", "mv", "pwd", "rm", "sed", "sh", "sleep", "sort", "tail", "test", "touch", "tr", "uname", "wc"]


def need(*paths):
    for path in paths:
        if not os.path.exists(path) and not shutil.which(path):
            print(f"skipped: needs {path} (make test-clients fetches what it can)")
            sys.exit(SKIP)


def environment(stack):
    return {**stack.env(), "SOCKET": stack.socket, "TESTCONTAINERS_RYUK_DISABLED": "true", "PORT": str(free_port()),
            "TESTCONTAINERS_HOST_OVERRIDE": "127.0.0.1"}


def guide(stack, name, path="", **kw):
    """A page of docs/guides, typed as it stands; path: where its client is."""
    folder = os.path.join(stack.dir, "guide")
    os.makedirs(folder)
    env = environment(stack)
    return walk(f"docs/guides/{name}.md", folder, {**env, "PATH": f"{path}:{env['PATH']}".lstrip(":"), **kw.pop("env", {})}, **kw)


def run(stack, argv, **kw):
    env = {**environment(stack), **kw.pop("env", {})}
    r = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=280, **kw)
    if r.returncode != 0:
        print(r.stdout[-4000:], r.stderr[-6000:], stack.log("backend")[-2000:])
        raise SystemExit(f"{argv[0]}: exit code {r.returncode}")
    return r.stdout + r.stderr


def all_steps(stack, argv, **kw):
    text = run(stack, argv, **kw)
    assert "all steps\n" in text, text
    left = stack.docker("ps", "-a", "--format", "{{.Names}} {{.Image}} {{.Status}}", check=0).stdout
    assert left == b"", left


def python(stack):
    for what in ("docker", "testcontainers"):
        all_steps(stack, [os.path.join(CACHE, "venv/bin/python"), os.path.join(HERE, "python/workload.py"), what])
    guide(stack, "testcontainers", os.path.join(CACHE, "venv/bin"))


def go(stack):
    for what in ("client", "testcontainers"):
        all_steps(stack, [os.path.join(CACHE, "go-clients"), what])


def rust(stack):
    all_steps(stack, [os.path.join(CACHE, "rust/debug/bollard-client")])


def java(stack):
    all_steps(stack, ["java", f"-Duser.home={stack.dir}", "-cp",
                      ":".join([os.path.join(CACHE, "java/target/classes"), os.path.join(CACHE, "java/lib/*")]), "Workload"])


def cli(stack):
    """docker CLI 28 without buildx: the classic builder by itself, and what one types in a day."""
    text = run(stack, ["docker", "version", "--format", "{{.Client.Version}}"])
    if int(text.split(".")[0]) < 28:
        print("skipped: needs docker CLI 28 or newer, this is", text.strip())
        sys.exit(SKIP)
    with open(os.path.join(stack.dir, "Dockerfile"), "w") as f:
        f.write("FROM busybox\nCOPY Dockerfile /copied\nCMD [\"cat\", \"/copied\"]\n")
    if subprocess.run(["docker", "buildx", "version"], capture_output=True, env=stack.env()).returncode != 0:
        assert "Successfully tagged cli:1" in run(stack, ["docker", "build", "-t", "cli:1", "."], cwd=stack.dir)
        assert run(stack, ["docker", "run", "--rm", "cli:1"]).startswith("FROM busybox")
    run(stack, ["docker", "run", "-d", "--name", "day", "-v", "day-data:/data", "busybox", "sleep", "1000"])
    for line in ("ps -a", "top day", "stats --no-stream", "inspect day", "diff day", "port day", "logs day", "images", "info",
                 "system df", "system df -v", "network ls", "volume ls", "history busybox", "context ls",
                 "events --since 1 --until 1", "update --restart always day", "rename day night", "stop -t 0 night",
                 "container prune -f", "system prune -a -f --volumes"):
        run(stack, ["docker", *line.split()])


PROJECT = """
services:
  store:
    image: busybox
    command: ["sh", "-c", "cat /data/kept; date >> /data/kept; trap 'exit 0' TERM; while :; do sleep 0.1; done"]
    volumes: ["data:/data"]
    environment: {ROLE: store}
    healthcheck: {test: ["CMD", "test", "-e", "/data/kept"], interval: 1s}
    configs: [{source: conf, target: /etc/conf}]
  web:
    image: busybox
    command: ["sh", "-c", "echo web is up >&2; trap 'exit 3' TERM; while :; do sleep 0.1; done"]
    depends_on: {store: {condition: service_healthy}}
    stop_grace_period: 5s
    ports: ["127.0.0.1::8080"]
  once:
    build: {context: .}
    profiles: [once]
volumes:
  data:
configs:
  conf: {content: "of the project"}
"""


def compose(stack):
    """Compose v2: a project with a volume, a configuration, health and a build; up, looked at, down, up again."""
    plugins, project = os.path.join(stack.dir, ".docker/cli-plugins"), os.path.join(stack.dir, "shop")
    os.makedirs(plugins)
    os.makedirs(project)
    os.symlink(os.path.abspath(os.path.join(CACHE, "docker-compose")), os.path.join(plugins, "docker-compose"))
    for name, text in (("compose.yaml", PROJECT), ("Dockerfile", "FROM busybox\nCOPY compose.yaml /\nCMD grep -c image: /compose.yaml; exit 6\n")):
        with open(os.path.join(project, name), "w") as f:
            f.write(text)

    def call(*words, code=0):
        r = subprocess.run(["docker", "compose", *words], cwd=project, capture_output=True, text=True, timeout=120,
                           env={**stack.env(), "DOCKER_BUILDKIT": "0", "COMPOSE_BAKE": "false"})
        assert r.returncode == code, (words, r.returncode, r.stdout[-2000:], r.stderr[-3000:], stack.log("backend")[-1000:])
        return r.stdout

    call("up", "-d")
    states = {row["Service"]: row for row in map(json.loads, call("ps", "--format", "json").splitlines())}
    assert (states["store"]["Health"], states["web"]["State"]) == ("healthy", "running"), states
    assert call("port", "web", "8080").startswith("127.0.0.1:")
    assert "web is up" in call("logs", "--no-color", "--no-log-prefix", "web")
    assert call("exec", "-T", "store", "sh", "-c", "echo $ROLE; cat /etc/conf") == "store\nof the project"
    call("exec", "-T", "web", "sh", "-c", "exit 9", code=9)
    assert call("run", "--rm", "-T", "--no-deps", "web", "echo", "one-off") == "one-off\n"
    call("run", "--rm", "-T", "--no-deps", "web", "sh", "-c", "exit 5", code=5)
    before = call("ps", "-q")
    call("up", "-d")
    assert call("ps", "-q") == before  # nothing changed: nothing is made anew
    assert "sh -c" in call("top", "web")
    for line in ("pause", "unpause", "images", "ls", "cp compose.yaml store:/tmp/copied", "restart -t 1 web", "stop -t 10 web"):
        call(*line.split())
    assert "Exited (3)" in call("ps", "-a", "web")
    call("start", "web")
    call("--profile", "once", "build", "once")
    assert call("run", "--rm", "-T", "once", code=6) == "2\n"
    assert "2" in call("up", "--no-color", "--abort-on-container-exit", "--exit-code-from", "once", "once", code=6)
    call("down")  # the volume stays, and what is in it
    call("up", "-d", "store")
    kept = call("logs", "--no-color", "--no-log-prefix", "store")
    assert kept.count("UTC") == 1, kept
    call("--profile", "once", "down", "-v")
    assert stack.docker("ps", "-aq", check=0).stdout == b""
    assert stack.docker("volume", "ls", "-q", check=0).stdout == b""
    guide(stack, "compose", env={"DOCKER_BUILDKIT": "0", "COMPOSE_BAKE": "false"})


def tools_image(stack):
    """runner:1, an image of bash and coreutils copied from this machine with the libraries they load."""
    spec = importlib.util.spec_from_file_location("seed", os.path.join(TOP, "tools/seed-registry.py"))
    seed = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(seed)
    out, done = io.BytesIO(), set()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name in ("bin", "lib", "lib64", "etc", "root", "tmp", "usr", "var", "opt", "proc", "sys", "dev"):
            seed.add(tar, name, mode=0o1777 if name == "tmp" else 0o755, kind=tarfile.DIRTYPE)
        seed.add(tar, "etc/passwd", b"root:x:0:0:root:/root:/bin/bash\n")

        def put(source, name):
            if name in done:
                return
            done.add(name)
            with open(source, "rb") as f:
                seed.add(tar, name, f.read(), 0o755)
        for tool in TOOLS:
            path = shutil.which(tool, path="/usr/bin:/bin")
            put(os.path.realpath(path), "bin/" + tool)
            for word in subprocess.run(["ldd", path], capture_output=True, text=True).stdout.split():
                if word.startswith("/"):
                    put(os.path.realpath(word), word.lstrip("/"))
    raw = out.getvalue()
    packed, base = gzip.compress(raw, 1, mtime=0), f"http://{stack.registry}"
    config = json.dumps({"architecture": "amd64", "os": "linux", "created": "2026-01-01T00:00:00Z",
                         "config": {"Env": ["PATH=/bin"], "Cmd": ["bash"]}, "history": [{"created_by": "copied"}],
                         "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(raw).hexdigest()]}}).encode()
    kind = "application/vnd.docker."
    seed.call("PUT", base + "/v2/library/runner/manifests/1", json.dumps({
        "schemaVersion": 2, "mediaType": kind + "distribution.manifest.v2+json",
        "config": {"mediaType": kind + "container.image.v1+json", "size": len(config),
                   "digest": seed.push_blob(base, "library/runner", config)},
        "layers": [{"mediaType": kind + "image.rootfs.diff.tar.gzip", "size": len(packed),
                    "digest": seed.push_blob(base, "library/runner", packed)}]}).encode(), kind + "distribution.manifest.v2+json")


def act(stack):
    """A workflow of GitHub Actions, its steps as execs in one container."""
    tools_image(stack)
    project = os.path.join(stack.dir, "project")
    os.makedirs(os.path.join(project, ".github/workflows"))
    shutil.copy(os.path.join(HERE, "act/workflow.yml"), os.path.join(project, ".github/workflows/shown.yml"))
    git = ["git", "-c", "user.name=n", "-c", "user.email=e@example.com", "-C", project]
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run(git + words, check=True)
    text = run(stack, [os.path.join(CACHE, "act"), "push", "-P", "debian=runner:1", "--container-daemon-socket", "-", "--rm",
                       "--pull=true"], cwd=project)
    for said in ("the steps hold together", "and go on", "Job succeeded"):
        assert said in text, text[-4000:]
    said, _ = guide(stack, "act", CACHE)
    assert "hello from a step" in said and "Job succeeded" in said, said


def ssh(stack):
    """A context by SSH: a real sshd on loopback, its own keys, nobody else let in."""
    port, folder = free_port(), os.path.join(stack.dir, "ssh")
    os.makedirs(os.path.join(folder, "bin"))
    for key in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{folder}/{key}"], check=True)
    shutil.copy(f"{folder}/user.pub", f"{folder}/authorized")
    with open(f"{folder}/host.pub") as f, open(f"{folder}/known", "w") as known:
        known.write("vm.example.org " + f.read())
    with open(f"{folder}/sshd_config", "w") as f:
        f.write(f"ListenAddress 127.0.0.1:{port}\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/authorized\nPidFile none\n"
                "PasswordAuthentication no\nUsePAM no\nStrictModes no\nPermitRootLogin prohibit-password\n")
    with open(f"{folder}/ssh_config", "w") as f:
        f.write(f"Host vm.example.org\n  HostName 127.0.0.1\n  HostKeyAlias vm.example.org\n  Port {port}\n  User root\n"
                f"  IdentityFile {folder}/user\n  IdentitiesOnly yes\n  UserKnownHostsFile {folder}/known\n"
                "  GlobalKnownHostsFile /dev/null\n")
    with open(f"{folder}/bin/ssh", "w") as f:
        f.write(f"#!/bin/sh\nexec {shutil.which('ssh')} -F {folder}/ssh_config \"$@\"\n")
    os.chmod(f"{folder}/bin/ssh", 0o755)
    os.makedirs("/run/sshd", exist_ok=True)
    server = stack._spawn("sshd", ["/usr/sbin/sshd", "-D", "-e", "-f", f"{folder}/sshd_config"])
    await_true("sshd", lambda: "Server listening" in stack.log("sshd") or server.poll() is not None)
    assert server.poll() is None, stack.log("sshd")
    guide(stack, "docker-context", f"{folder}/bin", section="Over SSH", env={"DOCKER_HOST": ""},
          replace={"admin@vm.example.org/run/sockerless/aca.sock": "root@vm.example.org" + stack.socket})


NEEDS = {
    "python": ["CACHE/venv/bin/python"], "go": ["CACHE/go-clients"], "rust": ["CACHE/rust/debug/bollard-client"],
    "java": ["java", "CACHE/java/target/classes/Workload.class"], "cli": ["docker"], "act": ["CACHE/act", "git", "bash"],
    "compose": ["CACHE/docker-compose"], "ssh": ["ssh", "/usr/sbin/sshd"],
}


def main():
    name = sys.argv[1]
    need("runc", "skopeo", "umoci", "docker-registry", "docker", *(x.replace("CACHE", CACHE) for x in NEEDS[name]))
    if name == "java" and not glob.glob(os.path.join(CACHE, "java/lib/*.jar")):
        need(os.path.join(CACHE, "java/lib"))
    if os.geteuid() != 0:
        print("skipped: needs root")
        sys.exit(SKIP)
    with Stack() as stack:
        stack.docker("pull", "-q", "busybox", check=0)
        globals()[name](stack)
    print(name, "passed")


if __name__ == "__main__":
    main()
