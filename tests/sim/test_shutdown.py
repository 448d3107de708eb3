"""SIGTERM while clients stream: the daemon goes down cleanly, the workloads run on, the next daemon has them."""
import os
import signal
import unittest

from harness import Stack, await_true, main

COUNT = 20


class Shutdown(unittest.TestCase):
    def test_streaming_clients_end_and_workloads_run_on(self):
        with Stack() as s:
            s.docker("pull", "-q", "busybox", check=0)
            clients = []
            for i in range(COUNT):
                clients.append(s.popen("run", "-i", "--name", f"c{i}", "busybox", "sh", "-c",
                                       f"while ! [ -e /tmp/go ]; do echo {'x' * 200}; usleep 20000; done; exit {i}",
                                       stdin=-1, stdout=-3, stderr=-3))
            await_true("all run", lambda: len(s.docker("ps", "-q").stdout.split()) == COUNT, 60)
            for i in range(COUNT):
                clients.append(s.popen("exec", f"c{i}", "sh", "-c", "while :; do echo y; usleep 20000; done",
                                       stdout=-3, stderr=-3))
                clients.append(s.popen("logs", "-f", f"c{i}", stdout=-3, stderr=-3))
                clients.append(s.popen("wait", f"c{i}", stdout=-3, stderr=-3))
            clients.append(s.popen("events", stdout=-3, stderr=-3))
            await_true("all execs run", lambda: all(
                s.api("GET", f"/containers/c{i}/json")[1]["ExecIDs"] for i in range(COUNT)), 60)
            self.assertEqual(s.stop_backend(signal.SIGTERM), 0, s.log("backend")[-3000:])
            for c in clients:
                c.wait(60)
                if c.stdin:
                    c.stdin.close()
            s.start_backend()
            for i in range(COUNT):
                await_true("the agent is back", lambda: s.docker("exec", f"c{i}", "touch", "/tmp/go").returncode == 0, 60)
            for i in range(COUNT):
                self.assertEqual(s.docker("wait", f"c{i}").stdout.strip(), str(i).encode())


if __name__ == "__main__":
    main()
