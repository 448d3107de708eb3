"""Archives that want out, lie about their size, or want to be endless; one table, and every place that unpacks one.

Each is refused with a client's error, or what it makes stays in the container. Nothing appears on this machine.
"""
import gzip
import hashlib
import importlib.util
import io
import json
import os
import struct
import tarfile
import tempfile
import unittest

from harness import TOP, Stack, UnixConnection, main

MIB = 1 << 20
CANARY = "skl-canary-" + os.urandom(8).hex()
UP = "../" * 12


def entry(name, kind=tarfile.REGTYPE, data=b"", link="", **more):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size, info.mode = kind, link, len(data), 0o755
    for key, value in more.items():
        setattr(info, key, value)
    return info, data


def archive(*entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as t:
        for info, data in entries:
            t.addfile(info, io.BytesIO(data))
    return out.getvalue()


def header(name, size, kind=b"0", magic=b"ustar\x0000", **more):
    """A header by hand: with a size that no Python file has."""
    h = bytearray(512)

    def put(at, n, data):
        h[at:at + n] = data[:n].ljust(n, b"\0")
    put(0, 100, name)
    put(100, 8, b"0000755")
    put(108, 8, b"0000000")
    put(116, 8, b"0000000")
    put(124, 12, b"%011o" % size if size < 8 ** 11 else b"\x80" + struct.pack(">Q", size).rjust(11, b"\0"))
    put(136, 12, b"%011o" % 0)
    put(156, 1, kind)
    put(257, 8, magic)
    for at, data in more.get("at", {}).items():
        put(at, len(data), data)
    h[148:156] = b" " * 8
    h[148:156] = b"%06o\0 " % sum(h)
    return bytes(h)


def gnu_sparse(real):
    """One byte of data at the end of a hole of that size."""
    size = struct.pack(">Q", real).rjust(11, b"\0")
    last = struct.pack(">Q", real - 1).rjust(11, b"\0")
    return header(b"hole", 1, b"S", b"ustar  \0", at={386: b"\x80" + last, 398: b"%011o\0" % 1, 483: b"\x80" + size}) + b"x" * 512 + bytes(1024)


def pax(records, after):
    data = b""
    for key, value in records:
        body = b" %s=%s\n" % (key, value)
        n = len(body)
        while len(str(n).encode() + body) != n:
            n = len(str(n).encode() + body)
        data += str(n).encode() + body
    return header(b"pax", len(data), b"x") + data + bytes(-len(data) % 512) + after


FILE = header(b"plain", 0)
END = bytes(1024)
DEEP = "d/" * 1500 + CANARY
REFUSED, KEPT = "refused", "kept"
# name: (archive, what a running container, a created one, a build's context and an import do with it)
ARCHIVES = {
    "a name above the root": (archive(entry(UP + "tmp/" + CANARY, data=b"x")), REFUSED, REFUSED, REFUSED, REFUSED),
    "a name that goes up in its middle": (archive(entry("a/" + UP + "tmp/" + CANARY, data=b"x")), REFUSED, REFUSED, REFUSED, REFUSED),
    "an absolute name": (archive(entry("/tmp/" + CANARY, data=b"x")), KEPT, KEPT, KEPT, KEPT),
    "a file through a link out": (archive(entry("out", tarfile.SYMTYPE, link="/tmp"), entry("out/" + CANARY, data=b"x")), KEPT, KEPT, KEPT, KEPT),
    "a file through a link up": (archive(entry("out", tarfile.SYMTYPE, link=UP + "tmp"), entry("out/" + CANARY, data=b"x")), KEPT, KEPT, KEPT, KEPT),
    "a file over a link out": (archive(entry("out", tarfile.SYMTYPE, link="/tmp/" + CANARY), entry("out", data=b"x")), KEPT, KEPT, KEPT, KEPT),
    "a hard link up": (archive(entry("h", tarfile.LNKTYPE, link=UP + "etc/shadow")), REFUSED, REFUSED, REFUSED, REFUSED),
    "a hard link to what is not there": (archive(entry("h", tarfile.LNKTYPE, link="/etc/" + CANARY)), REFUSED, REFUSED, REFUSED, REFUSED),
    "a character device": (archive(entry("mem", tarfile.CHRTYPE, devmajor=1, devminor=1)), KEPT, KEPT, REFUSED, KEPT),
    "a block device": (archive(entry("disk", tarfile.BLKTYPE, devmajor=8, devminor=0)), KEPT, KEPT, REFUSED, KEPT),
    "a pipe": (archive(entry("pipe", tarfile.FIFOTYPE)), KEPT, KEPT, REFUSED, KEPT),
    "four exbibytes that do not follow": (header(b"big", 1 << 62) + b"x" * 512, REFUSED, REFUSED, REFUSED, REFUSED),
    "a negative size": (header(b"neg", 0, at={124: b"\xff" * 12}) + END, REFUSED, REFUSED, REFUSED, REFUSED),
    "a hole of four exbibytes": (gnu_sparse(1 << 62), REFUSED, REFUSED, REFUSED, REFUSED),
    "a size that a pax record makes absurd": (pax([(b"size", b"9" * 30)], FILE + END), REFUSED, REFUSED, REFUSED, REFUSED),
    "an extension of two mebibytes": (pax([(b"comment", b"c" * 2 * MIB)], FILE + END), REFUSED, REFUSED, REFUSED, REFUSED),
    "a name of a hundred thousand": (pax([(b"path", b"n" * 100000)], FILE + END), REFUSED, REFUSED, REFUSED, REFUSED),
    "a name with a NUL": (pax([(b"path", b"a\0" + CANARY.encode())], FILE + END), REFUSED, REFUSED, REFUSED, REFUSED),
    "an unknown kind of member": (header(b"odd", 0, b"Q") + END, REFUSED, REFUSED, REFUSED, REFUSED),
    "fifteen hundred directories deep": (archive(entry(DEEP, data=b"x")), KEPT, KEPT, KEPT, KEPT),
}


def load_seed():
    spec = importlib.util.spec_from_file_location("seed_registry", os.path.join(TOP, "tools/seed-registry.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class HostileArchives(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack(env={"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=4"}).__enter__()
        cls.stack.docker("pull", "-q", "busybox", check=0)

    @classmethod
    def tearDownClass(cls):
        cls.stack.__exit__(None, None, None)

    def nothing_escaped(self, what):
        s = self.stack
        for folder in ("/", "/tmp", "/etc", s.dir, tempfile.gettempdir(), os.getcwd(), os.path.join(s.dir, "state"), os.path.join(s.dir, "sim")):
            self.assertFalse(os.path.lexists(os.path.join(folder, CANARY)), (what, folder))
        self.assertTrue(s.ping(), what)
        self.assertEqual(os.listdir(os.path.join(s.dir, "state", "builds")), [], what)

    def post(self, method, path, body):
        c = UnixConnection(self.stack.socket)
        try:
            c.request(method, path, body, {"Content-Type": "application/x-tar"})
            answer = c.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        finally:
            c.close()

    def judge(self, what, want, status, text):
        """In the answer's status, or in the last line of a stream that was 200."""
        refused = 400 <= status <= 501 or (status == 200 and '"error"' in text)
        self.assertEqual(REFUSED if refused else KEPT if status == 200 else status, want, (what, status, text[-500:]))

    def test_into_a_running_container(self):
        s = self.stack
        s.docker("run", "-d", "--name", "target", "busybox", "sleep", "100000", check=0)
        for what, (body, want, _, _, _) in ARCHIVES.items():
            with self.subTest(what):
                s.docker("exec", "target", "mkdir", "-p", "/root/in", check=0)
                self.judge(what, want, *self.post("PUT", "/containers/target/archive?path=/root/in", body))
                self.nothing_escaped(what)
                self.assertEqual(s.docker("exec", "target", "sh", "-c", "rm -rf /root/in /tmp/skl-*; echo well", check=0).stdout, b"well\n")
        s.docker("rm", "-f", "target", check=0)

    def test_into_a_created_container(self):
        """Staged as it is; what the agent says to it at the start is the start's failure."""
        s = self.stack
        for n, (what, (body, _, want, _, _)) in enumerate(ARCHIVES.items()):
            with self.subTest(what):
                s.docker("create", "--name", f"made{n}", "busybox", "echo", "well", check=0)
                status, text = self.post("PUT", f"/containers/made{n}/archive?path=/root", body)
                self.assertIn(status, range(200, 500), text)
                if status == 200:
                    r = s.docker("start", "-a", f"made{n}")
                    status, text = (200, "") if r.stdout == b"well\n" else (400, r.stderr.decode())
                    self.assertEqual(r.returncode, 0 if status == 200 else 1, r.stderr)
                self.judge(what, want, status, text)
                s.docker("rm", "-f", f"made{n}", check=0)
                self.nothing_escaped(what)

    def test_as_the_context_of_a_build(self):
        dockerfile = archive(entry("Dockerfile", data=b"FROM busybox\nCOPY . /root/in\n"))[:1024]
        for what, (body, _, _, want, _) in ARCHIVES.items():
            with self.subTest(what):
                self.judge(what, want, *self.post("POST", "/build?t=evil:1", dockerfile + body))
                self.nothing_escaped(what)
        r = self.stack.docker("run", "--rm", "evil:1", "true")
        self.assertEqual(r.returncode, 0, r.stderr)

    def test_as_an_imported_root(self):
        for what, (body, _, _, _, want) in ARCHIVES.items():
            for pack in (bytes, gzip.compress):
                with self.subTest(what, packed=pack is not bytes):
                    self.judge(what, want, *self.post("POST", "/images/create?fromSrc=-&repo=evil-root", pack(body)))
                    self.nothing_escaped(what)

    def test_as_an_image_to_load(self):
        for what, (body, *_) in ARCHIVES.items():
            status, text = self.post("POST", "/images/load", body)
            self.assertEqual(status, 501, (what, text))  # nothing is unpacked
        self.nothing_escaped("load")

    def test_as_a_layer_that_the_simulated_cloud_unpacks(self):
        s, seed = self.stack, load_seed()
        base, raw = f"http://{s.registry}", seed.layer()
        packed = gzip.compress(raw)
        names = ("a name above the root", "an absolute name", "a file through a link out", "a file through a link up", "a hard link up",
                 "a file over a link out", "four exbibytes that do not follow", "a negative size", "a hole of four exbibytes")
        for n, what in enumerate(names):
            with self.subTest(what):
                evil = ARCHIVES[what][0]
                config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Cmd": ["sh"]}, "rootfs": {"type": "layers", "diff_ids": [
                    "sha256:" + hashlib.sha256(x).hexdigest() for x in (raw, evil)]}}).encode()
                layers = [{"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "size": len(x),
                           "digest": seed.push_blob(base, f"evil{n}", x)} for x in (packed, gzip.compress(evil))]
                seed.call("PUT", f"{base}/v2/evil{n}/manifests/1", json.dumps({
                    "schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json", "layers": layers,
                    "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "size": len(config),
                               "digest": seed.push_blob(base, f"evil{n}", config)}}).encode(),
                    "application/vnd.docker.distribution.manifest.v2+json")
                r = s.docker("run", "--rm", f"{s.registry}/evil{n}:1", "/bin/busybox", "echo", "well")
                self.assertIn((r.returncode > 0, r.stdout), ((False, b"well\n"), (True, b"")), r.stderr)
                self.nothing_escaped(what)
        s.docker("run", "--rm", "busybox", "true", check=0)

    def test_a_million_members_are_refused(self):
        member = FILE * 1000
        body = gzip.compress(b"".join([member] * 200))  # two hundred thousand of one name are one file
        status, text = self.post("POST", "/images/create?fromSrc=-", body)
        self.assertEqual(status, 200, text)
        before = self.stack.peak_rss_mb()
        out = io.BytesIO()
        with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=1) as z:
            for n in range(1_000_100):
                z.write(header(b"%d" % n, 0))
            z.write(END)
        status, text = self.post("POST", "/images/create?fromSrc=-", out.getvalue())
        self.judge("a million members", REFUSED, status, text)
        self.assertLess(self.stack.peak_rss_mb() - before, 900)
        self.nothing_escaped("a million members")


if __name__ == "__main__":
    main()
