"""What the load targets share: the stack with played agents, clients that cost little, and figures of the backend.

The containers' command is ["lines", COUNT, EVERY_MS, CODE], see play_agents.c.
"""
import json
import os
import resource
import selectors
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "sim"))
from harness import BUILD, Stack, UnixConnection, await_true  # noqa: E402,F401

LINE = 16  # bytes


def raise_files():
    """As many open files as this machine permits; children inherit it."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def status_kb(pid, key):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith(key + ":"))


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


class Played(Stack):
    """The simulator runs nothing: play_agents does."""

    def __init__(self, **kw):
        super().__init__(sim_args=["--runtime", "external", *kw.pop("sim_args", [])], **kw)

    def __enter__(self):
        super().__enter__()
        self.agents = subprocess.Popen([f"{BUILD}/tests/bench/play_agents", self.sim], stdout=subprocess.PIPE,
                                       stderr=open(os.path.join(self.dir, "agents.log"), "wb"))
        self.processes.append(self.agents)
        return self

    def figures_of_agents(self):
        """Ends them."""
        self.agents.send_signal(signal.SIGTERM)
        figures = json.loads(self.agents.communicate(timeout=60)[0])
        if figures["odd"]:
            print(self.log("agents")[-3000:], file=sys.stderr)
        return figures

    def __exit__(self, *exc):
        if self.agents.stdout:
            self.agents.stdout.close()
        super().__exit__(*exc)


class Client:
    """JSON calls on one kept connection."""

    def __init__(self, path):
        self.c = UnixConnection(path)

    def call(self, method, path, body=None, expect=(200, 201, 204)):
        self.c.request(method, path, None if body is None else json.dumps(body),
                       {} if body is None else {"Content-Type": "application/json"})
        r = self.c.getresponse()
        data = r.read()
        if r.status not in expect:
            raise AssertionError(f"{method} {path}: {r.status} {data[:300]}")
        return json.loads(data) if data.strip().startswith((b"{", b"[")) else data

    def close(self):
        self.c.close()


PINGER = """
import socket, sys, time
path, every = sys.argv[1], float(sys.argv[2])
s = socket.socket(socket.AF_UNIX)
s.connect(path)
while True:
    time.sleep(every)
    begin = time.perf_counter()
    s.sendall(b"GET /_ping HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
    answer = s.recv(65536)
    if not answer.startswith(b"HTTP/1.1 200"):
        raise SystemExit(f"_ping: {answer}")
    print(f"{(time.perf_counter() - begin) * 1000:.3f}", flush=True)
"""


class Pinger:
    """_ping all the time, from a process of its own, so that what is measured is not this one's business."""

    def __init__(self, path, every_s=0.01):
        self.out, self.read = path + ".pings", 0
        with open(self.out, "wb") as out:
            self.process = subprocess.Popen([sys.executable, "-c", PINGER, path, str(every_s)], stdout=out)

    def take(self):
        """Sorted times in ms since the last call."""
        if self.process.poll() is not None:
            raise AssertionError("_ping failed")
        with open(self.out) as f:
            lines = f.read().split("\n")[:-1]
        times, self.read = sorted(float(line) for line in lines[self.read:]), len(lines)
        return times

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Beside:
    """An HTTP server that has nothing else to do: its times are the machine's own."""

    def __init__(self, s):
        path = os.path.join(s.dir, "beside.sock")
        s.processes.append(subprocess.Popen([f"{BUILD}/tests/bench/bench_http", f"unix://{path}"], stdout=subprocess.DEVNULL))
        await_true("the server beside", lambda: os.path.exists(path))
        self.pinger = Pinger(path)


def percentile(ordered, share):
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


class Streams:
    """Many open answers on one selector: attached clients and waiting ones."""

    def __init__(self, path):
        self.path, self.selector = path, selectors.DefaultSelector()

    def open(self, request, on_bytes, head_ends=b"\r\n\r\n"):
        """Sends the request, waits for the answer's head; on_bytes gets what follows, and b"" at the end."""
        s = socket.socket(socket.AF_UNIX)
        s.connect(self.path)
        s.sendall(request)
        data = b""
        while head_ends not in data:
            piece = s.recv(65536)
            if not piece:
                raise AssertionError(f"{request[:100]!r}: no answer, {data[:300]!r}")
            data += piece
        head, rest = data.split(head_ends, 1)
        if head.split(b" ", 2)[1] not in (b"200", b"101"):
            raise AssertionError(f"{request[:100]!r}: {data[:300]!r}")
        s.setblocking(False)
        self.selector.register(s, selectors.EVENT_READ, on_bytes)
        if rest:
            on_bytes(rest)

    def turn(self, seconds):
        """Takes what is there until the time is over."""
        end = time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            for key, _ in self.selector.select(max(0, left)):
                try:
                    data = key.fileobj.recv(65536)
                except BlockingIOError:
                    continue
                key.data(data)
                if not data:
                    self.selector.unregister(key.fileobj)
                    key.fileobj.close()
            if left <= 0:
                return

    def count(self):
        return len(self.selector.get_map())


class Lines:
    """The output of an attached client: frames of the Docker stream, whose lines must count from 1 without a gap."""

    def __init__(self):
        self.buffer, self.next, self.ended, self.wrong = b"", 1, False, None

    def __call__(self, data):
        if not data:
            self.ended = True
            return
        self.buffer += data
        while len(self.buffer) >= 8:
            size = int.from_bytes(self.buffer[4:8], "big")
            if len(self.buffer) < 8 + size:
                break
            text, self.buffer = self.buffer[8:8 + size], self.buffer[8 + size:]
            if size % LINE:
                self.wrong = self.wrong or f"{text!r} is not whole lines"
            for at in range(0, size, LINE):
                if text[at:at + LINE] != b"line %010d\n" % self.next:
                    self.wrong = self.wrong or f"{text[at:at + LINE]!r} in the place of line {self.next}"
                self.next += 1


class Waited:
    """The answer of a wait, chunked."""

    def __init__(self):
        self.data, self.ended = b"", False

    def __call__(self, data):
        self.data += data
        self.ended = self.ended or not data or self.data.endswith(b"0\r\n\r\n")

    def code(self):
        begin = self.data.find(b"{")
        return json.loads(self.data[begin:self.data.rfind(b"}") + 1])["StatusCode"] if begin >= 0 else None


def attach_request(name):
    return (f"POST /containers/{name}/attach?stream=1&stdout=1&stderr=1&logs=1 HTTP/1.1\r\nHost: x\r\n"
            "Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n").encode()


def wait_request(name):
    return f"POST /containers/{name}/wait HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode()


class Table:
    """Figures beside budgets; ok says whether all of them hold."""

    def __init__(self):
        self.ok = True

    def row(self, what, value, budget="", holds=True):
        self.ok &= bool(holds)
        print(f"{what:62} {value:>16} {budget:>14} {'' if holds else 'MISSED'}", flush=True)
