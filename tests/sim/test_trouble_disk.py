"""A disk that is full or read-only, and a database that is damaged: what is refused, with which words, and that nothing is lost.

The state directory is a small file system in a mount namespace of its own, which only the daemon sees.
"""
import hashlib
import os
import re
import shutil
import subprocess
import unittest

from clouds import GROUP, containers_of, resources
from harness import Stack, await_true, main

ENV = {"SOCKERLESS_WARM_SECONDS": "0", "SOCKERLESS_AGENT_GRACE": "3"}
MEMBER_BYTES = 4 << 20


class SmallDisk(Stack):
    def start_backend(self, *how, **options):
        if not hasattr(self, "holder"):
            state = os.path.join(self.dir, "state")
            os.mkdir(state, 0o700)
            self.holder = subprocess.Popen(
                ["unshare", "-m", "--propagation", "private", "sh", "-c",
                 f"mount -t tmpfs -o size=2m,mode=700 tmpfs {state} && echo mounted && exec cat"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            self.processes.append(self.holder)
            said = self.holder.stdout.readline()
            if said != "mounted\n":
                raise unittest.SkipTest(f"no mount namespace here: {said}")
        super().start_backend(*how, **options)

    def _spawn(self, name, argv, env=None):
        return super()._spawn(name, self.there(*argv) if name == "backend" else argv, env)

    def there(self, *argv):
        return ["nsenter", "-t", str(self.holder.pid), "-m", "--", *argv]

    def inside(self, *argv):
        return subprocess.run(self.there(*argv), capture_output=True, text=True)

    def fill(self):
        said = self.inside("dd", "if=/dev/zero", f"of={self.dir}/state/filler", "bs=4k")
        assert "No space left" in said.stderr, said

    def free(self):
        assert self.inside("rm", f"{self.dir}/state/filler").returncode == 0

    def remount(self, how):
        said = self.inside("mount", "-o", f"remount,{how}", f"{self.dir}/state")
        assert said.returncode == 0, said

    def __exit__(self, *unused):
        super().__exit__(*unused)
        if hasattr(self, "holder"):
            self.holder.stdin.close()
            self.holder.stdout.close()


def names(s):
    return sorted(s.docker("ps", "-a", "--format", "{{.Names}}", check=0).stdout.decode().split())


def run(s, name, script, *options):
    s.docker("run", "-d", "--name", name, *options, "busybox", "sh", "-c", script, check=0)


class Full(unittest.TestCase):
    def refused(self, s, *command, words, **kw):
        r = s.docker(*command, **kw)
        self.assertNotEqual(r.returncode, 0, command)
        self.assertIn(words, r.stderr.decode())

    def test_what_is_new_is_refused_and_what_runs_loses_nothing(self):
        with SmallDisk(env=dict(ENV)) as s:
            s.docker("pull", "-q", "busybox", check=0)
            run(s, "loud", f"read line; i=0; while [ $i -lt 150 ]; do echo $i {'x' * 200}; i=$((i+1)); done; exit 7", "-i")
            run(s, "silent", "read line; exit 9", "-i")
            run(s, "gone", "read line; exit 5", "-i", "--rm")
            ids = [s.docker("inspect", "-f", "{{.Id}}", name, check=0).stdout.decode().strip() for name in ("silent", "gone")]
            clients = {name: s.popen("attach", name, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                       for name in ("loud", "silent", "gone")}
            s.fill()
            self.refused(s, "create", "busybox", words="make room on that disk")
            self.refused(s, "import", "-", "x", words="No space left on device", stdin=bytes(MEMBER_BYTES))
            self.refused(s, "exec", "silent", "true", words="make room on that disk")
            self.assertEqual(names(s), ["gone", "loud", "silent"])
            for client in clients.values():
                client.stdin.write(b"\n")
                client.stdin.flush()
            for i in ids:
                await_true("its end is known", lambda: re.search(f"the end of a run could not be recorded, which is tried again container={i}", s.log("backend")))
            await_true("output is kept", lambda: "output could not be stored; the agent keeps it" in s.log("backend"))
            self.assertTrue(s.ping())
            s.free()
            self.assertEqual(s.docker("wait", "loud", check=0).stdout, b"7\n")
            self.assertEqual(s.docker("logs", "loud", check=0).stdout.decode().split()[::2], [str(i) for i in range(150)])
            self.assertEqual(s.docker("wait", "silent", check=0).stdout, b"9\n")
            self.assertEqual(tuple(clients[name].wait(30) for name in clients), (7, 9, 5))
            await_true("--rm is done", lambda: names(s) == ["loud", "silent"])
            for client in clients.values():
                client.stdin.close()
            s.docker("run", "--rm", "busybox", "true", check=0)

    def test_a_start_on_such_a_disk_says_so(self):
        with SmallDisk(env=dict(ENV)) as s:
            s.docker("pull", "-q", "busybox", check=0)
            run(s, "on", "echo begun; read line; exit 3", "-i")
            s.stop_backend()
            s.fill()
            s.start_backend(expect_ready=False)
            self.assertEqual(s.backend.wait(30), 1)
            self.assertRegex(s.log("backend").splitlines()[-1], rf"{s.dir}/state/.*(No space left on device|cannot grow|cannot be written)")
            s.free()
            s.remount("ro")
            s.start_backend(expect_ready=False)
            self.assertEqual(s.backend.wait(30), 1)
            self.assertRegex(s.log("backend").splitlines()[-1], rf"{s.dir}/state/.*Read-only file system")
            s.remount("rw")
            s.start_backend()
            self.assertEqual(s.docker("attach", "on", stdin=b"\n").returncode, 3)
            self.assertEqual(s.docker("logs", "on", check=0).stdout, b"begun\n")


class Damaged(unittest.TestCase):
    def damage(self, path, how):
        size = os.path.getsize(path)
        with open(path, "r+b") as f:
            if how == "head":
                f.write(os.urandom(100))
            elif how == "rows":
                f.seek(4096)
                f.write(os.urandom(size - 4096))
            else:
                f.truncate(size // 2)

    def test_it_is_told_and_never_touched(self):
        with Stack(env=dict(ENV)) as s:
            state, kept = f"{s.dir}/state", f"{s.dir}/kept"
            s.docker("pull", "-q", "busybox", check=0)
            run(s, "on", "read line; exit 3", "-i")
            [job], [on] = resources(s), containers_of(s)
            executions = f"{GROUP}/Microsoft.App/jobs/{job}/executions"
            for how in ("head", "rows", "half"):
                with self.subTest(how=how):
                    s.stop_backend()
                    shutil.rmtree(kept, ignore_errors=True)
                    shutil.copytree(state, kept)
                    self.damage(f"{state}/state.db", how)
                    before = self.content(f"{state}/state.db")
                    s.start_backend(expect_ready=False)
                    self.assertEqual(s.backend.wait(30), 1)
                    last = s.log("backend").splitlines()[-1]
                    self.assertIn(f"the state database '{state}/state.db' is damaged", last)
                    self.assertIn("restore a copy of it, or move it and its -wal away", last)
                    self.assertEqual(self.content(f"{state}/state.db"), before)
                    shutil.rmtree(state)
                    shutil.copytree(kept, state)
                    s.start_backend()
                    self.assertEqual(names(s), ["on"])
            s.stop_backend()
            self.damage(f"{state}/state.db", "head")
            os.rename(f"{state}/state.db", f"{state}/state.db.corrupt")
            s.start_backend()
            self.assertEqual(names(s), [])
            # Nobody knows the agent any more: it ends what it runs. Its resources have a record in the copy alone.
            await_true("the orphan has ended", lambda: "Running" not in str(s.arm("GET", executions, api="2024-03-01")[1]))
            self.assertEqual(list(containers_of(s)), [on])
            s.stop_backend()
            os.remove(f"{state}/state.db")
            shutil.copy(f"{kept}/state.db", state)
            s.start_backend()
            self.assertEqual(s.docker("wait", "on", check=0).stdout, b"137\n")
            s.docker("rm", "on", check=0)
            self.assertEqual(list(containers_of(s)), [])

    def content(self, path):
        with open(path, "rb") as f:
            return hashlib.sha256(f.read()).hexdigest()


if __name__ == "__main__":
    main()
