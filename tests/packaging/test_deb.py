"""The Debian package of a backend on a clean Debian with systemd: installed, set up, used, upgraded, removed, purged.

usage: test_deb.py BUILD_DIR aca|azf|gcf FOLDER, which has the packages (*.deb) and the clean system (root.tar)
"""
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import unittest

FOLDER = os.path.abspath(sys.argv.pop(3))
import machine  # first: it knows where harness is
import harness
import test_contract
from harness import await_true

KIND = test_contract.KIND
PACKAGE = f"sockerless-backend-{KIND}"
SERVICE, SOCKET = PACKAGE + ".service", PACKAGE + ".socket"
SETTINGS, STATE = f"/etc/default/{PACKAGE}", f"/var/lib/sockerless/{KIND}"
DEB, = glob.glob(f"{FOLDER}/{PACKAGE}_*.deb")
COUNTS = ["sh", "-c", "i=0; while [ ! -e /end ]; do i=$((i + 1)); echo $i; sleep 0.1; done; exit 9"]


class Service(harness.Stack):
    """The backend is the machine's service, everything else as ever."""
    def poll(self):
        return None

    def start_backend(self, expect_ready=True):
        settings = self.settings()
        if KIND == "azf":
            settings["SOCKERLESS_AZF_APP_SERVICE_PLAN"] = "sockerless"
        if KIND == "gcf":
            path = settings["GOOGLE_APPLICATION_CREDENTIALS"]
            settings["GOOGLE_APPLICATION_CREDENTIALS"] = "/etc/google.json"
            with open(path) as f:
                M.write("/etc/google.json", f.read(), 0o640)
            M.run("chgrp", "sockerless", "/etc/google.json")
        with open(M.path(SETTINGS), "a") as f:
            f.writelines(f"{name}={value}\n" for name, value in settings.items())
        M.run("systemctl", "enable", "--now", SERVICE)
        self.socket, self.backend = M.path(f"/run/sockerless/{KIND}.sock"), self
        await_true("backend", self.ping)

    def log(self, name):
        return M.journal(SERVICE, 2000) if name == "backend" else super().log(name)


def setUpModule():
    global M
    M = machine.Machine(FOLDER + "/root.tar").__enter__()
    unittest.addModuleCleanup(M.__exit__, None, None, None)
    os.mkdir(M.path("/packages"))
    shutil.copy(DEB, M.path("/packages/package.deb"))
    M.run("apt-get", "update", "-q")


def install():
    M.run("apt-get", "install", "-q", "-y", "--no-install-recommends", "/packages/package.deb")


