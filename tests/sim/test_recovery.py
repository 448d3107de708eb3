"""The daemon is killed, connections are cut: nothing is lost, nothing comes twice."""
import json
import signal
import socket
import subprocess
import threading
import unittest

from harness import Stack, await_true, free_port, main

LINES = 120000  # about 10 MB with the padding below


class Proxy:
    """Between agents and the backend; cut() drops every connection that is open."""

    def __init__(self, port, to_port):
        self.to_port, self.pairs, self.lock = to_port, [], threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                a, _ = self.listener.accept()
            except OSError:
                return
            try:
                b = socket.create_connection(("127.0.0.1", self.to_port))
            except OSError:
                a.close()
                continue
            with self.lock:
                self.pairs.append((a, b))
            for x, y in ((a, b), (b, a)):
                threading.Thread(target=self._pump, args=(x, y), daemon=True).start()

    @staticmethod
    def _pump(x, y):
        try:
            while data := x.recv(65536):
                y.sendall(data)
        except OSError:
            pass
        for s in (x, y):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        with self.lock:
            pairs, self.pairs = self.pairs, []
        for a, b in pairs:
            for s in (a, b):
                try:
                    s.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        return len(pairs)

    def close(self):
        self.listener.close()
        self.cut()


class Recovery(unittest.TestCase):
    def test_kill_9_while_10_mb_are_written(self):
        with Stack() as s:
            script = f'i=0; while [ $i -lt {LINES} ]; do i=$((i+1)); echo "line $i ' + "x" * 70 + '"; done; exit 9'
            s.docker("run", "-d", "--name", "c-w", "busybox", "sh", "-c", script, check=0)
            await_true("first output", lambda: b"line 1000 " in s.docker("logs", "c-w").stdout)
            s.kill_backend()
            self.assertEqual(s.docker("wait", "c-w", timeout=200).stdout.strip(), b"9")
            lines = s.docker("logs", "c-w").stdout.decode().split("\n")
            self.assertEqual(lines.pop(), "")
            numbers = [int(line.split()[1]) for line in lines]
            self.assertEqual(numbers, list(range(1, LINES + 1)))
            s.docker("rm", "c-w", check=0)
            self.assertEqual(s.sim_state()["jobs"], 0)

    def test_connections_are_cut_during_exec_and_attach(self):
        s = Stack()
        with s:
            # The agents dial the proxy; the backend listens behind it.
            s.backend.terminate()
            s.backend.wait(30)
            s.agent_port = free_port()
            proxy = Proxy(s.callback_port, s.agent_port)
            s.start_backend()
            try:
                count = "i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo $i; [ $((i % 100)) = 0 ] && usleep 20000; done"
                expected = "".join(f"{i}\n" for i in range(1, 3001)).encode()
                attached = s.popen("run", "--name", "c-a", "busybox", "sh", "-c", count + "; sleep 1; exit 4",
                                   stdout=subprocess.PIPE)
                await_true("the container runs", lambda: s.docker("exec", "c-a", "true").returncode == 0)
                execed = s.popen("exec", "c-a", "sh", "-c", count + "; exit 6", stdout=subprocess.PIPE)
                cuts = 0
                done = threading.Event()

                def cutter():
                    nonlocal cuts
                    while not done.wait(0.25) and cuts < 6:
                        cuts += proxy.cut() > 0

                thread = threading.Thread(target=cutter)
                thread.start()
                exec_out = execed.communicate(timeout=100)[0]
                attach_out = attached.communicate(timeout=100)[0]
                done.set()
                thread.join()
                self.assertGreater(cuts, 0)
                self.assertEqual(exec_out, expected)
                self.assertEqual(execed.returncode, 6)
                self.assertEqual(attach_out, expected)
                self.assertEqual(attached.returncode, 4)
            finally:
                proxy.close()


