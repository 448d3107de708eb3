"""A job of GitLab Runner's docker executor, by the requests that it makes: a permission container for each volume, a service
with its health check, a helper and a build container that take turns on one checkout, each started again for each stage
with its script on stdin, a stop at each end, and the clean-up with its disconnects."""
import json
import socket
import struct
import unittest
import urllib.parse

from harness import Stack, main

HELPER, BUILD_IMAGE = "library/busybox:latest", "busybox:latest"
SHELL = ["sh", "-c", "if [ -x /usr/local/bin/bash ]; then exec /usr/local/bin/bash; elif [ -x /bin/sh ]; then exec /bin/sh; else exit 1; fi"]
STOP_ALL = ["sh", "-c", "PIDS=$(ls /proc | grep '^[0-9]*$'); for P in $PIDS; do [ $P != 1 ] && [ $P != $$ ] && kill -TERM $P; done 2>/dev/null; true"]


class Runner:
    """The executor's own steps; API version as its client negotiates it."""

    def __init__(self, stack, per_build_network):
        self.s, self.network, self.containers, self.extra_hosts = stack, "", [], []
        self.prefix = "runner-t0ken-project-7-concurrent-0"
        info, version = self.ok("GET", "/info"), self.ok("GET", "/version")
        assert info["OSType"] == "linux" and info["Architecture"] and info["KernelVersion"], info
        assert all(part.isdigit() for part in version["ApiVersion"].split(".")), version
        if per_build_network:
            body = {"Name": self.prefix + "-job-1-network", "Labels": {"com.gitlab.gitlab-runner.type": "network"}, "Driver": "bridge",
                    "EnableIPv6": False, "Options": {"com.docker.network.driver.mtu": "1400"}}
            self.network = self.ok("GET", "/networks/" + self.ok("POST", "/networks/create", body, 201)["Id"])["Name"]

    def ok(self, method, path, body=None, status=200):
        got, answer = self.s.api(method, "/v1.44" + path, body)
        assert got == status, (method, path, got, answer)
        return answer

    def pull(self, name):
        if self.s.api("GET", f"/v1.44/images/{name}/json")[0] == 404:
            status, lines = self.s.request("POST", "/v1.44/images/create?" + urllib.parse.urlencode({"fromImage": name}))
            assert status == 200 and not any("error" in json.loads(line) for line in lines.splitlines()), lines
        image = self.ok("GET", f"/images/{name}/json")
        assert image["Os"] == "linux" and "User" in image["Config"], image
        return image["RepoDigests"][0] if image["RepoDigests"] else image["Id"]

    def create(self, name, image, cmd, aliases=(), **more):
        host = {"Binds": self.binds, "LogConfig": {"Type": "json-file"}, "RestartPolicy": {"Name": "no"}, "ExtraHosts": self.extra_hosts,
                "Privileged": False, "ShmSize": 0, "NetworkMode": self.network or "default", **more.pop("host", {})}
        endpoints = {self.network: {"Aliases": list(aliases)}} if self.network else {}
        body = {"Image": image, "Cmd": cmd, "HostConfig": host, "NetworkingConfig": {"EndpointsConfig": endpoints},
                "Labels": {"com.gitlab.gitlab-runner.job.id": "1"}, **more}
        self.s.api("DELETE", f"/v1.44/containers/{name}?force=1&v=1")
        container = self.ok("POST", "/containers/create?name=" + name, body, 201)["Id"]
        self.containers.append(container)
        return container

    def once(self, name, image, cmd, **more):
        """Create, start, wait, delete; the exit code and the log."""
        container = self.create(name, image, cmd, **more)
        self.ok("POST", f"/containers/{container}/start", status=204)
        code = self.ok("POST", f"/containers/{container}/wait?condition=not-running")["StatusCode"]
        log = self.s.request("GET", f"/v1.44/containers/{container}/logs?stdout=1&stderr=1&timestamps=1")[1]
        self.ok("DELETE", f"/containers/{container}?force=1", status=204)
        self.containers.remove(container)
        return code, log

    def volumes(self, *paths):
        self.binds = []
        for n, path in enumerate(paths):
            name = f"{self.prefix}-cache-{n:032x}"
            self.ok("POST", "/volumes/create", {"Name": name, "Labels": {"com.gitlab.gitlab-runner.type": "cache"}}, 201)
            init = {"host": {"Binds": [f"{name}:/gitlab-runner-cache-init"]}}
            code, log = self.once(f"{self.prefix}-init-{n}", self.helper, ["chmod", "-R", "777", "/gitlab-runner-cache-init"], **init)
            assert code == 0, log
            self.binds.append(f"{name}:{path}")

    def service(self, name, image, cmd, alias):
        container = self.create(f"{self.prefix}-{name}-0", image, cmd, [alias, name], Env=["HEALTHCHECK_TCP_PORT=80"],
                                ExposedPorts={"80/tcp": {}})
        self.ok("POST", f"/containers/{container}/start", status=204)
        state = self.ok("GET", f"/containers/{container}/json")
        assert state["State"]["Status"] == "running", state["State"]
        addresses = [n["IPAddress"] for n in state["NetworkSettings"]["Networks"].values()]
        assert addresses and all(len(a.split(".")) == 4 for a in addresses), state["NetworkSettings"]
        if not self.network:
            self.extra_hosts = [f"{alias}:{addresses[0]}"]
        code, log = self.once(f"{self.prefix}-{name}-0-wait-for-service", self.helper, ["sh", "-c", "echo $WAIT_FOR_SERVICE_TCP_ADDR"],
                              Env=[f"WAIT_FOR_SERVICE_TCP_ADDR={addresses[0]}"])
        assert code == 0 and addresses[0].encode() in log, log
        return container

    def attached(self, name, image, cmd):
        container = self.create(f"{self.prefix}-{name}", image, cmd, ["build", name], OpenStdin=True, StdinOnce=True, AttachStdin=True,
                                AttachStdout=True, AttachStderr=True, Tty=False, Hostname="runner-host")
        self.ok("GET", f"/containers/{container}/json")
        return container

    def stage(self, container, script, is_build=False):
        """Attach, start, script on stdin, output to its end, then stop and wait: (exit code, output)."""
        self.ok("GET", f"/containers/{container}/json")
        c = socket.socket(socket.AF_UNIX)
        c.settimeout(60)
        c.connect(self.s.socket)
        c.sendall(f"POST /v1.44/containers/{container}/attach?stderr=1&stdin=1&stdout=1&stream=1 HTTP/1.1\r\nHost: docker\r\n"
                  "Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n".encode())
        with c.makefile("rb") as r:
            assert b" 101 " in r.readline()
            while r.readline() not in (b"\r\n", b""):
                pass
            self.ok("POST", f"/containers/{container}/start", status=204)
            c.sendall(script.encode())
            c.shutdown(socket.SHUT_WR)
            output = b""
            while head := r.read(8):
                output += r.read(struct.unpack(">xxxxI", head)[0])
        c.close()
        if is_build:
            status, answer = self.s.api("POST", f"/v1.44/containers/{container}/exec", {"Cmd": STOP_ALL})
            assert status == 409, (status, answer)  # it has ended: that is what the runner expects and passes over
        status = self.s.api("POST", f"/v1.44/containers/{container}/stop")[0]
        assert status == 304, status
        return self.ok("POST", f"/containers/{container}/wait?condition=not-running")["StatusCode"], output.decode()

    def clean_up(self):
        for container in self.containers:
            for network in self.ok("GET", "/networks"):
                if container in self.ok("GET", "/networks/" + network["Id"])["Containers"]:
                    self.ok("POST", f"/networks/{network['Id']}/disconnect", {"Container": container, "Force": True})
            self.ok("DELETE", f"/containers/{container}?force=1&v=1", status=204)
        if self.network:
            assert self.ok("GET", "/networks/" + self.network)["Containers"] == {}
            self.ok("DELETE", "/networks/" + self.network, status=204)


