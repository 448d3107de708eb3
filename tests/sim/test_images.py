"""Images through real registries: push, pull by digest, save, search, distribution, login."""
import hashlib
import io
import json
import os
import subprocess
import tarfile
import unittest
import urllib.request

from harness import Stack, await_true, free_port, main


class Images(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack().__enter__()
        cls.stack.docker("pull", "-q", "busybox", check=0)

    @classmethod
    def tearDownClass(cls):
        cls.stack.__exit__(None, None, None)

    def manifest(self, name, tag):
        request = urllib.request.Request(f"http://{self.stack.registry}/v2/{name}/manifests/{tag}",
                                         headers={"Accept": "application/vnd.docker.distribution.manifest.v2+json,"
                                                            "application/vnd.oci.image.manifest.v1+json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read()

    def test_push_copies_between_registries_and_mounts_within_one(self):
        s = self.stack
        first, second = f"{s.registry}/team/app:1", f"{s.registry}/team/other:2"
        s.docker("tag", "busybox", first, check=0)
        out = s.docker("push", first, check=0).stdout.decode()
        self.assertIn(f"The push refers to repository [{s.registry}/team/app]", out)
        self.assertIn(": Pushed", out)
        digest = "sha256:" + hashlib.sha256(self.manifest("team/app", "1")).hexdigest()
        self.assertIn(f"1: digest: {digest} size: ", out)
        self.assertIn(": Layer already exists", s.docker("push", first, check=0).stdout.decode())
        s.docker("rmi", first, check=0)
        s.docker("pull", "-q", first, check=0)
        s.docker("tag", first, second, check=0)
        self.assertIn(": Mounted", s.docker("push", second, check=0).stdout.decode())
        self.assertEqual(self.manifest("team/other", "2"), self.manifest("team/app", "1"))
        by_digest = f"{s.registry}/team/app@{digest}"
        s.docker("pull", "-q", by_digest, check=0)
        self.assertEqual(s.docker("run", "--rm", by_digest, "echo", "by digest", check=0).stdout, b"by digest\n")
        r = s.docker("push", f"{s.registry}/team/missing:3")
        self.assertEqual(r.returncode, 1)
        self.assertIn(b"An image does not exist locally with the tag", r.stdout + r.stderr)

    def test_save_is_an_archive_of_the_whole_image(self):
        s = self.stack
        with tarfile.open(fileobj=io.BytesIO(s.docker("save", "busybox", check=0).stdout)) as t:
            entry, = json.load(t.extractfile("manifest.json"))
            self.assertEqual(entry["RepoTags"], ["busybox:latest"])
            config = json.load(t.extractfile(entry["Config"]))
            self.assertEqual(len(config["rootfs"]["diff_ids"]), len(entry["Layers"]))
            for name, diff_id in zip(entry["Layers"], config["rootfs"]["diff_ids"]):
                packed = t.extractfile(name).read()
                self.assertEqual(hashlib.sha256(packed).hexdigest(), os.path.basename(name))
                raw = subprocess.run(["gzip", "-dc"], input=packed, stdout=subprocess.PIPE, check=True).stdout
                self.assertEqual("sha256:" + hashlib.sha256(raw).hexdigest(), diff_id)
        self.assertEqual(s.docker("save", "nothing-like-it").returncode, 1)
        self.assertIn(b"not supported", s.docker("load", stdin=b"x" * 1024).stderr)

    def test_distribution_and_search(self):
        s = self.stack
        status, d = s.api("GET", "/distribution/busybox/json")
        self.assertEqual((status, d["Platforms"][0]["os"]), (200, "linux"))
        self.assertEqual(d["Descriptor"]["digest"], "sha256:" + hashlib.sha256(self.manifest("library/busybox", "latest")).hexdigest())
        self.assertEqual(s.api("GET", f"/distribution/{s.registry}/nothing/like-it/json")[0], 404)
        names = s.docker("search", "--format", "{{.Name}}", f"{s.registry}/busy", check=0).stdout.decode()
        self.assertIn("busybox", names)
        self.assertEqual(s.api("GET", "/images/search?term=x&limit=1000")[0], 400)

    def test_login_is_decided_by_the_registry(self):
        s, port = self.stack, free_port()
        hashed = subprocess.run(["/usr/bin/python3", "-c", "import crypt; print(crypt.crypt('right', crypt.mksalt(crypt.METHOD_BLOWFISH)))"],
                                capture_output=True, text=True, check=True, env={"PYTHONWARNINGS": "ignore"}).stdout.strip()
        with open(os.path.join(s.dir, "htpasswd"), "w") as f:
            f.write(f"user:{hashed}\n")
        with open(os.path.join(s.dir, "closed.yml"), "w") as f:
            f.write(f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {s.dir}/closed}}}}\n"
                    f"http: {{addr: 127.0.0.1:{port}}}\nauth: {{htpasswd: {{realm: r, path: {s.dir}/htpasswd}}}}\n")
        s._spawn("closed", ["docker-registry", "serve", os.path.join(s.dir, "closed.yml")])

        def answers():
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/", timeout=2).close()
            except urllib.error.HTTPError as e:
                return e.code == 401
            except OSError:
                return False
        await_true("the closed registry", answers)
        host = f"127.0.0.1:{port}"
        r = s.docker("login", "-u", "user", "-p", "wrong", host)
        self.assertEqual(r.returncode, 1)
        self.assertIn(b"401", r.stderr)
        s.docker("login", "-u", "user", "-p", "right", host, check=0)
        s.docker("tag", "busybox", f"{host}/private:1", check=0)
        s.docker("push", f"{host}/private:1", check=0)
        s.docker("rmi", f"{host}/private:1", check=0)
        s.docker("pull", "-q", f"{host}/private:1", check=0)
        self.assertEqual(s.docker("save", f"{host}/private:1", check=0).returncode, 0)
        s.docker("logout", host, check=0)
        r = s.docker("push", f"{host}/private:1")
        self.assertEqual(r.returncode, 1)
        self.assertNotIn("right", s.log("backend"))


if __name__ == "__main__":
    main()
