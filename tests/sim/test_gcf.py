"""Google Cloud Run functions: the rows of the product's document, named after them, with an agent and without one."""
import subprocess
import threading
import time
import unittest

from gcp import ACCOUNT, LOCATION, Google, name_of, request
from harness import BUILD, Stack, await_true, main

CODE = "while :; do sleep 0.05; done"


def counts(stack):
    state = stack.sim_state()
    return state["functions"], state["services"]


class Rows(unittest.TestCase):
    """With an agent, in the mode that is the default: function."""

    @classmethod
    def setUpClass(cls):
        cls.stack = Stack(backend="gcf", env={"SOCKERLESS_WARM_SECONDS": "2", "SOCKERLESS_GCF_SERVICE_ACCOUNT": ACCOUNT,
                                              "SOCKERLESS_GCF_TIMEOUT": "1800"}).__enter__()
        cls.google = Google(cls.stack)

    @classmethod
    def tearDownClass(cls):
        cls.stack.__exit__(None, None, None)

    def create(self, *args):
        return self.stack.docker("create", *args, check=0).stdout.decode().strip()

    def test_container_create_is_a_function_whose_service_gets_the_image(self):
        i = self.create("-e", "PLAIN=a b", "-e", "odd-name=1", "busybox", "env")
        function, service = self.google.function(i), self.google.service(i)
        self.assertEqual((function["state"], function["labels"]),
                         ("ACTIVE", {"managed-by": "sockerless", "sockerless-container-id": i[:32],
                                     "sockerless-instance": self.stack.api("GET", "/info")[1]["ID"]}))
        config = function["serviceConfig"]
        self.assertEqual((config["availableCpu"], config["availableMemory"], config["timeoutSeconds"]), ("1", "1Gi", 1800))
        self.assertEqual((config["maxInstanceCount"], config["serviceAccountEmail"]), (1, ACCOUNT))
        self.assertRegex(function["buildConfig"]["runtime"], r"^go1\d\d$")
        template = service["template"]
        container = template["containers"][0]
        self.assertRegex(container["image"], r"^docker\.io/library/busybox@sha256:[0-9a-f]{64}$")
        self.assertEqual((container["command"], container["args"]),
                         (["/sockerless/bin/sockerless-agent"], ["--http-port", "8080", "--"]))
        env = {e["name"]: e["value"] for e in container["env"]}
        self.assertEqual((env["SOCKERLESS_CONTAINER_ID"], len(env["SOCKERLESS_AGENT_TOKEN"])), (i, 64))
        self.assertEqual(set(env), {"SOCKERLESS_CONTAINER_ID", "SOCKERLESS_AGENT_TOKEN", "SOCKERLESS_AGENT_CALLBACK_URL"})
        self.assertEqual((template["timeout"], template["maxInstanceRequestConcurrency"], template["scaling"]["maxInstanceCount"]),
                         ("1800s", 80, 1))
        self.assertEqual(template["annotations"]["sockerless/container-id"], i)
        self.assertTrue(container["resources"]["cpuIdle"])
        self.assertEqual(service["terminalCondition"]["state"], "CONDITION_SUCCEEDED")
        # The deployment's check has been answered by then, and the command has not run: it prints its two lines now.
        self.assertEqual(self.stack.docker("logs", i).stdout, b"")
        r = self.stack.docker("start", "-a", i, check=0)
        self.assertLess({b"PLAIN=a b", b"odd-name=1"}, set(r.stdout.splitlines()))
        # Functions are never patched after the swap.
        self.assertNotIn("functions.patch", self.stack.sim_state()["calls"])
        self.stack.docker("rm", i, check=0)

    def test_container_create_sizes(self):
        for args, size in ((("--cpus", "1.5"), ("2", "1024Mi")), (("--memory", "5g"), ("2", "5120Mi")),
                           (("--memory", "300m"), ("1", "300Mi")), (("--cpus", "3"), ("4", "2048Mi"))):
            with self.subTest(args):
                i = self.create(*args, "busybox", "true")
                limits = self.google.service(i)["template"]["containers"][0]["resources"]["limits"]
                self.assertEqual((limits["cpu"], limits["memory"]), size)
                self.stack.docker("rm", i, check=0)
        r = self.stack.docker("create", "--memory", "33g", "busybox", "true")
        self.assertEqual(r.returncode, 1)
        self.assertIn(b"at most 8 CPUs and 32 GiB", r.stderr)

    def test_container_create_of_an_image_that_is_not_there(self):
        r = self.stack.docker("create", "busybox:none", "true")
        self.assertNotEqual(r.returncode, 0)
        self.assertIn(b"CONTAINER_MISSING", r.stderr)
        await_true("undone", lambda: counts(self.stack) == (0, 0))

    def test_container_start_invokes_once_though_the_platform_repeats(self):
        for fault in ("invoke=503,invoke=502", "invoke=lost", "invoke=429*3", "invoke=drop,invoke=lost"):
            with self.subTest(fault):
                i = self.create("busybox", "sh", "-c", "echo once")
                self.stack.faults(fault)
                self.assertEqual(self.stack.docker("start", "-a", i, check=0).stdout, b"once\n")
                self.assertEqual(self.stack.docker("logs", i, check=0).stdout, b"once\n")
                self.stack.docker("rm", i, check=0)

    def test_helper_containers_really_run(self):
        r = self.stack.docker("run", "--rm", "busybox", "sh", "-c", "sleep 1; echo slow one; echo e >&2; exit 42")
        self.assertEqual((r.returncode, r.stdout, r.stderr), (42, b"slow one\n", b"e\n"))

    def test_container_stop_is_term_then_kill_with_the_real_code(self):
        i = self.stack.docker("run", "-d", "busybox", "sh", "-c", "trap 'echo bye; exit 7' TERM; echo up; " + CODE,
                              check=0).stdout.decode().strip()
        await_true("up", lambda: b"up" in self.stack.docker("logs", i).stdout)
        self.stack.docker("stop", i, check=0)
        self.assertEqual(self.stack.docker("inspect", i, "-f", "{{.State.ExitCode}}").stdout, b"7\n")
        # Its agent leaves after the warm time, with the request that kept it alive.
        await_true("no request", lambda: self.stack.sim_state()["inFlight"].get(name_of(i)) == 0)
        # A start after that is a new workload.
        self.stack.docker("start", i, check=0)
        await_true("up again", lambda: self.stack.docker("logs", i).stdout.count(b"up") == 2)
        self.stack.docker("rm", "-f", i, check=0)
        self.assertIsNone(self.google.function(i).get("state"))

    def test_container_kill_sends_the_signal(self):
        i = self.stack.docker("run", "-d", "busybox", "tail", "-f", "/dev/null", check=0).stdout.decode().strip()
        self.stack.docker("kill", i, check=0)
        self.assertEqual(self.stack.docker("wait", i, check=0).stdout, b"137\n")
        self.stack.docker("rm", i, check=0)

    def test_container_restart_really_restarts(self):
        i = self.stack.docker("run", "-d", "busybox", "sh", "-c", "echo run; exec tail -f /dev/null", check=0).stdout.decode().strip()
        self.stack.docker("restart", "-t", "0", i, check=0)
        await_true("twice", lambda: self.stack.docker("logs", i).stdout == b"run\nrun\n")
        self.stack.docker("rm", "-f", i, check=0)

    def test_container_remove_at_the_same_time(self):
        i = self.create("busybox", "true")
        results = []
        threads = [threading.Thread(target=lambda: results.append(self.stack.request("DELETE", f"/containers/{i}?force=1")[0]))
                   for _ in range(5)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(results.count(204), 1, results)
        self.assertLessEqual(set(results), {204, 404, 409})
        self.assertIsNone(self.google.function(i).get("state"))
        self.assertIsNone(self.google.service(i).get("uri"))

    def test_container_remove_leaves_what_is_not_its_own(self):
        i = self.create("busybox", "true")
        path = f"/v2/{LOCATION}/functions/{name_of(i)}"
        # Somebody has made another function of that name in the place of ours.
        source = self.google.function(i)["buildConfig"]["source"]
        self.google.delete("functions", i)
        body = {"labels": {"owner": "somebody"}, "serviceConfig": {"availableMemory": "256M"},
                "buildConfig": {"runtime": "go126", "entryPoint": "Stub", "source": source}}
        status, operation = self.google.ask("POST", f"/v2/{LOCATION}/functions?functionId={name_of(i)}", body)
        self.assertEqual(status, 200, operation)
        await_true("theirs", lambda: self.google.ask("GET", path)[1].get("state") == "ACTIVE")
        r = self.stack.docker("start", i)
        self.assertNotEqual(r.returncode, 0)
        self.assertIn(b"is not of this container", r.stderr)
        self.stack.docker("rm", i, check=0)
        self.assertEqual(self.google.ask("GET", path)[1]["labels"], {"owner": "somebody"})
        self.google.delete("functions", i)

    def test_exec_attach_copy_health(self):
        i = self.stack.docker("run", "-d", "--health-cmd", "test -f /tmp/well", "--health-interval", "200ms", "busybox",
                              "tail", "-f", "/dev/null", check=0).stdout.decode().strip()
        self.assertEqual(self.stack.docker("exec", "-i", i, "cat", stdin=b"through", check=0).stdout, b"through")
        self.stack.docker("exec", i, "touch", "/tmp/well", check=0)
        await_true("healthy", lambda: b"healthy" == self.stack.docker("inspect", i, "-f", "{{.State.Health.Status}}").stdout.strip())
        self.assertIn(b"root:x:0:0", self.stack.docker("cp", f"{i}:/etc/passwd", "-", check=0).stdout)
        r = self.stack.docker("run", "--rm", "-i", "busybox", "wc", "-l", stdin=b"1\n2\n3\n", check=0)
        self.assertEqual(r.stdout.strip(), b"3")
        self.stack.docker("rm", "-f", i, check=0)

    def test_archive_copy_is_staged_before_the_start(self):
        i = self.create("busybox", "cat", "/tmp/given")
        self.stack.docker("cp", "/etc/hostname", f"{i}:/tmp/given", check=0)
        with open("/etc/hostname", "rb") as f:
            self.assertEqual(self.stack.docker("start", "-a", i, check=0).stdout, f.read())
        self.stack.docker("rm", i, check=0)

    def test_pause_and_unpause(self):
        i = self.stack.docker("run", "-d", "busybox", "sh", "-c", "while :; do echo x; sleep 0.05; done", check=0).stdout.decode().strip()
        self.stack.docker("pause", i, check=0)
        self.assertEqual(self.stack.docker("inspect", i, "-f", "{{.State.Status}}").stdout, b"paused\n")
        self.stack.docker("unpause", i, check=0)
        self.stack.docker("rm", "-f", i, check=0)

    def test_container_logs_follow_and_tell_streams_apart(self):
        i = self.stack.docker("run", "-d", "busybox", "sh", "-c", "echo o; echo e >&2; sleep 1; echo end", check=0).stdout.decode().strip()
        r = self.stack.docker("logs", "-f", i, check=0)
        self.assertEqual((r.stdout, r.stderr), (b"o\nend\n", b"e\n"))
        self.stack.docker("rm", i, check=0)

    def test_images_load_is_not_implemented(self):
        self.assertEqual(self.stack.request("POST", "/images/load", body=b"")[0], 501)

    def test_system_info(self):
        info = self.stack.api("GET", "/info")[1]
        self.assertEqual((info["Driver"], info["OperatingSystem"], info["NCPU"], info["MemTotal"]),
                         ("cloud-run-functions", "Google Cloud Run Functions", 2, 4 << 30))


class Modes(unittest.TestCase):
    """What create makes; all else is the same."""

    def run_in(self, mode, functions):
        with Stack(backend="gcf", env={"SOCKERLESS_GCF_MODE": mode}, sim_args=["--latency", "300"]) as s:
            i = s.docker("create", "busybox", "sh", "-c", "echo in $0; exit 6", mode, check=0).stdout.decode().strip()
            self.assertEqual(counts(s), (functions, 1))
            labels = Google(s).service(i)["labels"]
            self.assertEqual(labels["sockerless-container-id"], i[:32])
            r = s.docker("start", "-a", i)
            self.assertEqual((r.returncode, r.stdout), (6, f"in {mode}\n".encode()))
            s.docker("rm", i, check=0)
            self.assertEqual(counts(s), (0, 0))
            return s.sim_state()["calls"]

    def test_function(self):
        calls = self.run_in("function", 1)
        self.assertEqual((calls["functions.create"], calls["services.patch"], calls["functions.delete"]), (1, 1, 1))
        self.assertNotIn("functions.patch", calls)

    def test_run(self):
        calls = self.run_in("run", 0)
        self.assertEqual((calls["services.create"], calls["services.delete"]), (1, 1))
        self.assertFalse([c for c in calls if c.startswith("functions")])

    def test_docker_runtime(self):
        calls = self.run_in("docker-runtime", 1)
        self.assertEqual((calls["functions.create"], calls["functions.delete"]), (1, 1))
        self.assertNotIn("services.patch", calls)


class AgentInABucket(unittest.TestCase):
    def test_the_agent_comes_from_the_bucket(self):
        with Stack(backend="gcf", env={"SOCKERLESS_GCF_AGENT": "bucket:tools"}, sim_args=["--bucket", "tools"]) as s:
            # Without the object the rollout fails, and nothing is left.
            r = s.docker("create", "busybox", "true")
            self.assertNotEqual(r.returncode, 0)
            self.assertIn(b"is the agent at /sockerless/bin/sockerless-agent", r.stderr)
            await_true("undone", lambda: counts(s) == (0, 0))
            google = Google(s)
            with open(f"{BUILD}/cmd/sockerless-agent", "rb") as f:
                status, _, _ = request("POST", f"{s.sim}/upload/storage/v1/b/tools/o?uploadType=media&name=bin/sockerless-agent",
                                       f.read(), {"Authorization": "Bearer " + google.token})
            self.assertEqual(status, 200)
            i = s.docker("create", "busybox", "echo", "from the bucket", check=0).stdout.decode().strip()
            template = google.service(i)["template"]
            self.assertEqual(template["volumes"][0]["gcs"], {"bucket": "tools", "readOnly": True, "mountOptions": ["file-mode=755"]})
            self.assertEqual(s.docker("start", "-a", i, check=0).stdout, b"from the bucket\n")
            s.docker("rm", i, check=0)


if __name__ == "__main__":
    main()
