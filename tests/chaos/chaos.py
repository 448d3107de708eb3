"""make chaos: everything that may go wrong, counted; two stacks at a time.

    chaos.py BUILD [part] [backend]      parts: points, faults, soak; slice: what `make test` runs of it
"""
import collections
import sys
import time

import rig as chaos
from concurrent.futures import ThreadPoolExecutor

import faults
import points
import soak
from lives import LIVES

SEED = 20240601
SOAK_S = 45
LIMIT_S = 13 * 60  # no point begins after that: what is left is counted as omitted, and fails
SLICE = ("agent.", "cloud.after jobs")
# The store is one for all backends: each of its writes is cut on one of them.
LIVES_OF = {"aca": list(LIVES), "azf": ["runs", "policy", "leaves_by_itself"], "gcf": ["runs", "policy", "leaves_by_itself"]}
CLOUD = tuple(w for w in points.WHERE if not w.startswith("store."))
WHERE_OF = {"aca": points.WHERE, "azf": CLOUD, "gcf": CLOUD}


def play(job):
    kind, part, shard, until = job
    books, unreached, begun = chaos.Books(), 0, time.monotonic()
    with chaos.make_stack(kind) as stack:
        stack.docker("pull", "-q", "busybox", check=0)
        if part == "points":
            unreached = points.run(stack, books, LIVES_OF[kind], shard, WHERE_OF[kind], until)
        elif part == "slice":
            unreached = points.run(stack, books, ["once"], where=SLICE)
        elif part == "faults":
            unreached = faults.run(stack, books)
        else:
            soak.run(stack, books, SEED, SOAK_S)
    print(f"-- {kind} {part} {shard}: {books.n}, {unreached} points or calls not reached, {time.monotonic() - begun:.0f} s", flush=True)
    return books, unreached


def main():
    parts, kinds = sys.argv[1:2] or ["faults", "soak", "points"], sys.argv[2:3] or ["aca", "azf", "gcf"]
    until = time.monotonic() + LIMIT_S
    jobs = [(kind, part, (i, n), until) for part in parts for kind in kinds
            for n in [2 if part == "points" else 1] for i in range(n)]
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(play, jobs))
    total, unreached = collections.Counter(), sum(u for _, u in results)
    for books, _ in results:
        total.update(books.n)
    print("; ".join(f"{total[name]} {name}" for name in chaos.FIGURES) + f"; {unreached} points or calls not reached")
    sys.exit(any(total[name] for name in ("lost", "doubled", "orphans", "failed", "omitted")))


if __name__ == "__main__":
    main()
