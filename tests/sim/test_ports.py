"""Published ports: real connections from this host into the workload."""
import concurrent.futures
import hashlib
import os
import signal
import socket
import unittest
import urllib.request

from harness import BUILD, Stack, await_true, free_port, main

# The simulator's workloads share this host's network: each test has a port of its own.
def httpd(port):
    return f"mkdir -p /www && cd /www && echo hello > index.html && exec httpd -f -p {port} -h /www"



def fetch(port, path="/", host="127.0.0.1"):
    with urllib.request.urlopen(f"http://{host}:{port}{path}", timeout=30) as answer:
        return answer.read()


class Ports(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack().__enter__()
        cls.stack.docker("pull", "-q", "busybox", check=0)

    @classmethod
    def tearDownClass(cls):
        cls.stack.__exit__(None, None, None)

    def answers(self, port):
        def ask():
            try:
                return fetch(port) == b"hello\n"
            except OSError:
                return False
        await_true(f"port {port} answers", ask)

    def port_of(self, name, inner, stack=None):
        ports = (stack or self.stack).api("GET", f"/containers/{name}/json")[1]["NetworkSettings"]["Ports"]
        return int(ports[f"{inner}/tcp"][0]["HostPort"])

    def test_a_fixed_port_is_published_shown_and_released(self):
        s, port, inner = self.stack, free_port(), free_port()
        s.docker("run", "-d", "--name", "web", "-p", f"{port}:{inner}", "busybox", "sh", "-c", httpd(inner), check=0)
        self.answers(port)
        self.assertEqual(s.docker("port", "web", str(inner), check=0).stdout.split(), [f"0.0.0.0:{port}".encode(), f"[::]:{port}".encode()])
        self.assertIn(f"0.0.0.0:{port}->{inner}/tcp".encode(), s.docker("ps", check=0).stdout)
        r = s.docker("run", "--name", "second", "-p", f"{port}:80", "busybox", "true")
        self.assertEqual(r.returncode, 125)
        self.assertIn(f"Bind for 0.0.0.0:{port} failed: port is already allocated".encode(), r.stderr)
        self.assertEqual(s.api("GET", "/containers/second/json")[1]["State"]["Status"], "created")
        s.docker("rm", "second", check=0)
        s.docker("rm", "-f", "web", check=0)
        with self.assertRaises(OSError):
            fetch(port)

    def test_ephemeral_ports_and_publish_all(self):
        s, inner = self.stack, free_port()
        s.docker("run", "-d", "--name", "some", "-p", f"127.0.0.1::{inner}", "-P", "--expose", "81", "busybox", "sh", "-c",
                 httpd(inner), check=0)
        self.answers(self.port_of("some", inner))
        ports = s.api("GET", "/containers/some/json")[1]["NetworkSettings"]["Ports"]
        self.assertEqual(ports[f"{inner}/tcp"][0]["HostIp"], "127.0.0.1")
        self.assertGreater(int(ports["81/tcp"][0]["HostPort"]), 0)
        s.docker("stop", "-t", "0", "some", check=0)
        self.assertEqual(s.api("GET", "/containers/some/json")[1]["NetworkSettings"]["Ports"], {})
        s.docker("start", "some", check=0)
        self.answers(self.port_of("some", inner))
        s.docker("rm", "-f", "some", check=0)

    def test_many_connections_and_much_data_both_ways(self):
        s, inner = self.stack, free_port()
        s.docker("create", "--name", "echo", "-p", f"127.0.0.1::{inner}", "busybox", "/tmp/echo_server", str(inner), check=0)
        s.docker("cp", f"{BUILD}/tests/sim/echo_server", "echo:/tmp/echo_server", check=0)
        s.docker("start", "echo", check=0)
        port = self.port_of("echo", inner)

        def talk(size):
            data = os.urandom(size)
            with socket.create_connection(("127.0.0.1", port), timeout=60) as c:
                with concurrent.futures.ThreadPoolExecutor(1) as sender:
                    def send():
                        c.sendall(data)
                        c.shutdown(socket.SHUT_WR)
                    sent = sender.submit(send)
                    got = hashlib.sha256()
                    while piece := c.recv(65536):
                        got.update(piece)
                    sent.result()
            return got.digest() == hashlib.sha256(data).digest()

        def up():
            try:
                return talk(1)
            except OSError:
                return False
        await_true("the echo answers", up)
        with concurrent.futures.ThreadPoolExecutor(50) as pool:
            self.assertTrue(all(pool.map(talk, [20_000] * 50)))
        self.assertTrue(talk(20_000_000))
        s.docker("rm", "-f", "echo", check=0)

    def test_a_port_that_nobody_listens_on_closes_the_connection(self):
        s = self.stack
        s.docker("run", "-d", "--name", "mute", "-p", "127.0.0.1::9", "busybox", "sleep", "1000", check=0)
        with socket.create_connection(("127.0.0.1", self.port_of("mute", 9)), timeout=30) as c:
            try:
                self.assertEqual(c.recv(1), b"")
            except ConnectionResetError:
                pass
        s.docker("rm", "-f", "mute", check=0)

    def test_ports_survive_a_restart_of_the_daemon(self):
        with Stack() as s:
            s.docker("pull", "-q", "busybox", check=0)
            inner = free_port()
            s.docker("run", "-d", "--name", "kept", "-P", "--expose", str(inner), "busybox", "sh", "-c", httpd(inner), check=0)
            port = self.port_of("kept", inner, s)
            self.answers(port)
            self.assertEqual(s.stop_backend(signal.SIGTERM), 0)
            with self.assertRaises(OSError):
                fetch(port)
            s.start_backend()
            self.answers(port)
            s.docker("rm", "-f", "kept", check=0)

    def test_udp_is_warned_about(self):
        r = self.stack.docker("create", "--name", "dns", "-p", "53/udp", "busybox", "true", check=0)
        self.assertIn(b"only TCP", r.stderr)
        self.stack.docker("rm", "dns", check=0)


if __name__ == "__main__":
    main()
