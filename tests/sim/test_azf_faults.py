"""Azure Functions: each call of create, start and remove fails in turn, answers are lost, the daemon is killed between any
two calls. Nothing is left in the cloud that no record knows, and nothing is told to run that does not."""
import json
import signal
import subprocess
import unittest

from harness import Stack, await_true, main

ENV = {"SOCKERLESS_WARM_SECONDS": "0", "SOCKERLESS_AZF_POLL_INTERVAL_MS": "50"}
SCRIPT = ("sh", "-c", "echo ran; exit 3")
CREATE = ("plans.put", "sites.put", "sites.get")  # the storage key is asked for once and kept
START = ("sites.get", "invoke", "invoke,invoke,invoke")
REMOVE = ("sites.delete", "plans.delete")


def planned(calls, kind, times=1):
    return ",".join(f"{call}={kind}" for call in calls.split(",") for _ in range(times))


class Faults(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack(backend="azf", env=ENV).__enter__()
        cls.stack.docker("pull", "-q", "busybox", check=0)

    @classmethod
    def tearDownClass(cls):
        cls.stack.__exit__(None, None, None)

    def assertNothingLeft(self):
        state = self.stack.sim_state()
        self.assertEqual((state["sites"], state["plans"], state["planned"]), ({}, ["sockerless"], 0))
        self.assertEqual(self.stack.docker("ps", "-aq", check=0).stdout, b"")

    def life(self, fault_create="", fault_start="", fault_remove=""):
        s = self.stack
        s.faults(fault_create)
        i = s.docker("create", "busybox", *SCRIPT, check=0).stdout.decode().strip()
        s.faults(fault_start)
        r = s.docker("start", "-a", i)
        self.assertEqual((r.returncode, r.stdout), (3, b"ran\n"), r.stderr)
        self.assertEqual(s.docker("logs", i, check=0).stdout, b"ran\n")  # once
        s.faults(fault_remove)
        s.docker("rm", i, check=0)
        self.assertNothingLeft()

    def test_each_call_fails_once_and_all_goes_well(self):
        for kind in ("429", "500", "drop", "lost"):
            for call in CREATE:
                with self.subTest(create=call, kind=kind):
                    self.life(fault_create=planned(call, kind))
            for call in START:
                with self.subTest(start=call, kind=kind):
                    self.life(fault_start=planned(call, kind))
            for call in REMOVE:
                with self.subTest(remove=call, kind=kind):
                    self.life(fault_remove=planned(call, kind))

    def test_a_create_that_fails_for_good_leaves_nothing(self):
        for call in ("storage.listKeys", *CREATE):
            with self.subTest(call=call):
                self.stack.restart_backend()  # without a kept key
                self.stack.faults(planned(call, "403"))  # not repeated
                r = self.stack.docker("create", "busybox", *SCRIPT)
                self.assertNotEqual(r.returncode, 0)
                self.assertIn(b"InternalServerError", r.stderr)  # the cloud's own code
                await_true("undone", lambda: not self.stack.sim_state()["sites"])
                await_true("undone", lambda: self.stack.sim_state()["plans"] == ["sockerless"])
                await_true("forgotten", lambda: self.stack.docker("ps", "-aq", check=0).stdout == b"")

    def test_a_remove_that_fails_is_told_and_can_be_repeated(self):
        for call in REMOVE:
            with self.subTest(call=call):
                i = self.stack.docker("create", "busybox", *SCRIPT, check=0).stdout.decode().strip()
                self.stack.faults(planned(call, "403"))
                self.assertNotEqual(self.stack.docker("rm", i).returncode, 0)
                self.stack.docker("rm", i, check=0)
                self.assertNothingLeft()

    def test_a_failed_undo_is_tried_again(self):
        self.stack.faults("sites.get=403,sites.delete=403,sites.delete=403")
        self.assertNotEqual(self.stack.docker("create", "busybox", *SCRIPT).returncode, 0)
        await_true("undone", lambda: not self.stack.sim_state()["sites"] and self.stack.sim_state()["plans"] == ["sockerless"])
        await_true("forgotten", lambda: self.stack.docker("ps", "-aq", check=0).stdout == b"")


class Killed(unittest.TestCase):
    def kill_in(self, s, call, *command):
        """The daemon dies while that call is being answered; its effect is there."""
        before = s.sim_state()["calls"].get(call, 0)
        s.faults(f"{call}=slow")
        client = s.popen(*command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        await_true(call, lambda: s.sim_state()["calls"].get(call, 0) > before)
        s.backend.send_signal(signal.SIGKILL)
        s.backend.wait()
        client.wait(30)
        s.start_backend()

    def known(self, s):
        """Cloud resources have a record, or go by themselves."""
        def check():
            names = {"skls-" + i[:12] for i in s.docker("ps", "-aq", "--no-trunc", check=0).stdout.decode().split()}
            state = s.sim_state()
            return set(state["sites"]) <= names and len(state["plans"]) - 1 <= len(names)
        await_true("every resource has a record", check)

    def test_between_any_two_calls(self):
        with Stack(backend="azf", env=ENV) as s:
            s.docker("pull", "-q", "busybox", check=0)
            for call in ("plans.put", "sites.put", "sites.get"):
                with self.subTest(create=call):
                    self.kill_in(s, call, "create", "busybox", *SCRIPT)
                    self.known(s)
            for call in ("sites.get", "invoke"):
                with self.subTest(start=call):
                    i = s.docker("create", "busybox", *SCRIPT, check=0).stdout.decode().strip()
                    self.kill_in(s, call, "start", i)
                    self.known(s)
                    status = json.loads(s.docker("inspect", i, check=0).stdout)[0]["State"]["Status"]
                    self.assertIn(status, ("created", "exited"))  # never told to run
            for call in ("sites.delete", "plans.delete"):
                with self.subTest(remove=call):
                    i = s.docker("create", "busybox", *SCRIPT, check=0).stdout.decode().strip()
                    self.kill_in(s, call, "rm", i)
                    await_true("removed", lambda: s.docker("inspect", i).returncode != 0)
                    self.known(s)
            for i in s.docker("ps", "-aq", check=0).stdout.decode().split():
                s.docker("rm", "-f", i, check=0)
            self.assertEqual((s.sim_state()["sites"], s.sim_state()["plans"]), ({}, ["sockerless"]))

    def test_while_the_command_runs(self):
        with Stack(backend="azf", env={**ENV, "SOCKERLESS_AZF_APP_SERVICE_PLAN": "sockerless"}) as s:
            i = s.docker("run", "-d", "busybox", "sh", "-c", "i=0; while [ $i -lt 60 ]; do echo $i; i=$((i+1)); usleep 50000; done; exit 4",
                         check=0).stdout.decode().strip()
            await_true("output", lambda: b"5\n" in s.docker("logs", i).stdout)
            s.backend.send_signal(signal.SIGKILL)
            s.backend.wait()
            s.start_backend()
            self.assertEqual(s.docker("wait", i, check=0).stdout, b"4\n")
            self.assertEqual(s.docker("logs", i, check=0).stdout.decode().split(), [str(n) for n in range(60)])
            s.docker("rm", i, check=0)


if __name__ == "__main__":
    main()
