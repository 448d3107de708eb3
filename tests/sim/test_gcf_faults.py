"""Google Cloud Run functions: every method that create, start and remove call fails in turn, its answer is lost, and the
daemon is killed while it is under way. Nothing is left in the cloud that no record knows, and nothing is told to run that
does not.

The methods are not listed here: a dry run tells which are called.
"""
import json
import signal
import subprocess
import unittest

from after_a_kill import assert_starts
from harness import Stack, await_true, main

ENV = {"SOCKERLESS_WARM_SECONDS": "0", "SOCKERLESS_AGENT_GRACE": "3"}
SCRIPT = ("sh", "-c", "echo ran; exit 3")
PHASES = ("create", "start", "remove")


class Faulty(unittest.TestCase):
    mode = "function"

    @classmethod
    def setUpClass(cls):
        cls.stack = Stack(backend="gcf", env={**ENV, "SOCKERLESS_GCF_MODE": cls.mode}).__enter__()
        cls.stack.docker("pull", "-q", "busybox", check=0)
        cls.stack.docker("rm", cls.create(), check=0)  # what is uploaded once for all is there
        cls.methods = cls.dry_run()
        print("methods:", cls.methods)

    @classmethod
    def tearDownClass(cls):
        cls.stack.__exit__(None, None, None)

    @classmethod
    def create(cls, spec=""):
        cls.stack.faults(spec)
        return cls.stack.docker("create", "busybox", *SCRIPT, check=0).stdout.decode().strip()

    @classmethod
    def calls(cls):
        return cls.stack.sim_state()["calls"]

    @classmethod
    def dry_run(cls):
        at = [cls.calls()]
        i = cls.create()
        at.append(cls.calls())
        assert cls.stack.docker("start", "-a", i).returncode == 3
        at.append(cls.calls())
        cls.stack.docker("rm", i, check=0)
        at.append(cls.calls())
        # Tokens are asked for elsewhere: the simulator's faults do not reach them (the credentials' unit tests have theirs).
        methods = {phase: sorted(m for m in b if b[m] > a.get(m, 0) and not m.startswith("oauth2")) for phase, a, b in zip(PHASES, at, at[1:])}
        assert all(methods.values()), methods
        return methods

    def at_each_method(self, check, *kinds):
        for kind in kinds:
            for phase in PHASES:
                for method in self.methods[phase]:
                    with self.subTest(phase=phase, method=method, kind=kind):
                        check(phase, method, kind)

    def held(self):
        state = self.stack.sim_state()
        return state["functions"] + state["services"]

    def assertNothingLeft(self):
        self.stack.faults("")
        await_true("no record", lambda: self.stack.docker("ps", "-aq", check=0).stdout == b"")
        await_true("nothing in the cloud", lambda: self.held() == 0)

    def state(self, i):
        return json.loads(self.stack.docker("inspect", i, check=0).stdout)[0]["State"]


class Calls(Faulty):
    def fails_once(self, phase, method, kind):
        spec = f"{method}={kind}*1"
        before = self.stack.sim_state()["faults"]
        i = self.create(spec if phase == "create" else "")
        self.stack.faults(spec if phase == "start" else "")
        r = self.stack.docker("start", "-a", i)
        self.assertEqual((r.returncode, r.stdout), (3, b"ran\n"), r.stderr)
        self.assertEqual(self.stack.docker("logs", i, check=0).stdout, b"ran\n")  # once
        self.stack.faults(spec if phase == "remove" else "")
        self.stack.docker("rm", i, check=0)
        self.assertGreater(self.stack.sim_state()["faults"], before)
        self.assertNothingLeft()

    def test_each_call_fails_once_and_all_goes_well(self):
        self.at_each_method(self.fails_once, "429", "500", "503", "drop", "lost")

    def is_refused(self, phase, method, _):
        spec = f"{method}=403*50"
        if phase == "create":
            self.stack.faults(spec)
            r = self.stack.docker("create", "busybox", *SCRIPT)
            self.stack.faults("")
            if r.returncode == 0:  # a call that may be refused: the container is whole
                i = r.stdout.decode().strip()
                self.assertEqual(self.stack.docker("start", "-a", i).returncode, 3)
                self.stack.docker("rm", i, check=0)
            self.assertNothingLeft()
            return
        i = self.create()
        self.stack.faults(spec)
        if phase == "remove":
            self.stack.docker("rm", i)
        elif self.stack.docker("start", "-a", i).returncode != 3:
            self.assertIn(self.state(i)["Status"], ("created", "exited"))
            self.assertEqual(self.stack.docker("logs", i, check=0).stdout, b"")
        self.stack.faults("")
        self.stack.docker("rm", "-f", i)
        self.assertNothingLeft()

    def test_each_call_is_refused_for_good(self):
        self.at_each_method(self.is_refused, "403")


class Killed(Faulty):
    def kill_in(self, method, kind, *command):
        """The daemon dies when that call has arrived, and before its answer."""
        before = self.calls().get(method, 0)
        self.stack.faults(f"{method}={kind}*1")
        client = self.stack.popen(*command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        await_true("the call", lambda: self.calls().get(method, 0) > before)
        self.stack.backend.send_signal(signal.SIGKILL)
        self.stack.backend.wait()
        client.wait(30)
        self.stack.faults("")
        self.stack.start_backend()

    def await_known(self):
        def check():
            return self.held() <= 2 * len(self.stack.docker("ps", "-aq", check=0).stdout.split())
        await_true("every resource has a record", check, 60)

    def dies(self, phase, method, kind):
        if phase == "create":
            self.kill_in(method, kind, "create", "busybox", *SCRIPT)
            self.await_known()
            for i in self.stack.docker("ps", "-aq", check=0).stdout.decode().split():
                self.stack.docker("rm", "-f", i, check=0)
            self.assertNothingLeft()
            return
        i = self.create()
        if phase == "start":
            self.kill_in(method, kind, "start", "-a", i)
            assert_starts(self, self.stack, i, b"ran\n", 3)
            self.stack.docker("rm", i, check=0)
        else:
            self.kill_in(method, kind, "rm", i)
            await_true("removed", lambda: self.stack.docker("inspect", i).returncode != 0)
        self.assertNothingLeft()

    def test_while_any_call_is_under_way(self):
        self.at_each_method(self.dies, "slow", "lost")


class CallsOfRun(Calls):
    mode = "run"


class KilledInRun(Killed):
    mode = "run"


if __name__ == "__main__":
    main()
