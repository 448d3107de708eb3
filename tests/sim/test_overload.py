"""More than the daemon takes: each limit answers, nothing is held without a bound, _ping is always answered."""
import contextlib
import json
import os
import resource
import socket
import struct
import unittest

from harness import Stack, UnixConnection, await_true, free_port, main

IDLE = 10000
PING = b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n"
VERSION = b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n"


def wait_for(name):
    return f"POST /containers/{name}/wait?condition=next-exit HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode()


def attach_to(name):
    return (f"POST /containers/{name}/attach?stream=1&stdout=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
            "Content-Length: 0\r\n\r\n").encode()


class Peer:
    """A connection that speaks as badly as the test wants."""

    def __init__(self, address, data=b""):
        self.s = socket.socket(socket.AF_UNIX) if isinstance(address, str) else socket.socket()
        self.s.connect(address)  # blocks while the queue is full; with a timeout it would fail
        self.s.settimeout(60)
        self.s.sendall(data)

    def send(self, data):
        self.s.sendall(data)

    def head(self):
        """Status and headers of an answer; what follows stays."""
        data = b""
        while not data.endswith(b"\r\n\r\n"):
            byte = self.s.recv(1)
            if not byte:
                return None
            data += byte
        lines = data.decode().split("\r\n")
        return int(lines[0].split()[1]), {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in lines[1:] if line)}

    def answer(self):
        """(status, body, closed after it); None: closed without a word."""
        head = self.head()
        if not head:
            return None
        body = b""
        while len(body) < int(head[1].get("content-length", 0)):
            body += self.s.recv(65536)
        return head[0], body, head[1].get("connection") == "close"

    def is_closed(self):
        """Whether the daemon ends it; waits for that."""
        try:
            return self.s.recv(65536) == b""
        except ConnectionResetError:
            return True

    def close(self):
        self.s.close()


