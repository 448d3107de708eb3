"""50 MB out, 20 MB in: the bytes are equal, and they never sit in the backend's memory."""
import hashlib
import os
import unittest

from harness import BUILD, Stack, main

SANITIZED = "san" in os.path.basename(BUILD)
RSS_LIMIT_MB = 30


class VolumeOfData(unittest.TestCase):
    def check_rss(self, s):
        if SANITIZED:
            print(f"peak RSS {s.peak_rss_mb():.0f} MB (with sanitizers: not judged)")
        else:
            self.assertLess(s.peak_rss_mb(), RSS_LIMIT_MB)

    def test_50_mb_of_binary_output(self):
        with Stack() as s:
            s.docker("pull", "-q", "busybox", check=0)
            script = "dd if=/dev/urandom of=/tmp/f bs=1048576 count=50 2>/dev/null; sha256sum /tmp/f >&2; cat /tmp/f"
            r = s.docker("run", "--rm", "busybox", "sh", "-c", script, check=0, timeout=200)
            self.assertEqual(len(r.stdout), 50 << 20)
            self.assertEqual(hashlib.sha256(r.stdout).hexdigest().encode(), r.stderr.split()[0])
            self.check_rss(s)

    def test_20_mb_of_input(self):
        with Stack() as s:
            data = os.urandom(20 << 20)
            r = s.docker("run", "--rm", "-i", "busybox", "sha256sum", stdin=data, check=0, timeout=200)
            self.assertEqual(r.stdout.split()[0], hashlib.sha256(data).hexdigest().encode())
            self.check_rss(s)

    def test_20_mb_into_an_exec(self):
        with Stack() as s:
            data = os.urandom(20 << 20)
            s.docker("run", "-d", "--name", "c-x", "busybox", "sleep", "1000", check=0)
            r = s.docker("exec", "-i", "c-x", "sha256sum", stdin=data, check=0, timeout=200)
            self.assertEqual(r.stdout.split()[0], hashlib.sha256(data).hexdigest().encode())
            self.check_rss(s)

    def test_copy_of_a_large_file_both_ways(self):
        with Stack() as s:
            path = os.path.join(s.dir, "big")
            data = os.urandom(40 << 20)
            with open(path, "wb") as f:
                f.write(data)
            s.docker("run", "-d", "--name", "c-c", "busybox", "sleep", "1000", check=0)
            s.docker("cp", path, "c-c:/tmp/big", check=0, timeout=200)
            s.docker("cp", "c-c:/tmp/big", path + ".back", check=0, timeout=200)
            with open(path + ".back", "rb") as f:
                self.assertEqual(hashlib.sha256(f.read()).digest(), hashlib.sha256(data).digest())
            self.check_rss(s)
            s.docker("rm", "-f", "c-c", check=0)


if __name__ == "__main__":
    main()
