"""A real Docker Engine (dockerd, Debian's docker.io) with a folder and a socket of its own."""
import os
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "sim"))
from harness import await_true  # noqa: E402


class Engine:
    """Of the host's network by default; `flags` and the command before it are for others, `keep` for a folder that stays."""
    HOST_NETWORK = ("--iptables=false", "--bridge=none")

    def __init__(self, flags=("--storage-driver=vfs", *HOST_NETWORK), within=(), keep=None):
        self.flags, self.within, self.keep = flags, within, keep

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix="skl-e-", dir="/tmp")
        self.socket = os.path.join(self.dir, "docker.sock")
        self.log = open(os.path.join(self.dir, "log"), "wb")
        self.process = subprocess.Popen(
            [*self.within, "dockerd", "--data-root", self.keep or f"{self.dir}/data", "--exec-root", f"{self.dir}/exec",
             "-H", f"unix://{self.socket}", "--pidfile", f"{self.dir}/pid", *self.flags],
            stdout=self.log, stderr=self.log, start_new_session=True)
        self.environ = {"PATH": os.environ["PATH"], "HOME": self.dir, "DOCKER_HOST": f"unix://{self.socket}"}
        await_true("the Engine", lambda: subprocess.run(["docker", "info"], env=self.environ, capture_output=True)
                   .returncode == 0, 60)
        return self

    def __exit__(self, *unused):
        self.end()

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def docker(self, *args, check=True, **kw):
        """What the docker CLI prints; builds go the classic way, which needs nothing beside the Engine."""
        r = subprocess.run(["docker", *args], env={**self.environ, "DOCKER_BUILDKIT": "0"}, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, **kw)
        if check and r.returncode != 0:
            raise AssertionError(f"docker {' '.join(args)}: {r.returncode}\n{r.stdout.decode(errors='replace')[-4000:]}")
        return r.stdout.decode(errors="replace")
