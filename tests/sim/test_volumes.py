"""Volumes: what one container leaves in them is there for the next one, also over restarts of the daemon."""
import json
import os
import signal
import subprocess
import unittest

from harness import Stack, await_true, main

LIST = "cd /v && find . | sort | while read f; do stat -c '%n %a %u:%g %F' $f; done"


class Volumes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack().__enter__()
        cls.addClassCleanup(cls.stack.__exit__, None, None, None)
        cls.stack.docker("pull", "-q", "busybox", check=0)

    def run_in(self, volume, script, *args, check=0):
        r = self.stack.docker("run", "--rm", "-v", f"{volume}:/v", *args, "busybox", "sh", "-c", script, check=check)
        return r.stdout.decode()

    def test_the_next_container_has_what_the_last_one_left(self):
        self.run_in("kept", "mkdir -p /v/d && echo one > /v/d/a && chmod 600 /v/d/a && ln -s d/a /v/link && chown 5:6 /v/d && chmod 1777 /v "
                            "&& cd /v/d && ln a b && mkfifo /v/pipe")
        self.assertEqual(self.run_in("kept", LIST + "; cat /v/link /v/d/b"),
                         ". 1777 0:0 directory\n./d 755 5:6 directory\n./d/a 600 0:0 regular file\n./d/b 600 0:0 regular file\n"
                         "./link 777 0:0 symbolic link\n./pipe 644 0:0 fifo\none\none\n")
        # What is deleted stays deleted; a failing command keeps what it did; a reader changes nothing.
        self.run_in("kept", "rm -r /v/d /v/pipe /v/link; echo two > /v/two; exit 3", check=3)
        self.assertEqual(self.run_in("kept", "ls /v; rm /v/two || true", "--mount", "type=volume,src=kept,dst=/ro,readonly"), "two\n")
        self.assertEqual(self.run_in("kept", "ls -A /v"), "")

    def test_a_read_only_mount_shows_and_keeps_nothing(self):
        self.run_in("ro", "echo x > /v/x")
        self.assertEqual(self.stack.docker("run", "--rm", "-v", "ro:/v:ro", "busybox", "cat", "/v/x", check=0).stdout, b"x\n")

    def test_one_that_only_looked_does_not_undo_what_others_did(self):
        s = self.stack
        s.docker("run", "-d", "--name", "looker", "-v", "shared:/v", "busybox", "sleep", "1000", check=0)
        r = s.docker("run", "--name", "writer", "-v", "shared:/v", "busybox", "sh", "-c", "echo w > /v/w", check=0)
        self.assertIn(b"volume shared is in use by looker", r.stderr)
        s.docker("rm", "-f", "looker", check=0)
        self.assertEqual(self.run_in("shared", "cat /v/w"), "w\n")
        s.docker("rm", "writer", check=0)

    def test_a_container_that_is_started_again_sees_the_others_changes(self):
        """The way of GitLab's runner: two containers in turns, each still warm."""
        s = self.stack
        for name in ("helper", "build"):
            s.docker("create", "-i", "--name", name, "-v", "builds:/v", "busybox", "sh", check=0)
        steps = [("helper", "echo checkout > /v/source; mkdir /v/tmp", ""), ("build", "cat /v/source; echo made > /v/artifact; rmdir /v/tmp", "checkout\n"),
                 ("helper", "ls /v; cat /v/artifact; echo more >> /v/source", "artifact\nsource\nmade\n"), ("build", "cat /v/source", "checkout\nmore\n")]
        for name, script, want in steps:
            self.assertEqual(s.docker("start", "-ai", name, stdin=script.encode(), check=0).stdout.decode(), want)
        s.docker("rm", "helper", "build", check=0)

    def test_ends_at_the_same_time_leave_one_of_the_two(self):
        for letter in "ab":
            self.stack.docker("run", "-d", "--name", "end-" + letter, "-v", "both:/v", "busybox", "sh", "-c",
                              f"head -c 40000000 /dev/zero | tr '\\0' {letter} > /v/file; echo ready; sleep 1000", check=0)
            await_true("it has written", lambda: b"ready" in self.stack.docker("logs", "end-" + letter).stdout)
        kills = [self.stack.popen("kill", "end-" + letter, stdout=subprocess.DEVNULL) for letter in "ab"]
        self.assertEqual([k.wait(120) for k in kills], [0, 0])
        self.stack.docker("wait", "end-a", "end-b", check=0)
        errors = self.stack.docker("inspect", "-f", "{{.State.Error}}", "end-a", "end-b", check=0).stdout
        self.assertEqual(errors, b"\n\n")
        r = self.stack.docker("run", "--rm", "-v", "both:/v", "busybox", "sh", "-c",
                              "for letter in a b; do tr -d $letter < /v/file | wc -c; done", check=0)
        self.assertEqual(sorted(r.stdout.split()), [b"0", b"40000000"])
        self.stack.docker("rm", "end-a", "end-b", check=0)
        self.stack.docker("volume", "rm", "both", check=0)

    def test_a_stop_and_a_kill_keep_it_too(self):
        s = self.stack
        for how in (["stop", "-t", "5"], ["kill"], ["rm", "-f"]):
            s.docker("run", "-d", "--name", "ended", "-v", "ended:/v", "busybox", "sh", "-c",
                     f"echo {how[0]} >> /v/log; touch /v/ready; trap 'exit 0' TERM; while :; do sleep 0.1; done", check=0)
            await_true("it has written", lambda: s.docker("exec", "ended", "ls", "/v/ready").returncode == 0)
            s.docker(*how, "ended", check=0)
            s.docker("rm", "-f", "ended")
        self.assertEqual(self.run_in("ended", "cat /v/log"), "stop\nkill\nrm\n")

    def test_anonymous_volumes_live_as_long_as_their_container(self):
        s = self.stack
        content = os.path.join(s.dir, "state", "volumes")
        before = set(os.listdir(content))
        s.docker("run", "--name", "anon", "-v", "/v", "busybox", "sh", "-c", "echo x >> /v/x; wc -l < /v/x", check=0)
        self.assertEqual(len(set(os.listdir(content)) - before), 1)
        s.docker("rm", "-v", "anon", check=0)
        self.assertEqual(set(os.listdir(content)), before)
        s.docker("run", "--rm", "-v", "/v", "busybox", "sh", "-c", "echo x > /v/x", check=0)
        self.assertEqual(set(os.listdir(content)), before)

    def test_the_content_goes_with_the_volume(self):
        s = self.stack
        self.run_in("gone", "echo x > /v/x")
        self.assertIn("gone", os.listdir(os.path.join(s.dir, "state", "volumes")))
        df = s.api("GET", "/system/df")[1]["Volumes"]
        self.assertGreater(next(v for v in df if v["Name"] == "gone")["UsageData"]["Size"], 0)
        s.docker("volume", "rm", "gone", check=0)
        self.assertNotIn("gone", os.listdir(os.path.join(s.dir, "state", "volumes")))
        self.assertEqual(self.run_in("gone", "ls -A /v"), "")

    def test_copies_and_much_data(self):
        s = self.stack
        data = os.urandom(1 << 20) * 20
        s.docker("create", "--name", "big", "-v", "big:/v", "busybox", "sh", "-c", "md5sum < /v/file; cp /v/file /v/again", check=0)
        path = os.path.join(s.dir, "file")
        with open(path, "wb") as f:
            f.write(data)
        s.docker("cp", path, "big:/v/file", check=0)
        first = s.docker("start", "-a", "big", check=0).stdout
        s.docker("rm", "big", check=0)
        self.assertEqual(self.run_in("big", "md5sum < /v/again").encode(), first)


class Restarts(unittest.TestCase):
    def test_a_killed_daemon_fetches_what_it_missed(self):
        with Stack() as s:
            s.docker("pull", "-q", "busybox", check=0)
            s.docker("run", "-d", "--name", "writer", "-v", "vol:/v", "busybox", "sh", "-c", "echo kept > /v/x; while [ ! -e /go ]; do sleep 0.1; done", check=0)
            s.docker("exec", "writer", "sh", "-c", "(sleep 1; touch /go) &", check=0)
            s.stop_backend(signal.SIGKILL)
            s.start_backend()
            self.assertEqual(s.docker("wait", "writer", check=0).stdout, b"0\n")
            self.assertEqual(json.loads(s.docker("inspect", "writer", check=0).stdout)[0]["State"]["Error"], "")
            s.restart_backend()
            self.assertEqual(s.docker("run", "--rm", "-v", "vol:/v", "busybox", "cat", "/v/x", check=0).stdout, b"kept\n")


if __name__ == "__main__":
    main()
