"""The requests of conformance.py: every route of the Engine API, played in this order on both sides.

R(METHOD, PATH, BODY, set-up...): {name} in a path or a body is what an earlier row with save="name" answered as its id.
A row with set_up=True only has to answer the same status; it makes what the next rows ask about.
"""
import gzip
import io
import json
import tarfile

UPGRADE = {"Connection": "Upgrade", "Upgrade": "tcp"}


class R:
    def __init__(self, method, path, body=None, *, save=None, set_up=False, hijack=False, stdin=None, tar=False,
                 stream=False, any_text=False, verbatim=False, content_type="application/json", headers=None,
                 prefix="/v1.41", seconds=60, note="", pick=None):
        self.method, self.path, self.body = method, path, body
        self.save, self.set_up, self.hijack, self.stdin = save, set_up, hijack, stdin
        self.tar, self.stream, self.any_text, self.verbatim = tar, stream, any_text, verbatim
        self.content_type, self.headers, self.prefix = content_type, dict(headers or {}), prefix
        self.seconds = seconds
        self.pick = pick  # of a JSON answer: what must be equal in value, beyond its form
        shown = "" if prefix == "/v1.41" else prefix
        self.name = f"{method} {shown}{path}" + (f" ({note})" if note else "")


def made_tar(*members):
    def make():
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as tar:
            for name, data in members:
                info = tarfile.TarInfo(name)
                info.size, info.mode = len(data), 0o644
                tar.addfile(info, io.BytesIO(data))
        return out.getvalue()
    return make


def container(*cmd, **more):
    host = {"NetworkMode": "none", **more.pop("HostConfig", {})}
    return {"Image": "busybox", "Cmd": list(cmd), "HostConfig": host, **more}


def no_such(method, path, body=None, **kw):
    return R(method, path.replace("{id}", "nothing-here"), body, note="unknown", **kw)


SYSTEM = [
    R("GET", "/_ping"),
    R("HEAD", "/_ping"),
    R("GET", "/_ping", prefix="", note="bare"),
    R("POST", "/_ping"),
    R("GET", "/version"),
    R("GET", "/info"),
    R("GET", "/info", prefix="/v1.24"),
    R("GET", "/system/df"),
    R("OPTIONS", "/info"),
    R("GET", "/no/such/page"),
    R("GET", "", note="nothing after the version"),
    R("GET", "/", prefix="", note="root"),
    R("PATCH", "/containers/json"),
    R("GET", "/containers/create"),
    R("GET", "/info", prefix="/v1.11"),
    R("GET", "/info", prefix="/v9.99"),
    R("GET", "/info", prefix="/vx"),
    R("GET", "//info"),
    R("POST", "/auth", {"username": "u", "password": "p", "serveraddress": "127.0.0.1:1"}, note="unreachable"),
    R("POST", "/auth", "{", note="malformed"),
    R("GET", "/events?since=1&until=2"),
    R("GET", "/events?since=5&until=3"),
    R("GET", "/events?filters=nonsense"),
    R("GET", "/events?until=2&filters=%7B%22foo%22%3A%5B%22bar%22%5D%7D"),
    R("POST", "/session"),
    R("POST", "/grpc"),
]

CREATE = [
    R("POST", "/containers/create?name=made", container("sleep", "1000", Labels={"a": "b"}, Env=["X=1"], Tty=True,
      ExposedPorts={"80/tcp": {}}, StopSignal="SIGUSR1", StopTimeout=3, WorkingDir="/tmp", User="app", Hostname="hh",
      Healthcheck={"Test": ["CMD", "true"], "Interval": 3600000000000}, Volumes={"/data": {}},
      HostConfig={"Binds": ["vol-of-made:/vol:ro"], "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 2},
                  "PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "0"}]}, "Memory": 67108864, "CpuShares": 5,
                  "ExtraHosts": ["other:1.2.3.4"], "Dns": ["9.9.9.9"], "CapAdd": ["NET_ADMIN"], "Init": True,
                  "Ulimits": [{"Name": "nofile", "Soft": 10, "Hard": 20}], "Tmpfs": {"/t": "size=1m"},
                  "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m"}},
                  "Mounts": [{"Type": "tmpfs", "Target": "/t2"}]}), save="made"),
    R("GET", "/containers/{made}/json", note="everything set"),
    R("GET", "/containers/json?all=1", note="one created"),
    R("POST", "/containers/create?name=made", container("true"), note="name taken"),
    R("POST", "/containers/create?name=b!", container("true"), note="bad name"),
    R("POST", "/containers/create", None, note="no body"),
    R("POST", "/containers/create", "{", note="malformed"),
    R("POST", "/containers/create", '{"Image":"busybox"} x', note="trailing"),
    R("POST", "/containers/create", '{"Image":5}', note="wrong type"),
    R("POST", "/containers/create", '{"Image":"busybox","Env":{}}', note="wrong type of Env"),
    R("POST", "/containers/create", "{}", content_type="text/plain", note="wrong Content-Type"),
    R("POST", "/containers/create", "{}", note="empty object"),
    R("POST", "/containers/create", {"Image": "no-such-image"}, note="no such image"),
    R("POST", "/containers/create", {"Image": "NO:SUCH:IMAGE"}, note="bad reference"),
    R("POST", "/containers/create", container("true", WorkingDir="relative"), note="relative WorkingDir"),
    R("POST", "/containers/create", container("true", Env=["=x"]), note="bad Env"),
    R("POST", "/containers/create", container("true", ExposedPorts={"x": {}}), note="bad port"),
    R("POST", "/containers/create", container("true", HostConfig={"Binds": ["a:/b", "c:/b"]}), note="mount point twice"),
    R("POST", "/containers/create", container("true", HostConfig={"Binds": ["a:b:c:d"]}), note="bad bind"),
    R("POST", "/containers/create", container("true", HostConfig={"Binds": ["a:/b:zz"]}), note="bad mode"),
    R("POST", "/containers/create", container("true", HostConfig={"Binds": ["aa:/"]}), note="bind at /"),
    R("POST", "/containers/create", container("true", HostConfig={"Mounts": [
        {"Type": "bind", "Source": "/no/such/dir", "Target": "/x"}]}), note="bind source"),
    R("POST", "/containers/create", container("true", HostConfig={"Mounts": [{"Type": "zz", "Target": "/x"}]}), note="mount type"),
    R("POST", "/containers/create", container("true", HostConfig={"Mounts": [{"Type": "volume"}]}), note="mount without target"),
    R("POST", "/containers/create", container("true", HostConfig={"RestartPolicy": {"Name": "zz"}}), note="restart policy"),
    R("POST", "/containers/create", container("true", HostConfig={"RestartPolicy": {"Name": "always"}, "AutoRemove": True}),
      note="restart and AutoRemove"),
    R("POST", "/containers/create", container("true", HostConfig={"RestartPolicy": {"Name": "always", "MaximumRetryCount": 3}}),
      note="retries without on-failure"),
    R("POST", "/containers/create", container("true", Healthcheck={"Test": ["CMD", "x"], "Interval": 5}), note="health interval"),
    R("POST", "/containers/create", container("true", HostConfig={"Memory": 1000}), note="too little memory"),
    R("POST", "/containers/create", container("true", HostConfig={"LogConfig": {"Type": "zz"}}), note="log driver"),
    R("POST", "/containers/create", container("true", HostConfig={"NetworkMode": "container:nothing-here"}),
      note="network of no container"),
    R("POST", "/containers/create", container("true", StopSignal="FOO"), note="stop signal"),
    R("POST", "/containers/create", container("true", HostConfig={"ShmSize": -1}), note="shm size"),
    R("POST", "/containers/create", container("true", HostConfig={"PortBindings": {"80/tcp": [{"HostPort": "zz"}]}}),
      note="host port"),
    R("POST", "/containers/create?name=drop", container("true"), set_up=True, save="drop"),
    R("POST", "/containers/{drop}/rename?name=dropped"),
    R("POST", "/containers/dropped/rename?name=made", note="taken"),
    R("POST", "/containers/dropped/rename?name=dropped", note="same"),
    R("POST", "/containers/dropped/rename", note="no name"),
    R("DELETE", "/containers/dropped"),
    R("DELETE", "/containers/dropped", note="again"),
    R("DELETE", "/containers/dropped?force=1", note="again, force"),
]

