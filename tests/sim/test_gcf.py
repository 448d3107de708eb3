"""Google Cloud Run functions: the rows of the product's document, named after them, with an agent and without one."""
import json
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



class Platform(unittest.TestCase):
    """What Google does to requests, instances and rights."""

    def test_requests_overlap_while_the_container_runs(self):
        with Stack(backend="gcf", env={"SOCKERLESS_GCF_TIMEOUT": "3", "SOCKERLESS_GCF_MODE": "run"}) as s:
            i = s.docker("run", "-d", "busybox", "sh", "-c", "sleep 8; echo still here; exit 5", check=0).stdout.decode().strip()
            seen = set()

            def over():
                state = s.sim_state()["inFlight"].get(name_of(i))
                running = s.docker("inspect", i, "-f", "{{.State.Running}}").stdout.strip() == b"true"
                if running:
                    seen.add(state)
                return not running
            await_true("over", over, 60)
            self.assertEqual(s.docker("wait", i, check=0).stdout, b"5\n")
            self.assertEqual(s.docker("logs", i, check=0).stdout, b"still here\n")
            self.assertNotIn(0, seen)  # Google stops what has no request
            self.assertGreaterEqual(s.sim_state()["calls"]["invoke"], 5)
            s.docker("rm", i, check=0)

    def test_a_warm_workload_keeps_its_request(self):
        with Stack(backend="gcf", env={"SOCKERLESS_GCF_TIMEOUT": "3", "SOCKERLESS_GCF_MODE": "run", "SOCKERLESS_WARM_SECONDS": "600"}) as s:
            i = s.docker("run", "-d", "busybox", "sh", "-c", "echo x >>/tmp/runs; wc -l </tmp/runs; sleep 5", check=0).stdout.decode().strip()
            s.docker("wait", i, check=0)
            invoked = s.sim_state()["calls"]["invoke"]
            await_true("two more requests", lambda: s.sim_state()["calls"]["invoke"] >= invoked + 2)
            self.assertGreater(s.sim_state()["inFlight"][name_of(i)], 0)
            self.assertEqual(s.docker("start", "-a", i, check=0).stdout, b"2\n")  # the same file system
            s.docker("rm", i, check=0)
            self.assertEqual(counts(s), (0, 0))

    def test_an_instance_that_is_ended_ends_the_container(self):
        with Stack(backend="gcf", env={"SOCKERLESS_GCF_MODE": "run", "SOCKERLESS_AGENT_GRACE": "2"}) as s:
            told = s.docker("run", "-d", "busybox", "sh", "-c", "trap 'exit 9' TERM; echo up; " + CODE, check=0).stdout.decode().strip()
            deaf = s.docker("run", "-d", "busybox", "sh", "-c", "trap '' TERM; echo up; " + CODE, check=0).stdout.decode().strip()
            for i in (told, deaf):
                await_true("up", lambda: s.docker("logs", i).stdout == b"up\n")
                request("POST", f"{s.sim}/simulator/maintenance?service={name_of(i)}")
            self.assertEqual(s.docker("wait", told, check=0).stdout, b"9\n")
            self.assertEqual(s.docker("wait", deaf, check=0).stdout, b"137\n")
            self.assertEqual(s.docker("logs", deaf).stdout, b"up\n")  # not begun again
            self.assertNotEqual(s.docker("inspect", deaf, "-f", "{{.State.Error}}").stdout, b"\n")
            s.docker("rm", told, deaf, check=0)

    def test_a_function_that_is_gone_is_made_anew(self):
        for mode, kind in (("function", "functions"), ("run", "services")):
            with self.subTest(mode), Stack(backend="gcf", env={"SOCKERLESS_GCF_MODE": mode}) as s:
                i = s.docker("create", "busybox", "echo", "hi", check=0).stdout.decode().strip()
                Google(s).delete(kind, i)
                self.assertEqual(s.docker("start", "-a", i, check=0).stdout, b"hi\n")
                s.docker("rm", i, check=0)
                self.assertEqual(counts(s), (0, 0))

    def test_limits_changed_are_the_next_workloads(self):
        with Stack(backend="gcf", env={"SOCKERLESS_GCF_MODE": "run"}) as s:
            i = s.docker("create", "busybox", "true", check=0).stdout.decode().strip()
            s.docker("update", "--cpus", "2", i, check=0)
            s.docker("start", "-a", i, check=0)
            limits = Google(s).service(i)["template"]["containers"][0]["resources"]["limits"]
            self.assertEqual(limits["cpu"], "2")
            s.docker("rm", i, check=0)

    def test_who_may_not_invoke_is_told_which_role_is_missing(self):
        with Stack(backend="gcf", env={"SOCKERLESS_GCF_MODE": "run", "SOCKERLESS_GCF_CREATE_TIMEOUT": "3"},
                   sim_args=["--without-invoker", ACCOUNT]) as s:
            r = s.docker("create", "busybox", "true")
            self.assertNotEqual(r.returncode, 0)
            self.assertIn(b"roles/run.invoker", r.stderr)
            await_true("undone", lambda: counts(s) == (0, 0))

    def test_an_agent_that_cannot_call_back_fails_the_start(self):
        env = {"SOCKERLESS_CALLBACK_URL": "http://127.0.0.1:9/agent/v1", "SOCKERLESS_GCF_START_TIMEOUT": "2", "SOCKERLESS_GCF_MODE": "run"}
        with Stack(backend="gcf", env=env) as s:
            r = s.docker("run", "--rm", "busybox", "true")
            self.assertEqual(r.returncode, 125)
            self.assertIn(b"did not reach this daemon in time", r.stderr)
            await_true("removed", lambda: counts(s) == (0, 0))


