"""Cloud resources of ours that no record knows go after the grace time; what is somebody else's stays."""
import copy
import json
import os
import shutil
import signal
import unittest

from clouds import containers_of, plant, resources
from harness import Stack, await_true, free_port, main

ENV = {"SOCKERLESS_REAP_INTERVAL": "1", "SOCKERLESS_REAP_GRACE": "1"}


def another_daemon(s):
    """In the same place of the cloud, with a state of its own."""
    other = copy.copy(s)
    other.dir = os.path.join(s.dir, "other")
    os.mkdir(other.dir)
    if s.kind == "gcf":
        os.symlink(os.path.join(s.dir, "credentials"), os.path.join(other.dir, "credentials"))
    other.agent_port = other.callback_port = free_port()
    other.start_backend()
    return other


def looks(s):
    calls = s.sim_state()["calls"]
    return min(calls.get(name, 0) for name in {"aca": ["jobs.list"], "azf": ["sites.list", "plans.list"],
                                                "gcf": ["functions.list", "services.list"]}[s.kind])


class Reaper(unittest.TestCase):
    def run_one(self, s, name):
        return s.docker("run", "-d", "--name", name, "busybox", "sleep", "1000", check=0).stdout.decode().strip()[:12]

    def only_orphans_go(self, kind):
        with Stack(backend=kind, env=dict(ENV)) as s:
            s.docker("pull", "-q", "busybox", check=0)
            known = self.run_one(s, "known")
            other = another_daemon(s)
            other.docker("pull", "-q", "busybox", check=0)
            foreign = self.run_one(other, "foreign")
            # A state that was restored from a copy does not know what was made since.
            state, saved = os.path.join(s.dir, "state"), os.path.join(s.dir, "saved")
            s.stop_backend()
            shutil.copytree(state, saved)
            s.start_backend()
            orphan = self.run_one(s, "orphan")
            instance = json.loads(s.docker("info", "--format", "{{json .}}", check=0).stdout)["ID"]
            s.stop_backend(signal.SIGKILL)
            shutil.rmtree(state)
            shutil.move(saved, state)
            for name, tags in (("bare", {}), ("hand-made", {"managed-by": "sockerless"}),
                               ("old", {"managed-by": "sockerless", "sockerless-container-id": "f" * 64}),
                               ("theirs", {"managed-by": "sockerless", "sockerless-instance": instance[:-1]}),
                               ("liar", {"sockerless-instance": instance})):
                plant(s, name, tags)
            before = resources(s)
            self.assertLessEqual({known, foreign, orphan}, containers_of(s))

            s.extra_env["SOCKERLESS_REAP_DRY_RUN"] = "1"
            s.start_backend()
            await_true("it is told", lambda: "would be removed" in s.log("backend"))
            seen = looks(s)
            await_true("more looks", lambda: looks(s) >= seen + 3)
            self.assertEqual(resources(s), before)
            self.assertEqual(s.log("backend").count("would be removed"), len(before) - 5 - len(
                [n for n, t in before.items() if t.get("sockerless-container-id", "")[:12] in (known, foreign)]), s.log("backend"))

            s.extra_env.pop("SOCKERLESS_REAP_DRY_RUN")
            s.restart_backend()
            await_true("the orphan goes", lambda: orphan not in containers_of(s))
            expected = {n: t for n, t in before.items() if t.get("sockerless-container-id", "")[:12] != orphan}
            await_true("all of the orphan's resources go", lambda: resources(s) == expected)
            seen = looks(s)
            await_true("more looks", lambda: looks(s) >= seen + 3)
            self.assertEqual(resources(s), expected)
            self.assertEqual(s.docker("exec", "known", "echo", "alive", check=0).stdout, b"alive\n")
            events = [json.loads(line) for line in s.docker("events", "--since", "0", "--until", "0s", "--filter", "type=daemon",
                                                            "--format", "{{json .}}", check=0).stdout.splitlines()]
            self.assertEqual({e["Actor"]["ID"] for e in events}, set(before) - set(expected))
            for e in events:
                self.assertEqual((e["Action"], e["Actor"]["Attributes"]["container"][:12], e["Actor"]["Attributes"]["backend"]),
                                 ("reap", orphan, kind))
                self.assertIn(f'was removed kind={e["Actor"]["Attributes"]["kind"]} name={e["Actor"]["ID"]}', s.log("backend"))
            for daemon, name in ((s, "known"), (other, "foreign")):
                daemon.docker("rm", "-f", name, check=0)
            self.assertEqual(set(resources(s)), {"bare", "hand-made", "old", "theirs", "liar"})

    def test_container_apps(self):
        self.only_orphans_go("aca")

    def test_azure_functions(self):
        self.only_orphans_go("azf")

    def test_google_functions(self):
        self.only_orphans_go("gcf")


if __name__ == "__main__":
    main()