RUN = [
    R("POST", "/containers/create?name=runner", container("sh", "-c",
      "echo out; echo err >&2; trap 'exit 5' TERM; while :; do sleep 0.1; done", Labels={}), save="runner"),
    R("GET", "/containers/runner/json", note="created"),
    R("GET", "/containers/runner/top", note="not running"),
    R("GET", "/containers/runner/stats?stream=0", note="not running"),
    R("POST", "/containers/runner/stop", note="not running"),
    R("POST", "/containers/runner/kill", note="not running"),
    R("POST", "/containers/runner/pause", note="not running"),
    R("POST", "/containers/runner/unpause", note="not running"),
    R("POST", "/containers/runner/resize?h=1&w=1", note="not running"),
    R("POST", "/containers/runner/exec", {"Cmd": ["true"]}, note="not running"),
    R("GET", "/containers/runner/logs?stdout=1", note="never run"),
    R("GET", "/containers/runner/changes", note="never run"),
    R("POST", "/containers/runner/wait", note="created"),
    R("POST", "/containers/runner/start"),
    R("POST", "/containers/runner/start", note="again"),
    R("POST", "/containers/runner/start", {"a": 1}, note="with a body"),
    R("GET", "/containers/runner/json", note="running"),
    R("GET", "/containers/runner/json?size=1", note="with size"),
    R("GET", "/containers/json", note="one running"),
    R("GET", "/containers/json?size=1&limit=1", note="with size"),
    R("GET", "/containers/json?limit=-1&all=True"),
    R("GET", "/containers/json?limit=x"),
    R("GET", "/containers/json?filters=nonsense"),
    R("GET", '/containers/json?filters={"foo":["a"]}'),
    R("GET", '/containers/json?filters={"status":["a"]}'),
    R("GET", '/containers/json?filters={"health":["a"]}'),
    R("GET", '/containers/json?filters={"exited":["a"]}'),
    R("GET", '/containers/json?filters={"before":["nothing-here"]}'),
    R("GET", '/containers/json?filters={"publish":["80/zz"]}'),
    R("GET", '/containers/json?filters={"name":["^/runner$"]}'),
    R("GET", "/containers/runner/top"),
    R("GET", "/containers/runner/top?ps_args=aux"),
    R("GET", "/containers/runner/stats?stream=0"),
    R("GET", "/containers/runner/stats?stream=0&one-shot=1"),
    R("GET", "/containers/runner/stats?stream=1&one-shot=1"),
    R("GET", "/containers/runner/stats", stream=True, note="stream"),
    R("GET", "/containers/runner/logs"),
    R("GET", "/containers/runner/logs?stdout=1&stderr=1"),
    R("GET", "/containers/runner/logs?stdout=1&tail=0"),
    R("GET", "/containers/runner/logs?stdout=1&timestamps=1"),
    R("GET", "/containers/runner/logs?stdout=1&details=1"),
    R("GET", "/containers/runner/logs?stdout=1&since=zz"),
    R("GET", "/containers/runner/logs?stdout=1&follow=1", stream=True, note="stream"),
    R("POST", "/containers/runner/resize?h=x&w=1"),
    R("POST", "/containers/runner/resize?h=10&w=20"),
    R("POST", "/containers/runner/kill?signal=FOO"),
    R("POST", "/containers/runner/kill?signal=0"),
    R("POST", "/containers/runner/rename?name=ran"),
    R("POST", "/containers/ran/rename?name=runner"),
    R("POST", "/containers/runner/update", {"RestartPolicy": {"Name": "no"}}),
    R("POST", "/containers/runner/update", {"RestartPolicy": {"Name": "zz"}}, note="bad policy"),
    R("POST", "/containers/runner/update", {}, note="nothing"),
    R("POST", "/containers/runner/update", "{", note="malformed"),
    R("POST", "/containers/runner/attach?logs=1&stdout=1&stderr=1", hijack=True, headers=UPGRADE, note="logs"),
    R("POST", "/containers/runner/attach?logs=1&stdout=1", hijack=True, note="logs, without upgrade"),
    R("POST", "/containers/runner/attach", hijack=True, headers=UPGRADE, note="nothing asked"),
    R("POST", "/containers/runner/attach?stream=1&stdout=1&detachKeys=zz-z", hijack=True, headers=UPGRADE),
    R("POST", "/containers/nothing-here/attach?stream=1&stdout=1", hijack=True, headers=UPGRADE),
    R("GET", "/containers/runner/attach/ws?stream=1", note="no WebSocket asked", hijack=True),
    R("GET", "/containers/runner/attach/ws?logs=1&stdout=1", note="WebSocket", stream=True, any_text=True, headers={
        "Connection": "Upgrade", "Upgrade": "websocket", "Origin": "http://docker", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}),
    R("DELETE", "/containers/runner", note="running"),
    R("POST", "/containers/prune?filters=nonsense"),
    R("POST", '/containers/prune?filters={"foo":["a"]}'),
]

EXEC = [
    R("POST", "/containers/runner/exec", {"AttachStdout": True, "AttachStderr": True, "Cmd": ["sh", "-c", "echo o; echo e >&2; exit 3"],
      "Env": ["A=1"], "WorkingDir": "/tmp"}, save="exec"),
    R("GET", "/exec/{exec}/json", note="not started"),
    R("GET", "/containers/runner/json", note="with an exec"),
    R("POST", "/exec/{exec}/start", {}, hijack=True, headers=UPGRADE),
    R("GET", "/exec/{exec}/json", note="ended"),
    R("POST", "/exec/{exec}/start", {}, hijack=True, headers=UPGRADE, note="again"),
    R("POST", "/exec/{exec}/start", {"Detach": True}, note="again, detached"),
    R("POST", "/containers/runner/exec", {"AttachStdin": True, "AttachStdout": True, "Cmd": ["cat"]}, save="cat", set_up=True),
    R("POST", "/exec/{cat}/start", {}, hijack=True, headers=UPGRADE, stdin=b"typed\n", note="input"),
    R("POST", "/containers/runner/exec", {"AttachStdout": True, "Cmd": ["echo", "old way"]}, save="plain", set_up=True),
    R("POST", "/exec/{plain}/start", {}, hijack=True, note="without upgrade"),
    R("POST", "/containers/runner/exec", {"AttachStdout": True, "Tty": True, "Cmd": ["echo", "tty"]}, save="tty", set_up=True),
    R("POST", "/exec/{tty}/start", {"Tty": True}, hijack=True, headers=UPGRADE, note="terminal"),
    R("POST", "/containers/runner/exec", {"Cmd": ["sleep", "1000"]}, save="detached", set_up=True),
    R("POST", "/exec/{detached}/start", {"Detach": True}, note="detached"),
    R("POST", "/containers/runner/exec", {"AttachStdout": True, "Cmd": ["no-such-command"]}, save="none", set_up=True),
    R("POST", "/exec/{none}/start", {}, hijack=True, headers=UPGRADE, note="no such command"),
    R("POST", "/containers/runner/exec", {}, note="no command"),
    R("POST", "/containers/runner/exec", "{", note="malformed"),
    R("POST", "/containers/runner/exec", "{}", content_type="text/plain", note="wrong Content-Type"),
    R("POST", "/containers/runner/exec", {"Cmd": ["true"], "DetachKeys": "zz-z"}, note="detach keys"),
    no_such("POST", "/containers/{id}/exec", {"Cmd": ["true"]}),
    no_such("POST", "/exec/{id}/start", {}),
    no_such("GET", "/exec/{id}/json"),
    no_such("POST", "/exec/{id}/resize?h=1&w=1"),
    R("POST", "/exec/{exec}/resize?h=x&w=1"),
]

