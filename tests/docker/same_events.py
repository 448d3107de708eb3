"""The same actions on our daemon and on a real Docker Engine: the same events, in the same order, with the same attributes.

An action is a request; what an Engine tells between it and the next one is compared. Ids, times and the registry's address
are made equal by name. ORDER says which actions end in events whose order no server promises.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "sim"))
sys.path.insert(0, HERE)
from harness import SKIP, Stack, UnixConnection  # noqa: E402
from rows import container, made_tar  # noqa: E402
from engine import Engine  # noqa: E402

PULL = "/images/create?fromImage={registry_path}/library/busybox&tag=latest"
# (method, path, body[, content type]); {x} is filled as in rows.py
ACTIONS = [
    ("POST", "/images/busybox/tag?repo=other&tag=1", None),
    ("GET", "/images/other:1/get", None),
    ("GET", "/images/get?names=other:1&names=busybox", None),
    ("DELETE", "/images/other:1", None),
    ("POST", PULL, None),
    ("POST", "/containers/create?name=ev", container("sh", "-c", "trap 'exit 5' TERM; while :; do sleep 0.1; done", Labels={"l": "v"}), "json"),
    ("POST", "/containers/ev/rename?name=ev2", None),
    ("POST", "/containers/ev2/start", None),
    ("POST", "/containers/ev2/update", {"RestartPolicy": {"Name": "no"}}, "json"),
    ("GET", "/containers/ev2/top", None),
    ("POST", "/containers/ev2/resize?h=10&w=20", None),
    ("PUT", "/containers/ev2/archive?path=/tmp", made_tar(("one", b"1\n")), "tar"),
    ("HEAD", "/containers/ev2/archive?path=/tmp/one", None),
    ("GET", "/containers/ev2/archive?path=/tmp/one", None),
    ("POST", "/containers/ev2/exec", {"Cmd": ["sh", "-c", "exit 3"], "AttachStdout": True}, "json"),
    ("POST", "/exec/{exec}/start", {"Detach": True}, "json"),
    ("POST", "/containers/ev2/pause", None),
    ("POST", "/containers/ev2/unpause", None),
    ("POST", "/containers/ev2/kill?signal=USR1x", None),
    ("POST", "/containers/ev2/kill?signal=URG", None),
    ("POST", "/commit?container=ev2&repo=evran&tag=1", None),
    ("POST", "/commit?container=ev2&pause=0", None),
    ("DELETE", "/images/evran:1", None),
    ("POST", "/containers/ev2/stop?t=5", None),
    ("POST", "/containers/ev2/start", None),
    ("POST", "/containers/ev2/restart?t=5", None),
    ("POST", "/containers/ev2/kill", None),
    ("GET", "/containers/ev2/export", None),
    ("DELETE", "/containers/ev2", None),
    ("POST", "/containers/create?name=ev3", container("no-such-command", HostConfig={"Binds": ["evvol:/v"]}), "json"),
    ("POST", "/containers/ev3/start", None),
    ("DELETE", "/containers/ev3?v=1", None),
    ("POST", "/containers/create?name=ev4", container("sleep", "1000", Volumes={"/anonymous": {}}), "json"),
    ("POST", "/containers/ev4/start", None),
    ("DELETE", "/containers/ev4?force=1&v=1", None),
    ("POST", "/volumes/create", {"Name": "evvol2", "Labels": {"a": "b"}}, "json"),
    ("DELETE", "/volumes/evvol2", None),
    ("DELETE", "/volumes/evvol", None),
    ("POST", "/networks/create", {"Name": "evnet", "Labels": {"a": "b"}, "IPAM": {"Config": [{"Subnet": "10.125.1.0/24"}]}}, "json"),
    ("POST", "/containers/create?name=ev5", {"Image": "busybox", "Cmd": ["sleep", "1000"], "HostConfig": {"NetworkMode": "evnet"}}, "json"),
    ("POST", "/containers/ev5/start", None),
    ("POST", "/networks/evnet/disconnect", {"Container": "ev5"}, "json"),
    ("POST", "/networks/evnet/connect", {"Container": "ev5"}, "json"),
    ("DELETE", "/containers/ev5?force=1", None),
    ("DELETE", "/networks/evnet", None),
    ("POST", "/build?t=evbuilt:1", made_tar(("Dockerfile", b"FROM busybox\nLABEL x=y\n")), "tar"),
    ("POST", "/images/evbuilt:1/tag?repo=evbuilt&tag=2", None),
    ("DELETE", "/images/evbuilt:1", None),
    ("DELETE", "/images/evbuilt:2", None),
    ("POST", "/containers/create?name=ev6", container("true"), "json"),
    ("POST", "/commit?container=ev6&repo=evcommit&tag=1&comment=why", None),
    ("DELETE", "/images/evcommit:1", None),
    ("POST", "/images/create?fromSrc=-&repo=evimported&tag=1", made_tar(("a", b"1")), "tar"),
    ("DELETE", "/images/evimported:1", None),
    ("POST", "/containers/prune", None),
    ("POST", "/images/prune", None),
    ("POST", "/volumes/prune", None),
    ("POST", "/networks/prune", None),
    ("POST", "/build/prune", None),
]
ANY_ORDER = {"/containers/ev2/stop?t=5", "/containers/ev2/restart?t=5", "/containers/ev5?force=1", "/containers/ev4?force=1&v=1"}

# path -> events that differ and why: {"type action": "reason"}; "type action attribute" for one attribute alone
KNOWN = {
    "*": {"container die execDuration": "since 25"},
    "/containers/ev3/start": {"volume mount": "a command that cannot be found is known before anything is mounted here",
                              "volume unmount": "the same"},
    "/networks/evnet/disconnect": {"network disconnect": "the Engine tells it twice"},
    "/images/prune": {"image prune reclaimed": "the layer of a commit is a tar file"},
    "/build?t=evbuilt:1": {"container create": "no intermediate container", "container destroy": "the same"},
}


class Side:
    def __init__(self, name, path, registry):
        self.name, self.path = name, path
        self.vars = {"registry_path": registry.replace(":", "%3A")}
        self.registry = registry

    def ask(self, method, path, body=None, kind=None):
        c = UnixConnection(self.path)
        headers = {"Content-Type": "application/x-tar" if kind == "tar" else "application/json"} if body is not None else {}
        if callable(body):
            body = body()
        elif isinstance(body, dict):
            body = json.dumps(body)
        c.request(method, "/v1.41" + re.sub(r"\{(\w+)\}", lambda m: self.vars[m.group(1)], path), body, headers)
        r = c.getresponse()
        data = r.read()
        c.close()
        if path.endswith("/exec"):
            self.vars["exec"] = json.loads(data)["Id"]
        return r.status, data

    def plain(self, text):
        text = text.replace(self.registry, "<registry>")
        text = re.sub(r"\b[0-9a-f]{64}\b", "<id>", text)
        text = re.sub(r"\b[0-9a-f]{12}\b", "<short>", text)
        return text

    def events(self, since, until):
        status, data = self.ask("GET", f"/events?since={since}&until={until}")
        assert status == 200, data
        out = []
        for line in data.decode().splitlines():
            e = json.loads(line)
            attributes = {self.plain(k): self.plain(v) for k, v in e["Actor"]["Attributes"].items()}
            legacy = {k: self.plain(e[k]) for k in ("status", "id", "from") if k in e}
            out.append((f"{e['Type']} {self.plain(e['Action'])}", {"ID": self.plain(e["Actor"]["ID"]), **attributes, **legacy}))
        return out

    def play(self):
        """[(path, status, events)]"""
        result = []
        for action in ACTIONS:
            since = time.time()
            status, data = self.ask(*action)
            time.sleep(0.7 if "ev" in action[1] or "exec" in action[1] else 0.1)
            result.append((action[1], status, self.events(f"{since:.9f}", f"{time.time():.9f}")))
        return result


used = set()


def known(path, what):
    for key in (path, "*"):
        if what in KNOWN.get(key, {}):
            used.add((key, what))
            return True
    return False


def compare(path, ours, theirs):
    ours = [e for e in ours if not known(path, e[0])]
    theirs = [e for e in theirs if not known(path, e[0])]
    if path in ANY_ORDER:
        ours, theirs = (sorted(x, key=lambda e: (e[0], sorted(e[1].items()))) for x in (ours, theirs))
    if [e[0] for e in ours] != [e[0] for e in theirs]:
        yield f"events {[e[0] for e in ours]} ; engine {[e[0] for e in theirs]}"
        return
    for (name, a), (_, b) in zip(ours, theirs):
        for key in sorted(set(a) | set(b)):
            if a.get(key) != b.get(key) and not known(path, f"{name} {key}"):
                yield f"{name} {key} = {a.get(key)} ; engine {b.get(key)}"


def main():
    missing = [p for p in ("dockerd", "containerd", "runc", "skopeo", "umoci", "docker-registry") if not shutil.which(p)]
    if os.geteuid() != 0 or missing:
        print("skipped: needs root and", ", ".join(missing))
        sys.exit(SKIP)
    with Stack() as s, Engine() as e:
        name = f"{s.registry}/library/busybox:latest"
        for env in (s.env(), e.environ):
            subprocess.run(["docker", "pull", "-q", name], env=env, check=True, capture_output=True)
            subprocess.run(["docker", "tag", name, "busybox:latest"], env=env, check=True)
        sides = [Side("ours", s.socket, s.registry), Side("engine", e.socket, s.registry)]
        results = [side.play() for side in sides]
    failures = 0
    for (path, status, ours), (_, their_status, theirs) in zip(*results):
        findings = list(compare(path, ours, theirs))
        if status != their_status and not known(path, "status"):
            findings.append(f"status {status} ; engine {their_status}")
        for f in findings:
            failures += 1
            print(f"{path} | {f}")
    for path, rules in KNOWN.items():
        for what in rules:
            if (path, what) not in used:
                failures += 1
                print(f"nothing differs so any more: {path} | {what}")
    print(f"{len(ACTIONS)} actions on both, {failures} differences")
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
