"""Many at once, and a cloud that fails at random."""
import concurrent.futures
import os
import unittest

from harness import BUILD, Stack, await_true, main

# 200 containers under runc want memory and processors: the number is the issue's own.
COUNT = int(os.environ.get("SKL_TEST_CONTAINERS", "200"))


class Many(unittest.TestCase):
    def test_containers_at_once_with_attach_and_exec(self):
        with Stack() as s:
            s.docker("pull", "-q", "busybox", check=0)

            def one(i):
                run = s.popen("run", "--name", f"m{i}", "busybox", "sh", "-c",
                              f"echo out {i}; until [ -e /tmp/go ]; do usleep 100000; done; echo end {i}; exit {i % 100}",
                              stdout=-1, stderr=-1)
                return i, run

            runs = [one(i) for i in range(COUNT)]
            await_true("all run", lambda: len(s.docker("ps", "-q").stdout.split()) == COUNT, 240)

            def go(i):
                r = s.docker("exec", f"m{i}", "sh", "-c", f"echo exec {i}; exit {i % 7}", timeout=240)
                # Apart: a container that ends takes its execs with it, as everywhere.
                s.docker("exec", "-d", f"m{i}", "touch", "/tmp/go", timeout=240)
                return i, r.returncode, r.stdout

            with concurrent.futures.ThreadPoolExecutor(50) as pool:
                for i, code, out in pool.map(go, range(COUNT)):
                    self.assertEqual((code, out), (i % 7, f"exec {i}\n".encode()))
            for i, run in runs:
                out, err = run.communicate(timeout=240)
                self.assertEqual(out, f"out {i}\nend {i}\n".encode(), err)
                self.assertEqual(run.returncode, i % 100)
            with concurrent.futures.ThreadPoolExecutor(50) as pool:
                list(pool.map(lambda i: s.docker("rm", f"m{i}", check=0, timeout=240), range(COUNT)))
            self.assertEqual(s.sim_state()["jobs"], 0)

    def test_faults_of_the_cloud_change_no_result(self):
        with Stack() as s:
            s.docker("pull", "-q", "busybox", check=0)
            s.faults("429:0.1,500:0.1,drop:0.02")

            def one(i):
                r = s.docker("run", "--rm", "busybox", "sh", "-c", f"echo {i}; exit {i}", timeout=280)
                return i, r.returncode, r.stdout, r.stderr

            with concurrent.futures.ThreadPoolExecutor(20) as pool:
                for i, code, out, err in pool.map(one, range(60)):
                    self.assertEqual((code, out), (i, f"{i}\n".encode()), err)
            self.assertGreater(s.sim_state()["faults"], 0)
            s.faults("")
            self.assertEqual(s.sim_state()["jobs"], 0)


if __name__ == "__main__":
    main()