ARCHIVE = [
    R("PUT", "/containers/runner/archive?path=/tmp", made_tar(("one", b"1\n"), ("d/two", b"22\n")), content_type="application/x-tar"),
    R("HEAD", "/containers/runner/archive?path=/tmp/one"),
    R("GET", "/containers/runner/archive?path=/tmp/one", tar=True),
    R("GET", "/containers/runner/archive?path=/tmp/d", tar=True),
    R("GET", "/containers/runner/archive?path=/tmp/d/.", tar=True),
    R("HEAD", "/containers/runner/archive?path=/no/such"),
    R("GET", "/containers/runner/archive?path=/no/such"),
    R("GET", "/containers/runner/archive"),
    R("HEAD", "/containers/runner/archive"),
    R("PUT", "/containers/runner/archive", made_tar(("x", b""))),
    R("PUT", "/containers/runner/archive?path=/no/such", made_tar(("x", b"")), content_type="application/x-tar"),
    R("PUT", "/containers/runner/archive?path=/tmp/one", made_tar(("x", b"")), content_type="application/x-tar"),
    R("PUT", "/containers/runner/archive?path=/tmp", b"this is no tar" * 100, content_type="application/x-tar", note="no tar"),
    R("PUT", "/containers/runner/archive?path=/tmp&noOverwriteDirNonDir=1", made_tar(("d", b"file")),
      content_type="application/x-tar", note="a file over a directory"),
    R("PUT", "/containers/made/archive?path=/tmp", made_tar(("one", b"1\n")), content_type="application/x-tar", note="created"),
    no_such("PUT", "/containers/{id}/archive?path=/", made_tar(("x", b"")), content_type="application/x-tar"),
    no_such("GET", "/containers/{id}/archive?path=/"),
    no_such("HEAD", "/containers/{id}/archive?path=/"),
    R("GET", "/containers/runner/changes"),
    R("GET", "/containers/runner/export", stream=True, any_text=True),
]

PAUSE = [
    R("POST", "/containers/runner/pause"),
    R("POST", "/containers/runner/pause", note="again"),
    R("GET", "/containers/runner/json", note="paused"),
    R("POST", "/containers/runner/exec", {"Cmd": ["true"]}, note="paused"),
    R("POST", "/containers/runner/start", note="paused"),
    R("POST", "/containers/runner/attach?stream=1&stdout=1", hijack=True, headers=UPGRADE, note="paused"),
    R("POST", "/containers/runner/unpause"),
    R("POST", "/containers/runner/unpause", note="again"),
]

END = [
    R("POST", "/containers/runner/stop?t=5"),
    R("POST", "/containers/runner/stop", note="again"),
    R("GET", "/containers/runner/json", note="exited"),
    R("GET", "/containers/json?all=1", note="one exited"),
    R("POST", "/containers/runner/wait"),
    R("POST", "/containers/runner/wait?condition=zz"),
    R("POST", "/containers/runner/kill", note="exited"),
    R("POST", "/containers/runner/exec", {"Cmd": ["true"]}, note="exited"),
    R("GET", "/containers/runner/top", note="exited"),
    R("GET", "/containers/runner/logs?stdout=1&stderr=1&follow=1", note="exited"),
    R("POST", "/containers/runner/restart?t=1", note="exited"),
    R("POST", "/containers/runner/kill"),
    R("POST", "/containers/runner/wait", note="killed"),
    R("POST", "/containers/create?name=bad-start", container("no-such-command"), set_up=True),
    R("POST", "/containers/bad-start/start"),
    R("GET", "/containers/bad-start/json", note="failed to start"),
    R("DELETE", "/containers/bad-start", set_up=True),
    R("POST", "/containers/create?name=auto", container("true", HostConfig={"AutoRemove": True}), set_up=True),
    R("POST", "/containers/auto/start", set_up=True),
    R("POST", "/containers/create?name=quick", container("true", HostConfig={"LogConfig": {"Type": "none"}}), set_up=True),
    R("POST", "/containers/quick/start", set_up=True),
    R("POST", "/containers/quick/wait", set_up=True),
    R("GET", "/containers/quick/logs?stdout=1", note="driver none"),
    R("DELETE", "/containers/quick?v=1"),
    *[no_such(m, "/containers/{id}" + p, b) for m, p, b in (
        ("GET", "/json", None), ("GET", "/top", None), ("GET", "/logs?stdout=1", None), ("GET", "/changes", None),
        ("GET", "/export", None), ("GET", "/stats?stream=0", None), ("POST", "/resize?h=1&w=1", None),
        ("POST", "/start", None), ("POST", "/stop", None), ("POST", "/restart", None), ("POST", "/kill", None),
        ("POST", "/update", {}), ("POST", "/rename?name=xx", None), ("POST", "/pause", None), ("POST", "/unpause", None),
        ("POST", "/wait", None), ("DELETE", "", None), ("DELETE", "?force=1", None), ("GET", "/checkpoints", None),
        ("POST", "/copy", {"Resource": "/"}))],
    R("GET", "/containers/made/checkpoints"),
    R("POST", "/containers/made/checkpoints", {"CheckpointID": "c"}),
    R("DELETE", "/containers/made/checkpoints/c"),
    R("POST", "/commit?container=runner&repo=committed"),
    no_such("POST", "/commit?container={id}"),
    R("DELETE", "/images/committed"),
    R("DELETE", "/containers/runner?v=1&link=0&force=False"),
    R("POST", "/containers/prune"),
    R("POST", "/containers/prune", note="nothing left"),
]