class GitLab(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack().__enter__()
        cls.addClassCleanup(cls.stack.__exit__, None, None, None)

    def job(self, per_build_network):
        r = Runner(self.stack, per_build_network)
        r.binds = []
        r.helper, image = r.pull(HELPER), r.pull(BUILD_IMAGE)
        r.volumes("/builds", "/cache")
        r.service("postgres", image, ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"], "db")
        helper = r.attached("predefined", r.helper, ["/bin/sh"])
        build = r.attached("build", image, SHELL)
        self.assertEqual(r.stage(helper, "echo Preparing; mkdir -p /builds/group/project\n"), (0, "Preparing\n"))
        self.assertEqual(r.stage(helper, "cd /builds/group/project && echo 'echo built by make' > make.sh && chmod +x make.sh\n"), (0, ""))
        self.assertEqual(r.stage(helper, "[ -e /cache/deps ] && cp /cache/deps /builds/group/project/ || echo no cache\n"),
                         (0, "" if per_build_network else "no cache\n"))
        self.assertEqual(r.stage(build, "cd /builds/group/project\nsh make.sh > result\ncat result\necho $HOSTNAME\n", True),
                         (0, "built by make\nrunner-host\n"))
        self.assertEqual(r.stage(build, "cd /builds/group/project\necho out; echo err >&2\nexit 42\n", True), (42, "out\nerr\n"))
        self.assertEqual(r.stage(build, "echo after_script\n", True), (0, "after_script\n"))
        self.assertEqual(r.stage(helper, "cd /builds/group/project && cp result /cache/deps && cat result\n"), (0, "built by make\n"))
        r.clean_up()
        self.assertEqual(self.stack.api("GET", "/containers/json?all=1")[1], [])

    def test_two_jobs_one_after_the_other(self):
        self.job(per_build_network=False)
        # The second one finds the cache of the first.
        self.job(per_build_network=True)


if __name__ == "__main__":
    main()
