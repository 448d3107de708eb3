"""The ops listener: what it tells of real runs, of a loop that hangs, of a cloud and a database that are away; never a secret."""
import ctypes
import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import unittest
import urllib.error
import urllib.request

from harness import TOP, Stack, await_true, free_port, main
from prometheus import parse

DASHBOARD = os.path.join(TOP, "docs/grafana-dashboard.json")
LAG_LIMIT_MS = 2000
HAS_IPV6 = bool(ctypes.CDLL("libcivetweb.so.1").mg_check_feature(8))  # MG_FEATURES_IPV6
PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207


class Ops:
    """Asks the listener; keeps all that it ever said."""

    def __init__(self, **kw):
        self.port, self.said = free_port(), []
        env = {**kw.pop("env", {}), "SOCKERLESS_OPS_LISTEN": str(self.port)}
        self.stack = Stack(env=env, **kw)

    def __enter__(self):
        self.stack.__enter__()
        return self

    def __exit__(self, *what):
        self.stack.__exit__(*what)

    def get(self, path, method="GET"):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                status, text, headers = answer.status, answer.read().decode(), answer.headers
        except urllib.error.HTTPError as e:
            status, text, headers = e.code, e.read().decode(), e.headers
        self.said += [text, str(headers)]
        return status, text, headers

    def page(self, path):
        status, text, _ = self.get(path)
        return status, json.loads(text)

    def metrics(self):
        return parse(self.get("/metrics")[1])


class StuckThread:
    """The main thread of the daemon stands still; the others run."""

    def __init__(self, pid):
        self.pid, self.libc = pid, ctypes.CDLL(None, use_errno=True)

    def _ptrace(self, what):
        if self.libc.ptrace(what, self.pid, None, None) != 0:
            raise OSError(ctypes.get_errno(), "ptrace")

    def __enter__(self):
        self._ptrace(PTRACE_SEIZE)
        self._ptrace(PTRACE_INTERRUPT)
        os.waitpid(self.pid, 0x40000000)  # __WALL

    def __exit__(self, *unused):
        self._ptrace(PTRACE_DETACH)


def dashboard_metrics():
    with open(DASHBOARD) as f:
        board = json.load(f)
    expressions = [t["expr"] for p in board["panels"] for t in p.get("targets", [])]
    expressions += [v["query"] for v in board["templating"]["list"] if v["type"] == "query"]
    names = set()
    for e in expressions:
        e = re.sub(r'\{[^}]*\}|"[^"]*"|\b(by|without) *\([^)]*\)', " ", e)
        names |= set(re.findall(r"\b(?:sockerless|process)_[a-z_]+", e))
    return expressions, names


