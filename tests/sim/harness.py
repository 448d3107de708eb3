"""A registry, the simulator and the backend for one test; standard library only.

    with Stack() as s:
        s.docker("run", "--rm", "busybox", "true")

Everything listens on loopback or a unix socket, is ended by pid and waited for by what it says, not by sleeping.
"""
import contextlib
import glob
import http.client
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 and os.path.isdir(sys.argv[1]) else os.path.join(TOP, "build")
SKIP = 77


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def await_true(what, condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.02)


SANITIZER = re.compile("ERROR: (Address|Leak)Sanitizer|runtime error:|WARNING: ThreadSanitizer")


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost")
        self.unix_path = path

    def connect(self):
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.connect(self.unix_path)
        except OSError:
            sock.close()
            raise
        self.sock = sock


SUBSCRIPTION, WORKSPACE = "00000000-0000-0000-0000-000000000000", "11111111-2222-3333-4444-555555555555"
# What must be in no log, whatever a test does: Stack looks for it in the end.
PLANTED = ("planted-secret-1",)
AZURE_LOGIN = {"AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c", "AZURE_CLIENT_SECRET": PLANTED[0]}
SETTINGS = {
    "aca": {"SOCKERLESS_ACA_SUBSCRIPTION_ID": SUBSCRIPTION, "SOCKERLESS_ACA_RESOURCE_GROUP": "sockerless",
            "SOCKERLESS_ACA_LOG_ANALYTICS_WORKSPACE": WORKSPACE, **AZURE_LOGIN},
    "azf": {"SOCKERLESS_AZF_SUBSCRIPTION_ID": SUBSCRIPTION, "SOCKERLESS_AZF_RESOURCE_GROUP": "sockerless",
            "SOCKERLESS_AZF_STORAGE_ACCOUNT": "sockerless", "SOCKERLESS_AZF_LOG_ANALYTICS_WORKSPACE": WORKSPACE, **AZURE_LOGIN},
    "gcf": {"SOCKERLESS_GCF_PROJECT": "sockerless"},
}