IMAGES = [
    R("GET", "/images/json"),
    R("GET", "/images/json?all=1&digests=1"),
    R("GET", '/images/json?filters={"reference":["busy*"]}'),
    R("GET", '/images/json?filters={"foo":["a"]}'),
    R("GET", '/images/json?filters={"dangling":["zz"]}'),
    R("GET", '/images/json?filters={"before":["nothing-here"]}'),
    R("GET", "/images/busybox/json"),
    R("GET", "/images/busybox:latest/json"),
    R("GET", "/images/busybox%3Alatest/json"),
    R("GET", "/images/busybox/history"),
    no_such("GET", "/images/{id}/json"),
    R("GET", "/images/NOPE/json"),
    no_such("GET", "/images/{id}/history"),
    no_such("GET", "/images/a/b/{id}/json"),
    R("POST", "/images/busybox/tag?repo=tagged&tag=1"),
    R("POST", "/images/busybox/tag?repo=UPPER"),
    R("POST", "/images/busybox/tag?repo=ok&tag=-bad"),
    R("POST", "/images/busybox/tag"),
    no_such("POST", "/images/{id}/tag?repo=x"),
    R("DELETE", "/images/tagged:1"),
    no_such("DELETE", "/images/{id}"),
    R("DELETE", "/images/UPPER"),
    R("POST", "/containers/create?name=holder", container("true"), set_up=True),
    R("POST", "/images/create?fromImage={registry_path}/library/busybox&tag=latest", note="up to date"),
    R("POST", "/images/create?fromImage={registry_path}/library/no-such&tag=latest"),
    R("POST", "/images/create?fromImage={registry_path}/library/busybox&tag=no-such"),
    R("POST", "/images/create?fromImage=UPPER&tag=latest"),
    R("POST", "/images/create?fromImage=127.0.0.1%3A1/x&tag=latest", note="registry away"),
    R("POST", "/images/create"),
    R("POST", "/images/busybox/push?tag=latest", note="no X-Registry-Auth"),
    R("POST", "/images/{registry}/nothing-here/push?tag=1", headers={"X-Registry-Auth": "e30="}),
    R("GET", "/images/busybox/get", stream=True, any_text=True),
    R("GET", "/images/get?names=busybox", stream=True, any_text=True),
    no_such("GET", "/images/{id}/get"),
    R("POST", "/images/load", b"this is no tar" * 100, content_type="application/x-tar"),
    R("GET", "/distribution/{registry}/library/busybox:latest/json"),
    R("GET", "/distribution/{registry}/library/no-such:latest/json"),
    R("GET", "/distribution/UPPER/json"),
    R("POST", "/images/prune"),
    R("POST", '/images/prune?filters={"foo":["a"]}'),
    R("DELETE", "/containers/holder", set_up=True),
    R("GET", "/images/search"),
]

BUILD = [
    R("POST", "/build?t=built:1", made_tar(("Dockerfile", b"FROM busybox\nENV A=b\nLABEL x=y\nCMD [\"true\"]\n")),
      content_type="application/x-tar"),
    R("GET", "/images/built:1/json", note="of a build"),
    R("GET", "/images/built:1/history", note="of a build"),
    R("POST", "/build?q=1", made_tar(("Dockerfile", b"FROM busybox\nCOPY f /f\n"), ("f", b"x")),
      content_type="application/x-tar", note="quiet"),
    R("POST", "/build", made_tar(("other", b"x")), content_type="application/x-tar", note="no Dockerfile"),
    R("POST", "/build", made_tar(("Dockerfile", b"FROM busybox\nNOPE x\n")), content_type="application/x-tar",
      note="unknown instruction"),
    R("POST", "/build", made_tar(("Dockerfile", b"")), content_type="application/x-tar", note="empty"),
    R("POST", "/build", made_tar(("Dockerfile", b"FROM busybox\nCOPY nothing /x\n")), content_type="application/x-tar",
      note="COPY of nothing"),
    R("POST", "/build?t=UPPER", made_tar(("Dockerfile", b"FROM busybox\n")), content_type="application/x-tar"),
    R("POST", "/build?buildargs=nonsense", made_tar(("Dockerfile", b"FROM busybox\n")), content_type="application/x-tar"),
    R("POST", "/build/prune"),
    R("POST", "/build/cancel"),
    R("DELETE", "/images/built:1"),
]

def imported(query, *members, body=None):
    return R("POST", "/images/create?fromSrc=-" + query, body or made_tar(*members), content_type="text/plain", note="import")


FILES = (("a", b"1"), ("b", b"22"))
IMPORT = [
    imported("&repo=imported&tag=1&message=hello&changes=CMD+%5B%22sh%22%5D&changes=ENV+A%3Db&changes=LABEL+l%3Dv", *FILES),
    R("GET", "/images/imported:1/json", pick=lambda i: (i["Comment"], i["RepoTags"], i["Os"], i["Architecture"], i["Size"], i["Parent"],
      i["Config"]["Env"], i["Config"]["Cmd"], i["Config"]["Labels"], len(i["RootFS"]["Layers"]))),
    R("GET", "/images/imported:1/history", pick=lambda h: [(x["Comment"], x["CreatedBy"], x["Tags"]) for x in h]),
    imported("&repo=imported:2", body=lambda: gzip.compress(made_tar(*FILES)())),
    imported("&repo=UPPER", *FILES),
    imported("&repo=imported&tag=-x", *FILES),
    imported("&repo=imported@sha256:" + "a" * 64, *FILES),
    imported("&repo=imported&changes=RUN+x", *FILES),
    imported("&repo=imported&changes=NOPE+x", *FILES),
    imported("&repo=imported&platform=zz/yy", *FILES),
    imported("&repo=imported", body=b"junk" * 300),
    R("POST", "/build?t=on-imported:1", made_tar(("Dockerfile", b"FROM imported:1\nENV B=c\n")), content_type="application/x-tar",
      note="on an import"),
    R("GET", "/images/on-imported:1/json", pick=lambda i: i["Config"]["Env"]),
    *[R("DELETE", "/images/" + i) for i in ("on-imported:1", "imported:1", "imported:2")],
]

NETWORKS = [
    R("GET", "/networks"),
    R("GET", '/networks?filters={"name":["none"]}'),
    R("GET", '/networks?filters={"foo":["a"]}'),
    R("GET", "/networks?filters=nonsense"),
    R("GET", "/networks/none"),
    no_such("GET", "/networks/{id}"),
    R("GET", "/networks/none?scope=local"),
    R("GET", "/networks/none?scope=swarm"),
    R("GET", "/networks/none?verbose=True"),
    R("GET", "/networks/none?verbose=no"),
    R("GET", '/networks?filters={"dangling":["zz"]}'),
    R("POST", "/networks/create", {"Name": "net", "CheckDuplicate": True, "Driver": "bridge", "Labels": {"a": "b"},
      "IPAM": {"Config": [{"Subnet": "10.123.45.0/24", "Gateway": "10.123.45.1"}]}}, save="net"),
    R("GET", "/networks/{net}"),
    R("GET", "/networks/net"),
    R("GET", '/networks?filters={"type":["custom"]}'),
    R("GET", '/networks?filters={"type":["zz"]}'),
    R("POST", "/networks/create", {"Name": "net", "CheckDuplicate": True}, note="taken"),
    R("POST", "/networks/create", {"Name": ""}, note="no name"),
    R("POST", "/networks/create", {"Name": "host"}, note="predefined"),
    R("POST", "/networks/create", {"Name": "xx", "Driver": "bogus"}, note="driver"),
    R("POST", "/networks/create", {"Name": "xx", "IPAM": {"Config": [{"Subnet": "nonsense"}]}}, note="subnet"),
    R("POST", "/networks/create", "{", note="malformed"),
    R("POST", "/networks/create", None, note="no body"),
    R("POST", "/containers/create?name=member", {"Image": "busybox", "Cmd": ["sleep", "1000"], "HostConfig": {"NetworkMode": "net"},
      "NetworkingConfig": {"EndpointsConfig": {"net": {"Aliases": ["al"]}}}}, save="member"),
    R("GET", "/containers/member/json", note="on a network, created"),
    R("POST", "/containers/member/start", set_up=True),
    R("GET", "/containers/member/json", note="on a network"),
    R("GET", "/networks/net", note="with a container"),
    R("GET", "/containers/json", note="on a network"),
    R("POST", "/networks/create", {"Name": "net2", "IPAM": {"Config": [{"Subnet": "10.123.46.0/24"}]}}, set_up=True),
    R("POST", "/networks/net2/connect", {"Container": "member", "EndpointConfig": {"Aliases": ["x"]}}),
    R("POST", "/networks/net2/connect", {"Container": "member"}, note="again"),
    R("POST", "/networks/net2/connect", {"Container": "nothing-here"}, note="unknown container"),
    R("POST", "/networks/nothing-here/connect", {"Container": "member"}, note="unknown network"),
    R("POST", "/networks/net2/connect", "{", note="malformed"),
    R("GET", "/containers/member/json", note="on two networks"),
    R("DELETE", "/networks/net2", note="in use"),
    R("POST", "/networks/net2/disconnect", {"Container": "member"}),
    R("POST", "/networks/net2/disconnect", {"Container": "member"}, note="again"),
    R("POST", "/networks/net2/disconnect", {"Container": "nothing-here"}, note="unknown container"),
    R("POST", "/networks/nothing-here/disconnect", {"Container": "member"}, note="unknown network"),
    R("DELETE", "/containers/member?force=1", set_up=True),
    R("DELETE", "/networks/net2"),
    R("DELETE", "/networks/none"),
    no_such("DELETE", "/networks/{id}"),
    R("POST", "/networks/prune"),
    R("POST", '/networks/prune?filters={"foo":["a"]}'),
]

