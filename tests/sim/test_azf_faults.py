"""Azure Functions: every call that create, start and remove make fails in turn, its answer is lost, and the daemon is killed
before and after it. Nothing is left in the cloud that no record knows, and nothing is told to run that does not.

The calls are not listed here: a dry run counts them, tokens and keys included, and each position is then tried.
"""
import json
import signal
import subprocess
import unittest

from after_a_kill import assert_starts
from harness import Stack, await_true, main

# The grace: how long a start that the daemon's end cut is waited for.
ENV = {"SOCKERLESS_WARM_SECONDS": "0", "SOCKERLESS_AZF_POLL_INTERVAL_MS": "50", "SOCKERLESS_AGENT_GRACE": "3"}
SCRIPT = ("sh", "-c", "echo ran; exit 3")
PHASES = ("create", "start", "remove")


class Faulty(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack(backend="azf", env=ENV).__enter__()
        cls.stack.docker("pull", "-q", "busybox", check=0)
        cls.count = cls.dry_run()
        print("calls:", cls.count)

    @classmethod
    def tearDownClass(cls):
        cls.stack.__exit__(None, None, None)

    @classmethod
    def sites(cls):
        return cls.stack.sim_state()["sites"]

    @classmethod
    def ready(cls, i):
        """The site's container answers pings: the calls of the start do not depend on time then."""
        await_true("ready", lambda: cls.sites().get("skls-" + i[:12]) == "ready")

    @classmethod
    def create(cls, spec=""):
        """As after the daemon's start: it has no token and no key."""
        cls.stack.restart_backend()
        cls.stack.faults(spec)
        i = cls.stack.docker("create", "busybox", *SCRIPT, check=0).stdout.decode().strip()
        cls.ready(i)
        return i

    @classmethod
    def start(cls, i):
        """With what follows the end: the app is stopped, and looked at until it says so."""
        r = cls.stack.docker("start", "-a", i)

        def is_over():
            state = cls.stack.sim_state()
            return state["sites"].get("skls-" + i[:12]) == "stopped" and state["last"] != "sites.stop"
        if r.returncode == 3:
            await_true("the app is stopped", is_over)
        return r

    @classmethod
    def dry_run(cls):
        def calls():
            return cls.stack.sim_state()["calls"].get("any", 0)
        cls.stack.restart_backend()
        at = [calls()]
        i = cls.create()
        at.append(calls())
        assert cls.start(i).returncode == 3
        at.append(calls())
        cls.stack.docker("rm", i, check=0)
        at.append(calls())
        count = dict(zip(PHASES, (b - a for a, b in zip(at, at[1:]))))
        assert all(n >= 2 for n in count.values()), count
        return count

    def at_each_call(self, check, *kinds):
        for kind in kinds:
            for phase in PHASES:
                for n in range(self.count[phase]):
                    with self.subTest(phase=phase, call=n, kind=kind):
                        check(phase, f"any+{n}={kind}")

    def assertNothingLeft(self):
        state = self.stack.sim_state()
        self.assertEqual((state["sites"], state["plans"], state["planned"]), ({}, ["sockerless"], 0))
        self.assertEqual(self.stack.docker("ps", "-aq", check=0).stdout, b"")

    def await_undone(self):
        await_true("no site", lambda: not self.sites())
        await_true("no plan", lambda: self.stack.sim_state()["plans"] == ["sockerless"])
        await_true("no record", lambda: self.stack.docker("ps", "-aq", check=0).stdout == b"")

    def state(self, i):
        return json.loads(self.stack.docker("inspect", i, check=0).stdout)[0]["State"]


class Calls(Faulty):
    def fails_once(self, phase, spec):
        i = self.create(spec if phase == "create" else "")
        self.stack.faults(spec if phase == "start" else "")
        r = self.start(i)
        self.assertEqual((r.returncode, r.stdout), (3, b"ran\n"), r.stderr)
        self.assertEqual(self.stack.docker("logs", i, check=0).stdout, b"ran\n")  # once
        self.stack.faults(spec if phase == "remove" else "")
        self.stack.docker("rm", i, check=0)
        self.assertNothingLeft()

    def test_each_call_fails_once_and_all_goes_well(self):
        self.at_each_call(self.fails_once, "429", "500", "drop", "lost")

    def is_refused(self, phase, spec):
        if phase == "create":
            self.stack.restart_backend()
            self.stack.faults(spec)
            self.assertNotEqual(self.stack.docker("create", "busybox", *SCRIPT).returncode, 0)
            self.await_undone()
            return
        i = self.create()
        self.stack.faults(spec)
        if phase == "remove":
            self.assertNotEqual(self.stack.docker("rm", i).returncode, 0)
        elif self.start(i).returncode != 3:
            self.assertIn(self.state(i)["Status"], ("created", "exited"))
            self.assertEqual(self.stack.docker("logs", i, check=0).stdout, b"")
        self.stack.docker("rm", i, check=0)
        self.assertNothingLeft()

    def test_each_call_is_refused_for_good(self):
        self.at_each_call(self.is_refused, "403")

    def test_a_failed_undo_is_tried_again(self):
        self.stack.faults("sites.get=403,sites.delete=403,sites.delete=403")
        self.assertNotEqual(self.stack.docker("create", "busybox", *SCRIPT).returncode, 0)
        self.await_undone()


class Killed(Faulty):
    def kill_in(self, spec, *command):
        """The daemon dies when that call has arrived: stall: without effect; hold: with it."""
        self.stack.faults(spec)
        client = self.stack.popen(*command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        await_true("the call", lambda: self.stack.sim_state()["held"] == 1)
        self.stack.backend.send_signal(signal.SIGKILL)
        self.stack.backend.wait()
        client.wait(30)
        self.stack.release()
        self.stack.start_backend()

    def await_known(self):
        """Cloud resources have a record, or go by themselves."""
        def check():
            names = {"skls-" + i[:12] for i in self.stack.docker("ps", "-aq", "--no-trunc", check=0).stdout.decode().split()}
            state = self.stack.sim_state()
            return set(state["sites"]) <= names and len(state["plans"]) - 1 <= len(names)
        await_true("every resource has a record", check)

    def dies(self, phase, spec):
        if phase == "create":
            self.stack.restart_backend()
            self.kill_in(spec, "create", "busybox", *SCRIPT)
            self.await_known()
            for i in self.stack.docker("ps", "-aq", check=0).stdout.decode().split():
                self.stack.docker("rm", "-f", i, check=0)
            self.assertNothingLeft()
            return
        i = self.create()
        if phase == "start":
            self.kill_in(spec, "start", "-a", i)
            self.await_known()
            assert_starts(self, self.stack, i, b"ran\n", 3)
            self.stack.docker("rm", i, check=0)
        else:
            self.kill_in(spec, "rm", i)
            await_true("removed", lambda: self.stack.docker("inspect", i).returncode != 0)
        self.assertNothingLeft()

    def test_between_any_two_calls(self):
        self.at_each_call(self.dies, "stall", "hold")

    def test_while_the_command_runs(self):
        s = self.stack
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
