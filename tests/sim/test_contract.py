"""The same cases over every backend: what a user of the docker CLI sees does not depend on the cloud below.

usage: test_contract.py BUILD_DIR aca|azf|gcf
"""
import fcntl
import hashlib
import json
import os
import pty
import struct
import subprocess
import sys
import tempfile
import termios
import unittest

from events import Events
from harness import Stack, await_true, main

KIND = sys.argv.pop(1) if len(sys.argv) > 1 and sys.argv[1] in ("aca", "azf", "gcf") else "aca"
LIVES = ["sh", "-c", 'trap "echo got TERM; exit 7" TERM; echo started; while :; do sleep 0.05; done']


def held(stack):
    """How many things the simulated cloud holds for containers."""
    state = stack.sim_state()
    if KIND == "gcf":
        return state["functions"] + state["services"]
    return state["jobs"] if KIND == "aca" else len(state["sites"])


class Contract(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        env = {"SOCKERLESS_AZF_APP_SERVICE_PLAN": "sockerless"} if KIND == "azf" else {}
        cls.stack = Stack(backend=KIND, env=env).__enter__()
        cls.stack.docker("pull", "-q", "busybox", check=0)

    @classmethod
    def tearDownClass(cls):
        try:
            left = held(cls.stack)
        finally:
            cls.stack.__exit__(None, None, None)
        assert left == 0, f"{left} left in the cloud"

    def docker(self, *args, **kw):
        return self.stack.docker(*args, **kw)

    def inspect(self, name, form):
        return self.docker("inspect", name, "--format", form, check=0).stdout.decode().strip()

    def live(self, name, *options):
        self.docker("run", "-d", "--name", name, *options, "busybox", *LIVES, check=0)
        await_true("it has begun", lambda: b"started" in self.docker("logs", name, check=0).stdout)

    def remove(self, *names):
        self.docker("rm", "-f", *names, check=0)

    def test_run_gives_output_errors_and_code_apart(self):
        r = self.docker("run", "--rm", "busybox", "sh", "-c", "echo out; echo err >&2; exit 42", check=42)
        self.assertEqual((r.stdout, r.stderr), (b"out\n", b"err\n"))

    def test_commands_that_cannot_run(self):
        self.assertIn(b"not found", self.docker("run", "--rm", "busybox", "no-such-command", check=127).stderr)
        self.docker("run", "--rm", "busybox", "/etc/passwd", check=126)

    def test_input_reaches_the_command(self):
        data = os.urandom(300_000)
        r = self.docker("run", "--rm", "-i", "busybox", "md5sum", stdin=data, check=0)
        self.assertEqual(r.stdout.split()[0].decode(), hashlib.md5(data).hexdigest())

    def test_what_create_says_reaches_the_command(self):
        options = ("--rm", "-e", "ODD-name.1=x y\"'$", "-w", "/tmp", "-u", "1000:1000", "-h", "abc", "busybox")
        r = self.docker("run", *options, "sh", "-c", 'pwd; id -u; printf "%s|" "$@"', "sh", "a b", "", "*", check=0)
        self.assertEqual(r.stdout.decode().splitlines(), ["/tmp", "1000", "a b||*|"])
        env = self.docker("run", *options, "env", check=0).stdout.decode().splitlines()
        self.assertLess({"ODD-name.1=x y\"'$", "HOSTNAME=abc", "HOME=/home/app"}, set(env))
        self.assertFalse([e for e in env if e.startswith("SOCKERLESS")])

    def test_logs_follow_and_the_end_by_stop(self):
        self.live("followed")
        follower = self.stack.popen("logs", "-f", "followed", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.docker("stop", "followed", check=0)
        out, err = follower.communicate(timeout=60)
        self.assertEqual((out, err, follower.returncode), (b"started\ngot TERM\n", b"", 0))
        self.assertEqual(self.inspect("followed", "{{.State.Status}} {{.State.ExitCode}} {{.State.Error}}"), "exited 7")
        self.remove("followed")

    def test_kill_and_signals(self):
        self.live("killed")
        self.docker("kill", "-s", "USR1", "killed")  # process 1 has no handler for it: nothing happens, or it ends by it
        self.docker("kill", "killed")
        self.assertIn(self.docker("wait", "killed", check=0).stdout, (b"137\n", b"138\n"))
        self.remove("killed")

    def test_exec_codes_input_and_user(self):
        self.live("host")
        r = self.docker("exec", "host", "sh", "-c", "echo out; echo err >&2; exit 3", check=3)
        self.assertEqual((r.stdout, r.stderr), (b"out\n", b"err\n"))
        self.assertEqual(self.docker("exec", "-i", "-u", "1", "-e", "A=b", "-w", "/tmp", "host", "sh", "-c", "id -u; echo $A; pwd; cat",
                                     stdin=b"in", check=0).stdout, b"1\nb\n/tmp\nin")
        self.docker("exec", "host", "no-such-command", check=127)
        self.docker("stop", "-t", "0", "host", check=0)
        self.assertIn(b"is not running", self.docker("exec", "host", "true", check=1).stderr)
        self.remove("host")

    def test_copies_before_while_and_after(self):
        with tempfile.TemporaryDirectory() as d:
            with open(d + "/file", "wb") as f:
                f.write(os.urandom(100_000))
            os.chmod(d + "/file", 0o751)
            self.docker("create", "--name", "copied", "busybox", "sh", "-c", "stat -c %a /root/file; sleep 1000", check=0)
            self.docker("cp", d + "/file", "copied:/root/file", check=0)
            self.docker("start", "copied", check=0)
            await_true("it has begun", lambda: self.docker("logs", "copied", check=0).stdout == b"751\n")
            self.docker("cp", "copied:/root/file", d + "/back", check=0)
            self.docker("stop", "-t", "0", "copied", check=0)
            self.docker("cp", "copied:/root/file", d + "/late", check=0)  # its workload is warm for a while
            with open(d + "/file", "rb") as a, open(d + "/back", "rb") as b, open(d + "/late", "rb") as c:
                self.assertTrue(a.read() == b.read() == c.read())
        self.remove("copied")

    def test_attach_sees_what_comes_and_wait_the_code(self):
        self.docker("create", "-i", "--name", "attached", "busybox", "sh", "-c", "read x; echo got $x; exit 5", check=0)
        waiter = self.stack.popen("wait", "attached", stdout=subprocess.PIPE)
        r = self.docker("start", "-ai", "attached", stdin=b"word\n", check=5)
        self.assertEqual(r.stdout, b"got word\n")
        waiter.kill()  # of the state before the start: it answers at once, as with an Engine
        waiter.communicate()
        self.assertEqual(self.docker("wait", "attached", check=0).stdout, b"5\n")
        self.remove("attached")

    def test_wait_conditions(self):
        self.docker("create", "--name", "awaited", "busybox", "sh", "-c", "exit 9", check=0)
        waiter = self.stack.popen("start", "-a", "awaited", stdout=subprocess.PIPE)
        self.assertEqual(waiter.wait(120), 9)
        waiter.communicate()
        status, answer = self.stack.api("POST", "/containers/awaited/wait?condition=not-running")
        self.assertEqual((status, answer["StatusCode"]), (200, 9))
        self.remove("awaited")
        self.assertEqual(self.stack.api("POST", "/containers/awaited/wait")[0], 404)

    def test_a_second_start_is_warm_and_keeps_files(self):
        self.docker("create", "--name", "again", "busybox", "sh", "-c", "echo x >> /tmp/runs; wc -l < /tmp/runs", check=0)
        for run in (b"1\n", b"2\n"):
            self.assertEqual(self.docker("start", "-a", "again", check=0).stdout, run)
        self.assertEqual(self.docker("logs", "again", check=0).stdout, b"1\n2\n")
        self.remove("again")

    def test_restart_really_restarts(self):
        self.live("restarted")
        before = self.inspect("restarted", "{{.State.StartedAt}}")
        self.docker("restart", "-t", "5", "restarted", check=0)
        self.assertEqual(self.inspect("restarted", "{{.State.Status}}"), "running")
        self.assertNotEqual(self.inspect("restarted", "{{.State.StartedAt}}"), before)
        await_true("both runs speak", lambda: self.docker("logs", "restarted", check=0).stdout == b"started\ngot TERM\nstarted\n")
        self.remove("restarted")

    def test_pause_stops_the_processes(self):
        self.live("paused")
        self.docker("pause", "paused", check=0)
        self.assertEqual(self.inspect("paused", "{{.State.Status}}"), "paused")
        self.assertIn(b"paused", self.docker("exec", "paused", "true", check=1).stderr)
        self.docker("unpause", "paused", check=0)
        self.docker("exec", "paused", "true", check=0)
        self.remove("paused")

    def test_events_come_in_order(self):
        events = Events(self.stack)
        self.docker("run", "--name", "told", "busybox", "sh", "-c", "exit 4", check=4)
        self.docker("rm", "told", check=0)
        events.until("told", "destroy")
        self.assertEqual(events.actions("told"), ["create", "attach", "start", "die", "destroy"])
        died = next(e for e in events.seen if e["Action"] == "die" and e["Actor"]["Attributes"]["name"] == "told")
        self.assertEqual(died["Actor"]["Attributes"]["exitCode"], "4")

    def test_a_terminal_and_its_size(self):
        self.docker("run", "-dit", "--name", "terminal", "busybox", "sh", check=0)
        controller, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 77, 0, 0))
        p = self.stack.popen("exec", "-it", "terminal", "sh", "-c", "read x; stty size; tty", stdin=terminal, stdout=terminal,
                             stderr=terminal, start_new_session=True)
        os.close(terminal)
        os.write(controller, b"\n")
        seen = b""
        while b"/dev/" not in seen:
            seen += os.read(controller, 4096)
        self.assertEqual(p.wait(60), 0)
        os.close(controller)
        self.assertIn(b"33 77", seen)
        self.remove("terminal")

    def test_auto_remove_and_names_are_free_again(self):
        for _ in range(2):
            self.docker("run", "--rm", "--name", "gone", "busybox", "true", check=0)
        await_true("it is gone", lambda: self.docker("inspect", "gone").returncode == 1)

    def test_top_stats_diff_and_export(self):
        self.live("looked-at")
        self.assertIn(b"sleep", self.docker("top", "looked-at", check=0).stdout)
        stats = json.loads(self.docker("stats", "--no-stream", "--format", "{{json .}}", "looked-at", check=0).stdout)
        self.assertGreaterEqual(int(stats["PIDs"]), 1)
        self.docker("exec", "looked-at", "touch", "/new", check=0)
        self.assertIn(b"A /new", self.docker("diff", "looked-at", check=0).stdout.splitlines())
        self.remove("looked-at")

    def test_a_commit_has_the_files_of_the_run(self):
        self.docker("run", "--name", "made", "busybox", "sh", "-c", "echo made >/file", check=0)
        self.docker("commit", "made", "made:1", check=0)
        self.assertEqual(self.docker("run", "--rm", "made:1", "cat", "/file", check=0).stdout, b"made\n")
        self.remove("made")
        self.docker("rmi", "made:1", check=0)

    def test_conflicts_and_unknown_names(self):
        self.docker("create", "--name", "taken", "busybox", "true", check=0)
        self.assertIn(b"is already in use", self.docker("create", "--name", "taken", "busybox", "true", check=1).stderr)
        for command in ("start", "stop", "logs", "inspect", "rm"):
            self.assertIn(b"o such", self.docker(command, "unknown", check=1).stderr)
        self.remove("taken")

    def test_health_is_checked_inside(self):
        self.docker("run", "-d", "--name", "healthy", "--health-cmd", "test -e /ok", "--health-interval", "1s", "busybox",
                    "sh", "-c", "touch /ok; sleep 1000", check=0)
        await_true("it is healthy", lambda: self.inspect("healthy", "{{.State.Health.Status}}") == "healthy", 60)
        self.remove("healthy")


@unittest.skipIf(KIND == "azf", "the memory there is that of the whole plan")
class Memory(unittest.TestCase):
    def test_who_takes_too_much_is_killed_and_that_is_told(self):
        with Stack(backend=KIND, sim_args=["--memory-limits"]) as s:
            s.docker("pull", "-q", "busybox", check=0)
            events = Events(s)
            s.docker("run", "--name", "greedy", "-m", "512m", "busybox", "tail", "/dev/zero", check=137)
            events.until("greedy", "die")
            self.assertEqual(events.actions("greedy"), ["create", "attach", "start", "oom", "die"])
            self.assertEqual(s.docker("inspect", "-f", "{{.State.OOMKilled}} {{.State.ExitCode}}", "greedy", check=0).stdout,
                             b"true 137\n")
            s.docker("run", "--name", "modest", "-m", "512m", "busybox", "sh", "-c", "kill -9 $$", check=137)
            self.assertEqual(s.docker("inspect", "-f", "{{.State.OOMKilled}}", "modest", check=0).stdout, b"false\n")
            s.docker("rm", "greedy", "modest", check=0)


if __name__ == "__main__":
    main()