def subnet(n, **more):
    return {"Name": f"xx{n}", "IPAM": {"Config": [{"Subnet": f"10.124.{n}.0/24", **more}]}}


def fixed(address, key="IPv4Address"):
    return {"IPAMConfig": {key: address}}


def on(net, settings=None):
    endpoints = {"EndpointsConfig": {net: settings}} if settings is not None else {}
    return {"Image": "busybox", "Cmd": ["sleep", "1000"], "HostConfig": {"NetworkMode": net}, "NetworkingConfig": endpoints}


# Every subnet is another one: an Engine of this age does not give one back after some of these refusals.
ADDRESSES = [
    R("POST", "/networks/create", subnet(1, Gateway="10.99.0.1"), note="gateway outside"),
    R("POST", "/networks/create", subnet(2, Gateway="junk"), note="gateway"),
    R("POST", "/networks/create", subnet(3, Gateway="10.124.3.255"), note="gateway taken"),
    R("POST", "/networks/create", subnet(4, IPRange="junk"), note="range"),
    R("POST", "/networks/create", subnet(6, AuxiliaryAddresses={"a": "10.99.0.1"}), note="auxiliary outside"),
    R("POST", "/networks/create", subnet(7, AuxiliaryAddresses={"a": "10.124.7.1"}), note="auxiliary taken"),
    R("POST", "/networks/create", {"Name": "xx", "IPAM": {"Config": [{"Gateway": "10.124.8.1"}]}}, note="gateway alone"),
    R("POST", "/networks/create", {"Name": "xx", "IPAM": {"Config": [{"Subnet": "10.124.9.0/32"}]}}, note="one address"),
    R("POST", "/networks/create", {"Name": "xx", "IPAM": {"Config": [{"Subnet": "10.124.10.0/24"}, {"Subnet": "10.124.11.0/24"}]}},
      note="two subnets"),
    R("POST", "/networks/create", {"Name": "xx", "EnableIPv6": True}, note="IPv6 without a subnet"),
    R("POST", "/networks/create", {"Name": "xx", "Scope": "swarm"}, note="scope"),
    R("POST", "/networks/create", {"Name": "xx", "Driver": "overlay"}, note="overlay"),
    R("POST", "/networks/create", {"Name": "xx", "Driver": "host"}, note="second host"),
    R("POST", "/networks/create", {"Name": "xx", "Ingress": True}, note="ingress"),
    R("POST", "/networks/create", {"Name": "xx", "ConfigFrom": {"Network": "nope"}}, note="configuration"),
    R("POST", "/networks/create", {"Name": "xx", "IPAM": {"Driver": "bogus"}}, note="IPAM driver"),
    R("POST", "/networks/create", {"Name": "xx", "Options": {"com.docker.network.bridge.enable_icc": "zz"}}, note="option"),
    R("POST", "/networks/create", {"Name": "user", "EnableIPv6": True, "IPAM": {"Config": [
        {"Subnet": "10.124.20.0/24", "IPRange": "10.124.20.128/25", "AuxiliaryAddresses": {"a": "10.124.20.129"}},
        {"Subnet": "fd00:124::/64"}]}}, save="user"),
    R("GET", "/networks/user", note="both families"),
    R("POST", "/networks/create", {"Name": "picked"}, set_up=True),
    R("POST", "/containers/create?name=in-user", on("user"), set_up=True),
    R("POST", "/containers/in-user/start", set_up=True),
    R("GET", "/containers/in-user/json", note="both families"),
    R("GET", "/networks/user", note="both families, with a container"),
    R("POST", "/containers/create?name=in-picked", on("picked"), set_up=True),
    R("POST", "/containers/in-picked/start", set_up=True),
    *[row for n, (net, settings) in enumerate((
        ("user", fixed("10.124.20.130")), ("user", fixed("10.124.20.128")), ("user", fixed("10.124.20.255")),
        ("user", fixed("10.99.0.1")), ("picked", fixed("172.30.0.9")), ("none", fixed("1.2.3.4")),
        ("user", fixed("fd00:124::2", "IPv6Address")), ("user", fixed("fd00:125::2", "IPv6Address")))) for row in (
            R("POST", f"/containers/create?name=fixed{n}", on(net, settings)),
            R("POST", f"/containers/fixed{n}/start", note=net + ": " + ", ".join(settings["IPAMConfig"].values())),
            R("GET", f"/containers/fixed{n}/json", note="not started"),
            R("DELETE", f"/containers/fixed{n}", set_up=True))],
    R("POST", "/containers/create", on("user", fixed("junk")), note="junk address"),
    R("POST", "/containers/create", on("user", fixed("10.0.0.1", "IPv6Address")), note="junk IPv6 address"),
    R("POST", "/networks/user/connect", {"Container": "in-picked", "EndpointConfig": fixed("10.124.20.130")}, note="taken"),
    R("POST", "/networks/user/connect", {"Container": "in-picked", "EndpointConfig": fixed("10.99.0.1")}, note="outside"),
    R("POST", "/networks/user/connect", {"Container": "in-picked", "EndpointConfig": fixed("junk")}, note="junk"),
    R("POST", "/networks/picked/connect", {"Container": "in-user", "EndpointConfig": fixed("172.30.0.9")}, note="no subnet"),
    R("POST", "/networks/host/connect", {"Container": "in-user"}),
    R("POST", "/networks/none/connect", {"Container": "in-user"}),
    R("POST", "/networks/none/connect", {"Container": "in-user", "EndpointConfig": fixed("1.2.3.4")}, note="address"),
    R("POST", "/networks/host/connect", {"Container": "in-user", "EndpointConfig": {"Aliases": ["a"]}}, note="alias"),
    R("POST", "/networks/user/connect", {"Container": "runner2"}, note="unknown container"),
    R("POST", "/containers/create?name=in-none", on("none"), set_up=True),
    R("POST", "/networks/user/connect", {"Container": "in-none"}, note="from none"),
    R("POST", "/networks/host/connect", {"Container": "in-none"}, note="from none"),
    R("POST", "/networks/none/connect", {"Container": "in-none"}, note="again, created"),
    R("POST", "/networks/user/disconnect", {"Container": "in-none"}, note="created, not in it"),
    R("POST", "/networks/user/connect", {"Container": "in-picked", "EndpointConfig": fixed("10.124.20.44")}, note="fixed"),
    R("GET", "/containers/in-picked/json", note="fixed"),
    R("POST", "/networks/user/disconnect", {"Container": "nobody", "Force": True}, note="force"),
    R("POST", "/networks/user/disconnect", {"Container": "", "Force": True}, note="force, no name"),
    *[R("DELETE", f"/containers/{c}?force=1", set_up=True) for c in ("in-user", "in-picked", "in-none")],
    R("DELETE", "/networks/user", set_up=True),
    R("DELETE", "/networks/picked", set_up=True),
]

