"""The lives of containers that are cut at every point. Each step is repeated by its client when the daemon died under it, and each
end is checked: every run once and whole, the command's own exit code, nothing left."""
from rig import Finding, await_true

SHORT = ("sh", "-c", "echo begin; echo end >&2; exit 3")
SHORT_OUT = b"begin\n"  # of stdout
ENDLESS = ("sh", "-c", "trap 'echo bye; exit 5' TERM; echo up; while :; do usleep 100000; done")


def runs(rig):
    """Started twice; the second finds a warm workload."""
    rig.create("c1", *SHORT)
    asked = rig.start_attached("c1", 3)
    asked += rig.start_attached("c1", 3)
    rig.check("c1", SHORT_OUT, 3, asked, least=1 if rig.deaths else 2)
    rig.remove("c1")


def once(rig):
    rig.create("c1", *SHORT)
    rig.check("c1", SHORT_OUT, 3, rig.start_attached("c1", 3))
    rig.remove("c1")


def stops(rig):
    """The command answers the signal itself."""
    rig.create("c1", *ENDLESS)
    asked = rig.start("c1")
    rig.await_output("c1", b"up\n")
    r, _ = rig.cli("exec", "c1", "sh", "-c", "echo hi; exit 7", codes=(7,))
    if r.stdout != b"hi\n":
        raise Finding("lost", f"exec: {r.stdout!r}")
    rig.must("POST", "/containers/c1/stop", 204, 304)
    rig.check("c1", b"up\nbye\n", 5, asked)
    rig.remove("c1")


def policy(rig):
    """Three runs, not one more or less."""
    rig.create("c1", "sh", "-c", "echo ran; exit 1", HostConfig={"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 2}})
    rig.start("c1")
    rig.await_status("c1", "exited")
    # A client whose start was answered by nobody asks again, and may find all over: then it starts three more.
    count = rig.inspect("c1")["RestartCount"]
    if count != 2:
        raise Finding("lost", f"RestartCount {count}")
    rig.check("c1", b"ran\n", 1, 3 if rig.deaths == 0 else 6, least=3)
    rig.remove("c1")


def killed(rig):
    rig.create("c1", *ENDLESS)
    rig.start("c1")
    rig.must("POST", "/containers/c1/kill", 204, again=(409,))
    rig.wait("c1", 137)
    rig.start("c1")
    rig.remove("c1", force=True)


def leaves_by_itself(rig):
    """--rm: no record and no resource outlives the run."""
    rig.create("c1", *SHORT, HostConfig={"AutoRemove": True})
    status, answer, asked = rig.ask("POST", "/containers/c1/start")
    # Asked again, it may have run and be gone.
    if status not in (204, 304) and not (asked > 1 and status in (404, 409)):
        raise Finding("failed", f"start: {status} {answer}")
    rig.await_gone("c1")
    rig.books.add(runs=1)


def restarts(rig):
    rig.create("c1", *ENDLESS)
    asked = rig.start("c1")
    rig.await_output("c1", b"up\n")
    rig.must("POST", "/containers/c1/pause", 204, again=(409,))
    rig.must("POST", "/containers/c1/unpause", 204, again=(409, 500))
    asked += rig.must("POST", "/containers/c1/restart", 204)[2]
    await_true("it is up again", lambda: rig.cli("logs", "c1", codes=(0,))[0].stdout.endswith(b"up\n"))
    rig.must("POST", "/containers/c1/stop", 204, 304)
    rig.check("c1", b"up\nbye\n", 5, asked, least=1)
    rig.remove("c1")


def keeps(rig):
    """A network and a volume, what one run leaves for the next, and an image of one's own."""
    rig.must("POST", "/networks/create", 201, body={"Name": "net1"}, again=(409,))
    rig.must("POST", "/volumes/create", 201, body={"Name": "vol1"})
    rig.cli("build", "-q", "-t", "own:1", "-", codes=(0,), stdin=b'FROM busybox\nENV A=b\nCMD ["cat", "/v/x"]\n')
    mount = {"Binds": ["vol1:/v"], "NetworkMode": "net1"}
    rig.create("c1", "sh", "-c", "echo kept > /v/x", HostConfig=mount)
    rig.start_attached("c1", 0)
    rig.remove("c1")
    rig.create("d1", "cat", "/v/x", Image="own:1", HostConfig=mount)
    asked = rig.start_attached("d1", 0)
    rig.check("d1", b"kept\n", 0, asked)
    rig.remove("d1")
    rig.must("DELETE", "/images/own:1", 200, again=(404,))
    rig.must("DELETE", "/volumes/vol1", 204, again=(404,))
    rig.must("DELETE", "/networks/net1", 204, again=(404,))


LIVES = {f.__name__: f for f in (runs, stops, policy, killed, leaves_by_itself, restarts, keeps)}


def live(rig, name, check=True):
    (LIVES.get(name) or once)(rig)
    if check:
        rig.settle()
