"""The README's demo, as a test; and what else a first user tries."""
import os
import subprocess
import unittest

from harness import BUILD, TOP, Stack, main


class Cli(unittest.TestCase):
    def test_the_demo_does_what_an_engine_does(self):
        r = subprocess.run(["bash", os.path.join(TOP, "tools/demo.sh"), BUILD], capture_output=True, timeout=170)
        self.assertEqual(r.returncode, 0, r.stdout.decode()[-3000:])

    def test_forward_agent_of_the_simulator(self):
        with Stack(mode="forward") as s:
            r = s.docker("run", "--rm", "busybox", "sh", "-c", "echo out; echo err >&2; exit 5", check=5)
            self.assertIn(b"out", r.stdout)
            self.assertIn(b"err", r.stderr)
            self.assertEqual(s.sim_state()["jobs"], 0)

    def test_five_starts_in_a_row_keep_the_files(self):
        with Stack() as s:
            s.docker("create", "--name", "again", "busybox", "sh", "-c", "echo x >> /root/runs; wc -l < /root/runs", check=0)
            for n in range(1, 6):
                r = s.docker("start", "-a", "again", check=0)
                self.assertEqual(r.stdout.strip(), str(n).encode())
            self.assertEqual(s.sim_state()["calls"]["start"], 1)
            s.docker("rm", "again", check=0)

    def test_copy_into_a_created_container_arrives_before_the_command(self):
        with Stack() as s:
            path = os.path.join(s.dir, "script.sh")
            with open(path, "w") as f:
                f.write("#!/bin/sh\necho script ran\n")
            os.chmod(path, 0o755)
            s.docker("create", "--name", "c-c", "busybox", "/tmp/script.sh", check=0)
            s.docker("cp", path, "c-c:/tmp/script.sh", check=0)
            r = s.docker("start", "-a", "c-c", check=0)
            self.assertEqual(r.stdout, b"script ran\n")

    def test_an_image_that_does_not_exist(self):
        with Stack() as s:
            r = s.docker("run", "--rm", f"{s.registry}/nothing/here:1")
            self.assertEqual(r.returncode, 125)
            self.assertIn(b"not found", r.stderr)
            self.assertEqual(s.sim_state()["jobs"], 0)

    def test_pause_stops_the_processes(self):
        with Stack() as s:
            s.docker("run", "-d", "--name", "c-p", "busybox", "sleep", "1000", check=0)
            s.docker("pause", "c-p", check=0)
            self.assertEqual(s.docker("inspect", "-f", "{{.State.Status}}", "c-p").stdout.strip(), b"paused")
            self.assertNotEqual(s.docker("exec", "c-p", "true").returncode, 0)
            s.docker("unpause", "c-p", check=0)
            s.docker("exec", "c-p", "true", check=0)
            s.docker("kill", "c-p", check=0)
            self.assertEqual(s.docker("wait", "c-p").stdout.strip(), b"137")


if __name__ == "__main__":
    main()