class Settings(unittest.TestCase):
    def check(self, **env):
        base = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "NO_GCE_CHECK": "true"}
        r = subprocess.run([f"{BUILD}/cmd/sockerless-backend-gcf", "--check-config", "--state-dir", "/tmp"],
                           env={**base, **env}, capture_output=True, timeout=60)
        return r.returncode, r.stderr.decode()

    def test_what_is_missing_or_wrong_is_one_line(self):
        real = {"SOCKERLESS_GCF_PROJECT": "acme"}
        sim = {**real, "SOCKERLESS_ENDPOINT_URL": "http://127.0.0.1:1"}
        callback = {"SOCKERLESS_CALLBACK_URL": "https://daemon.example"}
        for env, words in (({}, "SOCKERLESS_GCF_PROJECT"), (real, "SOCKERLESS_GCF_BUCKET is required"),
                           ({**real, "SOCKERLESS_GCF_MODE": "docker-runtime"}, "Google has no such runtime"),
                           ({**real, **callback, "SOCKERLESS_GCF_MODE": "run"}, "SOCKERLESS_GCF_AGENT is required"),
                           ({**sim, "SOCKERLESS_GCF_AGENT": "image"}, "SOCKERLESS_CALLBACK_URL is required"),
                           ({**sim, **callback, "SOCKERLESS_GCF_AGENT": "overlay:x"}, "bucket:NAME"),
                           ({**sim, "SOCKERLESS_GCF_MODE": "other"}, "SOCKERLESS_GCF_MODE"),
                           ({**sim, "SOCKERLESS_GCF_CPU": "3"}, "SOCKERLESS_GCF_CPU"),
                           ({**sim, "SOCKERLESS_GCF_CPU": "0.5"}, "SOCKERLESS_GCF_CPU"),
                           ({**sim, "SOCKERLESS_GCF_MEMORY": "8Gi"}, "not possible with SOCKERLESS_GCF_CPU=1"),
                           ({**sim, "SOCKERLESS_GCF_MEMORY": "much"}, "SOCKERLESS_GCF_MEMORY"),
                           ({**sim, "SOCKERLESS_GCF_TIMEOUT": "3601"}, "SOCKERLESS_GCF_TIMEOUT"),
                           ({**sim, "SOCKERLESS_GCF_REGION": "US"}, "SOCKERLESS_GCF_REGION"),
                           ({**sim, "SOCKERLESS_GCF_REMOTE_REPOS": "ghcr.io"}, "HOST=REPOSITORY"),
                           ({**sim, "SOCKERLESS_GCF_VPC_SUBNET": "s"}, "SOCKERLESS_GCF_VPC_NETWORK")):
            with self.subTest(env):
                code, text = self.check(**env)
                self.assertEqual((code, text.count("\n")), (2, 1), text)
                self.assertIn(words, text)
        self.assertEqual(self.check(**sim)[0], 0)

    def test_images_of_other_registries_need_a_remote_repository(self):
        hub = {"SOCKERLESS_GCF_DOCKER_HUB_REPO": "docker-hub", "SOCKERLESS_GCF_MODE": "run"}
        with Stack(backend="gcf", env=hub) as s:
            google = Google(s)
            body = {"format": "DOCKER", "mode": "REMOTE_REPOSITORY",
                    "remoteRepositoryConfig": {"dockerRepository": {"publicRepository": "DOCKER_HUB"}}}
            self.assertEqual(google.ask("POST", f"/v1/{LOCATION}/repositories?repositoryId=docker-hub", body)[0], 200)
            i = s.docker("create", "busybox", "echo", "through it", check=0).stdout.decode().strip()
            self.assertRegex(google.service(i)["template"]["containers"][0]["image"],
                             r"^us-central1-docker\.pkg\.dev/sockerless/docker-hub/library/busybox@sha256:")
            self.assertEqual(s.docker("start", "-a", i, check=0).stdout, b"through it\n")
            s.docker("rm", i, check=0)


