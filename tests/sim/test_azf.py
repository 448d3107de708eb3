"""Azure Functions: the rows of the product's two documents, named after them, with an agent and without one."""
import os
import subprocess
import threading
import time
import unittest

from harness import BUILD, SUBSCRIPTION, Stack, await_true, main

WEB = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/sockerless/providers/Microsoft.Web"
SHARED_PLAN = {"SOCKERLESS_AZF_APP_SERVICE_PLAN": "sockerless"}


def site_of(container_id):
    return "skls-" + container_id[:12]


class Rows(unittest.TestCase):
    """With an agent."""

    @classmethod
    def setUpClass(cls):
        cls.stack = Stack(backend="azf", env={**SHARED_PLAN, "SOCKERLESS_WARM_SECONDS": "2"}).__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.stack.__exit__(None, None, None)

    def create(self, *args):
        return self.stack.docker("create", *args, check=0).stdout.decode().strip()

    def site(self, container_id):
        return self.stack.arm("GET", f"{WEB}/sites/{site_of(container_id)}")[1]

    def settings(self, container_id):
        return self.stack.arm("POST", f"{WEB}/sites/{site_of(container_id)}/config/appsettings/list")[1]["properties"]

    def config(self, container_id):
        return self.stack.arm("GET", f"{WEB}/sites/{site_of(container_id)}/config/web")[1]["properties"]

    def test_create_makes_the_function_app_before_it_answers(self):
        i = self.create("-e", "PLAIN=a b", "-e", "odd-name=1", "busybox", "env")
        site = self.site(i)
        self.assertEqual((site["name"], site["kind"]), (site_of(i), "functionapp,linux,container"))
        tags = site["tags"]
        self.assertRegex(tags.pop("sockerless-instance"), "^[0-9a-f]{32}$")
        self.assertEqual(tags, {"sockerless-container-id": i, "managed-by": "sockerless"})
        self.assertEqual(site["properties"]["state"], "Running")
        config, settings = self.config(i), self.settings(i)
        self.assertRegex(config["linuxFxVersion"], r"^DOCKER\|docker\.io/library/busybox@sha256:[0-9a-f]{64}$")
        self.assertIn("/sockerless/sockerless-agent --http-port 8080", config["appCommandLine"])
        self.assertEqual((settings["FUNCTIONS_EXTENSION_VERSION"], settings["WEBSITES_ENABLE_APP_SERVICE_STORAGE"]), ("~4", "false"))
        self.assertIn("AccountName=sockerless;AccountKey=", settings["AzureWebJobsStorage"])
        self.assertEqual((settings["SOCKERLESS_CONTAINER_ID"], len(settings["SOCKERLESS_AGENT_TOKEN"])), (i, 64))
        self.assertEqual((settings["PLAIN"], "odd-name" in settings), ("a b", False))
        # Warm-up pings are answered by then, and the command has not run: it prints its two lines now.
        await_true("ready", lambda: self.stack.sim_state()["sites"].get(site_of(i)) == "ready")
        self.assertEqual(self.stack.docker("logs", i).stdout, b"")
        r = self.stack.docker("start", "-a", i, check=0)
        self.assertLess({b"PLAIN=a b", b"odd-name=1"}, set(r.stdout.splitlines()))
        self.stack.docker("rm", i, check=0)

    def test_create_with_a_taken_name_takes_another(self):
        # The ID is not known before: strangers get the name of every site that is tried first, for one call.
        self.stack.faults("sites.put=409taken")
        i = self.create("busybox", "echo", "found")
        self.assertEqual(self.stack.sim_state()["sites"].keys() & {site_of(i), site_of(i) + "-2"}, {site_of(i) + "-2"})
        self.assertEqual(self.stack.docker("start", "-a", i, check=0).stdout, b"found\n")
        self.stack.docker("rm", i, check=0)
        self.assertNotIn(site_of(i) + "-2", self.stack.sim_state()["sites"])

    def test_create_with_a_registry_login(self):
        auth = "eyJ1c2VybmFtZSI6ICJ1IiwgInBhc3N3b3JkIjogInBsYW50ZWQtc2VjcmV0LTcifQ=="
        status, pulled = self.stack.request("POST", f"/images/create?fromImage={self.stack.registry}/library/busybox&tag=latest",
                                            headers={"X-Registry-Auth": auth})
        self.assertEqual(status, 200, pulled)
        i = self.create(f"{self.stack.registry}/library/busybox:latest", "true")
        settings = self.settings(i)
        self.assertEqual(settings["DOCKER_REGISTRY_SERVER_URL"], "https://" + self.stack.registry)
        self.assertEqual((settings["DOCKER_REGISTRY_SERVER_USERNAME"], settings["DOCKER_REGISTRY_SERVER_PASSWORD"]),
                         ("u", "planted-secret-7"))
        self.stack.docker("rm", i, check=0)
        self.assertNotIn("planted-secret-7", self.stack.log("backend"))

    def test_start_helper_containers_really_run(self):
        r = self.stack.docker("run", "--rm", "busybox", "sh", "-c", "sleep 1; echo slow one; echo e >&2; exit 42")
        self.assertEqual((r.returncode, r.stdout, r.stderr), (42, b"slow one\n", b"e\n"))

    def test_start_invokes_once_though_the_platform_repeats(self):
        for fault in ("invoke=503,invoke=502", "invoke=lost", "invoke=drop,invoke=lost"):
            i = self.create("busybox", "sh", "-c", "echo once")
            await_true("ready", lambda: self.stack.sim_state()["sites"].get(site_of(i)) == "ready")
            self.stack.faults(fault)
            self.assertEqual(self.stack.docker("start", "-a", i, check=0).stdout, b"once\n")
            self.assertEqual(self.stack.docker("logs", i, check=0).stdout, b"once\n")
            self.stack.docker("rm", i, check=0)

    def test_stop_is_term_then_kill_with_the_real_code(self):
        i = self.stack.docker("run", "-d", "busybox", "sh", "-c",
                              "trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 0.05; done", check=0).stdout.decode().strip()
        await_true("up", lambda: b"up" in self.stack.docker("logs", i).stdout)
        self.stack.docker("stop", i, check=0)
        self.assertEqual(self.stack.docker("inspect", i, "-f", "{{.State.ExitCode}}").stdout, b"7\n")
        # Its agent leaves after the warm time: then the app costs nothing any more.
        await_true("stopped", lambda: self.stack.sim_state()["sites"][site_of(i)] == "stopped")
        # A start after that is a new workload.
        self.stack.docker("start", i, check=0)
        await_true("up again", lambda: self.stack.docker("logs", i).stdout.count(b"up") == 2)
        self.stack.docker("rm", "-f", i, check=0)
        self.assertNotIn(site_of(i), self.stack.sim_state()["sites"])

    def test_kill_sends_the_signal(self):
        i = self.stack.docker("run", "-d", "busybox", "tail", "-f", "/dev/null", check=0).stdout.decode().strip()
        self.stack.docker("kill", i, check=0)
        self.assertEqual(self.stack.docker("wait", i, check=0).stdout, b"137\n")
        self.stack.docker("rm", i, check=0)

    def test_restart_really_restarts(self):
        i = self.stack.docker("run", "-d", "busybox", "sh", "-c", "echo run; exec tail -f /dev/null", check=0).stdout.decode().strip()
        self.stack.docker("restart", "-t", "0", i, check=0)
        await_true("twice", lambda: self.stack.docker("logs", i).stdout == b"run\nrun\n")
        self.stack.docker("rm", "-f", i, check=0)

    def test_remove_at_the_same_time(self):
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
        self.assertNotIn(site_of(i), self.stack.sim_state()["sites"])
        self.assertIn("sockerless", self.stack.sim_state()["plans"])  # the user's own

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

    def test_images_load_is_not_implemented(self):
        self.assertEqual(self.stack.request("POST", "/images/load", body=b"")[0], 501)

    def test_system_info(self):
        info = self.stack.api("GET", "/info")[1]
        self.assertEqual((info["Driver"], info["OperatingSystem"], info["NCPU"], info["MemTotal"]),
                         ("azure-functions", "Azure Functions", 2, 4 << 30))

    def test_resources_are_the_plans(self):
        r = self.stack.docker("create", "--cpus", "2", "busybox", "true", check=0)
        self.assertIn(b"--cpus and --memory have no effect", r.stderr)
        self.stack.docker("rm", r.stdout.decode().strip(), check=0)


