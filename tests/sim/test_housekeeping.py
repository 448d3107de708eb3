"""top, stats, prune, system df: what people look at and tidy up with."""
import io
import json
import tarfile
import unittest

from harness import Stack, await_true, main


class Housekeeping(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack().__enter__()
        cls.stack.docker("pull", "-q", "busybox", check=0)

    @classmethod
    def tearDownClass(cls):
        cls.stack.__exit__(None, None, None)

    def test_top_lists_the_processes(self):
        s = self.stack
        s.docker("run", "-d", "--name", "top-c", "busybox", "sh", "-c", "sleep 1001; true", check=0)
        await_true("the child runs", lambda: b"sleep 1001" in s.docker("top", "top-c").stdout)
        lines = s.docker("top", "top-c", check=0).stdout.decode().splitlines()
        self.assertEqual(lines[0].split(), ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"])
        self.assertTrue(any(line.split()[0] == "root" and line.endswith("sleep 1001") for line in lines[1:]), lines)
        lines = s.docker("top", "top-c", "-o", "pid,comm", check=0).stdout.decode().splitlines()
        self.assertEqual(lines[0].split(), ["PID", "COMMAND"])
        s.docker("rm", "-f", "top-c", check=0)
        s.docker("create", "--name", "top-c", "busybox", "true", check=0)
        r = s.docker("top", "top-c")
        self.assertIn(b"is not running", r.stderr)
        s.docker("rm", "top-c", check=0)

    def test_stats_of_a_busy_container(self):
        s = self.stack
        s.docker("run", "-d", "--name", "busy", "busybox", "sh", "-c", "while :; do :; done", check=0)
        r = s.docker("stats", "--no-stream", "--format", "{{json .}}", "busy", check=0)
        row = json.loads(r.stdout)
        self.assertEqual(row["Name"], "busy")
        self.assertGreater(float(row["CPUPerc"].rstrip("%")), 1)
        self.assertNotIn("--", row["MemUsage"])
        self.assertGreaterEqual(int(row["PIDs"]), 1)
        status, one = self.stack.api("GET", "/containers/busy/stats?stream=0&one-shot=1")
        self.assertEqual((status, one["precpu_stats"]["cpu_usage"]["total_usage"]), (200, 0))
        self.assertEqual(one["preread"], "0001-01-01T00:00:00Z")
        self.assertEqual(self.stack.api("GET", "/containers/busy/stats?stream=1&one-shot=1")[0], 400)
        s.docker("kill", "busy", check=0)
        s.docker("wait", "busy", check=0)
        status, dead = self.stack.api("GET", "/containers/busy/stats?stream=0")
        self.assertEqual((status, dead["read"], dead["memory_stats"]), (200, "0001-01-01T00:00:00Z", {}))
        s.docker("rm", "busy", check=0)

    def test_a_stream_of_stats_ends_with_its_container(self):
        s = self.stack
        s.docker("run", "-d", "--name", "streamed", "busybox", "sleep", "1000", check=0)
        p = s.popen("stats", "--format", "{{.Name}}", "streamed", stdout=-1, stderr=-1)
        self.assertIn(b"streamed", p.stdout.readline())
        s.docker("rm", "-f", "streamed", check=0)
        p.kill()
        p.communicate()

    def test_diff_and_export(self):
        s = self.stack
        s.docker("run", "-d", "--name", "changed", "-v", "/vol", "busybox", "sh", "-c",
                 "mkdir /new && echo x > /new/file && echo y >> /etc/group && echo z > /vol/z && echo ready && sleep 1000", check=0)
        await_true("it is ready", lambda: b"ready" in s.docker("logs", "changed").stdout)
        self.assertEqual(s.docker("diff", "changed", check=0).stdout.decode().splitlines(),
                         ["C /etc", "C /etc/group", "A /new", "A /new/file"])
        out = io.BytesIO(s.docker("export", "changed", check=0).stdout)
        with tarfile.open(fileobj=out) as t:
            names = t.getnames()
            self.assertEqual(t.extractfile("new/file").read(), b"x\n")
            self.assertTrue(t.getmember("bin/sh").issym())
        self.assertIn("proc", names)
        self.assertFalse([n for n in names if n.startswith(("proc/", "sys/", "vol/", "sockerless"))])
        s.docker("rm", "-vf", "changed", check=0)
        s.docker("create", "--name", "fresh", "busybox", "true", check=0)
        self.assertEqual(s.docker("diff", "fresh", check=0).stdout, b"")
        s.docker("rm", "fresh", check=0)

    def test_df_and_prunes(self):
        s = self.stack
        s.docker("volume", "create", "kept", check=0)
        s.docker("network", "create", "--label", "a=b", "empty-net", check=0)
        s.docker("run", "--name", "done", "-v", "/anonymous", "-v", "named:/named", "busybox", "true", check=0)
        s.docker("create", "--name", "labelled", "--label", "keep=me", "busybox", "true", check=0)
        status, df = s.api("GET", "/v1.44/system/df")
        self.assertEqual(status, 200)
        self.assertEqual({v["Name"]: v["UsageData"]["RefCount"] for v in df["Volumes"] if len(v["Name"]) < 64},
                         {"kept": 0, "named": 1})
        self.assertGreaterEqual(df["Images"][0]["Containers"], 2)
        self.assertIn("SizeRw", df["Containers"][0])
        self.assertIn(b"Images", s.docker("system", "df", check=0).stdout)
        self.assertEqual(s.api("GET", "/v1.44/system/df?type=volume")[1]["Images"], None)
        self.assertEqual(s.api("GET", "/v1.44/system/df?type=bogus")[0], 400)
        out = s.docker("container", "prune", "-f", "--filter", "label!=keep", check=0).stdout.decode()
        self.assertEqual(out.count("\n") - out.count("Total"), 3, out)
        self.assertEqual(s.docker("ps", "-a", "--format", "{{.Names}}").stdout, b"labelled\n")
        s.docker("volume", "prune", "-f", check=0)
        names = s.docker("volume", "ls", "-q").stdout.split()
        self.assertEqual(names, [b"kept", b"named"])
        s.docker("volume", "prune", "-af", check=0)
        self.assertEqual(s.docker("volume", "ls", "-q").stdout, b"")
        s.docker("network", "prune", "-f", "--filter", "label=other", check=0)
        self.assertIn(b"empty-net", s.docker("network", "ls").stdout)
        s.docker("network", "prune", "-f", check=0)
        self.assertNotIn(b"empty-net", s.docker("network", "ls").stdout)
        s.docker("image", "prune", "-f", check=0)
        self.assertIn(b"busybox", s.docker("images").stdout)
        s.docker("container", "prune", "-f", "--filter", "until=1h", check=0)
        self.assertEqual(s.docker("ps", "-a", "--format", "{{.Names}}").stdout, b"labelled\n")
        s.docker("container", "prune", "-f", check=0)
        s.docker("image", "prune", "-af", check=0)
        self.assertEqual(s.docker("images", "-q").stdout, b"")
        self.assertEqual(s.sim_state()["jobs"], 0)


if __name__ == "__main__":
    main()