class AfterAKill(unittest.TestCase):
    """What is asked of a container that is being recovered waits until it is known what became of its run."""

    @classmethod
    def setUpClass(cls):
        cls.s = Stack(env={"SOCKERLESS_WARM_SECONDS": "0"}).__enter__()
        cls.s.docker("pull", "-q", "busybox", check=0)

    @classmethod
    def tearDownClass(cls):
        cls.s.__exit__(None, None, None)

    def setUp(self):
        self.s.restart_backend()

    def tearDown(self):
        ids = self.s.docker("ps", "-aq", check=0).stdout.decode().split()
        if ids:
            self.s.docker("rm", "-f", *ids, check=0)
        self.assertEqual(self.s.sim_state()["jobs"], 0)

    def create(self, *args):
        return self.s.docker("create", *args, check=0).stdout.decode().strip()

    def state(self, i):
        c = json.loads(self.s.docker("inspect", i, check=0).stdout)[0]
        return c["State"]["Status"], c["State"]["ExitCode"], c["RestartCount"]

    def start_and_die_at(self, point, i):
        self.s.restart_backend(fault=f"die:1:{point}")
        self.s.docker("start", i)
        self.s.await_fault()

    def test_a_start_waits_for_the_one_that_was_cut(self):
        for point in ("cloud.after jobs.create", "cloud.after jobs.start", "agent.before start"):
            with self.subTest(point=point):
                i = self.create("busybox", "sh", "-c", "echo ran; exit 3")
                self.start_and_die_at(point, i)
                r = self.s.docker("start", "-a", i)
                self.assertEqual(r.returncode, 3, r.stderr)
                self.assertIn(self.s.docker("logs", i, check=0).stdout, (b"ran\n", b"ran\nran\n"))
                self.assertEqual(self.state(i), ("exited", 3, 0))

    def test_what_needs_the_agent_waits_for_it(self):
        i = self.create("busybox", "sh", "-c", "echo here > /tmp/x; trap 'exit 5' TERM; while :; do sleep 1; done")
        self.s.docker("start", i, check=0)
        for args, expected in ((("exec", i, "cat", "/tmp/x"), b"here"), (("cp", i + ":/tmp/x", "-"), b"here"), (("top", i), b"trap"),
                               (("diff", i), b"/tmp/x"), (("stats", "--no-stream", i), i[:12].encode())):
            with self.subTest(args[0]):
                self.s.kill_backend()
                self.assertIn(expected, self.s.docker(*args, check=0).stdout)
        with self.subTest("pause"):
            self.s.kill_backend()
            self.s.docker("pause", i, check=0)
            self.s.kill_backend()
            self.s.docker("unpause", i, check=0)
        with self.subTest("kill"):
            self.s.kill_backend()
            self.s.docker("kill", "-s", "TERM", i, check=0)
            self.assertEqual(self.s.docker("wait", i, check=0).stdout, b"5\n")

    def test_a_stop_leaves_the_answer_to_the_command(self):
        i = self.create("busybox", "sh", "-c", "trap 'echo bye; exit 5' TERM; while :; do sleep 1; done")
        self.s.docker("start", i, check=0)
        self.s.kill_backend()
        self.s.docker("stop", i, check=0)
        self.assertEqual(self.state(i), ("exited", 5, 0))
        self.assertEqual(self.s.docker("logs", i, check=0).stdout, b"bye\n")

    def test_a_forced_removal_waits_for_nobody(self):
        i = self.create("busybox", "sleep", "1000")
        self.s.docker("start", i, check=0)
        self.s.stop_backend(signal.SIGKILL)
        self.s.agent_port = free_port()  # where no agent comes
        try:
            self.s.start_backend()
            self.s.docker("rm", "-f", i, check=0, timeout=60)
        finally:
            self.s.agent_port = self.s.callback_port

    def test_a_run_that_ended_unseen_is_restarted_by_its_policy(self):
        i = self.create("--restart", "on-failure:2", "busybox", "sh", "-c", "echo ran; exit 1")
        self.start_and_die_at("agent.after start", i)
        await_true("all runs are over", lambda: self.state(i) == ("exited", 1, 2), 60)
        self.assertEqual(self.s.docker("logs", i, check=0).stdout, b"ran\n" * 3)

    def test_a_restart_that_was_cut_is_not_a_try(self):
        i = self.create("--restart", "on-failure:1", "busybox", "sh", "-c", "echo ran; exit 1")
        self.s.restart_backend(fault="die:2:cloud.after jobs.start")
        self.s.docker("start", i)
        self.s.await_fault()
        await_true("all runs are over", lambda: self.state(i) == ("exited", 1, 1), 60)
        self.assertEqual(self.s.docker("logs", i, check=0).stdout, b"ran\n" * 2)

    def test_an_image_is_removed_whole_or_not_at_all(self):
        died = 0
        for point in ("store.half", "store.whole"):
            for n in range(1, 10):
                self.s.docker("pull", "-q", "busybox", check=0)
                self.s.restart_backend(fault=f"die:{n}:{point}")
                if self.s.docker("rmi", "busybox").returncode == 0:
                    self.s.restart_backend()
                    break
                died += 1
                self.s.await_fault()
                self.assertNotIn(b"<none>", self.s.docker("images", check=0).stdout)
            self.assertLess(n, 9)
        self.assertGreaterEqual(died, 2)


if __name__ == "__main__":
    main()