class OwnPlan(unittest.TestCase):
    def test_plan_is_made_and_deleted_with_the_container(self):
        with Stack(backend="azf", sim_args=["--latency", "300"]) as s:
            r = s.docker("create", "busybox", "echo", "hi", check=0)
            self.assertIn(b"set SOCKERLESS_AZF_APP_SERVICE_PLAN to share one", r.stderr)
            i = r.stdout.decode().strip()
            self.assertIn("skls-plan-" + i[:12], s.sim_state()["plans"])
            self.assertEqual(s.docker("start", "-a", i, check=0).stdout, b"hi\n")
            s.docker("rm", i, check=0)
            self.assertEqual((s.sim_state()["plans"], s.sim_state()["sites"]), (["sockerless"], {}))


class Platform(unittest.TestCase):
    """What Azure does to requests, containers and time."""

    def test_front_end_limit_does_not_end_the_container(self):
        with Stack(backend="azf", env=SHARED_PLAN, sim_args=["--front-end-limit", "700"]) as s:
            r = s.docker("run", "busybox", "sh", "-c", "sleep 3; echo still here; exit 5")
            self.assertEqual((r.returncode, r.stdout), (5, b"still here\n"))

    def test_early_answer_does_not_end_the_container(self):
        with Stack(backend="azf", env={**SHARED_PLAN, "SOCKERLESS_AZF_INVOCATION_HOLD": "1"}) as s:
            r = s.docker("run", "busybox", "sh", "-c", "sleep 3; echo still here; exit 5")
            self.assertEqual((r.returncode, r.stdout), (5, b"still here\n"))

    def test_time_limit_stops_the_container(self):
        with Stack(backend="azf", env={**SHARED_PLAN, "SOCKERLESS_AZF_TIMEOUT": "2"}) as s:
            r = s.docker("run", "busybox", "sh", "-c", "trap 'exit 9' TERM; while :; do sleep 0.05; done")
            self.assertEqual(r.returncode, 9)

    def test_a_site_that_is_gone_is_made_anew(self):
        with Stack(backend="azf", env={**SHARED_PLAN, "SOCKERLESS_WARM_SECONDS": "0"}) as s:
            i = s.docker("create", "busybox", "echo", "hi", check=0).stdout.decode().strip()
            self.assertEqual(s.arm("DELETE", f"{WEB}/sites/{site_of(i)}", query="&deleteEmptyServerFarm=false")[0], 200)
            self.assertEqual(s.docker("start", "-a", i, check=0).stdout, b"hi\n")
            s.docker("rm", i, check=0)

    def test_an_agent_that_cannot_call_back_fails_the_start(self):
        env = {**SHARED_PLAN, "SOCKERLESS_CALLBACK_URL": "http://127.0.0.1:9/agent/v1", "SOCKERLESS_AZF_START_TIMEOUT": "2"}
        with Stack(backend="azf", env=env) as s:
            r = s.docker("run", "busybox", "true")
            self.assertEqual(r.returncode, 125)
            self.assertIn(b"did not reach this daemon in time", r.stderr)
            await_true("stopped", lambda: set(s.sim_state()["sites"].values()) == {"stopped"})


    def test_the_agent_of_the_image_itself(self):
        with Stack(backend="azf", env={**SHARED_PLAN, "SOCKERLESS_AZF_AGENT": "image", "SOCKERLESS_AZF_AGENT_PATH": "/opt/agent"}) as s:
            layout, there = f"{s.dir}/layout", f"docker://{s.registry}/library"
            for command in (["skopeo", "copy", "-q", "--src-tls-verify=false", f"{there}/busybox:latest", f"oci:{layout}:own"],
                            ["umoci", "insert", "--image", f"{layout}:own", f"{BUILD}/cmd/sockerless-agent", "/opt/agent"],
                            ["skopeo", "copy", "-q", "--dest-tls-verify=false", f"oci:{layout}:own", f"{there}/own:latest"]):
                subprocess.run(command, check=True, capture_output=True, timeout=120)
            r = s.docker("run", "--name", "own", "own", "sh", "-c", "echo out; ls /sockerless; exit 5")
            self.assertEqual((r.returncode, r.stdout), (5, b"out\n"), r.stderr)  # no share is mounted
            self.assertEqual(s.docker("cp", "own:/etc/passwd", "-", check=0).returncode, 0)
            s.docker("rm", "own", check=0)


