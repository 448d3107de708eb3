#!/usr/bin/python3
"""Figures beside the budgets. Prints a table; judges nothing by exit code. usage: bench.py BUILD_DIR

Where dockerd is installed and we are root, the same client calls are timed against a real Engine.
"""
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "sim"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "docker"))
from harness import BUILD, Stack, UnixConnection, await_true  # noqa: E402
from same import Engine  # noqa: E402

rows = []


def row(what, value, budget="", engine=""):
    rows.append((what, value, budget, engine))
    print(f"{what:58} {value:>16} {budget:>14} {engine:>16}", flush=True)


def rss_kb(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


def median_ms(call, n):
    times = []
    for _ in range(n):
        start = time.perf_counter()
        call()
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)


class Client:
    """Keep-alive requests and hijacked streams on a unix socket."""

    def __init__(self, path):
        self.path, self.c = path, UnixConnection(path)

    def json(self, method, path, body=None):
        import json
        self.c.request(method, path, json.dumps(body) if body is not None else None,
                       {"Content-Type": "application/json"} if body is not None else {})
        r = self.c.getresponse()
        data = r.read()
        if r.status >= 400:
            raise AssertionError(f"{method} {path}: {r.status} {data[:300]}")
        return json.loads(data) if data.strip().startswith((b"{", b"[")) else data

    def hijack(self, path, body):
        s = socket.socket(socket.AF_UNIX)
        s.connect(self.path)
        s.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: Upgrade\r\n"
                  f"Upgrade: tcp\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        while s.recv(65536):
            pass
        s.close()


def exec_round_trip(client, container):
    x = client.json("POST", f"/containers/{container}/exec", {"Cmd": ["true"], "AttachStdout": True})["Id"]
    client.hijack(f"/exec/{x}/start", '{"Detach":false,"Tty":false}')
    assert client.json("GET", f"/exec/{x}/json")["ExitCode"] == 0


def ping_rate(path):
    """Requests per second on one keep-alive connection with 64 in flight; the client is one process too."""
    request = b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n"
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    s.sendall(request)
    size = len(s.recv(65536))
    n, batch, start = 0, 64, time.perf_counter()
    while time.perf_counter() - start < 2:
        s.sendall(request * batch)
        got = 0
        while got < size * batch:
            got += len(s.recv(1 << 20))
        n += batch
    s.close()
    return n / (time.perf_counter() - start)


def calls(path, docker, extra):
    """Figures of client calls that an Engine has too: exec, list of one, run, throughput."""
    client = Client(path)
    out = {}
    docker("run", "-d", "--name", "bench-x", *extra, "busybox", "sleep", "100000")
    out["exec round trip (create, start, read, inspect), median"] = f"{median_ms(lambda: exec_round_trip(client, 'bench-x'), 50):.2f} ms"
    out["docker exec, whole command, median"] = f"{median_ms(lambda: docker('exec', 'bench-x', 'true'), 10):.0f} ms"
    out["docker run --rm, whole command, median"] = f"{median_ms(lambda: docker('run', '--rm', *extra, 'busybox', 'true'), 5):.0f} ms"
    docker("create", "--name", "bench-s", *extra, "busybox", "true")
    docker("start", "-a", "bench-s")
    out["docker start -a of a warm container, median"] = f"{median_ms(lambda: docker('start', '-a', 'bench-s'), 10):.0f} ms"
    out["output of 1 GiB through docker run, best of 3"] = f"{max(output_rate(path, extra) for _ in range(3)):.0f} MB/s"
    for part, ms in run_parts(client, extra).items():
        out[f"  run, {part}, median"] = f"{ms:.1f} ms"
    docker("rm", "-f", "bench-x", "bench-s")
    out["_ping, one connection, 64 in flight"] = f"{ping_rate(path):.0f}/s"
    return out