class InUse(test_contract.Contract):
    """All that a user does, under the unit, where a system call that is not let through ends the daemon."""
    @classmethod
    def setUpClass(cls):
        install()
        M.write(f"/etc/systemd/system/{SERVICE}.d/strict.conf", "[Service]\nSystemCallErrorNumber=kill\n")
        cls.stack = Service(backend=KIND).__enter__()
        cls.addClassCleanup(M.run, "apt-get", "purge", "-q", "-y", PACKAGE)
        cls.addClassCleanup(shutil.rmtree, M.path(f"/etc/systemd/system/{SERVICE}.d"))
        cls.pid = cls.main_pid()
        cls.stack.docker("pull", "-q", "busybox", check=0)

    @classmethod
    def main_pid(cls):
        return M.show(SERVICE, "MainPID")[0]

    def tearDown(self):
        self.assertEqual(self.main_pid(), self.pid, M.journal(SERVICE))

    def test_it_is_confined(self):
        status = M.run("cat", f"/proc/{self.pid}/status").stdout
        for line in ("NoNewPrivs:\t1", "Seccomp:\t2", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000"):
            self.assertIn(line, status)
        uid = M.run("id", "-u", "sockerless").stdout.strip()
        self.assertRegex(status, rf"(?m)^Uid:\t{uid}\t{uid}\t{uid}\t{uid}$")
        self.assertNotEqual(uid, "0")

    def test_it_is_a_release(self):
        self.assertRegex(M.run(f"/usr/bin/{PACKAGE}", "--version").stdout, r"\nbuild release of \d{4}-\d\d-\d\dT[\d:]+Z, gcc ")
        with open(M.path(f"/usr/share/doc/{PACKAGE}/{PACKAGE}.spdx.json")) as f:
            linked = [p["name"] for p in json.load(f)["packages"]]
        # What it says is linked is what is installed beside it.
        M.run("dpkg-query", "-W", *(name for name in linked if name.startswith("lib")))

    def test_who_may_use_the_socket(self):
        path, group = f"/run/sockerless/{KIND}.sock", M.run("getent", "group", "sockerless").stdout.split(":")[2]
        code = f'use IO::Socket::UNIX; exit(IO::Socket::UNIX->new(Peer => "{path}") ? 0 : 1)'
        for groups, code_expected in ((f"--groups={group}", 0), ("--clear-groups", 1)):
            done = M.run("setpriv", "--reuid=65534", "--regid=65534", groups, "perl", "-e", code, check=False)
            self.assertEqual(done.returncode, code_expected, done.stderr)

    def test_builds_and_volumes(self):
        folder = os.path.join(self.stack.dir, "context")
        os.mkdir(folder)
        with open(folder + "/Dockerfile", "w") as f:
            f.write("FROM busybox\nCOPY Dockerfile /data/\nCMD cat /data/Dockerfile\n")
        self.docker("build", "-q", "-t", "built", folder, check=0)
        self.assertIn(b"FROM busybox", self.docker("run", "--rm", "built", check=0).stdout)
        self.docker("volume", "create", "kept", check=0)
        self.docker("run", "--rm", "-v", "kept:/home", "busybox", "sh", "-c", "echo 1 >/home/file", check=0)
        self.assertEqual(self.docker("run", "--rm", "-v", "kept:/home", "busybox", "cat", "/home/file", check=0).stdout, b"1\n")
        self.docker("volume", "rm", "kept", check=0)
        self.docker("network", "create", "n", check=0)
        self.docker("network", "rm", "n", check=0)
        self.docker("system", "df", check=0)
        self.docker("rmi", "-f", "built", check=0)


class Life(unittest.TestCase):
    def installed(self):
        return M.run("dpkg-query", "-W", "-f=${db:Status-Status} ${Version}", PACKAGE).stdout.split()

    def counted(self, stack):
        return [int(line) for line in stack.docker("logs", "counter", check=0).stdout.split()]

    def newer_package(self):
        """The same with a higher version."""
        folder = os.path.join(M.dir, "newer")
        subprocess.check_call(["dpkg-deb", "-R", DEB, folder])
        with open(folder + "/DEBIAN/control") as f:
            text = f.read()
        with open(folder + "/DEBIAN/control", "w") as f:
            f.write(re.sub(r"(?m)^Version: (.*)$", r"Version: \1+next", text))
        subprocess.check_call(["dpkg-deb", "-b", folder, M.path("/packages/newer.deb")], stdout=subprocess.DEVNULL)

    def test_from_the_first_to_the_last_day(self):
        install()  # once, for what it depends on
        M.run("apt-get", "purge", "-q", "-y", PACKAGE)
        clean = M.files()
        self.assertEqual([f for f in clean if "sockerless" in f], [])

        # Fresh: a user, nothing runs, and without settings nothing can.
        M.run("dpkg", "-i", "/packages/package.deb")
        self.assertEqual(self.installed()[0], "installed")
        self.assertRegex(M.run("getent", "passwd", "sockerless").stdout, r"^sockerless:.*:/var/lib/sockerless:.*nologin$")
        self.assertEqual(M.show(SERVICE, "ActiveState", "UnitFileState"), ["inactive", "disabled"])
        self.assertEqual(os.stat(M.path(SETTINGS)).st_mode & 0o777, 0o640)
        self.assertNotEqual(M.run("systemctl", "start", SERVICE, check=False).returncode, 0)
        await_true("it has failed for good", lambda: M.show(SERVICE, "ActiveState", "ExecMainStatus") == ["failed", "2"])
        self.assertRegex(M.journal(SERVICE), r"SOCKERLESS_[A-Z_]+ is required: ")
        M.run("systemctl", "reset-failed", SERVICE)

        with Service(backend=KIND) as stack:
            self.assertEqual(stack.docker("run", "--rm", "busybox", "sh", "-c", "echo hello; exit 3", check=3).stdout, b"hello\n")
            self.assertEqual(M.run("stat", "-c", "%U %a", STATE).stdout, "sockerless 700\n")
            stack.docker("run", "-d", "--name", "counter", "busybox", *COUNTS, check=0)
            await_true("it counts", lambda: len(self.counted(stack)) > 3)

            # A restart and a new package: the container runs on, clients wait, the service is another process.
            self.newer_package()
            for how in (("systemctl", "restart", SERVICE), ("dpkg", "-i", "/packages/newer.deb")):
                before, counted = M.show(SERVICE, "MainPID")[0], len(self.counted(stack))
                failures, done = [], threading.Event()

                def ask():
                    while not done.is_set():
                        r = stack.docker("ps", "-q")
                        if r.returncode != 0 or not r.stdout:
                            failures.append(r)
                client = threading.Thread(target=ask)
                client.start()
                try:
                    M.run(*how)
                    self.assertEqual(M.show(SERVICE, "ActiveState", "UnitFileState"), ["active", "enabled"])
                    await_true("it counts on", lambda: len(self.counted(stack)) > counted + 3)
                finally:
                    done.set()
                    client.join()
                self.assertEqual(failures, [])
                self.assertNotEqual(M.show(SERVICE, "MainPID")[0], before)
                self.assertEqual(stack.docker("exec", "counter", "echo", "here", check=0).stdout, b"here\n")
            self.assertRegex(self.installed()[1], r"\+next$")
            stack.docker("exec", "counter", "touch", "/end", check=0)
            self.assertEqual(stack.docker("wait", "counter", check=0).stdout, b"9\n")
            numbers = self.counted(stack)
            self.assertEqual(numbers, list(range(1, len(numbers) + 1)))  # none lost, none twice

            # Removal while a container runs: settings and state stay, and the container. A new installation knows it.
            stack.docker("rm", "counter", check=0)
            stack.docker("run", "-d", "--name", "survivor", "busybox", "sleep", "1000", check=0)
            pid = M.show(SERVICE, "MainPID")[0]
            M.run("apt-get", "remove", "-q", "-y", PACKAGE)
            self.assertFalse(os.path.exists(M.path(f"/run/sockerless/{KIND}.sock")))
            self.assertNotEqual(M.run("test", "-e", f"/proc/{pid}", check=False).returncode, 0)
            left = M.files() - clean
            state = {f for f in left if f == "/var/lib/sockerless" or f == STATE or f.startswith(STATE + "/")}
            self.assertIn(STATE, state)
            links = {f"/etc/systemd/system/multi-user.target.wants/{SERVICE}"}  # whoever enabled it did
            self.assertLessEqual(left - state - links, {SETTINGS, "/etc/google.json"})
            M.run("dpkg", "-i", "/packages/newer.deb")
            M.run("systemctl", "restart", SERVICE)
            self.assertEqual(stack.docker("ps", "--format", "{{.Names}}", check=0).stdout, b"survivor\n")
            await_true("its agent is back", lambda: stack.docker("exec", "survivor", "true").returncode == 0)
            stack.docker("rm", "-f", "survivor", check=0)

            M.run("apt-get", "purge", "-q", "-y", PACKAGE)
        self.assertEqual(M.files() - clean - {"/etc/google.json"}, set())
        self.assertEqual(clean - M.files(), set())


if __name__ == "__main__":
    harness.main()