class Settings(unittest.TestCase):
    GOOD = {"SOCKERLESS_AZF_SUBSCRIPTION_ID": "0" * 8, "SOCKERLESS_AZF_RESOURCE_GROUP": "my.group_(1)",
            "SOCKERLESS_AZF_STORAGE_ACCOUNT": "acme1"}
    BELOW = "/subscriptions/s/resourceGroups/g/providers/"

    def check(self, **env):
        r = subprocess.run([f"{BUILD}/cmd/sockerless-backend-azf", "--check-config", "--state-dir", "/tmp"],
                           env={"PATH": os.environ["PATH"], **self.GOOD, **env}, capture_output=True, text=True, timeout=60)
        return r.returncode, r.stderr

    def test_a_wrong_one_is_one_line_that_names_it(self):
        for name, value in (("SUBSCRIPTION_ID", "a/b"), ("RESOURCE_GROUP", "a b"), ("RESOURCE_GROUP", "x" * 91), ("LOCATION", "east/us"),
                            ("STORAGE_ACCOUNT", "Acme"), ("STORAGE_ACCOUNT", "ab"), ("REGISTRY", "https://acme.azurecr.io"),
                            ("APP_SERVICE_PLAN", "a plan"), ("APP_SERVICE_PLAN", self.BELOW + "Microsoft.Web/sites/x"),
                            ("LOG_ANALYTICS_WORKSPACE", "mine"), ("AGENT", "some"), ("AGENT_SHARE", "My"), ("AGENT_PATH", "agent"),
                            ("PLAN_SKU", "Y1"), ("SUBNET", "subnet"), ("SUBNET", self.BELOW + "Microsoft.Network/virtualNetworks/v/subnets/"),
                            ("REGISTRY_IDENTITY", "identity"), ("TIMEOUT", "soon"), ("START_TIMEOUT", "0"),
                            ("START_TIMEOUT_MAX", "-1"), ("AGENT_LOST", "x"), ("INVOCATION_HOLD", "231"), ("POLL_INTERVAL_MS", "-1")):
            with self.subTest(name=name, value=value):
                code, text = self.check(**{"SOCKERLESS_AZF_" + name: value})
                self.assertEqual((code, text.count("\n")), (2, 1), text)
                self.assertIn("SOCKERLESS_AZF_" + name, text)
        for name in self.GOOD:
            self.assertEqual(self.check(**{name: ""})[0], 2)
        self.assertIn("SOCKERLESS_CALLBACK_URL", self.check(SOCKERLESS_AZF_AGENT="share")[1])

    def test_what_azure_takes_is_taken(self):
        code, text = self.check(SOCKERLESS_AZF_APP_SERVICE_PLAN=self.BELOW + "Microsoft.Web/serverFarms/p", SOCKERLESS_AZF_LOCATION="West Europe",
                                SOCKERLESS_AZF_SUBNET=self.BELOW + "Microsoft.Network/virtualNetworks/v/subnets/s",
                                SOCKERLESS_AZF_REGISTRY_IDENTITY=self.BELOW + "Microsoft.ManagedIdentity/userAssignedIdentities/i",
                                SOCKERLESS_AZF_LOG_ANALYTICS_WORKSPACE=self.BELOW + "Microsoft.OperationalInsights/workspaces/w",
                                SOCKERLESS_AZF_PLAN_SKU="P1v3", SOCKERLESS_AZF_AGENT_SHARE="the-agent")
        self.assertEqual(code, 0, text)


