"""The guides that need no client but the docker CLI, typed as they stand."""
import os
import shutil
import tempfile
import unittest

from certificates import Authority
from harness import Stack, free_port, main
from walk import walk


class Guides(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.certs = tempfile.mkdtemp(prefix="skl-guides-", dir="/tmp")
        authority = Authority(f"{cls.certs}/ca")
        cls.client, server = authority.sign(f"{cls.certs}/client"), authority.sign(f"{cls.certs}/server")
        cls.port = free_port()
        cls.stack = Stack(args=["-H", f"tcp://127.0.0.1:{cls.port}", "--tlsverify", "--tlscacert", f"{server}/ca.pem",
                                "--tlscert", f"{server}/cert.pem", "--tlskey", f"{server}/key.pem"])
        cls.stack.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.stack.__exit__(None, None, None)
        shutil.rmtree(cls.certs)

    def setUp(self):
        self.folder = tempfile.mkdtemp(dir=self.stack.dir)

    def without_host(self):
        env = {**self.stack.env(), "HOME": self.folder}
        del env["DOCKER_HOST"]
        return env

    def test_a_context_for_the_socket(self):
        walk("docs/guides/docker-context.md", self.folder, self.without_host(), "On the daemon's machine",
             {"/run/sockerless/aca.sock": self.stack.socket})

    def test_a_context_for_tls(self):
        for name in ("ca.pem", "cert.pem", "key.pem"):
            shutil.copy(os.path.join(self.client, name), self.folder)
        walk("docs/guides/docker-context.md", self.folder, self.without_host(), "Over TLS", {"vm.example.org:2376": f"127.0.0.1:{self.port}"})

    def test_the_sequence_of_github_s_runner(self):
        walk("docs/guides/github.md", self.folder, self.stack.env())
        self.assertEqual(self.stack.docker("ps", "-aq").stdout, b"")

    def test_what_github_s_runner_mounts_is_refused(self):
        refused = self.stack.docker("create", "-v", "/home/runner/_work:/__w", "busybox")
        self.assertEqual(refused.returncode, 1)
        with open(os.path.join(os.path.dirname(__file__), "../../docs/guides/github.md")) as f:
            self.assertIn(refused.stderr.decode().strip().split("daemon: ")[1], f.read())


if __name__ == "__main__":
    main()