class Overload(unittest.TestCase):
    def stack(self, **kw):
        s = self.enterContext(Stack(**kw))
        self.peers = self.enterContext(contextlib.ExitStack())
        s.docker("pull", "-q", "busybox", check=0)
        self.s = s
        return s

    def peer(self, data=b"", address=None):
        return self.peers.enter_context(contextlib.closing(Peer(address or self.s.socket, data)))

    def assert_refused(self, answer, words):
        self.assertEqual(answer[0], 503, answer)
        self.assertIn(words, json.loads(answer[1])["message"])

    def assert_pinged(self):
        self.assertEqual(self.peer(PING).answer()[:2], (200, b"OK"))

    def created(self, name, *cmd):
        self.assertEqual(self.s.api("POST", f"/containers/create?name={name}", {"Image": "busybox", "Cmd": list(cmd) or ["true"]})[0], 201)

    def test_connections(self):
        s = self.stack(env={"SOCKERLESS_MAX_CONNECTIONS": "20"})
        self.created("c1")
        idle = [self.peer(VERSION) for _ in range(20)]
        self.assertEqual({p.answer()[0] for p in idle}, {200})
        idle[0].send(VERSION)  # not idle for longest any more
        self.assertEqual(idle[0].answer()[0], 200)
        first = self.peer(VERSION)  # idle ones make room, the oldest first
        self.assertEqual((first.answer()[0], idle[1].is_closed()), (200, True))
        idle[0].send(VERSION)
        self.assertEqual(idle[0].answer()[0], 200)
        waiting = [self.peer(wait_for("c1")) for _ in range(20)]
        self.assertEqual({p.head()[0] for p in waiting}, {200})
        refused = self.peer(VERSION).answer()
        self.assert_refused(refused, "too many connections at a time (the limit is 20)")
        self.assertTrue(refused[2])
        self.assert_pinged()
        silent = [self.peer() for _ in range(40)]  # take the few places beyond the limit
        self.assert_refused(self.peer(VERSION).answer(), "too many connections")
        self.assert_pinged()
        self.assertIn("a limit is reached", s.log("backend"))
        for p in waiting + silent:
            p.close()
        await_true("room again", lambda: self.peer(VERSION).answer()[0] == 200)

    def test_requests(self):
        s = self.stack(env={"SOCKERLESS_MAX_REQUESTS": "5"})
        self.created("c1")
        waiting = [self.peer(wait_for("c1")) for _ in range(5)]
        self.assertEqual({p.head()[0] for p in waiting}, {200})
        more = self.peer(VERSION)
        refused = more.answer()
        self.assert_refused(refused, "too many requests at a time (the limit is 5)")
        self.assertFalse(refused[2])
        self.assert_pinged()
        waiting.pop().close()

        def served():
            more.send(VERSION)
            return more.answer()[0] == 200
        await_true("room again, on the same connection", served)
        self.assertEqual(s.docker("version").returncode, 0)

    def test_streams(self):
        s = self.stack(env={"SOCKERLESS_MAX_STREAMS": "3"})
        self.created("c1", "sleep", "60")
        attached = [self.peer(attach_to("c1")) for _ in range(3)]
        self.assertEqual({p.head()[0] for p in attached}, {101})
        self.assert_refused(self.peer(attach_to("c1")).answer(), "too many streams at a time (the limit is 3)")
        self.assertIn(b"received 503", s.docker("start", "-a", "c1").stderr)
        self.assert_pinged()
        self.assertEqual(s.api("GET", "/containers/c1/json")[0], 200)
        attached.pop().close()
        again = self.peer(attach_to("c1"))
        while again.head()[0] == 503:
            again = self.peer(attach_to("c1"))

    def test_workers(self):
        s = self.stack(env={"SOCKERLESS_MAX_WORKERS": "1", "SOCKERLESS_MAX_QUEUED": "2"})
        names = [f"w{i}" for i in range(5)]
        for name in names:
            self.created(name, "sleep", "60")
        s.faults("any=hold")
        starts = [self.peer(f"POST /containers/{name}/start HTTP/1.1\r\nHost: x\r\n\r\n".encode()) for name in names[:1]]
        await_true("the worker is held", lambda: s.sim_state()["held"] == 1)
        starts += [self.peer(f"POST /containers/{name}/start HTTP/1.1\r\nHost: x\r\n\r\n".encode()) for name in names[1:3]]
        self.assertEqual(s.api("GET", "/containers/json?all=1")[0], 200)
        refused = s.api("POST", f"/containers/{names[3]}/start")
        self.assertEqual(refused[0], 503)
        self.assertIn("too many operations wait for the cloud (the limit is 2)", refused[1]["message"])
        self.assertEqual(s.api("DELETE", f"/containers/{names[4]}")[0], 204)  # what ends something is taken
        self.assert_pinged()
        s.release()
        self.assertEqual([p.answer()[0] for p in starts], [204] * 3)
        self.assertEqual(s.api("POST", f"/containers/{names[3]}/start")[0], 204)

    def test_slow_writers(self):
        self.stack(env={"SOCKERLESS_HEADER_TIMEOUT": "1", "SOCKERLESS_BODY_TIMEOUT": "2", "SOCKERLESS_IDLE_TIMEOUT": "1"})
        silent, idle = self.peer(), self.peer(VERSION)
        self.assertEqual(idle.answer()[0], 200)
        head = b"POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
        tar = b"PUT /containers/c1/archive?path=/ HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"
        self.created("c1")
        trickling = {"header": (self.peer(b"GET /version HTTP/1.1\r\nHost: x\r\n"), b"X: y\r\n"),
                     "body": (self.peer(head), b" "), "archive": (self.peer(tar), b"\0")}
        answers = {}

        def trickle():
            """A drop now and then, until each has been answered."""
            for name, (peer, drop) in trickling.items():
                if name in answers:
                    continue
                peer.s.settimeout(0.02)
                try:
                    peer.send(drop)
                    first = peer.s.recv(65536)
                    answers[name] = first.split(b" ")[1] if first else b"closed"
                except TimeoutError:
                    pass
                except OSError:
                    answers[name] = b"closed"
            return len(answers) == len(trickling)
        await_true("each slow writer is answered", trickle)
        self.assertEqual((answers["header"], answers["body"]), (b"408", b"408"))
        self.assertTrue(silent.is_closed() and idle.is_closed())
        self.assert_pinged()

    def test_slow_readers(self):
        s = self.stack()
        s.docker("run", "--name", "c1", "busybox", "sh", "-c", "dd if=/dev/zero bs=65536 count=480 2>/dev/null | tr '\\0' x", check=0)
        before = s.peak_rss_mb()
        follow = b"GET /containers/c1/logs?stdout=1 HTTP/1.1\r\nHost: x\r\n\r\n"
        readers = [self.peer(follow) for _ in range(40)]  # 1.2 GB of answers
        self.assertEqual({p.head()[0] for p in readers}, {200})
        self.assert_pinged()
        self.assertEqual(s.docker("run", "--rm", "busybox", "echo", "served").stdout, b"served\n")
        # What is queued for one is bounded (512 KiB and a slice); the sanitizer keeps what was freed.
        self.assertLess(s.peak_rss_mb() - before, 40 * 3 + 100)
        got = 0
        while piece := readers[0].s.recv(1 << 20):  # nothing was dropped
            got += piece.count(b"x")
            if piece.endswith(b"0\r\n\r\n"):
                break
        self.assertEqual(got, 480 * 65536)

    def test_half_open_peers(self):
        port = free_port()
        s = self.stack(args=["-H", f"tcp://127.0.0.1:{port}"])
        self.created("c1")
        peers = [self.peer(VERSION, ("127.0.0.1", port)), self.peer(wait_for("c1"), ("127.0.0.1", port))]
        self.assertEqual([p.head()[0] for p in peers], [200, 200])

        def timers():
            """What the kernel counts down for the daemon's ends of the connections: 2 is keepalive."""
            with open("/proc/net/tcp") as f:
                rows = [line.split() for line in f][1:]
            return [row[5].split(":")[0] for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "01"]
        await_true("the peers are probed, so that one that vanished is noticed", lambda: timers() == ["02", "02"])
        for p in peers:  # both vanish without a word, as a machine that lost its power
            p.s.setsockopt(socket.IPPROTO_TCP, 19, 1)  # TCP_REPAIR
            p.close()
        self.assertEqual(len(timers()), 2)
        half = self.peer(VERSION, ("127.0.0.1", port))
        half.s.shutdown(socket.SHUT_WR)
        self.assertEqual(half.answer()[0], 200)
        self.assertTrue(half.is_closed())
        reset = self.peer(wait_for("c1"), ("127.0.0.1", port))
        self.assertEqual(reset.head()[0], 200)
        reset.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        reset.close()
        await_true("only the vanished ones are left", lambda: len(timers()) == 2)
        self.assertEqual(s.docker("version").returncode, 0)

    def test_idle_connections(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < IDLE + 1000:
            self.skipTest(f"{IDLE} connections need more than the {hard} open files that are permitted")
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        s = self.stack()
        fds = f"/proc/{s.backend.pid}/fd"
        peers = [self.peer() for _ in range(IDLE)]
        self.assert_pinged()  # they are accepted in their order
        self.assertGreater(len(os.listdir(fds)), IDLE)
        self.assertEqual(s.docker("run", "--rm", "busybox", "echo", "served").stdout, b"served\n")
        for p in peers[::1000]:
            p.send(VERSION)
            self.assertEqual(p.answer()[0], 200)
        for p in peers:
            p.close()
        await_true("all are closed", lambda: len(os.listdir(fds)) < 100)

    def test_descriptors_run_out(self):
        s = self.stack(launcher=["prlimit", "--nofile=160:160"])
        self.created("c1")
        waiting = [self.peer(wait_for("c1")) for _ in range(300)]  # most are left in the kernel's queue
        await_true("the daemon says so", lambda: "open files are short" in s.log("backend"))
        for p in waiting[:200]:
            p.close()
        self.assertEqual(waiting[250].head()[0], 200)
        for p in waiting:
            p.close()
        self.assertEqual(s.docker("run", "--rm", "busybox", "echo", "served").stdout, b"served\n")
        idle = [self.peer(VERSION) for _ in range(200)]  # these are not waited for: the oldest are closed
        self.assertEqual({p.answer()[0] for p in idle}, {200})
        self.assert_pinged()
        self.assertLessEqual(s.log("backend").count("open files are short"), 10)
        self.assertEqual(s.docker("run", "--rm", "busybox", "echo", "served").stdout, b"served\n")


if __name__ == "__main__":
    main()