VOLUMES = [
    R("POST", "/volumes/create", {"Name": "vol", "Labels": {"a": "b"}}),
    R("POST", "/volumes/create", {"Name": "vol"}, note="again"),
    R("POST", "/volumes/create", {}, save="anonymous"),
    R("POST", "/volumes/create", {"Name": "x"}, note="too short"),
    R("POST", "/volumes/create", {"Name": "a/b"}, note="bad name"),
    R("POST", "/volumes/create", {"Name": "xx", "Driver": "bogus"}, note="driver"),
    R("POST", "/volumes/create", {"Name": "xx", "DriverOpts": {"bogus": "1"}}, note="option"),
    R("POST", "/volumes/create", "{", note="malformed"),
    R("GET", "/volumes"),
    R("GET", '/volumes?filters={"name":["vol"]}'),
    R("GET", '/volumes?filters={"foo":["a"]}'),
    R("GET", '/volumes?filters={"dangling":["zz"]}'),
    R("GET", "/volumes/vol"),
    no_such("GET", "/volumes/{id}"),
    R("POST", "/containers/create?name=user", container("true", HostConfig={"Binds": ["vol:/v"]}), set_up=True),
    R("DELETE", "/volumes/vol", note="in use"),
    R("GET", "/system/df", note="with a volume"),
    R("DELETE", "/containers/user", set_up=True),
    R("DELETE", "/volumes/vol"),
    no_such("DELETE", "/volumes/{id}"),
    R("DELETE", "/volumes/nothing-here?force=1"),
    R("POST", "/volumes/prune"),
    R("POST", '/volumes/prune?filters={"foo":["a"]}'),
]

def opts(**options):
    return {"Name": "ov", "DriverOpts": options}


VOLUMES += [
    *[row for o in (dict(type="tmpfs", device="tmpfs", o="size=1m"), dict(type="nfs", device=":/x", o="addr=1.2.3.4"), {}) for row in (
        R("POST", "/volumes/create", opts(**o), note="options " + ",".join(o.values())),
        R("GET", "/volumes/ov", note="options " + ",".join(o.values())),
        R("DELETE", "/volumes/ov", set_up=True))],
    *[R("POST", "/volumes/create", opts(**o), note="refused " + ",".join(f"{k}={v}" for k, v in o.items())) for o in (
        dict(type="none"), dict(o="bind"), dict(device="/tmp"), dict(type=""), dict(o="bind", device="/tmp"), dict(size="1g"),
        dict(size="junk"), dict(uid="1"), dict(type="tmpfs", device="tmpfs", size="1m"))],
    R("GET", '/volumes?filters={"dangling":["1","0"]}'),
    R("GET", '/volumes?filters={"dangling":["1","zz"]}'),
    R("GET", '/volumes?filters={"dangling":["TRUE"]}'),
    R("GET", '/volumes?filters={"name":["["]}'),
    R("GET", '/volumes?filters={"label!":["a"]}'),
    R("GET", '/volumes?filters={"name":"x"}'),
    R("GET", '/volumes?filters=[]'),
]

# -- bodies of the wrong type, and what is no JSON, for every route that reads one
def wrong(path, *fields, around=lambda field, value: {field: value}):
    def row(field, value):
        return R("POST", path, around(field, value), note=f"{field} {value!r}", verbatim=True)
    # What fits some field (a text for an image, say) would be carried out; these do not.
    strings = {"string": (5, True, ["x"], {"a": 1}), "bool": (5, "x", ["x"], {"a": 1}), "int": ("x", True, [], {"a": 1}, 1.5),
               "uint": ("x", -1, 1.5), "strings": (5, "x", [5], {"a": 1}), "words": (5, True, [5], {"a": 1}),
               "map": (5, "x", ["x"], {"a": 1}), "object": (5, "x", [], True), "list": (5, "x", ["x"], [5], {"a": 1})}
    return [row(field, value) for kind, names in fields for field in names.split() for value in strings[kind]]


def deep(path, at, *values, around=lambda x: x):
    """at: names from the outside in; [] stands for a list of one"""
    def build(names, value):
        for name in reversed(names):
            value = [value] if name == "[]" else {name: value}
        return value
    return [R("POST", path, around(build(at.split("."), v)), note=f"{at} {v!r}", verbatim=True) for v in values]


def in_host(field, value):
    return {"Image": "NOPE:x:y", "HostConfig": {field: value}}


