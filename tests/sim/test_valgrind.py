"""Each backend under valgrind: it starts, runs a container, execs, follows output, builds, and ends by SIGTERM while a container runs,
without a leak or an access that it should not make. `make valgrind`, on a release build: sanitizers and valgrind exclude each other."""
import json
import os
import shutil
import subprocess
import sys
import unittest

from harness import BUILD, SKIP, TOP, Stack, await_true, main

# Not "possible": connections that are in the middle of their farewell when the daemon ends are reached through libuv's lists alone,
# by pointers into them.
VALGRIND = ["valgrind", "--quiet", "--leak-check=full", "--show-leak-kinds=definite,indirect",
            "--errors-for-leak-kinds=definite,indirect", "--num-callers=24", "--track-fds=no", "--error-exitcode=99",
            f"--suppressions={TOP}/tools/valgrind.supp"]
DOCKERFILE = b"FROM busybox\nENV built=1\nCOPY . /it\n"


class Watched(Stack):
    def _spawn(self, name, argv, env=None):
        if name == "backend":
            argv = [*VALGRIND, f"--log-file={self.dir}/valgrind.log", *argv]
        return super()._spawn(name, argv, env)


class Shutdown(unittest.TestCase):
    def clean(self, kind):
        with Watched(backend=kind, env={"SOCKERLESS_WARM_SECONDS": "5"}) as s:
            s.docker("pull", "-q", "busybox", check=0)
            on = s.docker("run", "-d", "-i", "--name", "on", "-v", "kept:/kept", "busybox", "sh", "-c", "echo begun; while sleep 1; do echo on; done",
                          check=0).stdout.decode().strip()
            self.assertEqual(s.docker("exec", "on", "echo", "hi", check=0).stdout, b"hi\n")
            s.docker("cp", os.path.join(TOP, "VERSION"), "on:/tmp/", check=0)
            s.docker("stats", "--no-stream", "on", check=0)
            s.docker("top", "on", check=0)
            r = s.docker("run", "--rm", "-i", "busybox", "sh", "-c", "cat; exit 3", stdin=b"in\n" * 10000)
            self.assertEqual((r.returncode, len(r.stdout)), (3, 30000), r.stderr)
            s.docker("network", "create", "net", check=0)
            s.docker("create", "--name", "later", "--network", "net", "busybox", "true", check=0)
            s.docker("rm", "later", check=0)
            s.docker("network", "rm", "net", check=0)
            context = os.path.join(s.dir, "context")
            os.mkdir(context)
            with open(os.path.join(context, "Dockerfile"), "wb") as f:
                f.write(DOCKERFILE)
            subprocess.run(["docker", "build", "-q", "-t", "built", context], env={**s.env(), "DOCKER_BUILDKIT": "0"}, check=True, capture_output=True)
            s.docker("rmi", "built", check=0)
            follower = s.popen("logs", "-f", "on", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            events = s.popen("events", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            attached = s.popen("attach", "on", stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            await_true("there are followers", lambda: s.api("GET", "/info")[0] == 200)
            code = s.stop_backend(seconds=300)
            for client in (follower, events, attached):
                client.communicate(timeout=60)
            with open(f"{s.dir}/valgrind.log") as f:
                said = f.read()
            self.assertEqual((code, said), (0, ""), said[:12000])
            # What runs on is taken over, and ended.
            s.start_backend()
            self.assertTrue(json.loads(s.docker("inspect", on, check=0).stdout)[0]["State"]["Running"])
            s.docker("rm", "-f", "on", check=0)
            code = s.stop_backend(seconds=300)
            with open(f"{s.dir}/valgrind.log") as f:
                said = f.read()
            self.assertEqual((code, said), (0, ""), said[:12000])

    def test_aca(self):
        self.clean("aca")

    def test_azf(self):
        self.clean("azf")

    def test_gcf(self):
        self.clean("gcf")


if __name__ == "__main__":
    options = json.loads(subprocess.check_output(["meson", "introspect", "--buildoptions", BUILD]))
    if next(o["value"] for o in options if o["name"] == "b_sanitize") != "none" or not shutil.which("valgrind"):
        print("skipped: needs valgrind, and a build without sanitizers")
        sys.exit(SKIP)
    main()