class OpsTest(unittest.TestCase):
    def test_metrics_tell_what_happened(self):
        with Ops() as o:
            s = o.stack
            s.docker("pull", "-q", "busybox", check=0)
            s.docker("run", "--name", "done", "busybox", "sh", "-c", "echo 12345; echo 678 >&2", check=0)
            s.docker("run", "-d", "--name", "lives", "busybox", "sleep", "1000", check=0)
            s.docker("exec", "lives", "true", check=0)
            talks = s.popen("exec", "lives", "sh", "-c", "echo x; sleep 1000", stdout=-1)
            self.assertEqual(talks.stdout.readline(), b"x\n")
            s.request("GET", "/nothing/there")
            s.request("HEAD", "/_ping")
            await_true("the loop has published", lambda: o.metrics()["sockerless_containers"].value(state="running") == 1)
            m = o.metrics()
            self.assertEqual(m["sockerless_containers"].value(state="exited"), 1)
            self.assertEqual(m["sockerless_output_bytes_total"].value(stream="stdout"), 6)
            self.assertEqual(m["sockerless_output_bytes_total"].value(stream="stderr"), 4)
            requests = m["sockerless_http_requests_total"]
            self.assertEqual(requests.value(method="POST", route="/containers/create", status="201"), 2)
            self.assertEqual(requests.value(method="POST", route="/containers/{id}/start", status="204"), 2)
            self.assertEqual(requests.value(method="POST", route="/exec/{id}/start", status="101"), 2)
            self.assertEqual(requests.value(route="none", status="404"), 1)
            self.assertGreaterEqual(requests.value(method="HEAD", route="/_ping", status="200"), 1)
            self.assertEqual(m["sockerless_http_request_duration_seconds"].value("_count", method="POST", route="/containers/create"), 2)
            self.assertGreaterEqual(m["sockerless_agents_connected"].value(), 1)
            self.assertGreaterEqual(m["sockerless_agent_connections_total"].value(), 2)
            self.assertGreaterEqual(m["sockerless_agent_streams"].value(), 1)
            calls = m["sockerless_cloud_calls_total"]
            self.assertEqual(calls.value(operation="jobs.start", status="200") or calls.value(operation="jobs.start", status="202"), 2)
            self.assertGreaterEqual(calls.value(operation="token", status="200"), 1)
            self.assertEqual(m["sockerless_cloud_tokens_total"].value(result="ok"), calls.value(operation="token", status="200"))
            self.assertGreater(m["sockerless_cloud_call_duration_seconds"].value("_sum", operation="jobs.start"), 0)
            self.assertGreater(m["sockerless_database_statement_duration_seconds"].value("_count"), 10)
            self.assertEqual(m["sockerless_database_failures_total"].value(), 0)
            self.assertEqual(m["sockerless_net_queued_bytes"].value(), 0)
            self.assertGreater(m["sockerless_net_received_bytes_total"].value(), 1000)
            self.assertGreater(m["sockerless_net_sent_bytes_total"].value(), 1000)
            self.assertEqual(m["sockerless_build_info"].value(backend="aca"), 1)
            self.check_process(m, s.backend.pid)
            self.check_disk(o, s)
            self.check_dashboard(m)
            if shutil.which("promtool"):
                r = subprocess.run(["promtool", "check", "metrics"], input=o.get("/metrics")[1], text=True, capture_output=True)
                self.assertEqual((r.returncode, r.stdout + r.stderr), (0, ""))
            s.docker("rm", "-f", "lives", check=0)
            talks.wait(30)
            talks.stdout.close()
            await_true("its streams are over", lambda: o.metrics()["sockerless_agent_streams"].value() == 0)

    def check_process(self, m, pid):
        with open(f"/proc/{pid}/status") as f:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
        self.assertEqual(m["process_threads"].value(), int(status["Threads"]))
        self.assertAlmostEqual(m["process_resident_memory_bytes"].value() / 1024, int(status["VmRSS"].split()[0]), delta=20480)
        self.assertAlmostEqual(m["process_open_fds"].value(), len(os.listdir(f"/proc/{pid}/fd")), delta=4)
        self.assertAlmostEqual(m["process_start_time_seconds"].value(), os.stat(f"/proc/{pid}").st_ctime, delta=60)
        self.assertGreater(m["process_cpu_seconds_total"].value(), 0)

    def check_disk(self, o, s):
        size = sum(os.path.getsize(os.path.join(at, f)) for at, _, files in os.walk(f"{s.dir}/state/output") for f in files)
        self.assertGreater(size, 10)
        await_true("the bytes of the spool", lambda: o.metrics()["sockerless_disk_bytes"].value(folder="output") == size)

    def check_dashboard(self, m):
        expressions, names = dashboard_metrics()
        exported = {name for f in m.values() for name, _ in f.samples}
        self.assertGreater(len(names), 20)
        self.assertEqual(names - exported, set())
        for text in expressions:
            for block in re.findall(r"\{([^}]*)\}|\bby *\(([^)]*)\)", text):
                for label in re.findall(r"([a-z_]+) *(?:=|!=|=~|!~|,|$)", ",".join(filter(None, block))):
                    known = {k for f in m.values() for _, have in f.samples for k, _ in have} | {"instance", "job"}
                    self.assertIn(label, known, text)

    def test_pages_and_methods(self):
        with Ops() as o:
            status, page = o.page("/healthz")
            self.assertEqual((status, page["status"], page["loop"]["state"]), (200, "ok", "ok"))
            self.assertEqual(page["cloud"]["state"], "unknown")
            self.assertEqual(o.page("/readyz")[0], 200)
            self.assertEqual(o.get("/")[0], 404)
            self.assertEqual(o.get("/metrics/../../etc/passwd")[0], 404)
            status, _, headers = o.get("/metrics", "POST")
            self.assertEqual((status, headers["Allow"]), (405, "GET, HEAD"))
            status, text, headers = o.get("/metrics", "HEAD")
            self.assertEqual((status, text), (200, ""))
            self.assertEqual(headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
            o.stack.docker("pull", "-q", "busybox", check=0)
            o.stack.docker("run", "--rm", "busybox", "true", check=0)
            page = o.page("/healthz")[1]
            self.assertEqual([page[k]["state"] for k in ("loop", "database", "credentials", "cloud")], ["ok"] * 4)
            self.assertRegex(page["cloud"]["detail"], r"^[a-z]+\.[a-z]+: status 20\d after \d+ ms, 0 retries$")

    def test_loopback_unless_told_otherwise(self):
        with Ops() as o:
            table = subprocess.check_output(["ss", "-Hltn", f"sport = :{o.port}"], text=True)
            self.assertEqual([line.split()[3] for line in table.splitlines()], [f"127.0.0.1:{o.port}"])

    @unittest.skipUnless(HAS_IPV6, "this system's CivetWeb is built without IPv6")
    def test_an_address_of_ipv6(self):
        with Stack() as s:
            port = free_port()
            s.stop_backend()
            s.extra_env = {"SOCKERLESS_OPS_LISTEN": f"[::1]:{port}"}
            s.start_backend()
            with urllib.request.urlopen(f"http://[::1]:{port}/readyz", timeout=10) as answer:
                self.assertEqual(answer.status, 200)

    def test_a_wrong_address_stops_the_start(self):
        with Stack() as s:
            for value, word in (("example.org:1", "IP address"), ("127.0.0.1:x", "ADDR:PORT"), ("127.0.0.1:70000", "ADDR:PORT"),
                                ("::1:1", "brackets"), ("[127.0.0.1]:1", "brackets"), *([] if HAS_IPV6 else [("[::1]:1", "without IPv6")])):
                s.extra_env = {"SOCKERLESS_OPS_LISTEN": value}
                s.stop_backend()
                s.start_backend(expect_ready=False)
                self.assertEqual(s.backend.wait(30), 2, value)
                self.assertIn(f"--ops-listen '{value}': ", s.log("backend"))
                self.assertIn(word, s.log("backend").splitlines()[-1])
            taken = free_port()
            with socket.create_server(("127.0.0.1", taken)):
                s.extra_env = {"SOCKERLESS_OPS_LISTEN": f"127.0.0.1:{taken}"}
                s.start_backend(expect_ready=False)
                self.assertEqual(s.backend.wait(30), 1)
                self.assertIn("the address cannot be used", s.log("backend"))
            s.extra_env = {}
            s.start_backend()

    def test_a_loop_that_hangs_is_told(self):
        with Ops() as o:
            with StuckThread(o.stack.backend.pid):
                await_true("the lag shows", lambda: o.page("/healthz")[0] == 503)
                status, page = o.page("/healthz")
                self.assertEqual((status, page["status"], page["loop"]["state"]), (503, "failing", "failing"))
                self.assertGreater(page["loop"]["lag_ms"], LAG_LIMIT_MS)
                self.assertEqual(o.page("/readyz")[0], 503)
                self.assertGreater(o.metrics()["sockerless_loop_lag_seconds"].value(), LAG_LIMIT_MS / 1000)
            await_true("the loop turns again", lambda: o.page("/healthz")[0] == 200)
            self.assertEqual(o.page("/readyz")[0], 200)
            m = o.metrics()
            delay = m["sockerless_loop_delay_seconds"]
            self.assertGreater(delay.value("_count") - delay.value("_bucket", le="1"), 0)

    def test_a_cloud_that_is_away_is_told(self):
        with Ops() as o:
            s = o.stack
            s.docker("pull", "-q", "busybox", check=0)
            s.docker("run", "--rm", "busybox", "true", check=0)
            sim = s.processes[1]
            sim.terminate()
            sim.wait(30)
            self.assertNotEqual(s.docker("run", "--rm", "busybox", "true").returncode, 0)
            status, page = o.page("/healthz")
            self.assertEqual((status, page["status"], page["cloud"]["state"]), (200, "degraded", "failing"), page)
            self.assertRegex(page["cloud"]["detail"], r"^jobs\.[a-z]+: no answer after \d+ ms, 3 retries$")
            self.assertEqual(o.page("/readyz")[0], 503)
            m = o.metrics()
            self.assertEqual(m["sockerless_condition_failing"].value(name="cloud"), 1)
            self.assertGreater(m["sockerless_cloud_retries_total"].value(), 0)
            self.assertGreater(m["sockerless_cloud_calls_total"].value(status="none"), 0)
            again = {"127.0.0.1:0": s.sim.split("//")[1], f"{s.dir}/sim": f"{s.dir}/sim-2"}
            s._spawn("sim", [again.get(word, word) for word in sim.args])
            await_true("the simulator is back", lambda: s.log("sim").count("listening on ") == 2)
            s.docker("run", "--rm", "busybox", "true", check=0)
            self.assertEqual(o.page("/healthz")[1]["status"], "ok")
            self.assertEqual(o.page("/readyz")[0], 200)

    def test_a_database_that_cannot_be_written_is_told(self):
        with Ops() as o:
            other = sqlite3.connect(f"{o.stack.dir}/state/state.db", isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            await_true("the probe has failed", lambda: o.page("/healthz")[1]["database"]["state"] == "failing", 60)
            status, page = o.page("/healthz")
            self.assertEqual((status, page["status"]), (503, "failing"))
            self.assertIn("locked", page["database"]["detail"])
            other.execute("ROLLBACK")
            other.close()
            await_true("well again without a request", lambda: o.page("/healthz")[0] == 200, 60)
            self.assertGreater(o.metrics()["sockerless_database_failures_total"].value(), 0)

    def test_no_secret_is_told(self):
        secrets = ["planted-secret-1", "planted-env-2", "planted-arg-3", "planted-login-4", "planted-label-5", "planted-path-6"]
        with Ops() as o:
            s = o.stack
            s.docker("pull", "-q", "busybox", check=0)
            s.docker("run", "--name", "done", "-e", "PASSWORD=planted-env-2", "-l", "x=planted-label-5", "busybox", "sh", "-c",
                     "echo planted-arg-3", check=0)
            auth = "eyJ1c2VybmFtZSI6InUiLCJwYXNzd29yZCI6InBsYW50ZWQtbG9naW4tNCJ9"  # {"username":"u","password":"planted-login-4"}
            s.request("POST", "/images/create?fromImage=busybox&tag=latest", headers={"X-Registry-Auth": auth})
            s.request("GET", "/planted-path-6?token=planted-path-6")
            s.request("GET", "/containers/planted-path-6/json")
            agent = urllib.request.Request(f"http://127.0.0.1:{s.agent_port}/agent/v1?id=x&token=planted-path-6")
            with self.assertRaises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(agent, timeout=20)
            self.assertEqual(refused.exception.code, 401)
            s.faults("any=401")
            s.docker("run", "--rm", "busybox", "true")
            for path in ("/healthz", "/readyz", "/metrics"):
                o.get(path)
            self.assertEqual(o.metrics()["sockerless_agent_refused_total"].value(), 1)
            database = sqlite3.connect(f"{s.dir}/state/state.db")
            secrets += [t for (t,) in database.execute("SELECT token FROM container WHERE token != ''")]
            database.close()
            for secret in [*secrets, auth]:
                self.assertEqual([t for t in o.said if secret in t], [], secret)

    def test_nothing_without_the_option(self):
        with Stack() as s:
            self.assertEqual(os.listdir(f"/proc/{s.backend.pid}/task"), [str(s.backend.pid)])
            s.docker("version", check=0)


if __name__ == "__main__":
    main()
