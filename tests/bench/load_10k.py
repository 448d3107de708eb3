#!/usr/bin/python3
"""10,000 containers with agent, attach and wait each on one backend: memory and _ping meanwhile. usage: load_10k.py BUILD_DIR

SKL_LOAD_CONTAINERS (10000), SKL_LOAD_SECONDS (30: how long all of them write while pings are timed). All containers have an
agent; as many as the limit of open files permits also have an attached and a waiting client. What the clients of the
rest would add is computed from what these added, and said so.
"""
import concurrent.futures
import os
import sys
import threading
import time

from load import (Beside, Client, Lines, Pinger, Played, Streams, Table, Waited, attach_request, await_true, cpu_seconds, descriptors, percentile,
                  raise_files, status_kb, wait_request)

COUNT = int(os.environ.get("SKL_LOAD_CONTAINERS", "10000"))
SECONDS = float(os.environ.get("SKL_LOAD_SECONDS", "30"))
EVERY_MS = 5000  # between two lines of a container
SPARE = 800      # descriptors: 256 files of output, 256 connections of workers, the listeners' reserve, ...
RSS_MB, PING_MS = 400, 10


def in_threads(s, n, what, count):
    """what(client, i) for each i, on n connections."""
    local = threading.local()

    def one(i):
        if not hasattr(local, "client"):
            local.client = Client(s.socket)
        return what(local.client, i)

    with concurrent.futures.ThreadPoolExecutor(n) as pool:
        return list(pool.map(one, range(count)))


def pings_row(table, what, pinger, beside, budget_ms=None):
    """Beside it: what the machine itself takes, other work on it included."""
    ours, own = ([f"{percentile(times, .5):.2f}, {percentile(times, .99):.1f}, {times[-1]:.1f} ms", percentile(times, .99)]
                 for times in (pinger.take(), beside.take()))
    table.row(what, ours[0], f"p99 < {budget_ms} ms" if budget_ms else "", not budget_ms or ours[1] < budget_ms)
    table.row("  of an idle server beside it", own[0])


def main():
    files = raise_files()
    with_clients = min(COUNT, (files - SPARE - COUNT) // 2)
    table = Table()
    print(f"{COUNT} containers, {with_clients} of them with clients (limit of open files: {files})")
    with Played(env={"SOCKERLESS_LOG_LEVEL": "warn"}) as s:
        client = Client(s.socket)
        s.docker("pull", "-q", "busybox", check=0)
        pid = s.backend.pid
        idle = status_kb(pid, "VmRSS")
        pinger, beside = Pinger(s.socket), Beside(s).pinger
        begin, cpu = time.monotonic(), cpu_seconds(pid)

        def run(client, i):
            x = client.call("POST", f"/containers/create?name=l{i}",
                            {"Image": "busybox", "Cmd": ["lines", "0", str(EVERY_MS), str(i % 100)]})["Id"]
            client.call("POST", f"/containers/{x}/start")
            return x

        in_threads(s, 16, run, COUNT)
        seconds = time.monotonic() - begin
        with_agents = status_kb(pid, "VmRSS")
        table.row("created and started", f"{COUNT / seconds:.0f}/s")
        table.row("  processor of the backend", f"{(cpu_seconds(pid) - cpu) / COUNT * 1000:.1f} ms each")
        pings_row(table, "_ping p50, p99, max, while they start", pinger, beside)
        table.row("RSS with agents", f"{with_agents / 1024:.0f} MB")
        table.row("  per container", f"{(with_agents - idle) / COUNT:.1f} KB", "<= 8 KB")

        streams = Streams(s.socket)
        attached, waited = [Lines() for _ in range(with_clients)], [Waited() for _ in range(with_clients)]
        for i in range(with_clients):
            streams.open(attach_request(f"l{i}"), attached[i])
            streams.open(wait_request(f"l{i}"), waited[i])
        streams.turn(2)
        pinger.take()
        beside.take()
        cpu = cpu_seconds(pid)
        streams.turn(SECONDS)
        cpu = (cpu_seconds(pid) - cpu) / SECONDS
        rss, n_files = status_kb(pid, "VmRSS"), descriptors(pid)
        each = (rss - with_agents) / with_clients
        whole = (rss + each * (COUNT - with_clients)) / 1024
        table.row("descriptors of the backend", str(n_files))
        table.row(f"RSS with {with_clients} attached and waiting clients", f"{rss / 1024:.0f} MB")
        table.row("  per attach and wait", f"{each:.1f} KB")
        table.row(f"RSS of {COUNT} with agent, attach and wait" + (", computed" if with_clients < COUNT else ""), f"{whole:.0f} MB",
                  f"< {RSS_MB} MB", whole < RSS_MB)
        table.row(f"processor of the backend, {COUNT * 1000 // EVERY_MS} lines/s", f"{cpu * 100:.0f} %")
        pings_row(table, "_ping p50, p99, max, meanwhile", pinger, beside, PING_MS)

        reader = threading.Thread(target=lambda: [streams.turn(0.5) for _ in iter(lambda: not all(w.ended for w in waited), False)])
        reader.start()
        begin = time.monotonic()
        in_threads(s, 8, lambda client, i: client.call("POST", f"/containers/l{i}/kill?signal=TERM"), COUNT)
        codes = in_threads(s, 8, lambda client, i: client.call("POST", f"/containers/l{i}/wait")["StatusCode"], COUNT)
        reader.join(120)
        streams.turn(1)
        table.row("ended and waited for", f"{COUNT / (time.monotonic() - begin):.0f}/s")
        pings_row(table, "_ping p50, p99, max, while they end", pinger, beside)
        wrong = [i for i in range(COUNT) if codes[i] != i % 100] + [i for i in range(with_clients) if waited[i].code() != i % 100]
        broken = [a for a in attached if a.wrong or not a.ended]
        in_threads(s, 8, lambda client, i: client.call("DELETE", f"/containers/l{i}"), COUNT)
        await_true("no job is left", lambda: s.sim_state()["jobs"] == 0, 120)
        pinger.stop()
        beside.stop()
        table.row("RSS when all are removed", f"{status_kb(pid, 'VmRSS') / 1024:.0f} MB")
        lines = sum(a.next - 1 for a in attached)
        agents = s.figures_of_agents()
        table.row("lines written, read by clients", f"{agents['lines']}, {lines}")
        table.row("wrong exit codes, gaps in output, connections lost", f"{len(wrong)}, {len(broken)}, {agents['lost']}", "0, 0, 0",
                  not wrong and not broken and not agents["lost"] and not agents["odd"])
        if broken:
            print(broken[0].wrong or "an attached client was not ended")
    sys.exit(0 if table.ok else 1)


if __name__ == "__main__":
    main()
