#!/usr/bin/python3
"""Short containers at a steady rate: memory and descriptors of the backend must not grow. usage: soak.py BUILD_DIR

SOAK_MINUTES (30), SOAK_RATE (200 a minute). Each container is created, attached to, started, waited for, asked for its logs
and removed, every other one by itself (--rm). Agents are played (play_agents.c). The first fifth is warm-up.
"""
import concurrent.futures
import os
import statistics
import sys
import threading
import time

from load import Client, Lines, Played, Streams, Table, attach_request, await_true, descriptors, status_kb

MINUTES, RATE = float(os.environ.get("SOAK_MINUTES", "30")), float(os.environ.get("SOAK_RATE", "200"))
SAMPLE_S = 5
LINES = 5
# Of the last third over the first after the warm-up, by their medians. Connections to the cloud are kept, as many as there were
# calls at a time: a machine that gets slower has some more. One that leaks has one for each of thousands of containers.
MAX_GROWTH_KB, MAX_GROWTH_FILES = 1024, 16


def one(client, i):
    """None, or what was wrong."""
    code, auto_remove = i % 100, i % 2 == 0
    name = f"soak-{i}"
    client.call("POST", f"/containers/create?name={name}", {
        "Image": "busybox", "Cmd": ["lines", str(LINES), "20", str(code)], "HostConfig": {"AutoRemove": auto_remove}})
    streams, lines = Streams(client.c.unix_path), Lines()
    streams.open(attach_request(name), lines)
    client.call("POST", f"/containers/{name}/start")
    got = client.call("POST", f"/containers/{name}/wait?condition={'removed' if auto_remove else 'not-running'}")["StatusCode"]
    end = time.monotonic() + 30
    while not lines.ended and time.monotonic() < end:
        streams.turn(0.01)
    if not auto_remove:
        logs = Lines()
        logs(client.call("GET", f"/containers/{name}/logs?stdout=1&stderr=1"))
        client.call("DELETE", f"/containers/{name}")
        if logs.wrong or logs.next - 1 != LINES:
            return f"{name}: logs: {logs.wrong or logs.next - 1}"
    if got != code or lines.wrong or not lines.ended or lines.next - 1 != LINES:
        return f"{name}: exit code {got}, output {lines.wrong or lines.next - 1}, ended {lines.ended}"
    return None


class Sampler:
    """(seconds, RSS in KB, descriptors), every few seconds; a line a minute."""

    def __init__(self, s, done):
        self.s, self.done, self.samples, self.stop = s, done, [], threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        begin, told = time.monotonic(), 0
        while not self.stop.wait(SAMPLE_S):
            pid, now = self.s.backend.pid, time.monotonic() - begin
            self.samples.append((now, status_kb(pid, "VmRSS"), descriptors(pid)))
            if now >= 60 * (told + 1):
                told += 1
                print(f"minute {told:3}: {self.done():6} containers, RSS {self.samples[-1][1]:6} KB, "
                      f"{self.samples[-1][2]:4} descriptors", flush=True)

    def end(self):
        self.stop.set()
        self.thread.join()


def growth(samples, column):
    """Median of the last third less that of the first, after the warm-up."""
    kept = [sample[column] for sample in samples[len(samples) // 5:]]
    third = max(1, len(kept) // 3)
    return statistics.median(kept[-third:]) - statistics.median(kept[:third])


def main():
    count = int(MINUTES * RATE)
    table, problems, finished = Table(), [], 0
    lock, local = threading.Lock(), threading.local()
    with Played(env={"SOCKERLESS_LOG_LEVEL": "warn"}) as s:
        s.docker("pull", "-q", "busybox", check=0)
        begin = time.monotonic()
        sampler = Sampler(s, lambda: finished)

        def run(i):
            nonlocal finished
            if not hasattr(local, "client"):
                local.client = Client(s.socket)
            try:
                problem = one(local.client, i)
            except (AssertionError, OSError) as e:
                problem, local.client = f"soak-{i}: {e}", Client(s.socket)
            with lock:
                finished += 1
                if problem:
                    problems.append(problem)
                    print(problem, flush=True)

        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            for i in range(count):
                time.sleep(max(0, begin + i * 60 / RATE - time.monotonic()))
                pool.submit(run, i)
        seconds = time.monotonic() - begin
        sampler.end()
        await_true("no job is left", lambda: s.sim_state()["jobs"] == 0, 120)
        agents = s.figures_of_agents()
        rss, files = growth(sampler.samples, 1), growth(sampler.samples, 2)
        table.row("containers", str(finished))
        table.row("a minute", f"{finished / seconds * 60:.0f}", f">= {0.95 * RATE:.0f}", finished / seconds * 60 >= 0.95 * RATE)
        table.row("RSS: growth after the warm-up", f"{rss:.0f} KB", f"<= {MAX_GROWTH_KB} KB", rss <= MAX_GROWTH_KB)
        table.row("RSS: least, most after the warm-up", "{} .. {} KB".format(*extremes(sampler.samples, 1)))
        table.row("descriptors: growth after the warm-up", f"{files:.0f}", f"<= {MAX_GROWTH_FILES}", files <= MAX_GROWTH_FILES)
        table.row("descriptors: least, most after the warm-up", "{} .. {}".format(*extremes(sampler.samples, 2)))
        table.row("wrong exit codes or output, connections lost", f"{len(problems)}, {agents['lost']}", "0, 0",
                  not problems and not agents["lost"] and not agents["odd"])
    print("flat" if table.ok else "NOT flat, or something was wrong")
    sys.exit(0 if table.ok else 1)


def extremes(samples, column):
    kept = [sample[column] for sample in samples[len(samples) // 5:]]
    return min(kept), max(kept)


if __name__ == "__main__":
    main()
