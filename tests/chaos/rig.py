"""A stack whose daemon dies and comes up again, calls that are repeated over that, and the books of what was found."""
import http.client
import json
import os
import signal
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "sim"))
from clouds import resources  # noqa: E402
from harness import Stack, UnixConnection, await_true  # noqa: E402

FIGURES = ("faults", "runs", "bytes", "lost", "doubled", "orphans", "failed", "omitted")
# The grace: how long a start that was cut is waited for where only the agent knows.
ENV = {"SOCKERLESS_WARM_SECONDS": "5", "SOCKERLESS_AGENT_GRACE": "3"}
OWN = {"azf": {"SOCKERLESS_AZF_POLL_INTERVAL_MS": "50"}, "aca": {"SOCKERLESS_ACA_POLL_INTERVAL_MS": "50"},
       "gcf": {"SOCKERLESS_GCF_POLL_INTERVAL_MS": "50"}}


class Finding(Exception):
    """kind: lost, doubled, orphans or failed."""

    def __init__(self, kind, text):
        super().__init__(text)
        self.kind = kind


class Books:
    def __init__(self):
        self.n, self.findings, self.lock = dict.fromkeys(FIGURES, 0), [], threading.Lock()

    def add(self, **counts):
        with self.lock:
            for name, n in counts.items():
                self.n[name] += n

    def note(self, where, error):
        kind = error.kind if isinstance(error, Finding) else "failed"
        self.add(**{kind: 1})
        with self.lock:
            self.findings.append(f"{where}: {kind}: {error}")
            print(self.findings[-1], flush=True)


def make_stack(kind, **more):
    return Stack(backend=kind, env={**ENV, **OWN[kind], **more})