class Agentless(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack(mode="none", backend="azf", env=SHARED_PLAN).__enter__()

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
        await_true("the app is stopped", lambda: self.stack.sim_state()["sites"][site_of(i)] == "stopped")
        self.stack.docker("rm", i, check=0)

    def test_keep_alive_commands_stay_and_stop_and_restart_do_nothing(self):
        i = self.run_forever()
        self.stack.docker("stop", "-t", "0", i, check=0)
        self.stack.docker("restart", "-t", "0", i, check=0)
        self.assertEqual(self.state(i), "running 0")
        self.stack.docker("rm", "-f", i, check=0)
        self.assertNotIn(site_of(i), self.stack.sim_state()["sites"])

    def test_kill_stops_the_app(self):
        i = self.run_forever()
        self.stack.docker("kill", i, check=0)
        self.assertEqual(self.state(i), "exited 137")
        self.assertEqual(self.stack.sim_state()["sites"][site_of(i)], "stopped")
        self.stack.docker("rm", i, check=0)

    def test_exec_names_the_missing_setting(self):
        i = self.run_forever()
        for command in (("exec", i, "true"), ("cp", i + ":/etc/passwd", "-"), ("pause", i)):
            r = self.stack.docker(*command)
            self.assertNotEqual(r.returncode, 0, command)
            self.assertIn(b"SOCKERLESS_CALLBACK_URL", r.stdout + r.stderr, command)
        self.stack.docker("rm", "-f", i, check=0)

    def test_logs_come_from_app_traces_and_can_be_followed(self):
        i = self.stack.docker("create", "-e", "APPLICATIONINSIGHTS_CONNECTION_STRING=InstrumentationKey=0", "busybox",
                              "tail", "-f", "/dev/null", "/etc/hostname", check=0).stdout.decode().strip()
        # The app's container begins with the app, and ends 500 ms after the start: it may need longer for its first line.
        await_true("the app has spoken", lambda: self.stack.log_rows(f"AppTraces | where AppRoleName =~ '{site_of(i)}'"))
        self.stack.docker("start", i, check=0)
        await_true("a line", lambda: self.stack.docker("logs", i, check=0).stdout != b"")
        follower = self.stack.popen("logs", "-f", i, stdout=subprocess.PIPE)
        self.assertNotEqual(follower.stdout.readline(), b"")
        follower.kill()  # it would stay for late lines for minutes
        follower.communicate()
        self.stack.docker("rm", "-f", i, check=0)

    def test_a_command_with_quotes_is_refused(self):
        r = self.stack.docker("create", "busybox", "sh", "-c", "echo a b")
        self.assertNotEqual(r.returncode, 0)
        self.assertIn(b"plain words", r.stderr)
        self.assertEqual(self.stack.docker("ps", "-aq", check=0).stdout, b"")


if __name__ == "__main__":
    main()