CREATE_PATH = "/containers/create"
TYPES = [
    *wrong(CREATE_PATH, ("string", "Hostname Domainname User WorkingDir MacAddress StopSignal"), ("words", "Cmd Entrypoint Shell"),
           ("bool", "AttachStdin AttachStdout AttachStderr Tty OpenStdin StdinOnce ArgsEscaped NetworkDisabled"),
           ("strings", "Env OnBuild"), ("map", "ExposedPorts Volumes Labels"), ("object", "Healthcheck HostConfig NetworkingConfig"),
           ("int", "StopTimeout"), around=lambda f, v: {"Image": "NOPE:x:y", f: v}),
    *wrong(CREATE_PATH, ("string", "Image")),
    *wrong(CREATE_PATH,
           ("strings", "Binds VolumesFrom Dns DnsOptions DnsSearch ExtraHosts GroupAdd Links SecurityOpt DeviceCgroupRules "
                       "MaskedPaths ReadonlyPaths"),
           ("string", "ContainerIDFile NetworkMode VolumeDriver CgroupnsMode IpcMode Cgroup PidMode UTSMode UsernsMode Runtime "
                      "Isolation CgroupParent CpusetCpus CpusetMems"),
           ("object", "LogConfig RestartPolicy"), ("map", "PortBindings StorageOpt Tmpfs Sysctls"), ("words", "CapAdd CapDrop"),
           ("bool", "AutoRemove Privileged PublishAllPorts ReadonlyRootfs OomKillDisable Init"),
           ("int", "OomScoreAdj ShmSize Memory CpuShares NanoCpus CpuPeriod CpuQuota CpuRealtimePeriod CpuRealtimeRuntime "
                   "MemoryReservation MemorySwap MemorySwappiness PidsLimit CpuCount CpuPercent"),
           ("uint", "BlkioWeight IOMaximumIOps IOMaximumBandwidth"),
           ("list", "BlkioWeightDevice BlkioDeviceReadBps BlkioDeviceWriteBps BlkioDeviceReadIOps BlkioDeviceWriteIOps Devices "
                    "DeviceRequests Ulimits Mounts"), around=in_host),
    *[row for at, values in (
        ("Healthcheck.Test", (5, [5])), ("Healthcheck.Interval", ("x", 1.5)), ("Healthcheck.Retries", ("x",)),
        ("HostConfig.LogConfig.Type", (5,)), ("HostConfig.LogConfig.Config", (5, {"a": 5})), ("HostConfig.RestartPolicy.Name", (5,)),
        ("HostConfig.RestartPolicy.MaximumRetryCount", ("x",)), ("HostConfig.PortBindings.80/tcp", (5, [5], [{"HostIp": 5}], [{"HostPort": 5}])),
        ("HostConfig.Devices.[].PathOnHost", (5,)), ("HostConfig.DeviceRequests.[].Count", ("x",)),
        ("HostConfig.DeviceRequests.[].Capabilities", (5, ["x"], [[5]])), ("HostConfig.DeviceRequests.[].Options", (5,)),
        ("HostConfig.Ulimits.[].Name", (5,)), ("HostConfig.Ulimits.[].Soft", ("x",)), ("HostConfig.Mounts.[].Type", (5,)),
        ("HostConfig.Mounts.[].ReadOnly", (5,)), ("HostConfig.Mounts.[].Consistency", (5,)), ("HostConfig.Mounts.[].BindOptions", (5,)),
        ("HostConfig.Mounts.[].BindOptions.Propagation", (5,)), ("HostConfig.Mounts.[].VolumeOptions.NoCopy", (5,)),
        ("HostConfig.Mounts.[].VolumeOptions.DriverConfig.Options", ({"a": 5},)), ("HostConfig.Mounts.[].TmpfsOptions.Mode", ("x",)),
        ("HostConfig.BlkioWeightDevice.[].Weight", ("x",)), ("HostConfig.BlkioDeviceReadBps.[].Rate", (-1,)),
        ("HostConfig.ConsoleSize", (5, ["x"], [-1])), ("NetworkingConfig.EndpointsConfig", (5, {"a": 5})),
        ("NetworkingConfig.EndpointsConfig.a.Aliases", (5,)), ("NetworkingConfig.EndpointsConfig.a.IPAMConfig.LinkLocalIPs", (5,)),
        ("NetworkingConfig.EndpointsConfig.a.DriverOpts", (5,)))
      for row in deep(CREATE_PATH, at, *values, around=lambda b: {"Image": "NOPE:x:y", **b})],
    *wrong("/containers/made/update", ("int", "Memory CpuShares NanoCpus"), ("uint", "BlkioWeight"), ("string", "CpusetCpus"),
           ("object", "RestartPolicy")),
    *wrong("/containers/nobody/exec", ("string", "User DetachKeys WorkingDir"), ("strings", "Env Cmd"),
           ("bool", "Privileged Tty AttachStdin AttachStdout AttachStderr Detach")),
    *wrong("/exec/nobody/start", ("bool", "Detach Tty")),
    *wrong("/networks/create", ("string", "Name Driver Scope"), ("map", "Options Labels"), ("object", "IPAM ConfigFrom"),
           ("bool", "CheckDuplicate EnableIPv6 Internal Attachable Ingress ConfigOnly")),
    *[row for at, values in (("IPAM.Driver", (5,)), ("IPAM.Options", (5,)), ("IPAM.Config", (5, [5])), ("IPAM.Config.[].Subnet", (5,)),
                             ("IPAM.Config.[].AuxiliaryAddresses", (5, {"a": 5})), ("ConfigFrom.Network", (5,)))
      for row in deep("/networks/create", at, *values)],
    *wrong("/networks/none/connect", ("string", "Container"), ("object", "EndpointConfig")),
    *deep("/networks/none/connect", "EndpointConfig.IPAMConfig.IPv4Address", 5),
    *deep("/networks/none/connect", "EndpointConfig.Links", 5),
    *wrong("/networks/none/disconnect", ("string", "Container"), ("bool", "Force")),
    *wrong("/volumes/create", ("string", "Name Driver"), ("map", "DriverOpts Labels")),
    *wrong("/auth", ("string", "username password auth email serveraddress identitytoken registrytoken")),
    *wrong("/commit?container=made", ("string", "Hostname"), ("words", "Cmd"), ("map", "Labels")),
    *[R("POST", path, body, note=f"body {body}") for path in (
        CREATE_PATH, "/containers/made/update", "/containers/nobody/exec", "/exec/nobody/start", "/networks/create",
        "/networks/none/connect", "/networks/none/disconnect", "/volumes/create", "/auth", "/commit?container=made")
      for body in ("[]", "5", '"x"', "true", '{"a":', "{,}")],
    *[R("POST", CREATE_PATH, body, note=f"syntax {body!r}") for body in (
        '{"a" 1}', "{'a':1}", '{"a":tru}', '{"a":01}', '{"a":-}', '{"a":1.}', '{"a":1e}', '{"a":"\x01"}', '{"a":"\\x"}',
        '{"a":"\\u12x4"}', '{"a":[1 2]}', "nope", '{"a":NaN}', '{"a":"')],
    *[R("POST", CREATE_PATH, {"Image": "busybox", "Cmd": ["true"], "HostConfig": {"Links": links, "NetworkMode": mode}},
        note=f"links {links} {mode}") for links, mode in (
            (["nothing:x"], "none"), (["nothing"], "none"), (["made:a:b"], "none"), ([""], "none"), ([":x"], "none"), (["made:x"], "host"))],
    R("POST", CREATE_PATH + "?name=linked", {"Image": "busybox", "Cmd": ["true"], "HostConfig": {
        "Links": ["made:x", "made", "/made:/linked/y"], "NetworkMode": "none"}}, note="links"),
    R("GET", "/containers/linked/json", note="links"),
    R("DELETE", "/containers/linked", set_up=True),
]

def refused(host=None, **more):
    """What no Engine takes, whether or not it would have an effect here."""
    what = json.dumps(host or more) if not (host and more) else json.dumps([host, more])
    return R("POST", CREATE_PATH + "?name=refused", container("true", HostConfig=host or {}, **more), note=f"refused {what}")


