"""Without an agent: what the documents say of the platform alone."""
import unittest

from harness import Stack, await_true, main


class Agentless(unittest.TestCase):
    def test_logs_come_from_log_analytics(self):
        with Stack(mode="none", env={"SOCKERLESS_ACA_AGENT": "none"}) as s:
            s.docker("run", "-d", "--name", "c-l", "busybox", "sh", "-c", "echo one; echo two >&2; echo one; exit 3", check=0)
            self.assertEqual(s.docker("wait", "c-l").stdout.strip(), b"3")
            r = s.docker("logs", "c-l", check=0)
            self.assertEqual(r.stdout, b"one\none\n")
            self.assertEqual(r.stderr, b"two\n")
            s.docker("rm", "c-l", check=0)
            self.assertEqual(s.sim_state()["jobs"], 0)

    def test_exec_names_the_missing_setting(self):
        with Stack(mode="none", env={"SOCKERLESS_ACA_AGENT": "none"}) as s:
            s.docker("run", "-d", "--name", "c-e", "busybox", "sh", "-c", "echo up; exec sleep 1000", check=0)
            # Before its command has begun a workload dies of SIGTERM; afterwards it is process 1, which ignores it.
            await_true("the command runs", lambda: b"up" in s.docker("logs", "c-e").stdout)
            r = s.docker("exec", "c-e", "true")
            self.assertNotEqual(r.returncode, 0)
            self.assertIn(b"SOCKERLESS_CALLBACK_URL", r.stdout + r.stderr)
            r = s.docker("pause", "c-e")
            self.assertIn(b"SOCKERLESS_CALLBACK_URL", r.stderr)
            s.docker("stop", "c-e", check=0)
            self.assertEqual(s.docker("inspect", "-f", "{{.State.ExitCode}}", "c-e").stdout.strip(), b"137")
            s.docker("rm", "c-e", check=0)


if __name__ == "__main__":
    main()
