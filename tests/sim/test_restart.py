"""Restart policies, stops and the ways in which a container ends."""
import signal
import socket
import unittest

from events import Events
from harness import Stack, await_true, main


class Base(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.s = Stack().__enter__()
        cls.s.docker("pull", "busybox", check=0)
        cls.events = Events(cls.s)

    @classmethod
    def tearDownClass(cls):
        cls.s.__exit__(None, None, None)

    def run_d(self, name, *args):
        self.s.docker("run", "-d", "--name", name, *args, check=0)

    def state(self, name):
        return self.s.api("GET", f"/containers/{name}/json")[1]["State"]

    def inspect(self, name):
        return self.s.api("GET", f"/containers/{name}/json")[1]

    def is_gone(self, name):
        return self.s.api("GET", f"/containers/{name}/json")[0] == 404


class Policies(Base):
    def test_on_failure_tries_as_often_as_it_was_told(self):
        self.run_d("three", "--restart", "on-failure:3", "busybox", "sh", "-c", "echo again; exit 5")
        self.events.until("three", "die", 4)
        await_true("the end", lambda: self.state("three")["Status"] == "exited")
        self.assertEqual(self.events.actions("three").count("start"), 4)
        self.assertEqual(self.inspect("three")["RestartCount"], 3)
        self.assertEqual(self.state("three")["ExitCode"], 5)
        self.assertEqual(self.s.docker("logs", "three").stdout, b"again\n" * 4)
        self.s.docker("start", "three", check=0)  # by hand: it counts anew
        self.events.until("three", "die", 8)
        self.s.docker("rm", "-f", "three", check=0)

    def test_on_failure_leaves_a_success_alone(self):
        self.run_d("fine", "--restart", "on-failure", "busybox", "true")
        self.events.until("fine", "die")
        self.assertEqual(self.state("fine")["Status"], "exited")
        self.assertEqual(self.inspect("fine")["RestartCount"], 0)
        self.s.docker("rm", "fine", check=0)

    def test_between_two_runs_it_is_restarting_and_a_stop_ends_that(self):
        self.run_d("always", "--restart", "always", "busybox", "sh", "-c", "exit 3")
        self.events.until("always", "die", 5)
        await_true("restarting", lambda: self.state("always")["Restarting"])
        state = self.state("always")
        if state["Restarting"]:
            self.assertEqual((state["Status"], state["Running"], state["ExitCode"]), ("restarting", True, 3))
        entry = self.s.api("GET", '/containers/json?filters={"status":["restarting"]}')[1]
        if entry:
            self.assertRegex(entry[0]["Status"], r"^Restarting \(3\) ")
        self.assertGreaterEqual(self.inspect("always")["RestartCount"], 4)
        self.s.docker("stop", "always", check=0)
        self.assertEqual(self.state("always")["Status"], "exited")
        starts = self.events.actions("always").count("start")
        self.s.docker("run", "--rm", "busybox", "true", check=0)
        self.assertEqual(self.events.actions("always").count("start"), starts)
        self.s.docker("rm", "always", check=0)

    def test_kill_ends_a_policy_too(self):
        self.run_d("killed", "--restart", "always", "busybox", "sleep", "1000")
        self.s.docker("kill", "killed", check=0)
        self.assertEqual(self.state("killed")["Status"], "exited")
        self.assertEqual(self.state("killed")["ExitCode"], 137)
        self.s.docker("rm", "killed", check=0)

    def test_a_signal_that_is_no_stop_does_not(self):
        self.run_d("hup", "--restart", "always", "--stop-signal", "TERM", "busybox", "sh", "-c",
                   "trap 'exit 1' HUP; echo ready; while :; do sleep 0.1; done")
        await_true("ready", lambda: b"ready" in self.s.docker("logs", "hup").stdout)
        self.s.docker("kill", "-s", "HUP", "hup", check=0)
        self.events.until("hup", "start", 2)
        self.s.docker("rm", "-f", "hup", check=0)

    def test_any_signal_ends_the_policy_of_one_without_a_stop_signal(self):
        self.run_d("any", "--restart", "always", "busybox", "sh", "-c",
                   "trap 'exit 1' HUP; echo ready; while :; do sleep 0.1; done")
        await_true("ready", lambda: b"ready" in self.s.docker("logs", "any").stdout)
        self.s.docker("kill", "-s", "HUP", "any", check=0)
        self.events.until("any", "die")
        self.assertEqual(self.state("any")["Status"], "exited")
        self.s.docker("rm", "any", check=0)

    def test_not_running_is_answered_although_it_goes_on(self):
        self.run_d("between", "--restart", "on-failure:2", "busybox", "sh", "-c", "sleep 1; exit 4")
        self.assertEqual(self.s.api("POST", "/containers/between/wait")[1]["StatusCode"], 4)
        self.assertGreaterEqual(self.inspect("between")["RestartCount"], 1)
        self.s.docker("rm", "-f", "between", check=0)

    def test_next_exit_is_answered_at_each_exit(self):
        self.run_d("each", "--restart", "on-failure:2", "busybox", "sh", "-c", "exit 4")
        self.assertEqual(self.s.api("POST", "/containers/each/wait?condition=next-exit")[1]["StatusCode"], 4)
        self.s.docker("rm", "-f", "each", check=0)


class Daemon(unittest.TestCase):
    def test_what_a_new_daemon_starts(self):
        with Stack() as s:
            for name, policy in (("always", "always"), ("unless", "unless-stopped"), ("no", "no"), ("failed", "on-failure")):
                s.docker("run", "-d", "--name", name, "--restart", policy, "busybox", "sleep", "1000", check=0)
            s.docker("run", "-d", "--name", "going", "--restart", "unless-stopped", "busybox", "sleep", "1000", check=0)
            s.docker("create", "--name", "never", "--restart", "always", "busybox", "sleep", "1000", check=0)
            s.docker("stop", "-t", "0", "always", "unless", "no", "failed", check=0)
            s.stop_backend()
            s.start_backend()

            def status(name):
                return s.api("GET", f"/containers/{name}/json")[1]["State"]["Status"]
            await_true("always", lambda: status("always") == "running")
            await_true("failed", lambda: status("failed") == "running")
            self.assertEqual([status(n) for n in ("unless", "no", "going", "never")],
                             ["exited", "exited", "running", "created"])
            self.assertEqual(s.api("GET", "/containers/always/json")[1]["RestartCount"], 0)
            for name in ("always", "unless", "no", "failed", "going", "never"):
                s.docker("rm", "-f", name, check=0)
            self.assertEqual(s.sim_state()["jobs"], 0)

    def test_a_pause_between_runs_survives_the_daemon(self):
        with Stack() as s:
            events = Events(s)
            s.docker("run", "-d", "--name", "again", "--restart", "always", "busybox", "sh", "-c", "exit 3", check=0)
            events.until("again", "die", 4)
            s.stop_backend(signal.SIGKILL)
            s.start_backend()
            events = Events(s)
            events.until("again", "die", 1, 180)
            s.docker("rm", "-f", "again", check=0)

    def test_a_restart_that_the_cloud_refuses_is_tried_again(self):
        with Stack(env={"SOCKERLESS_WARM_SECONDS": "0"}) as s:
            events = Events(s)
            s.docker("run", "-d", "--name", "refused", "--restart", "always", "--stop-signal", "TERM", "busybox", "sh", "-c",
                     "trap 'exit 1' HUP; echo ready; while :; do sleep 0.1; done", check=0)
            await_true("ready", lambda: b"ready" in s.docker("logs", "refused").stdout)
            s.faults("500:1")
            s.docker("kill", "-s", "HUP", "refused", check=0)
            await_true("refusal", lambda: "a restart failed and is tried again" in s.log("backend"), 120)
            self.assertTrue(s.api("GET", "/containers/refused/json")[1]["State"]["Restarting"])
            s.faults("")
            events.until("refused", "start", 2)
            self.assertGreaterEqual(s.api("GET", "/containers/refused/json")[1]["RestartCount"], 2)
            s.docker("rm", "-f", "refused", check=0)

    def test_a_stop_gives_up_a_start_that_a_policy_began(self):
        with Stack(env={"SOCKERLESS_WARM_SECONDS": "0"}) as s:
            events = Events(s)
            s.docker("run", "-d", "--name", "given-up", "--restart", "always", "busybox", "sh", "-c", "exit 3", check=0)
            events.until("given-up", "die")
            s.faults("slow:1")
            s.docker("stop", "given-up", check=0)
            state = s.api("GET", "/containers/given-up/json")[1]["State"]
            self.assertEqual((state["Status"], state["ExitCode"], state["Error"]), ("exited", 3, ""))
            s.faults("")
            s.docker("rm", "given-up", check=0)
            await_true("the cloud's", lambda: s.sim_state()["jobs"] == 0)

    def test_auto_remove_of_what_ended_while_no_daemon_looked(self):
        with Stack() as s:
            s.docker("run", "-d", "--rm", "--name", "alone", "busybox", "sleep", "2", check=0)
            s.stop_backend()
            s.start_backend()
            await_true("removal", lambda: s.api("GET", "/containers/alone/json")[0] == 404, 60)
            await_true("the cloud's", lambda: s.sim_state()["jobs"] == 0)


class Ends(Base):
    def test_auto_remove_in_every_way_of_ending(self):
        self.run_d("stopped", "--rm", "busybox", "sleep", "1000")
        self.s.docker("stop", "-t", "0", "stopped", check=0)
        self.events.until("stopped", "destroy")
        self.run_d("killed", "--rm", "busybox", "sleep", "1000")
        self.s.docker("kill", "killed", check=0)
        self.events.until("killed", "destroy")
        self.run_d("ended", "--rm", "busybox", "true")
        self.events.until("ended", "destroy")
        self.s.docker("run", "--rm", "--name", "broken", "busybox", "/no/such")
        self.events.until("broken", "destroy")
        self.run_d("forced", "--rm", "busybox", "sleep", "1000")
        self.s.docker("rm", "-f", "forced", check=0)
        self.events.until("forced", "destroy")
        for name in ("stopped", "killed", "ended", "broken", "forced"):
            self.assertTrue(self.is_gone(name), name)
            self.assertEqual(self.events.actions(name).count("destroy"), 1)

    def test_a_restart_by_hand_keeps_what_would_be_removed(self):
        self.run_d("kept", "--rm", "busybox", "sleep", "1000")
        self.s.docker("restart", "-t", "0", "kept", check=0)
        self.assertEqual(self.state("kept")["Status"], "running")
        self.s.docker("kill", "kept", check=0)
        self.events.until("kept", "destroy")

    def test_stop_takes_the_containers_signal_and_timeout(self):
        self.run_d("usr1", "--stop-signal", "USR1", "busybox", "sh", "-c",
                   "trap 'exit 7' USR1; echo ready; while :; do sleep 0.1; done")
        await_true("ready", lambda: b"ready" in self.s.docker("logs", "usr1").stdout)
        self.s.docker("stop", "usr1", check=0)
        self.assertEqual(self.state("usr1")["ExitCode"], 7)
        kill = [e for e in self.events.seen if e["Action"] == "kill" and e["Actor"]["Attributes"]["name"] == "usr1"]
        self.assertEqual([e["Actor"]["Attributes"]["signal"] for e in kill], ["10"])
        self.s.docker("rm", "usr1", check=0)
        self.run_d("deaf", "--stop-timeout", "1", "busybox", "sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done")
        await_true("ready", lambda: b"ready" in self.s.docker("logs", "deaf").stdout)
        self.s.docker("stop", "deaf", check=0)
        self.assertEqual(self.state("deaf")["ExitCode"], 137)
        self.s.docker("rm", "deaf", check=0)

    def test_wait_for_removal_has_the_exit_code(self):
        self.run_d("waited", "--rm", "busybox", "sh", "-c", "read x; exit 6")
        self.assertEqual(self.s.api("POST", "/containers/waited/wait?condition=removed")[1]["StatusCode"], 6)

    def test_init_reaps_and_passes_signals_on(self):
        self.run_d("init", "--init", "busybox", "sleep", "1000")
        self.s.docker("stop", "-t", "20", "init", check=0)
        self.assertEqual(self.state("init")["ExitCode"], 143)
        self.s.docker("rm", "init", check=0)


class Input(Base):
    def attach(self, name):
        c = socket.socket(socket.AF_UNIX)
        c.settimeout(60)
        c.connect(self.s.socket)
        c.sendall(f"POST /v1.44/containers/{name}/attach?stdin=1&stdout=1&stream=1 HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\n"
                  "Upgrade: tcp\r\nContent-Length: 0\r\n\r\n".encode())
        answer = c.makefile("rb")
        self.assertIn(b" 101 ", answer.readline())
        while answer.readline() != b"\r\n":
            pass
        return c, answer

    def test_late_end_of_input_is_not_the_next_runs(self):
        self.s.docker("create", "-i", "--name", "twice", "busybox", "sh", "-c", "head -c 8000000 /dev/zero; read x; echo got $x", check=0)
        first, unread = self.attach("twice")  # who does not read his output stays longer than the run
        self.s.docker("start", "twice", check=0)
        first.sendall(b"one\n")
        self.assertEqual(self.s.docker("wait", "twice", check=0).stdout, b"0\n")
        second, answer = self.attach("twice")
        self.s.docker("start", "twice", check=0)
        first.shutdown(socket.SHUT_WR)
        self.assertEqual(self.s.api("GET", "/containers/twice/json")[0], 200)  # the daemon has seen that end by now
        second.sendall(b"two\n")
        end = b""
        while piece := answer.read(65536):
            end = (end + piece)[-100:]
        self.assertTrue(end.endswith(b"got two\n"), end)
        for c in (unread, first, answer, second):
            c.close()
        self.s.docker("rm", "twice", check=0)


if __name__ == "__main__":
    main()