class Rig:
    def __init__(self, stack, books):
        self.s, self.books, self.lock = stack, books, threading.Lock()
        self.deaths = 0

    # -- the daemon

    def begin(self, fault=None):
        self.s.restart_backend(fault=fault)
        self.deaths = 0

    def revive(self):
        with self.lock:
            try:
                status = self.s.backend.wait(10)
            except subprocess.TimeoutExpired:
                try:
                    if self.s.ping():
                        return  # somebody else has done it
                except AssertionError:
                    pass
                raise Finding("failed", "the daemon lives and does not answer")
            if status != -signal.SIGKILL:
                raise Finding("failed", f"the daemon ended with {status}: " + self.s.log("backend")[-1500:])
            self.deaths += 1
            self.s.start_backend()

    def kill(self):
        with self.lock:
            self.s.stop_backend(signal.SIGKILL)
            self.deaths += 1
            self.s.start_backend()

    # -- calls that go on over its death

    def ask(self, method, path, body=None):
        """(status, answer, how often it was asked)"""
        asked = 0
        while True:
            asked += 1
            try:
                return (*self.s.api(method, path, body), asked)
            except (OSError, http.client.HTTPException, ValueError):
                self.revive()

    def must(self, method, path, *statuses, body=None, again=()):
        """again: what a repeated call may be answered, because the first was done."""
        status, answer, asked = self.ask(method, path, body)
        if status not in statuses and not (asked > 1 and status in again):
            raise Finding("failed", f"{method} {path}: {status} {answer}")
        return status, answer, asked

    def cli(self, *args, codes=None, stdin=None):
        """The client of Docker, again when the daemon died under it: (result, how often)"""
        asked = 0
        while True:
            before = self.deaths
            asked += 1
            try:
                r = self.s.docker(*args, stdin=stdin, timeout=100)
            except subprocess.TimeoutExpired:
                raise Finding("failed", f"docker {args} hangs")
            if r.returncode != 0:
                self.ask("GET", "/_ping")  # revives it, if that was the reason
            if self.deaths != before:
                continue
            if codes is not None and r.returncode not in codes:
                raise Finding("failed", f"docker {args}: {r.returncode} {r.stdout[-300:]!r} {r.stderr[-500:]!r}")
            return r, asked

    # -- containers

    def create(self, name, *cmd, **spec):
        body = {"Image": spec.pop("Image", "busybox"), "Cmd": list(cmd), **spec}
        self.must("POST", f"/containers/create?name={name}", 201, body=body, again=(409,))

    def start(self, name):
        return self.must("POST", f"/containers/{name}/start", 204, 304)[2]

    def start_attached(self, name, code):
        """How often it was asked for."""
        r, asked = self.cli("start", "-a", name)
        if r.returncode != code:
            raise Finding("lost", f"start -a {name}: {r.returncode} {r.stderr[-500:]!r}")
        return asked

    def wait(self, name, code, condition=""):
        _, answer, _ = self.must("POST", f"/containers/{name}/wait{condition}", 200)
        if answer["StatusCode"] != code:
            raise Finding("lost", f"wait {name}: {answer}")

    def inspect(self, name):
        return self.must("GET", f"/containers/{name}/json", 200)[1]

    def await_output(self, name, output, times=1):
        """Before that a signal finds no trap, and is lost as on an Engine."""
        try:
            await_true(f"{output} of {name}", lambda: self.cli("logs", name, codes=(0,))[0].stdout.count(output) >= times, 40)
        except AssertionError as e:
            raise Finding("lost", str(e))

    def await_status(self, name, *statuses):
        def check():
            state = self.inspect(name)["State"]["Status"]
            return state in statuses
        try:
            await_true(f"{name} is {statuses}", check, 40)
        except AssertionError as e:
            raise Finding("lost", f"{e}; it is {self.inspect(name)['State']}")

    def check(self, name, output, code, asked, least=1):
        """It has ended with its own code; each run is in the log once and whole, and no run was more than asked for."""
        self.await_status(name, "exited")
        state = self.inspect(name)["State"]
        if state["ExitCode"] != code:
            raise Finding("lost", f"{name}: exit code {state['ExitCode']}, not {code}: {state['Error']}")
        log = self.cli("logs", name, codes=(0,))[0].stdout
        n = log.count(output)
        if log != output * n or n < least:
            raise Finding("lost", f"{name}: log {log[-300:]!r}, {n} whole runs")
        if n > asked:
            raise Finding("doubled", f"{name}: {n} runs, {asked} were asked for")
        self.books.add(runs=n, bytes=len(log))

    def remove(self, name, force=False):
        self.must("DELETE", f"/containers/{name}?force={int(force)}&v=1", 204, again=(404, 409))
        self.await_gone(name)

    def await_gone(self, name):
        try:
            await_true(f"{name} is gone", lambda: self.ask("GET", f"/containers/{name}/json")[0] == 404, 40)
        except AssertionError as e:
            raise Finding("doubled", str(e))

    # -- the end of a life

    def is_cloud_empty(self, left):
        left.clear()
        try:
            left.update(resources(self.s))
        except (AssertionError, OSError, http.client.HTTPException):
            return False  # a fault that was meant for the daemon
        return not left

    def settle(self):
        """No record is left, and nothing in the cloud."""
        left = self.must("GET", "/containers/json?all=1", 200)[1]
        if left:
            raise Finding("doubled", f"left: {[(c['Names'], c['State']) for c in left]}")
        left = {}
        try:
            await_true("the cloud is empty", lambda: self.is_cloud_empty(left), 30)
        except AssertionError:
            raise Finding("orphans", f"{list(left)}")
        dangling = self.must("GET", '/images/json?filters={"dangling":["true"]}', 200)[1]
        if dangling:
            raise Finding("doubled", f"images without a name: {dangling}")

    def clean_up(self):
        """After a finding: the next life begins with nothing."""
        self.s.faults("")
        self.ask("GET", "/_ping")
        self.begin()
        for c in self.ask("GET", "/containers/json?all=1")[1]:
            self.s.docker("rm", "-f", "-v", c["Id"])
        for kind in ("volume", "network"):
            self.s.docker(kind, "prune", "-f")
        try:
            await_true("the cloud is empty", lambda: self.is_cloud_empty({}), 60)
        except AssertionError:
            pass  # counted already, or by the next life