class Stack:
    def __init__(self, mode="reverse", sim_args=(), env=None, backend="aca", args=(), launcher=()):
        self.kind, self.mode, self.sim_args, self.extra_env = backend, mode, list(sim_args), env or {}
        self.args = list(args)  # the backend's
        self.launcher = list(launcher)  # a command that becomes the backend
        self.processes = []

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix="skl-", dir="/tmp")
        try:
            self._registry()
            self._sim()
            self.agent_port = self.callback_port = free_port()
            self.backend = None
            self.start_backend()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def _spawn(self, name, argv, env=None):
        log = open(os.path.join(self.dir, name + ".log"), "ab")
        process = subprocess.Popen(argv, stdout=log, stderr=log, env=env, start_new_session=True)
        log.close()
        self.processes.append(process)
        return process

    def log(self, name):
        path = os.path.join(self.dir, name + ".log")
        if not os.path.exists(path):
            return ""
        with open(path, errors="replace") as f:
            return f.read()

    def _registry(self):
        port = free_port()
        self.registry = f"127.0.0.1:{port}"
        with open(os.path.join(self.dir, "registry.yml"), "w") as f:
            f.write(f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {self.dir}/registry}}}}\n"
                    f"http: {{addr: {self.registry}}}\n")
        self._spawn("registry", ["docker-registry", "serve", os.path.join(self.dir, "registry.yml")])

        def answers():
            try:
                with urllib.request.urlopen(f"http://{self.registry}/v2/", timeout=2) as answer:
                    return answer.status == 200
            except OSError:
                return False
        await_true("registry", answers)
        subprocess.check_call(["/usr/bin/python3", os.path.join(TOP, "tools/seed-registry.py"), f"http://{self.registry}",
                               "library/busybox:latest"])

    def _sim(self):
        cloud, args = "azure", []
        if self.kind == "gcf":
            cloud, args = "gcp", ["--credentials-dir", f"{self.dir}/credentials", "--bucket", "sockerless",
                                  "--registry", self.registry, "--docker-runtime"]
        self._spawn("sim", [f"{BUILD}/tests/simulators/sockerless-sim-{cloud}", "--listen", "127.0.0.1:0",
                            "--agent", f"{BUILD}/cmd/sockerless-agent", "--registry-mirror", self.registry,
                            "--state-dir", f"{self.dir}/sim", "--stop-grace", "2", *args, *self.sim_args])
        await_true("simulator", lambda: "listening on " in self.log("sim"))
        self.sim = self.log("sim").split("listening on ", 1)[1].split()[0]

    def settings(self):
        env = {"SOCKERLESS_ENDPOINT_URL": self.sim, **SETTINGS[self.kind], "SOCKERLESS_REGISTRY_MIRROR": f"http://{self.registry}"}
        if self.kind == "gcf":
            env["GOOGLE_APPLICATION_CREDENTIALS"] = f"{self.dir}/credentials/service_account.json"
        if self.mode == "reverse":
            env["SOCKERLESS_CALLBACK_URL"] = f"http://127.0.0.1:{self.callback_port}/agent/v1"
            env["SOCKERLESS_AGENT_LISTEN"] = f"127.0.0.1:{self.agent_port}"
        env.update(self.extra_env)
        return env

    def start_backend(self, expect_ready=True, fault=None):
        """fault: a spec of libsockerless/base/fault_point.h."""
        self.socket = os.path.join(self.dir, "docker.sock")
        env = {"PATH": os.environ["PATH"], **self.settings()}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS"):
            if name in os.environ:
                env.setdefault(name, os.environ[name])
        if fault:
            env["SOCKERLESS_FAULT_POINT"] = fault
        self.backend = self._spawn("backend", [*self.launcher, f"{BUILD}/cmd/sockerless-backend-{self.kind}", "-H", f"unix://{self.socket}",
                                               "--state-dir", f"{self.dir}/state", *self.args], env)
        if expect_ready:
            await_true("backend", self.ping)

    def ping(self):
        if self.backend.poll() is not None:
            raise AssertionError("the backend ended:\n" + self.log("backend")[-3000:])
        c = UnixConnection(self.socket)
        try:
            c.request("GET", "/_ping")
            return c.getresponse().status == 200
        except OSError:
            return False
        finally:
            c.close()

    def stop_backend(self, signo=signal.SIGTERM, seconds=60):
        """The backend's exit status after the signal."""
        self.backend.send_signal(signo)
        return self.backend.wait(seconds)

    def restart_backend(self, fault=None):
        self.stop_backend()
        self.start_backend(fault=fault)

    def kill_backend(self):
        self.stop_backend(signal.SIGKILL)
        self.start_backend()

    def await_fault(self, seconds=60):
        """The backend has died at its fault point and is up again."""
        status = self.backend.wait(seconds)
        if status != -signal.SIGKILL:
            raise AssertionError(f"the backend ended with {status}:\n" + self.log("backend")[-3000:])
        self.start_backend()

    def api(self, method, path, body=None):
        c = UnixConnection(self.socket)
        data = json.dumps(body) if body is not None else None
        try:
            c.request(method, path, data, {"Content-Type": "application/json"} if data else {})
            r = c.getresponse()
            text = r.read()
        finally:
            c.close()
        return r.status, json.loads(text) if text.strip().startswith((b"{", b"[")) else text

    def request(self, method, path, body=None, headers=None):
        """Raw: (status, bytes)."""
        c = UnixConnection(self.socket)
        try:
            c.request(method, path, body, headers or {})
            r = c.getresponse()
            return r.status, r.read()
        finally:
            c.close()

    def arm(self, method, path, body=None, query="", api="2023-12-01"):
        """The simulated Azure, asked beside the backend: (status, JSON or None)."""
        status, text = self.arm_bytes(method, path, body, query, api)
        return status, json.loads(text) if text else None

    def arm_bytes(self, method, path, body=None, query="", api="2023-12-01"):
        if not hasattr(self, "arm_token"):
            self.arm_token = self.azure_token("https://management.azure.com/.default")
        request = urllib.request.Request(f"{self.sim}{path}?api-version={api}{query}", method=method,
                                         data=None if body is None else json.dumps(body).encode(),
                                         headers={"Authorization": "Bearer " + self.arm_token, "Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as e:
            return e.code, e.read()

    def azure_token(self, scope):
        form = urllib.parse.urlencode({"grant_type": "client_credentials", "client_id": "c", "client_secret": "s", "scope": scope})
        with urllib.request.urlopen(f"{self.sim}/t/oauth2/v2.0/token", form.encode(), timeout=10) as answer:
            return json.load(answer)["access_token"]

    def log_rows(self, query):
        """What the simulated Log Analytics has, asked beside the backend."""
        request = urllib.request.Request(f"{self.sim}/v1/workspaces/{WORKSPACE}/query", json.dumps({"query": query}).encode(),
                                         {"Authorization": "Bearer " + self.azure_token("https://api.loganalytics.io/.default"),
                                          "Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)["tables"][0]["rows"]
        except urllib.error.HTTPError as e:
            with e:
                if b"resolve table" not in e.read():  # a table begins with its first row
                    raise
            return []

    def env(self):
        return {"PATH": os.environ["PATH"], "HOME": self.dir, "DOCKER_HOST": f"unix://{self.socket}"}

    def docker(self, *args, stdin=None, timeout=120, check=None):
        """check: the expected exit code, or None for any."""
        r = subprocess.run(["docker", *args], input=stdin, capture_output=True, env=self.env(), timeout=timeout)
        if check is not None and r.returncode != check:
            raise AssertionError(f"docker {args}: exit code {r.returncode}, {r.stdout[-500:]!r} {r.stderr[-1500:]!r}\n"
                                 + self.log("backend")[-2000:])
        return r

    def popen(self, *args, **kw):
        return subprocess.Popen(["docker", *args], env=self.env(), **kw)

    def sim_state(self):
        with urllib.request.urlopen(self.sim + "/simulator/state", timeout=10) as answer:
            return json.load(answer)

    def faults(self, spec):
        with urllib.request.urlopen(urllib.request.Request(self.sim + "/simulator/fault", spec.encode(), method="POST"), timeout=10):
            pass

    def release(self):
        """Ends what the faults `hold` and `stall` keep."""
        with urllib.request.urlopen(urllib.request.Request(self.sim + "/simulator/release", b"", method="POST"), timeout=10):
            pass

    def peak_rss_mb(self):
        with open(f"/proc/{self.backend.pid}/status") as f:
            for line in f:
                if line.startswith("VmHWM"):
                    return int(line.split()[1]) / 1024
        return 0

    def __exit__(self, *unused):
        for process in reversed(self.processes):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        report = next((log[-6000:] for log in map(self.log, ("backend", "sim")) if SANITIZER.search(log)), "")
        leak = self.leak()
        shutil.rmtree(self.dir, ignore_errors=True)
        if report:
            raise AssertionError("a sanitizer spoke:\n" + report)
        if leak:
            raise AssertionError("a secret was logged:\n" + leak)

    def secrets(self):
        """What was planted, the key of the service account, and the tokens of the agents that are left."""
        found = list(PLANTED)
        for name in glob.glob(f"{self.dir}/credentials/*.json"):
            with open(name) as f:
                found += [line for line in json.load(f).get("private_key", "").splitlines() if len(line) > 30 and "-----" not in line]
        if os.path.exists(f"{self.dir}/state/state.db"):
            try:
                with contextlib.closing(sqlite3.connect(f"file:{self.dir}/state/state.db?mode=ro", uri=True)) as db:
                    found += [token for token, in db.execute("SELECT token FROM container WHERE token IS NOT NULL")]
            except sqlite3.DatabaseError:
                pass  # a test that breaks the database
        return [s for s in found if len(s) >= 8]

    def leak(self):
        """The place of a log that holds a secret; "" when there is none."""
        for log in map(self.log, ("backend", "sim")):
            for secret in self.secrets():
                at = log.find(secret)
                if at >= 0:
                    return log[max(0, at - 1000):at + 200]
        return ""


def main():
    missing = [p for p in ("runc", "skopeo", "umoci", "docker-registry", "docker") if not shutil.which(p)]
    if os.geteuid() != 0 or missing:
        print("skipped: needs root and", ", ".join(missing) or "nothing else")
        sys.exit(SKIP)
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])