SHARED = {"NetworkMode": "container:made"}
REFUSED = [
    refused(SHARED, Hostname="h"),
    refused({**SHARED, "ExtraHosts": ["a:1.2.3.4"]}),
    refused(SHARED, MacAddress="02:42:ac:11:00:05"),
    refused({"NetworkMode": "host"}, MacAddress="02:42:ac:11:00:05"),
    refused({**SHARED, "PortBindings": {"80/tcp": [{"HostPort": ""}]}}),
    refused({**SHARED, "PublishAllPorts": True}),
    refused(SHARED, ExposedPorts={"80/tcp": {}}),
    refused({**SHARED, "Links": ["made"]}),
    refused({**SHARED, "Dns": ["1.1.1.1"]}),
    refused({"UTSMode": "host"}, Hostname="h"),
    *[refused(host) for host in (
        {"PidMode": "container:nobody"}, {"IpcMode": "container:nobody"}, {"Isolation": "zz"}, {"Runtime": "zz"},
        {"CgroupnsMode": "zz"}, {"CapAdd": ["nope"]}, {"CapDrop": ["CAP_NOPE"]}, {"SecurityOpt": ["zz"]}, {"SecurityOpt": ["zz=1"]},
        {"SecurityOpt": ["no-new-privileges=zz"]}, {"VolumesFrom": ["nobody"]}, {"OomScoreAdj": 5000}, {"MemorySwappiness": 500},
        {"CpuPeriod": 5}, {"CpuQuota": 5}, {"CpusetCpus": "zz"}, {"CpusetMems": "1-"}, {"LogConfig": {"Type": "json-file", "Config": {"zz": "1"}}},
        {"LogConfig": {"Type": "local", "Config": {"tag": "1"}}}, {"Tmpfs": {"rel": ""}}, {"Tmpfs": {"/": ""}},
        {"Tmpfs": {"/c": ""}, "Binds": ["vol-of-made:/c"]}, {"Mounts": [{"Type": "volume", "Target": "/", "Source": "vol-of-made"}]},
        {"Mounts": [{"Type": "npipe", "Target": "/x", "Source": "x"}]})],
    R("POST", CREATE_PATH + "?name=taken", container("true", HostConfig={
        "CapAdd": ["all", "net_admin", "CAP_CHOWN"], "CapDrop": ["ALL"], "OomScoreAdj": -5, "MemorySwappiness": -1, "Isolation": "Default",
        "SecurityOpt": ["no-new-privileges", "label:disable", "seccomp=unconfined", "no-new-privileges=true"],
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m", "mode": "non-blocking", "max-buffer-size": "1m", "tag": "t"}}}),
      note="options that are taken"),
    R("DELETE", "/containers/taken", set_up=True),
]


REFUSED.append(R("POST", "/images/create?fromImage={registry_path}/library/busybox&tag=latest&platform=a/b/c/d", note="platform"))


def names_of(containers):
    return sorted(name for c in containers for name in c["Names"] if name.startswith("/filter"))


def filtered(filters):
    return R("GET", "/containers/json?all=1&filters=" + json.dumps(filters, separators=(",", ":")), pick=names_of)


FILTERS = [
    R("POST", "/networks/create", {"Name": "filter-net", "IPAM": {"Config": [{"Subnet": "10.126.1.0/24"}]}}, set_up=True),
    R("POST", "/containers/create?name=filter1", container("sleep", "1000", ExposedPorts={"80/tcp": {}, "53/udp": {}},
      Volumes={"/anon": {}}), set_up=True),
    R("POST", "/containers/create?name=filter2", {"Image": "busybox", "Cmd": ["sleep", "1000"], "ExposedPorts": {"90/tcp": {}, "91/tcp": {}},
      "HostConfig": {"NetworkMode": "filter-net", "Binds": ["filter-vol:/fv"], "PortBindings": {"90/tcp": [{"HostPort": "{port}"}]}}}, set_up=True),
    R("POST", "/containers/create?name=filter3", {"Image": "busybox", "Cmd": ["sleep", "1000"], "HostConfig": {"NetworkMode": "filter-net"},
      "Healthcheck": {"Test": ["CMD", "sleep", "100"]}}, set_up=True),
    R("POST", "/containers/filter2/start", set_up=True),
    R("POST", "/containers/filter3/start", set_up=True),
    *[filtered({key: [value]}) for key, values in (
        ("publish", ("90", "{port}", "{port}/udp", "{port}-{port}", "0", "zz", "80/zz", "70000", "", "/tcp", "100-1", "1-2-3", "90:90")),
        ("expose", ("80", "90", "91", "53/udp", "90-91", "1-100/tcp", "{port}", "zz", "70000", "", "100-1")),
        ("is-task", ("true", "false", "zz", "TRUE")), ("health", ("starting", "none", "healthy", "zz", "")),
        ("ancestor", ("busybox", "busybox:latest", "no-such", "NO:SUCH:X", "")),
        ("volume", ("filter-vol", "/fv", "/anon", "filter", "zz")), ("network", ("filter-net", "filter", "none", "host", "zz")),
        ("before", ("filter2", "filter3")), ("since", ("filter1", "filter2", "zz")), ("status", ("running", "created", "zz", "")),
        ("exited", ("0", "zz", "", "1.5", "-1")), ("name", ("filter", "^filter1$", "/filter1", "(")), ("id", ("zz",)), ("label", ("zz",)))
      for value in values],
    filtered({"publish": ["{port}"], "expose": ["80"]}),
    filtered({"publish": ["1"], "expose": ["91"]}),
    filtered({"health": ["starting", "none"]}),
    filtered({"before": ["filter3"], "since": ["filter1"]}),
    filtered({"network": ["filter-net", "none"]}),
    filtered({"volume": ["filter-vol", "/anon"]}),
    filtered({"status": ["created", "running"]}),
    R("GET", "/containers/json?all=1&since=filter1", pick=names_of),
    R("GET", "/containers/json?all=1&before=nobody", pick=names_of),
    *[R("DELETE", f"/containers/filter{n}?force=1&v=1", set_up=True) for n in (1, 2, 3)],
    R("DELETE", "/networks/filter-net", set_up=True),
    R("DELETE", "/volumes/filter-vol", set_up=True),
]

SWARM = [
    R("POST", "/swarm/init", {"ListenAddr": ""}),
    R("GET", "/services/xx/logs"), R("GET", "/tasks/xx/logs"), R("GET", "/services?status=zz"), R("POST", "/tasks/create", {}),
    R("POST", "/swarm/update", {}, note="no version"),
    *[R("POST", f"/{p}/xx/update", {}, note="no version") for p in ("services", "nodes", "secrets", "configs")],
    R("POST", "/services/xx/update?version=zz", {}),
    R("GET", "/swarm"), R("POST", "/swarm/join", {"RemoteAddrs": []}),
    R("POST", "/swarm/update?version=1", {}), R("GET", "/swarm/unlockkey"), R("POST", "/swarm/leave"),
    R("POST", "/swarm/unlock", {"UnlockKey": "k"}),
    *[R("GET", "/" + p) for p in ("nodes", "services", "tasks", "secrets", "configs")],
    *[R("GET", f"/{p}/xx") for p in ("nodes", "services", "tasks", "secrets", "configs")],
    *[R("DELETE", f"/{p}/xx") for p in ("nodes", "services", "secrets", "configs")],
    *[R("POST", f"/{p}/xx/update?version=1", {}) for p in ("nodes", "services", "secrets", "configs")],
    *[R("POST", f"/{p}/create", {"Name": "n"}) for p in ("services", "secrets", "configs")],
    R("GET", "/services/xx/logs?stdout=1"), R("GET", "/tasks/xx/logs?stdout=1"),
    R("GET", "/plugins"),
    R("GET", "/plugins/privileges?remote=UPPER"),
    R("GET", "/plugins/xx/json"), R("DELETE", "/plugins/xx"), R("POST", "/plugins/xx/enable?timeout=0"),
    R("POST", "/plugins/xx/disable"), R("POST", "/plugins/xx/set", ["a=b"]), R("POST", "/plugins/xx/push"),
    R("POST", "/plugins/xx/upgrade?remote=yy", []), R("POST", "/plugins/pull?remote=UPPER", []),
    R("POST", "/plugins/create?name=pp", made_tar(("x", b"")), content_type="application/x-tar"),
]

EVENTS = [
    R("GET", '/events?since=1&until={now}', note="replay"),
    R("GET", '/events?since=1&until=1700000000', note="nothing in the past"),
]

ROWS = SYSTEM + CREATE + RUN + EXEC + ARCHIVE + PAUSE + END + EVENTS + IMAGES + BUILD + IMPORT + NETWORKS + ADDRESSES + VOLUMES + FILTERS + REFUSED + TYPES + SWARM
