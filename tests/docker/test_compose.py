"""docker-compose 1.29: a project of two services, with a network and a volume, up and down again."""
import os
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "sim"))
import harness  # noqa: E402

PROJECT = """
version: "2.4"
services:
  store:
    image: busybox
    command: ["sh", "-c", "echo store is up; trap 'exit 0' TERM; while :; do sleep 0.1; done"]
    volumes: ["data:/data"]
    environment: {ROLE: store}
  web:
    image: busybox
    command: ["sh", "-c", "echo web is up >&2; trap 'exit 3' TERM; while :; do sleep 0.1; done"]
    depends_on: [store]
    stop_grace_period: 2s
volumes:
  data:
"""


class Compose(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = harness.Stack().__enter__()
        cls.stack.docker("pull", "-q", "busybox", check=0)
        cls.dir = os.path.join(cls.stack.dir, "shop")
        os.mkdir(cls.dir)
        with open(os.path.join(cls.dir, "docker-compose.yml"), "w") as f:
            f.write(PROJECT)

    @classmethod
    def tearDownClass(cls):
        cls.stack.__exit__(None, None, None)

    def compose(self, *args, check=0, stdin=None):
        # By the docker CLI, as it does by itself: its own code for `run` starts before it attaches.
        r = subprocess.run(["docker-compose", *args], cwd=self.dir, capture_output=True, timeout=150, text=True, input=stdin,
                           env=self.stack.env())
        self.assertEqual(check, r.returncode, f"{args}: {r.stdout[-1500:]} {r.stderr[-3000:]}")
        return r.stdout

    def docker(self, *args):
        return self.stack.docker(*args, check=0).stdout.decode().split()

    def test_a_project_of_two_services(self):
        self.compose("up", "-d")
        self.addCleanup(self.compose, "down", "-v", "-t", "0")
        self.assertEqual(["shop_store_1", "shop_web_1"], sorted(self.docker("ps", "--format", "{{.Names}}")))
        listed = self.compose("ps")
        self.assertRegex(listed, r"shop_store_1 .*Up")
        self.assertRegex(listed, r"shop_web_1 .*Up")
        self.assertEqual(2, len(self.compose("ps", "-q").split()))
        self.assertIn("shop_data", self.docker("volume", "ls", "-q"))
        self.assertIn("shop_default", self.docker("network", "ls", "--format", "{{.Name}}"))

        logs = self.compose("logs", "--no-color")
        self.assertRegex(logs, r"store_1 +\| store is up")
        self.assertRegex(logs, r"web_1 +\| web is up")

        self.assertEqual("store", self.compose("exec", "-T", "store", "sh", "-c", "echo $ROLE").strip())
        self.compose("exec", "-T", "web", "sh", "-c", "exit 9", check=9)
        self.assertEqual("one-off\n", self.compose("run", "--rm", "-T", "--no-deps", "web", "echo", "one-off"))
        self.compose("run", "--rm", "-T", "--no-deps", "web", "sh", "-c", "exit 5", check=5)

        before = self.compose("ps", "-q")
        self.compose("up", "-d")  # nothing changed: nothing is made anew
        self.assertEqual(before, self.compose("ps", "-q"))
        self.assertIn("sh", self.compose("top"))
        self.compose("pause")
        self.compose("unpause")
        self.compose("restart", "-t", "1", "web")
        self.compose("stop", "-t", "3", "web")
        self.assertRegex(self.compose("ps"), r"shop_web_1 .*Exit 3")
        self.compose("start", "web")

        self.compose("down", "-v", "-t", "1")
        self.assertEqual([], self.docker("ps", "-aq"))
        self.assertNotIn("shop_data", self.docker("volume", "ls", "-q"))
        self.assertNotIn("shop_default", self.docker("network", "ls", "--format", "{{.Name}}"))

    def test_up_gives_the_exit_code_of_a_service(self):
        path = os.path.join(self.dir, "once.yml")
        with open(path, "w") as f:
            f.write('version: "2.4"\nservices:\n  once:\n    image: busybox\n    command: ["sh", "-c", "echo ran once; exit 6"]\n')
        out = self.compose("-f", path, "-p", "once", "up", "--no-color", "--exit-code-from", "once", check=6)
        self.assertIn("ran once", out)
        self.compose("-f", path, "-p", "once", "down", "-v")

    def test_an_image_that_is_not_there(self):
        path = os.path.join(self.dir, "bad.yml")
        with open(path, "w") as f:
            f.write('version: "2.4"\nservices:\n  bad:\n    image: busybox\n    command: ["no-such-command"]\n')
        self.compose("-f", path, "-p", "bad", "up", "-d", check=1)
        self.compose("-f", path, "-p", "bad", "down")


if __name__ == "__main__":
    if not shutil.which("docker-compose"):
        print("skipped: needs docker-compose 1.29 (make docker-test installs it)")
        sys.exit(harness.SKIP)
    harness.main()
