"""dockerode and testcontainers for Node.js, each running its own script of tests/docker/node against the daemon.

The packages are those of package-lock.json, installed into the build folder; skipped where npm or its registry is away.
"""
import filecmp
import os
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "sim"))
import harness  # noqa: E402

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "node")
PLACE = os.path.join(harness.BUILD, "tests", "docker", "node")


def install():
    """Why it cannot be, or None."""
    if not shutil.which("npm") or not shutil.which("node"):
        return "needs node and npm"
    lock, installed = os.path.join(SOURCE, "package-lock.json"), os.path.join(PLACE, "installed-lock.json")
    os.makedirs(PLACE, exist_ok=True)
    for name in os.listdir(SOURCE):
        shutil.copy(os.path.join(SOURCE, name), PLACE)
    if os.path.exists(installed) and filecmp.cmp(lock, installed, shallow=False):
        return None
    # Scripts of packages are not run: what they would compile are optional parts.
    r = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], cwd=PLACE,
                       capture_output=True, text=True, timeout=300)
    if r.returncode != 0:
        if any(word in r.stderr for word in ("ENOTFOUND", "ECONNREFUSED", "ETIMEDOUT", "EAI_AGAIN", "ECONNRESET", "network")):
            return "npm's registry cannot be reached: " + r.stderr.strip().splitlines()[0]
        raise SystemExit("npm ci failed:\n" + r.stderr)
    shutil.copy(lock, installed)
    return None


class Node(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = harness.Stack().__enter__()
        cls.stack.docker("pull", "-q", "busybox", check=0)

    @classmethod
    def tearDownClass(cls):
        cls.stack.__exit__(None, None, None)

    def run_script(self, name, **env):
        r = subprocess.run(["node", name], cwd=PLACE, capture_output=True, text=True, timeout=240,
                           env={**self.stack.env(), "SOCKET": self.stack.socket, "TESTCONTAINERS_RYUK_DISABLED": "true", **env})
        # Node ends with 0 when nothing is left to wait for, which is not the end of the script.
        self.assertTrue(r.returncode == 0 and r.stdout.endswith("all steps\n"), r.stdout[-2000:] + r.stderr[-4000:] + self.stack.log("backend")[-1500:])
        self.assertEqual(b"", self.stack.docker("ps", "-a", "--format", "{{.Image}} {{.Command}} {{.Status}}", check=0).stdout)

    def test_dockerode(self):
        self.run_script("dockerode.js")

    def test_testcontainers(self):
        # The published ports are on this machine, also where it is a container itself.
        self.run_script("testcontainers.js", TESTCONTAINERS_HOST_OVERRIDE="127.0.0.1", PORT=str(harness.free_port()))


if __name__ == "__main__":
    reason = install()
    if reason:
        print("skipped:", reason)
        sys.exit(harness.SKIP)
    harness.main()
