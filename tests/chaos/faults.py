"""The fault matrix: each call of the cloud that a life makes fails once in each way, and the life goes well all the same.

Which calls there are, a life without faults tells. The simulated Azure takes the place of a call among all of them (tokens and keys
too), the simulated Google Cloud its method.
"""
from lives import live
from rig import Rig

LIFE = "once"
MAX_PLACES = 30  # of calls; what comes after is the waiting for an end
AZURE_KINDS = ("429", "500", "drop", "lost")
GOOGLE_KINDS = ("429", "500", "503", "drop", "lost")


def calls_of(rig):
    before = rig.s.sim_state()["calls"]
    live(rig, LIFE, check=False)
    after = rig.s.sim_state()["calls"]
    return {m: after[m] - before.get(m, 0) for m in after if after[m] > before.get(m, 0)}


def specs(rig):
    rig.begin()
    calls = calls_of(rig)
    if rig.s.kind == "gcf":
        # Tokens are asked for elsewhere: faults do not reach them.
        return [f"{m}={kind}*1" for m in sorted(calls) if m != "any" and not m.startswith("oauth2") for kind in GOOGLE_KINDS]
    return [f"any+{n}={kind}" for n in range(min(calls["any"], MAX_PLACES)) for kind in AZURE_KINDS]


def run(stack, books):
    """The number of calls that were not made this time."""
    rig, unmet = Rig(stack, books), 0
    for spec in specs(rig):
        rig.begin()  # it has no token and no key
        before = stack.sim_state()["faults"]
        try:
            stack.faults(spec)
            live(rig, LIFE)
        except Exception as e:
            books.note(f"{stack.kind} {spec}", e)
            rig.clean_up()
        stack.faults("")
        met = stack.sim_state()["faults"] - before
        books.add(faults=met)
        unmet += met == 0
    return unmet
