"""Agents that do what they like: each costs its own container and nothing else.

The workloads with HOSTILE in their environment only sleep; the test takes their token and plays their agent. A container
with a real agent stands beside them, and is asked after each attack.
"""
import os
import shutil
import socket
import struct
import sys
import tempfile
import unittest

from harness import BUILD, TOP, Stack, await_true, main

sys.path.insert(0, os.path.join(TOP, "tests/agent"))
from wire import FRAMES, AgentEnd, Closed, parse, records  # noqa: E402

MIB = 1 << 20
RSS_ALLOWED_MB = 48


def agent_or_none(path):
    """The real agent, behind a program that leaves it out where HOSTILE is set."""
    with open(f"{BUILD}/tests/sim/agent_or_none", "rb") as first, open(f"{BUILD}/cmd/sockerless-agent", "rb") as agent:
        data = agent.read()
        with open(path, "wb") as f:
            f.write(first.read() + data + b"%020d" % len(data))
    os.chmod(path, 0o755)


def workload_environment(container):
    """What the platform gave to a container's workload, or None."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as f:
                env = dict(v.split(b"=", 1) for v in f.read().split(b"\0") if b"=" in v)
        except OSError:
            continue
        if env.get(b"SOCKERLESS_CONTAINER_ID") == container.encode():
            return {k.decode(): v.decode() for k, v in env.items()}
    return None


def output(offset, data):
    return struct.pack(">Q", offset) + data


def raw(kind, stream, payload=b"", flags=0, reserved=0):
    return struct.pack(">BBHI", kind, flags, reserved, stream) + payload


# After START was answered; each is a run of messages that a true agent never sends.
LIES = {
    "no frame at all": lambda a: a.send_raw(b"\1\2\3"),
    "random bytes": lambda a: a.send_raw(os.urandom(4000)),
    "a type that is none": lambda a: a.send_raw(raw(200, 1)),
    "reserved bits": lambda a: a.send_raw(raw(FRAMES["STDOUT"], 1, output(0, b"x"), 255, 65535)),
    "a gap in the output": lambda a: a.send("STDOUT", 1, output(5, b"x")),
    "an offset at the end of numbers": lambda a: a.send("STDOUT", 1, output((1 << 64) - 1, b"xx")),
    "output without its offset": lambda a: a.send("STDOUT", 1, b"1234567"),
    "a frame that is too long": lambda a: a.send("STDOUT", 1, output(0, b"x" * 200000)),
    "an exit of another run": lambda a: a.send("EXIT", 1, records(("RUN", 99), ("CODE", 0), ("OFFSET", 0))),
    "an exit code that is none": lambda a: a.send("EXIT", 1, records(("RUN", 1), ("CODE", 1 << 40), ("OFFSET", 0))),
    "a second STARTED": lambda a: a.send("STARTED", 1, records(("RUN", 1), ("PID", 7))),
    "an error that answers nothing": lambda a: a.send("ERROR", 1, records(("CODE", 404), ("MESSAGE", "x"))),
    "a record longer than its frame": lambda a: a.send("EXIT", 1, struct.pack(">HI", 10, 0xFFFFFFFF) + b"x"),
    "a record with a NUL": lambda a: a.send("EXIT", 1, records(("RUN", 1), ("MESSAGE", b"a\0b"))),
    "START, which is the backend's": lambda a: a.send("START", 1, records(("RUN", 1))),
    "WELCOME, which is the backend's": lambda a: a.send("WELCOME", 0, records(("VERSION", 1), ("SESSION", "x"))),
    "confirmed frames that were never sent": lambda a: a.send("CREDIT", 0, records(("RECEIVED", 1 << 60))),
    "a CREDIT that is none": lambda a: a.send("CREDIT", 0, b"\0\1\2"),
    "data on a stream that nobody opened": lambda a: a.send("STDOUT", 77, b"x"),
    "a hundred thousand streams": lambda a: [a.send(kind, n, b"x") for n in range(2, 50002) for kind in ("STDOUT", "RESULT")],
    "a message of a gigabyte": lambda a: a.sock.sendall(struct.pack(">BBQ", 0x82, 0xFF, 1 << 30) + b"\0\0\0\0" + b"x" * 100000),
    "a message without a mask": lambda a: a.sock.sendall(b"\x82\x01x"),
    "a control frame of 200 bytes": lambda a: a.sock.sendall(b"\x89\xfe\0\xc8" + b"\0" * 204),
    "no WebSocket": lambda a: a.sock.sendall(b"GET / HTTP/1.1\r\n\r\n" + os.urandom(2000)),
}


class HostileAgent(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="skl-hostile-", dir="/tmp")
        agent_or_none(f"{self.dir}/agent")
        self.clients = []

    def tearDown(self):
        for client in self.clients:
            if client.poll() is None:
                client.terminate()
            client.communicate()
        shutil.rmtree(self.dir)

    def stack(self):
        return Stack(sim_args=["--agent", f"{self.dir}/agent"],
                     env={"SOCKERLESS_ACA_START_TIMEOUT": "300",
                          "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=4"})

    def begin(self, s, name="good"):
        s.docker("pull", "-q", "busybox", check=0)
        s.docker("run", "-d", "--name", name, "busybox", "sleep", "100000", check=0)

    def rss_mb(self, s):
        with open(f"/proc/{s.backend.pid}/statm") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MIB

    def hostile(self, s, name, *options):
        """A container whose agent is ours, and who its workload says it is: (id, token)."""
        self.clients.append(s.popen("run", *options, "--name", name, "-e", "HOSTILE=1", "busybox", "true", stdin=-1, stdout=-3, stderr=-3))
        await_true("the container", lambda: s.docker("inspect", name).returncode == 0)
        container = s.docker("inspect", "-f", "{{.Id}}", name, check=0).stdout.decode().strip()
        await_true("its workload", lambda: workload_environment(container), 60)
        return container, workload_environment(container)["SOCKERLESS_AGENT_TOKEN"]

    def play(self, s, container, token):
        """An agent that has been believed so far: its command runs."""
        a = AgentEnd(s.agent_port, container, token)
        a.hello(container)
        while a.frame()[0] != "START":
            pass
        a.send("STARTED", 1, records(("RUN", 1), ("PID", 2)))
        return a

    def refused(self, s, container, token):
        with self.assertRaises(Closed) as closed:
            AgentEnd(s.agent_port, container, token)
        return closed.exception.args[0]

    def unharmed(self, s, what):
        self.assertTrue(s.ping(), what)
        r = s.docker("exec", "good", "echo", "well")
        self.assertEqual((r.returncode, r.stdout), (0, b"well\n"), (what, r.stderr, s.log("backend")[-2000:]))

    def drain(self, a):
        """The close code, or None for a connection that was just cut."""
        try:
            while True:
                a.message()
        except Closed as e:
            return e.args[0]
        except OSError:
            return None
        finally:
            a.close()

    def test_lies_cost_the_connection_and_nothing_else(self):
        with self.stack() as s:
            self.begin(s)
            self.unharmed(s, "before")
            container, token = self.hostile(s, "liar")
            a = self.play(s, container, token)
            await_true("it is believed", lambda: s.docker("inspect", "-f", "{{.State.Running}}", "liar").stdout == b"true\n")
            before = self.rss_mb(s)
            for what, lie in LIES.items():
                with self.subTest(what):
                    try:
                        lie(a)
                    except OSError:
                        pass  # it was cut while we spoke
                    self.assertIn(self.drain(a), (1001, 1002, 1009, None, "the agent closed the connection"), what)
                    self.unharmed(s, what)
                    a = AgentEnd(s.agent_port, container, token)
                    a.hello(container, state=1, RUN=1, OFFSET=MIB, OLDEST=0)
                    self.assertEqual(a.frame()[0], "WELCOME")
            a.close()
            self.assertLess(self.rss_mb(s) - before, RSS_ALLOWED_MB)
            self.assertNotIn(token, s.log("backend"))
            self.assertIn("broke the", s.log("backend"))
            s.docker("rm", "-f", "liar", check=0)
            self.assertEqual(self.refused(s, container, token), 401)

    def test_hellos_that_lie(self):
        big = (1 << 63) - 1
        hellos = [dict(container="f" * 64), dict(instance=""), dict(instance="x" * 65), dict(instance="a b"), dict(state=9), dict(state=1),
                  dict(state=2, RUN=1, CODE=1 << 20), dict(OFFSET=5, OLDEST=6), dict(OFFSET=(1 << 64) - 1), dict(SESSION="s" * 65),
                  dict(state=1, RUN=1 << 40)]
        with self.stack() as s:
            self.begin(s)
            container, token = self.hostile(s, "liar")
            for hello in hellos:
                with self.subTest(hello):
                    a = AgentEnd(s.agent_port, container, token)
                    a.hello(**{"container": container, **hello})
                    self.assertEqual(self.drain(a), 1002)
            a = AgentEnd(s.agent_port, container, token)  # a command that nobody began, with all the output there can be
            a.hello(container, state=1, RUN=1, OFFSET=big, OLDEST=big - 1)
            a.send("STDOUT", 1, output(big - 1, b"x" * 1000))
            self.unharmed(s, "hellos")
            a.close()

    def test_floods_and_silence_are_bounded(self):
        with self.stack() as s:
            self.begin(s)
            self.unharmed(s, "before")
            container, token = self.hostile(s, "flood", "-i")
            silent = AgentEnd(s.agent_port, container, token)
            half = AgentEnd(s.agent_port, container, token)
            half.sock.sendall(b"\x82\xff")  # a frame's head that never ends
            mute = socket.create_connection(("127.0.0.1", s.agent_port), 30)  # connected, and that is all
            before = self.rss_mb(s)
            a = self.play(s, container, token)
            for _ in range(20):  # pings of both kinds, whose answers nobody reads
                a.sock.sendall((b"\x82\x88\0\0\0\0" + raw(FRAMES["PING"], 0)) * 5000)
                a.sock.sendall((b"\x89\xfd\0\0\0\0" + b"p" * 125) * 500)
            self.unharmed(s, "pings")
            stdin = self.clients[-1].stdin
            os.set_blocking(stdin.fileno(), False)
            got, offered = 0, 0
            while got < 256 << 10:  # never consumed, so this is all that it gets
                try:
                    offered += os.write(stdin.fileno(), b"i" * 65536)
                except BlockingIOError:
                    pass
                kind, _, payload = a.frame()
                got += len(payload) if kind == "STDIN" else 0
            while offered < 64 * MIB:
                try:
                    offered += os.write(stdin.fileno(), b"i" * 65536)
                except BlockingIOError:
                    break
            a.sock.sendall(b"\x89\x84\0\0\0\0last")
            try:
                while True:  # up to the answer of our ping, which Connection does not tell apart
                    first, second = a._take(2)
                    n = second & 127
                    n = struct.unpack(">H", a._take(2))[0] if n == 126 else struct.unpack(">Q", a._take(8))[0] if n == 127 else n
                    data = a._take(n)
                    if first & 15 == 10 and data == b"last":
                        break
                    self.assertFalse(first & 15 == 2 and data[0] == FRAMES["STDIN"], "more than its credit")
            finally:
                self.unharmed(s, "stdin")
            self.assertLess(self.rss_mb(s) - before, RSS_ALLOWED_MB)
            again = []
            for _ in range(200):
                again.append(AgentEnd(s.agent_port, container, token))
            self.assertEqual(self.drain(again[-1]), 1013)  # too many that say nothing
            self.unharmed(s, "connections")
            self.assertEqual(self.drain(silent), 4408)
            self.assertIn(self.drain(half), (4408, None, "the agent closed the connection"))
            self.assertEqual(mute.recv(1), b"")
            for c in (a, *again):
                c.close()
            mute.close()
            self.unharmed(s, "after all")
            self.assertLess(self.rss_mb(s) - before, RSS_ALLOWED_MB)

    def test_tokens_open_one_door_each(self):
        with self.stack() as s:
            self.begin(s)
            good = s.docker("inspect", "-f", "{{.Id}}", "good", check=0).stdout.decode().strip()
            good_token = workload_environment(good)["SOCKERLESS_AGENT_TOKEN"]
            container, token = self.hostile(s, "other")
            self.assertEqual(self.refused(s, good, token), 401)
            self.assertEqual(self.refused(s, container, good_token), 401)
            self.assertEqual(self.refused(s, container, ""), 401)
            self.assertEqual(self.refused(s, "0" * 64, token), 401)
            a = AgentEnd(s.agent_port, good, good_token)  # the token again, beside the agent that has it
            a.hello(good, instance="second")
            self.assertEqual(self.drain(a), 4409)
            self.unharmed(s, "a second instance")
            statuses = [self.refused(s, container, os.urandom(32).hex()) for _ in range(200)]
            self.assertEqual(statuses[0], 401)
            self.assertIn(429, statuses)
            a = self.play(s, container, token)  # who has a token is not held off meanwhile
            a.close()
            self.unharmed(s, "guesses")
            s.docker("rm", "-f", "other", check=0)
            self.assertIn(self.refused(s, container, token), (401, 429))
            log = s.log("backend")
            self.assertIn("without a valid token was refused", log)
            self.assertLess(log.count("without a valid token was refused"), 40)
            for secret in (token, good_token):
                self.assertNotIn(secret, log)


if __name__ == "__main__":
    main()
