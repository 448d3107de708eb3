"""PUT and GET /archive beyond what `docker cp` sends: packed bodies, broken ones, a bomb."""
import bz2
import gzip
import io
import lzma
import os
import tarfile
import unittest

from harness import Stack, UnixConnection, main

PACKERS = {"plain": bytes, "gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress}


def tar(name, data):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as t:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        info.mode = 0o640
        t.addfile(info, io.BytesIO(data))
    return out.getvalue()


class Archive(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # What a sanitizer keeps of freed memory is not the backend's.
        options = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1:thread_local_quarantine_size_kb=64"
        cls.stack = Stack(env={"ASAN_OPTIONS": options}).__enter__()
        cls.stack.docker("pull", "-q", "busybox", check=0)
        cls.stack.docker("run", "-d", "--name", "target", "busybox", "sleep", "1000", check=0)

    @classmethod
    def tearDownClass(cls):
        cls.stack.docker("rm", "-f", "target")
        cls.stack.__exit__(None, None, None)

    def put(self, container, body, path="/tmp"):
        c = UnixConnection(self.stack.socket)
        try:
            c.request("PUT", f"/containers/{container}/archive?path={path}", body, {"Content-Type": "application/x-tar"})
            answer = c.getresponse()
            return answer.status, answer.read()
        finally:
            c.close()

    def test_packed_archives_arrive_in_running_containers(self):
        data = os.urandom(300_000) + bytes(3_000_000)
        for name, pack in PACKERS.items():
            with self.subTest(name):
                self.assertEqual(self.put("target", pack(tar(f"file-{name}", data)))[0], 200)
                out = self.stack.docker("exec", "target", "cat", f"/tmp/file-{name}", check=0).stdout
                self.assertEqual(out, data)

    def test_packed_archives_arrive_in_created_containers(self):
        s = self.stack
        s.docker("create", "--name", "created", "busybox", "sh", "-c", "cd /tmp && cat plain gzip bzip2 xz", check=0)
        for name, pack in PACKERS.items():
            self.assertEqual(self.put("created", pack(tar(name, name.encode() * 1000)))[0], 200)
        self.assertEqual(s.docker("start", "-a", "created", check=0).stdout,
                         b"".join(n.encode() * 1000 for n in PACKERS))
        s.docker("rm", "-f", "created", check=0)

    def test_broken_archives_are_refused_and_the_container_lives(self):
        packed = gzip.compress(tar("broken", os.urandom(200_000)))
        for body in (packed[:len(packed) // 2], packed[:1000] + b"x" * 1000 + packed[2000:], b"no archive " * 100):
            status, text = self.put("target", body)
            self.assertGreaterEqual(status, 400, text)
        self.assertEqual(self.stack.docker("exec", "target", "echo", "alive", check=0).stdout, b"alive\n")

    def test_a_bomb_costs_the_backend_no_memory(self):
        archive = tar("zeros", bytes(200_000_000))
        with open(f"/proc/{self.stack.backend.pid}/maps") as f:
            shadow = 4 if "libtsan" in f.read() else 1  # ThreadSanitizer keeps four bytes for each
        before = self.stack.peak_rss_mb()
        self.assertEqual(self.put("target", gzip.compress(archive, 9))[0], 200)
        out = self.stack.docker("exec", "target", "wc", "-c", "/tmp/zeros", check=0).stdout
        self.assertEqual(out.split()[0], b"200000000")
        self.assertLess(self.stack.peak_rss_mb() - before, 60 * shadow)
        status, text = self.put("target", bz2.compress(archive))  # 180 bytes
        self.assertEqual(status, 400)
        self.assertIn(b"packed too tightly", text)
        self.assertLess(self.stack.peak_rss_mb() - before, 250 * shadow)


if __name__ == "__main__":
    main()
