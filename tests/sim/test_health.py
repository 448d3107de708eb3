"""Health checks: probes run in the workload, and their results are what an Engine would show."""
import unittest

from events import Events
from harness import Stack, main

MS = 1000000


def check(test, **durations):
    return {"Test": test, "Interval": 100 * MS, "Timeout": 20000 * MS, "Retries": 2, **durations}


class Health(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.s = Stack().__enter__()
        cls.s.docker("pull", "busybox", check=0)
        cls.events = Events(cls.s)

    @classmethod
    def tearDownClass(cls):
        cls.s.__exit__(None, None, None)

    def begin(self, name, healthcheck, command="sleep 1000", **config):
        body = {"Image": "busybox", "Cmd": ["sh", "-c", command], "Healthcheck": healthcheck, **config}
        status, answer = self.s.api("POST", f"/containers/create?name={name}", body)
        self.assertEqual(status, 201, answer)
        self.assertEqual(self.s.api("POST", f"/containers/{name}/start")[0], 204)
        return answer

    def health(self, name):
        return self.s.api("GET", f"/containers/{name}/json")[1]["State"].get("Health")

    def end(self, name):
        self.s.api("DELETE", f"/containers/{name}?force=1")

    def test_a_first_success_makes_healthy_with_its_output(self):
        self.assertEqual(self.begin("good", check(["CMD-SHELL", "echo fine $A"]), Env=["A=here"])["Warnings"], [])
        self.events.until("good", "health_status: healthy")
        health = self.health("good")
        self.assertEqual((health["Status"], health["FailingStreak"]), ("healthy", 0))
        self.assertEqual((health["Log"][0]["ExitCode"], health["Log"][0]["Output"]), (0, "fine here\n"))
        entry = self.s.api("GET", '/containers/json?filters={"health":["healthy"],"name":["good"]}')[1][0]
        self.assertRegex(entry["Status"], r"^Up .* \(healthy\)$")
        actions = self.events.actions("good")
        begin = actions.index("start")
        self.assertEqual(actions[begin + 1:begin + 4],
                         ["exec_create: /bin/sh -c echo fine $A", "exec_start: /bin/sh -c echo fine $A", "exec_die"])
        self.events.until("good", "exec_die", 7)
        self.assertEqual(len(self.health("good")["Log"]), 5)
        self.assertEqual(self.events.actions("good").count("health_status: healthy"), 1)
        self.end("good")

    def test_failures_in_a_row_make_unhealthy_and_one_success_ends_it(self):
        self.begin("bad", check(["CMD", "test", "-e", "/tmp/ok"]))
        self.events.until("bad", "health_status: unhealthy")
        self.assertGreaterEqual(self.health("bad")["FailingStreak"], 2)
        self.assertEqual({e["ExitCode"] for e in self.health("bad")["Log"]}, {1})
        self.s.docker("exec", "bad", "touch", "/tmp/ok", check=0)
        self.events.until("bad", "health_status: healthy")
        self.assertEqual(self.health("bad")["FailingStreak"], 0)
        self.end("bad")

    def test_failures_within_the_start_period_do_not_count(self):
        self.begin("slow", check(["CMD", "false"], Retries=1, StartPeriod=600000 * MS, StartInterval=50 * MS,
                                 Interval=600000 * MS))
        self.events.until("slow", "exec_die", 3)
        self.assertEqual((self.health("slow")["Status"], self.health("slow")["FailingStreak"]), ("starting", 0))
        self.end("slow")

    def test_a_probe_that_takes_too_long_is_killed_and_fails(self):
        self.begin("stuck", check(["CMD-SHELL", "echo before; sleep 1000"], Timeout=700 * MS, Retries=1))
        self.events.until("stuck", "health_status: unhealthy")
        last = self.health("stuck")["Log"][0]
        self.assertEqual(last["ExitCode"], -1)
        self.assertIn("Health check exceeded timeout (700ms)", last["Output"])
        self.end("stuck")

    def test_long_output_is_cut(self):
        self.begin("long", check(["CMD-SHELL", "head -c 100000 /dev/zero | tr '\\0' x"]))
        self.events.until("long", "health_status: healthy")
        self.assertEqual(self.health("long")["Log"][0]["Output"], "x" * 4096 + "...")
        self.end("long")

    def test_a_command_that_is_not_there_fails(self):
        self.begin("absent", check(["CMD", "/no/such"], Retries=1))
        self.events.until("absent", "health_status: unhealthy")
        last = self.health("absent")["Log"][0]
        self.assertEqual(last["ExitCode"], -1)
        self.assertIn("no such file", last["Output"])
        self.end("absent")

    def test_no_probe_while_paused_and_starting_again_after_a_start(self):
        self.begin("pausing", check(["CMD", "true"]))
        self.events.until("pausing", "health_status: healthy")
        self.s.docker("pause", "pausing", check=0)
        self.assertEqual(self.health("pausing")["Status"], "unhealthy")
        self.s.docker("unpause", "pausing", check=0)
        self.events.until("pausing", "health_status: healthy", 2)
        actions = self.events.actions("pausing")
        during = actions[actions.index("pause"):actions.index("unpause")]
        self.assertFalse([a for a in during if a.startswith("exec_create")])
        self.s.docker("stop", "-t", "0", "pausing", check=0)
        self.assertEqual(self.health("pausing")["Status"], "unhealthy")
        self.s.docker("start", "pausing", check=0)
        self.events.until("pausing", "health_status: healthy", 3)
        self.end("pausing")

    def test_none_means_no_check(self):
        self.begin("none", {"Test": ["NONE"]})
        self.assertIsNone(self.health("none"))
        self.end("none")

    def test_probes_go_on_after_a_restart_of_the_daemon(self):
        with Stack() as s:
            events = Events(s)
            s.docker("run", "-d", "--name", "kept", "--health-cmd", "test ! -e /tmp/broken", "--health-interval", "100ms",
                     "--health-retries", "1", "busybox", "sleep", "1000", check=0)
            events.until("kept", "health_status: healthy")
            s.stop_backend()
            s.start_backend()
            events = Events(s)
            events.until("kept", "exec_die")  # the agent is back
            s.docker("exec", "kept", "touch", "/tmp/broken", check=0)
            events.until("kept", "health_status: unhealthy")
            s.docker("rm", "-f", "kept", check=0)


class Agentless(unittest.TestCase):
    def test_without_an_agent_create_says_that_nothing_is_probed(self):
        with Stack(mode="none", env={"SOCKERLESS_ACA_AGENT": "none"}) as s:
            s.docker("pull", "busybox", check=0)
            status, answer = s.api("POST", "/containers/create?name=alone",
                                   {"Image": "busybox", "Cmd": ["sleep", "1000"], "Healthcheck": check(["CMD", "true"])})
            self.assertEqual(status, 201)
            self.assertEqual(len(answer["Warnings"]), 1)
            self.assertIn("health check is recorded, but not run", answer["Warnings"][0])
            self.assertEqual(s.api("POST", "/containers/alone/start")[0], 204)
            self.assertNotIn("Health", s.api("GET", "/containers/alone/json")[1]["State"])
            s.docker("rm", "-f", "alone", check=0)


if __name__ == "__main__":
    main()