def output_rate(path, extra):
    """From the first byte that the client prints to the last."""
    p = subprocess.Popen(["docker", "-H", f"unix://{path}", "run", "--rm", *extra, "busybox", "dd", "if=/dev/zero",
                          "bs=1048576", "count=1024"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    n = len(os.read(p.stdout.fileno(), 1 << 20))
    start = time.perf_counter()
    while data := os.read(p.stdout.fileno(), 1 << 20):
        n += len(data)
    seconds = time.perf_counter() - start
    assert p.wait() == 0 and n == 1 << 30
    return n / 1e6 / seconds


def run_parts(client, extra):
    """What `docker run --rm busybox true` is made of."""
    host = {"NetworkMode": extra[1]} if extra else {}
    parts = {"create": [], "start until the command runs": [], "until its end is known": [], "remove": []}
    for _ in range(10):
        times = [time.perf_counter()]
        x = client.json("POST", "/containers/create", {"Image": "busybox", "Cmd": ["true"], "HostConfig": host})["Id"]
        times.append(time.perf_counter())
        client.json("POST", f"/containers/{x}/start")
        times.append(time.perf_counter())
        client.json("POST", f"/containers/{x}/wait")
        times.append(time.perf_counter())
        client.json("DELETE", f"/containers/{x}")
        times.append(time.perf_counter())
        for part, a, b in zip(parts.values(), times, times[1:]):
            part.append((b - a) * 1000)
    return {name: statistics.median(values) for name, values in parts.items()}


def sizes():
    for name, budget in (("cmd/sockerless-backend-aca", "<= 2 MB"), ("cmd/sockerless-agent", "<= 3 MB")):
        target = f"/tmp/skl-strip-{os.getpid()}"
        subprocess.check_call(["strip", "-o", target, os.path.join(BUILD, name)])
        row(f"size of {os.path.basename(name)}, stripped", f"{os.path.getsize(target) / 1e6:.2f} MB", budget)
        os.unlink(target)


def start_up(s):
    s.backend.terminate()
    s.backend.wait(30)
    start = time.perf_counter()
    s.start_backend(expect_ready=False)
    while True:
        try:
            c = socket.socket(socket.AF_UNIX)
            c.connect(s.socket)
            c.close()
            break
        except OSError:
            time.sleep(0.0005)
    row("start to listening", f"{(time.perf_counter() - start) * 1000:.0f} ms", "<= 50 ms")


def list_of_1000(s):
    client = Client(s.socket)
    for i in range(1000):
        client.json("POST", f"/containers/create?name=list-{i}", {"Image": "busybox", "Cmd": ["true"], "Labels": {"a": str(i)}})
    def read_list():
        client.c.request("GET", "/containers/json?all=1")
        client.c.getresponse().read()

    row("GET /containers/json, 1,000 containers, median", f"{median_ms(read_list, 20):.2f} ms", "<= 10 ms")
    for i in range(1000):
        client.json("DELETE", f"/containers/list-{i}")


def create_and_remove(s):
    """Records alone: nothing is made in the cloud before a start."""
    client, n = Client(s.socket), 2000
    start = time.perf_counter()
    for i in range(n):
        x = client.json("POST", f"/containers/create?name=cr-{i}", {"Image": "busybox", "Cmd": ["true"]})["Id"]
        client.json("DELETE", f"/containers/{x}")
    row("create + remove, one client", f"{n / (time.perf_counter() - start) * 60:.0f}/min", ">= 10,000/min")


def events_to_listeners(s, n=1000):
    """One event to all of them: until the last has it."""
    import selectors
    select, listeners = selectors.DefaultSelector(), []
    for _ in range(n):
        c = socket.socket(socket.AF_UNIX)
        c.connect(s.socket)
        c.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
        listeners.append(c)
    for c in listeners:
        while b"\r\n\r\n" not in c.recv(65536):
            pass
        c.setblocking(False)
        select.register(c, selectors.EVENT_READ)
    client = Client(s.socket)

    def once():
        waiting = set(listeners)
        client.json("POST", "/volumes/create", {"Name": "event"})
        while waiting:
            for key, _ in select.select(30):
                waiting.discard(key.fileobj) if b"volume" in key.fileobj.recv(65536) else None
        client.json("DELETE", "/volumes/event")
        gone = set(listeners)
        while gone:
            for key, _ in select.select(30):
                gone.discard(key.fileobj) if b"destroy" in key.fileobj.recv(65536) else None

    row(f"two events to {n} listeners each, and back, median", f"{median_ms(once, 10):.0f} ms", "no error")
    for c in listeners:
        c.close()


def per_container(s, n):
    client = Client(s.socket)
    before = rss_kb(s.backend.pid)
    ids = []
    for i in range(n):
        ids.append(client.json("POST", f"/containers/create?name=many-{i}",
                               {"Image": "busybox", "Cmd": ["sleep", "100000"]})["Id"])
    import concurrent.futures
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        list(pool.map(lambda x: Client(s.socket).json("POST", f"/containers/{x}/start"), ids))
    await_true("all run", lambda: len(client.json("GET", "/containers/json")) == n, 300)
    row(f"RSS per running container with agent ({n})", f"{(rss_kb(s.backend.pid) - before) / n:.1f} KB", "<= 8 KB")
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        list(pool.map(lambda x: Client(s.socket).json("DELETE", f"/containers/{x}?force=1"), ids))


def main():
    print(f"{'figure':58} {'measured':>16} {'budget':>14} {'real Engine':>16}")
    sizes()
    with Stack() as s:
        s.docker("pull", "-q", "busybox", check=0)
        start_up(s)
        await_true("backend", s.ping)
        row("idle RSS", f"{rss_kb(s.backend.pid) / 1024:.1f} MB", "<= 10 MB")
        ours = calls(s.socket, lambda *a: s.docker(*a, check=0), [])
        theirs = {}
        if shutil.which("dockerd") and os.geteuid() == 0:
            with Engine() as e:
                name = f"{s.registry}/library/busybox:latest"
                subprocess.run(["docker", "pull", "-q", name], env=e.environ, check=True, capture_output=True)
                subprocess.run(["docker", "tag", name, "busybox:latest"], env=e.environ, check=True)
                theirs = calls(e.socket, lambda *a: subprocess.run(["docker", *a], env=e.environ, check=True, capture_output=True),
                               ["--network", "none"])
        budgets = {"exec round trip (create, start, read, inspect), median": "<= 5 ms",
                   "output of 1 GiB through docker run, best of 3": ">= 400 MB/s", "_ping, one connection, 64 in flight": ">= 50,000/s"}
        for what, value in ours.items():
            row(what, value, budgets.get(what, ""), theirs.get(what, "-"))
        list_of_1000(s)
        create_and_remove(s)
        events_to_listeners(s)
        per_container(s, int(os.environ.get("SKL_BENCH_CONTAINERS", "500")))


if __name__ == "__main__":
    main()
