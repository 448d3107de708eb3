"""A random soak: clients in parallel, each with containers of its own, while the daemon is killed and the cloud fails at random. The
seed decides what happens; when, the machine does."""
import random
import threading
import time

from rig import Finding, Rig

CLIENTS = 3
PAUSE_S = (1.5, 5)  # between kills
FAULTS = "429:0.03,500:0.01,drop:0.01"


def one_life(rig, rng, name):
    lines, code = rng.randint(1, 400), rng.choice((0, 1, 3, 42))
    output = "".join(f"line {n} of {name}\n" for n in range(1, lines + 1)).encode()
    script = f'i=0; while [ $i -lt {lines} ]; do i=$((i+1)); echo "line $i of {name}"; done; exit {code}'
    rig.create(name, "sh", "-c", script)
    asked = 0
    for _ in range(rng.randint(1, 3)):
        asked += rig.start(name)
        rig.wait(name, code) if rng.random() < 0.5 else rig.await_status(name, "exited")
    rig.check(name, output, code, asked)
    rig.remove(name, force=rng.random() < 0.3)


def client(rig, books, seed, number, until):
    rng, n = random.Random(f"{seed}-{number}"), 0
    while time.monotonic() < until:
        n += 1
        name = f"s{number}-{n}"
        try:
            one_life(rig, rng, name)
        except Exception as e:
            books.note(f"{rig.s.kind} soak {name}", e)


def run(stack, books, seed, seconds):
    rig, rng = Rig(stack, books), random.Random(seed)
    rig.begin()
    stack.faults(FAULTS)
    until = time.monotonic() + seconds
    threads = [threading.Thread(target=client, args=(rig, books, seed, n, until)) for n in range(CLIENTS)]
    for t in threads:
        t.start()
    while time.monotonic() < until:
        time.sleep(rng.uniform(*PAUSE_S))
        try:
            rig.kill()
            books.add(faults=1)
        except Exception as e:
            books.note(f"{stack.kind} soak", e)
            break
    for t in threads:
        t.join()
    books.add(faults=stack.sim_state()["faults"])
    stack.faults("")
    try:
        rig.settle()
    except Finding as e:
        books.note(f"{stack.kind} soak", e)
        rig.clean_up()
