"""A small Debian with systemd in a container of systemd-nspawn, on this machine's network; standard library only.

    with Machine("root.tar") as m:
        m.run("apt-get", "install", "-y", "/package.deb")
"""
import glob
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "sim"))
import harness


class Machine:
    def __init__(self, archive):
        self.archive, self.cgroups, self.process = archive, [], None

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix="skl-machine-", dir="/var/tmp")
        self.tree = os.path.join(self.dir, "root")
        try:
            os.mkdir(self.tree)
            subprocess.check_call(["tar", "-C", self.tree, "--numeric-owner", "-xf", self.archive])
            # Names are looked up as here; apt asks no questions.
            shutil.copy("/etc/resolv.conf", self.tree + "/etc/resolv.conf")
            self._boot()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def _boot(self):
        argv = ["systemd-nspawn", "--quiet", "--register=no", "--console=pipe", "--resolv-conf=off", "--timezone=off",
                "-M", f"skl-{os.getpid()}", "-D", self.tree, "--boot"]
        enter = None
        if not os.path.isdir("/run/systemd/system"):
            # Nobody here makes a scope for it: it gets control groups of its own, as a child of the one it is started in.
            argv.insert(1, "--keep-unit")
            self.cgroups = [os.path.join(os.path.dirname(f), os.path.basename(self.dir))
                            for f in glob.glob("/sys/fs/cgroup/cgroup.procs") + glob.glob("/sys/fs/cgroup/*/cgroup.procs")]
            self.cgroups = [c for c in self.cgroups if c.split("/")[4] in ("systemd", "unified", os.path.basename(self.dir))]
            for path in self.cgroups:
                os.mkdir(path)

            def enter():
                for path in self.cgroups:
                    with open(path + "/cgroup.procs", "w") as f:
                        f.write(str(os.getpid()))
        console = os.path.join(self.dir, "console")
        with open(console, "wb") as f:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=f, stderr=f, preexec_fn=enter)

        def leader():
            if self.process.poll() is not None:
                with open(console) as f:
                    raise AssertionError("the machine ended: " + f.read()[-2000:])
            with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as f:
                for pid in f.read().split():
                    with open(f"/proc/{pid}/comm") as comm:
                        if comm.read().strip() == "systemd":
                            return int(pid)
            return None
        harness.await_true("the machine's systemd", leader)
        self.leader = leader()
        harness.await_true("the machine is up", lambda: self.run("systemctl", "is-system-running", check=False).stdout.strip()
                           in ("running", "degraded"), 120)

    def run(self, *argv, check=True, **kw):
        done = subprocess.run(["nsenter", "--target", str(self.leader), "--mount", "--uts", "--ipc", "--pid", "--wd=/", "--", *argv],
                              capture_output=True, text=True, timeout=600,
                              env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8",
                                   "HOME": "/root"}, **kw)
        if check and done.returncode != 0:
            raise AssertionError(f"{argv}: {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
        return done

    def path(self, inside):
        """As the machine's processes see it, mounts included."""
        return f"/proc/{self.leader}/root{inside}"

    def write(self, inside, text, mode=0o644):
        os.makedirs(os.path.dirname(self.path(inside)), exist_ok=True)
        with open(self.path(inside), "w") as f:
            f.write(text)
        os.chmod(self.path(inside), mode)

    def files(self):
        """All that is on its disk, but what the system and apt keep to themselves."""
        theirs = ("./var/log/", "./var/cache/", "./var/lib/apt/", "./var/lib/dpkg/", "./var/lib/systemd/", "./tmp/", "./var/tmp/",
                  "./run/", "./packages/")
        found = subprocess.check_output(["find", ".", "-xdev", "-mindepth", "1"], cwd=self.tree, text=True).splitlines()
        return {f[1:] for f in found if not (f + "/").startswith(theirs)}

    def show(self, unit, *properties):
        lines = self.run("systemctl", "show", *(f"-p{p}" for p in properties), unit).stdout.splitlines()
        values = dict(line.split("=", 1) for line in lines)
        return [values[p] for p in properties]

    def journal(self, unit, lines=60):
        return self.run("journalctl", "--no-pager", "-o", "cat", "-n", str(lines), "-u", unit, check=False).stdout

    def __exit__(self, *unused):
        if self.process and self.process.poll() is None:
            self.process.terminate()  # an orderly shutdown
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()  # takes its first process along
                self.process.wait()
        for path in self.cgroups:
            for folder, _, _ in os.walk(path, topdown=False):
                os.rmdir(folder)
        shutil.rmtree(self.dir, ignore_errors=True)
