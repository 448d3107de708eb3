"""The daemon is killed, connections are cut: nothing is lost, nothing comes twice."""
import os
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
            s.backend.send_signal(signal.SIGKILL)
            s.backend.wait()
            s.start_backend()
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


if __name__ == "__main__":
    main()
