"""SIGTERM while clients stream: the daemon goes down cleanly, the workloads run on, the next daemon has them."""
import concurrent.futures
import contextlib
import http.client
import signal
import unittest

from harness import Stack, UnixConnection, await_true, main

COUNT = 20
STREAMING = 50
# $1: the exit code
STREAM = 'trap go=1 TERM; n=0; while [ -z "$go" ]; do n=$((n+1)); echo line $n; usleep 50000; done; echo end $n; exit $1'


def numbered(count):
    return [f"line {n}" for n in range(1, count + 1)]


class Follower:
    """Logs with follow=1, until they end or are cut."""

    def __init__(self, pool, path, name):
        self.connection, self.data = UnixConnection(path), b""
        self.connection.request("GET", f"/containers/{name}/logs?stdout=1&stderr=1&follow=1")
        self.answer = self.connection.getresponse()
        self.done = pool.submit(self._read)

    def _read(self):
        with contextlib.closing(self.connection), contextlib.suppress(http.client.HTTPException, OSError):
            while piece := self.answer.read1(65536):
                self.data += piece

    def lines(self):
        """When it is over: the lines that are complete."""
        self.done.result(60)
        text, rest = b"", self.data
        while len(rest) >= 8:
            size = int.from_bytes(rest[4:8], "big")
            text, rest = text + rest[8:8 + size], rest[8 + size:]
        return text.decode().split("\n")[:-1]


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
                await_true("the agent is back", lambda: s.docker("exec", f"c{i}", "true").returncode == 0, 60)
                # Apart: a container that ends takes its execs with it, this one too when it is slow.
                s.docker("exec", "-d", f"c{i}", "touch", "/tmp/go", check=0)
            for i in range(COUNT):
                self.assertEqual(s.docker("wait", f"c{i}").stdout.strip(), str(i).encode())

    def test_restart_in_place_while_fifty_stream(self):
        with Stack() as s, concurrent.futures.ThreadPoolExecutor(STREAMING) as pool:
            s.docker("pull", "-q", "busybox", check=0)
            names = [f"s{i}" for i in range(STREAMING)]

            def run(name, code):
                body = {"Image": "busybox", "Cmd": ["sh", "-c", STREAM, "sh", str(code)]}
                self.assertEqual(s.api("POST", f"/containers/create?name={name}", body)[0], 201)
                self.assertEqual(s.api("POST", f"/containers/{name}/start")[0], 204)

            def last_line(name):
                return int(s.request("GET", f"/containers/{name}/logs?stdout=1&tail=1")[1][8:].split()[1])

            list(pool.map(run, names, range(STREAMING)))
            followers = [Follower(pool, s.socket, name) for name in names]
            for f in followers:
                await_true("the first line", lambda: f.data)
            self.assertEqual(s.stop_backend(signal.SIGTERM), 0, s.log("backend")[-3000:])
            for f in followers:  # what they got was right as far as it went
                lines = f.lines()
                self.assertEqual(lines, numbered(len(lines)))
            s.start_backend()
            self.assertEqual(len(s.api("GET", "/containers/json")[1]), STREAMING)
            followers = [Follower(pool, s.socket, name) for name in names]
            before = list(map(last_line, names))
            for name, n in zip(names, before):
                await_true("what is written now arrives", lambda: last_line(name) > n)
            for name in names:
                self.assertEqual(s.api("POST", f"/containers/{name}/kill?signal=TERM")[0], 204)
            for i, (name, follower) in enumerate(zip(names, followers)):
                self.assertEqual(s.api("POST", f"/containers/{name}/wait")[1]["StatusCode"], i)
                lines = s.docker("logs", name, check=0).stdout.decode().split("\n") if i % 10 == 0 else follower.lines() + [""]
                self.assertEqual(lines.pop(), "")
                self.assertEqual(follower.lines(), lines)
                count = int(lines.pop().removeprefix("end "))  # the container's own
                self.assertEqual(lines, numbered(count))
                self.assertEqual(s.api("DELETE", f"/containers/{name}")[0], 204)
            await_true("nothing is left", lambda: s.sim_state()["jobs"] == 0 and s.sim_state()["running"] == 0)


if __name__ == "__main__":
    main()
