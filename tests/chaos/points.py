"""The enumerated crash points: a life is lived once to count the points that it passes, then once for each of them, and the daemon
dies there. Names are numbered one by one, so that a status that was asked for once more shifts nothing else. A call that is made
until something changes is cut at its first times only: the later ones find nothing else."""
import collections
import math
import os
import time

from lives import live
from rig import Rig

WHERE = ("store.half", "store.whole", "cloud.before", "cloud.after", "invoke.before", "invoke.after", "agent.before", "agent.after")
POLLS = 3


def count(rig, name):
    """[(point, how often)]"""
    path = os.path.join(rig.s.dir, "points")
    if os.path.exists(path):
        os.unlink(path)
    rig.begin(f"count:{path}")
    live(rig, name)
    rig.begin()
    with open(path) as f:
        seen = collections.Counter(f.read().splitlines())
    return sorted((p, min(n, POLLS) if p.startswith("cloud.") else n) for p, n in seen.items() if p.split(" ")[0] in WHERE)


def die_at(rig, name, spec):
    """Whether the point was reached: a poll may be one less this time."""
    rig.begin(spec)
    live(rig, name)
    return rig.deaths > 0


def run(stack, books, names, shard=(0, 1), where=WHERE, until=math.inf):
    """Each life at each of its points; shard: (which, of how many); until: time.monotonic(), what comes later is omitted and
    counted so. The number that was not reached."""
    rig = Rig(stack, books)
    unreached = 0
    for name in names:
        try:
            points = [(p, n) for p, most in count(rig, name) for n in range(1, most + 1) if p.startswith(tuple(where))]
        except Exception as e:  # a finding without any fault
            books.note(f"{stack.kind} {name} undisturbed", e)
            rig.clean_up()
            continue
        for i, (point, n) in enumerate(points):
            if i % shard[1] != shard[0]:
                continue
            if time.monotonic() > until:
                books.add(omitted=1)
                continue
            try:
                if die_at(rig, name, f"die:{n}:{point}"):
                    books.add(faults=1)
                else:
                    unreached += 1
            except Exception as e:
                books.add(faults=1)
                books.note(f"{stack.kind} {name} at {point} #{n}", e)
                rig.clean_up()
        print(f"{stack.kind} {name}: {len(points)} points", flush=True)
    return unreached
