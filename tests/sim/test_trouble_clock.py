"""A wall clock that is set: a day forwards, two backwards, while containers run. What is shown follows it; what waits does not."""
import os
import struct
import subprocess
import unittest

from events import Events
from harness import BUILD, Stack, await_true, main

DAY_NS = 86400 * 10**9


class Clock(Stack):
    """The daemon's wall clock is off by `set(ns)`; the others' is not."""

    def start_backend(self, *how, **options):
        self.shift = os.path.join(self.dir, "shift")
        if not os.path.exists(self.shift):
            self.set(0)
        asan = os.environ.get("ASAN_OPTIONS", "")
        self.extra_env.update({"LD_PRELOAD": f"{BUILD}/tests/sim/libclock_shift.so", "CLOCK_SHIFT_FILE": self.shift,
                               "ASAN_OPTIONS": f"{asan}:verify_asan_link_order=0".strip(":")})
        super().start_backend(*how, **options)

    def set(self, ns):
        """At once, in the page that the daemon has mapped."""
        fd = os.open(self.shift, os.O_WRONLY | os.O_CREAT, 0o600)
        os.pwrite(fd, struct.pack("=q", ns), 0)
        os.close(fd)

    def system_time(self):
        return self.docker("info", "--format", "{{.SystemTime}}", check=0).stdout.decode()


COUNT = "i=0; while true; do echo $i; i=$((i+1)); usleep 20000; done"


class Jumps(unittest.TestCase):
    def lines(self, s):
        with open(self.followed) as f:
            return f.read().split()

    def works(self, s):
        """Output, exec, a new run with its cloud calls, a stop with its timer."""
        before = len(self.lines(s))
        await_true("output goes on", lambda: len(self.lines(s)) > before + 10)
        self.assertEqual(s.docker("exec", "on", "echo", "hi", check=0).stdout, b"hi\n")
        self.assertEqual(s.docker("run", "--rm", "busybox", "sh", "-c", "echo ran; exit 4").stdout, b"ran\n")
        s.docker("run", "-d", "--name", "stubborn", "busybox", "sh", "-c", "trap '' TERM; while true; do sleep 1; done", check=0)
        s.docker("stop", "-t", "1", "stubborn", check=0)
        self.assertEqual(s.docker("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "stubborn", check=0).stdout, b"exited 137\n")
        s.docker("rm", "stubborn", check=0)
        self.assertEqual(s.docker("ps", "--format", "{{.Names}}", check=0).stdout, b"on\n")

    def test_while_containers_run(self):
        with Clock(env={"SOCKERLESS_WARM_SECONDS": "0"}) as s:
            s.docker("pull", "-q", "busybox", check=0)
            s.docker("run", "-d", "--name", "on", "--health-cmd", "true", "--health-interval", "1s", "--health-start-period", "1h",
                     "busybox", "sh", "-c", COUNT, check=0)
            _, ended = s.api("POST", "/containers/on/exec", {"Cmd": ["true"]})
            s.api("POST", f"/exec/{ended['Id']}/start", {"Detach": True})
            self.followed = os.path.join(s.dir, "followed")
            with open(self.followed, "wb") as out:
                follower = s.popen("logs", "-f", "on", stdout=out)
            waiter = s.popen("wait", "on", stdout=subprocess.PIPE)
            events = Events(s)
            self.works(s)
            now = s.system_time()
            for ns in (DAY_NS, -2 * DAY_NS, 0):
                with self.subTest(shift=ns):
                    s.set(ns)
                    self.assertEqual(now[:10] == s.system_time()[:10], ns == 0)
                    self.works(s)
                    self.assertEqual(s.api("GET", f"/exec/{ended['Id']}/json")[0], 200)
            s.set(-2 * DAY_NS)
            times = [e["timeNano"] for e in events.seen]
            self.assertEqual(times, sorted(set(times)))
            self.assertIsNone(waiter.poll())
            self.assertNotIn("the agent is lost", s.log("backend"))
            # A restart under the wrong clock takes over what was begun under the right one, as does the right one after it.
            s.restart_backend()
            follower.wait(30)
            waiter.communicate(timeout=30)
            s.set(DAY_NS)
            s.restart_backend()
            await_true("its agent is back", lambda: s.docker("exec", "on", "true").returncode == 0)
            s.docker("kill", "on", check=0)
            self.assertEqual(s.docker("wait", "on", check=0).stdout, b"137\n")
            seen = s.docker("logs", "on", check=0).stdout.decode().split()
            self.assertEqual(seen, [str(i) for i in range(len(seen))])
            self.assertEqual(self.lines(s), seen[:len(self.lines(s))])

    def test_a_token_is_not_signed_for_another_day(self):
        with Clock(backend="gcf") as s:
            s.docker("pull", "-q", "busybox", check=0)
            s.set(DAY_NS)
            r = s.docker("create", "busybox", "true")
            self.assertEqual((r.returncode, b"iat and exp" in r.stderr), (1, True), r.stderr)
            s.set(0)
            s.docker("create", "busybox", "true", check=0)


if __name__ == "__main__":
    main()