class Agentless(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack(mode="none", backend="gcf", env={"SOCKERLESS_GCF_MODE": "run"}).__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.stack.__exit__(None, None, None)

    def run_forever(self, *args):
        return self.stack.docker("run", "-d", *args, "busybox", "tail", "-f", "/dev/null", check=0).stdout.decode().strip()

    def state(self, i):
        return self.stack.docker("inspect", i, "-f", "{{.State.Status}} {{.State.ExitCode}}").stdout.decode().strip()

    def test_helper_containers_end_after_500_ms(self):
        begin = time.monotonic()
        i = self.stack.docker("run", "-d", "busybox", "sleep", "1000", check=0).stdout.decode().strip()
        self.assertEqual(self.stack.docker("wait", i, check=0).stdout, b"0\n")
        self.assertGreaterEqual(time.monotonic() - begin, 0.5)
        self.stack.docker("rm", i, check=0)
        self.assertEqual(counts(self.stack)[1], 0)

    def test_keep_alive_commands_stay_and_stop_and_restart_do_nothing(self):
        i = self.run_forever()
        self.stack.docker("stop", "-t", "0", i, check=0)
        self.stack.docker("restart", "-t", "0", i, check=0)
        self.assertEqual(self.state(i), "running 0")
        self.stack.docker("rm", "-f", i, check=0)
        self.assertIsNone(Google(self.stack).service(i).get("uri"))

    def test_kill_switches_the_service_off_and_start_on(self):
        i = self.run_forever()
        self.stack.docker("kill", i, check=0)
        self.assertEqual(self.state(i), "exited 137")
        google = Google(self.stack)
        self.assertEqual(google.service(i)["scaling"].get("manualInstanceCount", 0), 0)
        self.assertEqual(google.service(i)["scaling"]["scalingMode"], "MANUAL")
        self.stack.docker("start", i, check=0)
        self.assertEqual((self.state(i), google.service(i).get("scaling", {}).get("scalingMode", "AUTOMATIC")), ("running 0", "AUTOMATIC"))
        self.stack.docker("rm", "-f", i, check=0)

    def test_the_services_own_fields_carry_the_command(self):
        i = self.stack.docker("create", "-e", "PLAIN=a b", "-e", "PORT=1", "-w", "/tmp", "busybox", "sh", "-c", "echo 'a b'",
                              check=0).stdout.decode().strip()
        container = Google(self.stack).service(i)["template"]["containers"][0]
        self.assertEqual((container["command"], container["args"], container["workingDir"]), (["sh"], ["-c", "echo 'a b'"], "/tmp"))
        env = {e["name"]: e["value"] for e in container["env"]}
        self.assertEqual((env["PLAIN"], "PORT" in env), ("a b", False))
        self.stack.docker("rm", i, check=0)

    def test_exec_names_the_missing_setting(self):
        i = self.run_forever()
        for command in (("exec", i, "true"), ("cp", i + ":/etc/passwd", "-"), ("pause", i)):
            r = self.stack.docker(*command)
            self.assertNotEqual(r.returncode, 0, command)
            self.assertIn(b"SOCKERLESS_CALLBACK_URL", r.stdout + r.stderr, command)
        self.stack.docker("rm", "-f", i, check=0)

    def test_container_logs_come_from_cloud_logging_and_can_be_followed(self):
        script = "echo out; echo err >&2; exec tail -f /dev/null"
        i = self.stack.docker("run", "-d", "--entrypoint", "sh", "busybox", "-c", script, check=0).stdout.decode().strip()
        self.assertEqual(self.stack.docker("wait", i, check=0).stdout, b"0\n")  # not one that keeps alive, as far as is known

        def lines():
            r = self.stack.docker("logs", i, check=0)
            return r.stdout, r.stderr
        await_true("both streams", lambda: lines() == (b"out\n", b"err\n"), 60)
        follower = self.stack.popen("logs", "-f", i, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(follower.stdout.readline(), b"out\n")
        follower.kill()  # it would stay for late lines
        follower.communicate()
        self.stack.docker("rm", i, check=0)


class Credentials(unittest.TestCase):
    """Each that Google's libraries take, for the APIs and for the invocation."""

    def runs(self, s):
        self.assertEqual(s.docker("run", "--rm", "busybox", "sh", "-c", "echo ran; exit 3", check=3).stdout, b"ran\n")

    def write_impersonated(self, folder):
        """A user who speaks for a service account."""
        with open(f"{folder}/authorized_user.json") as f:
            source = json.load(f)
        with open(f"{folder}/impersonated_service_account.json", "w") as f:
            json.dump({"type": "impersonated_service_account", "source_credentials": source, "delegates": [],
                       "service_account_impersonation_url": "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/"
                                                            f"{ACCOUNT}:generateAccessToken"}, f)

    def test_files_of_each_type(self):
        for kind in ("service_account", "authorized_user", "external_account", "impersonated_service_account"):
            with self.subTest(kind), Stack(backend="gcf", env={"SOCKERLESS_GCF_MODE": "run"}) as s:
                if kind.startswith("impersonated"):
                    self.write_impersonated(f"{s.dir}/credentials")
                s.extra_env.update({"GOOGLE_APPLICATION_CREDENTIALS": f"{s.dir}/credentials/{kind}.json",
                                    "SOCKERLESS_GCF_INVOKER_SERVICE_ACCOUNT": ACCOUNT})
                s.restart_backend()
                self.runs(s)

    def test_the_metadata_server(self):
        with Stack(backend="gcf", env={"SOCKERLESS_GCF_MODE": "run", "GOOGLE_APPLICATION_CREDENTIALS": ""}) as s:
            self.runs(s)


if __name__ == "__main__":
    main()
