"""A cloud that is away for a while, and credentials that end: what runs goes on, what is new fails with a sentence, and all that
was to be removed is removed when the cloud is back."""
import signal
import unittest
import urllib.request

from clouds import containers_of, resources
from harness import Stack, await_true, main

ENV = {"SOCKERLESS_WARM_SECONDS": "0", "SOCKERLESS_REAP_INTERVAL": "1", "SOCKERLESS_REAP_GRACE": "1", "SOCKERLESS_AGENT_GRACE": "3"}
QUIET = {"SOCKERLESS_WARM_SECONDS": "0", "SOCKERLESS_REAP_INTERVAL": "0"}
COUNT = "i=0; while [ ! -e /end ]; do echo $i; i=$((i+1)); usleep 20000; done; exit 6"


def names(s):
    return sorted(s.docker("ps", "-a", "--format", "{{.Names}}", check=0).stdout.decode().split())


class Away(unittest.TestCase):
    def through(self, kind):
        with Stack(backend=kind, env=dict(ENV), args=["--log-level", "debug"]) as s:
            s.docker("pull", "-q", "busybox", check=0)
            on = s.docker("run", "-d", "--name", "on", "busybox", "sh", "-c", COUNT, check=0).stdout.decode().strip()
            s.docker("run", "-d", "--rm", "--name", "gone", "busybox", "sh", "-c", "sleep 1000", check=0)
            s.docker("run", "-d", "--name", "stopped", "busybox", "sleep", "1000", check=0)
            self.assertEqual(len(containers_of(s)), 3)
            s.faults("away:1")
            # New work is refused with the cloud's own words; a client of --rm is not kept until the cloud is back.
            r = s.docker("run", "--rm", "--name", "new", "busybox", "true")
            self.assertNotEqual(r.returncode, 0)
            self.assertIn(b"The service is unavailable", r.stderr)
            # What the agents do needs no cloud.
            self.assertEqual(s.docker("exec", "on", "echo", "hi", check=0).stdout, b"hi\n")
            s.docker("stop", "-t", "1", "stopped", check=0)
            s.docker("kill", "gone", check=0)
            await_true("its removal is tried", lambda: s.log("backend").count("removal failed and is tried again") >= 2)
            self.assertIn(b"Removal In Progress", s.docker("ps", "-a", "--filter", "name=gone", "--format", "{{.Status}}").stdout)
            # The daemon is lost as well, and comes back before the cloud.
            s.stop_backend(signal.SIGKILL)
            s.start_backend()
            await_true("its agent is back", lambda: s.docker("exec", "on", "true").returncode == 0)
            self.assertEqual(s.docker("inspect", "-f", "{{.State.Status}}", "stopped", check=0).stdout, b"exited\n")
            s.faults("")
            await_true("what was removed is gone", lambda: "gone" not in names(s) and "new" not in names(s))
            self.assertEqual(names(s), ["on", "stopped"])
            self.assertEqual(s.docker("run", "--rm", "busybox", "echo", "again", check=0).stdout, b"again\n")
            s.docker("exec", "on", "touch", "/end", check=0)
            self.assertEqual(s.docker("wait", "on", check=0).stdout, b"6\n")
            seen = s.docker("logs", "on", check=0).stdout.decode().split()
            self.assertEqual(seen, [str(i) for i in range(len(seen))])
            self.assertNotIn("without a record was removed", s.log("backend"))
            self.assertNotIn(f"the agent is lost; the platform is asked what became of it container={on}",
                             s.log("backend").rsplit(f"agent connected container={on}", 1)[1])
            s.docker("rm", "on", "stopped", check=0)
            await_true("nothing is left", lambda: not resources(s))

    def test_container_apps(self):
        self.through("aca")

    def test_functions(self):
        self.through("azf")

    def test_a_cloud_that_is_silent_for_a_moment(self):
        """Calls that it had taken are answered late, and count."""
        with Stack(env=dict(ENV)) as s:
            s.docker("pull", "-q", "busybox", check=0)
            s.docker("run", "-d", "--name", "on", "busybox", "sh", "-c", COUNT, check=0)
            sim = s.processes[1]
            sim.send_signal(signal.SIGSTOP)
            try:
                client = s.popen("run", "--rm", "busybox", "sh", "-c", "exit 8")
                for _ in range(5):
                    s.docker("exec", "on", "true", check=0)
                self.assertIsNone(client.poll())
            finally:
                sim.send_signal(signal.SIGCONT)
            self.assertEqual(client.wait(60), 8)


class Credentials(unittest.TestCase):
    def secret(self, s, text):
        with urllib.request.urlopen(urllib.request.Request(s.sim + "/simulator/secret", text.encode(), method="POST"), timeout=10):
            pass

    def tokens(self, s):
        return s.sim_state()["calls"].get("token", 0)

    def test_a_token_that_is_refused_is_renewed_once(self):
        with Stack(env=dict(QUIET)) as s:
            s.docker("run", "--rm", "busybox", "true", check=0)
            before = self.tokens(s)
            s.faults("any=401")
            s.docker("run", "--rm", "busybox", "true", check=0)
            self.assertEqual(self.tokens(s), before + 1)
            s.faults("any=401,any+1=401")  # the token between them is given
            r = s.docker("run", "--rm", "busybox", "true")
            self.assertEqual(r.returncode, 125)
            self.assertEqual(self.tokens(s), before + 2)

    def test_a_short_lived_token_is_renewed_in_time(self):
        with Stack(env=dict(QUIET), sim_args=["--token-lifetime", "3"]) as s:
            s.docker("run", "--rm", "busybox", "true", check=0)
            before = self.tokens(s)
            while self.tokens(s) < before + 3:
                s.docker("run", "--rm", "busybox", "true", check=0)

    def test_a_secret_that_is_revoked(self):
        with Stack(env=dict(QUIET)) as s:
            s.docker("pull", "-q", "busybox", check=0)
            s.docker("run", "-d", "--name", "on", "busybox", "sh", "-c", COUNT, check=0)
            self.secret(s, "another")
            r = s.docker("run", "--rm", "busybox", "true")
            self.assertEqual(r.returncode, 125)
            self.assertIn(b"AADSTS7000215: Invalid client secret provided", r.stderr)
            self.assertNotIn("planted-secret-1", r.stderr.decode() + s.log("backend"))
            self.assertEqual(s.docker("exec", "on", "echo", "hi", check=0).stdout, b"hi\n")
            self.secret(s, "planted-secret-1")
            s.docker("run", "--rm", "busybox", "true", check=0)


if __name__ == "__main__":
    main()
