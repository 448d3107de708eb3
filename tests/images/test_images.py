"""The images: built from this tree by a real Engine, small, without root and without a shell; and deploy/compose.yaml, with the
docker CLI at the daemon that it starts.

The base image is made here from Debian's packages, and the Engine that runs the compose file has a network of its own, so
nothing but a Debian mirror is needed.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(TOP, "tests", "docker"), os.path.join(TOP, "tests", "sim")]
from engine import Engine  # noqa: E402
from harness import SKIP, await_true  # noqa: E402

BACKENDS = ("aca", "azf", "gcf")
BRIDGE = "172.30.77.1"  # of the Engine in a network namespace: no other Engine knows it
NAMESPACE = ("unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")
# Where the machine itself lacks a capability, `privileged` cannot give it: then this is what the simulators do with.
UNPRIVILEGED = """
privileged: false
cap_add: [SYS_ADMIN, NET_ADMIN]
security_opt: ["seccomp:unconfined", "apparmor:unconfined"]
volumes: ["/sys/fs/cgroup:/sys/fs/cgroup:rw"]
""".strip().replace("\n", "\n    ")
VERSION = open(os.path.join(TOP, "VERSION")).read().strip()


def has_all_capabilities():
    with open("/proc/self/status") as f, open("/proc/sys/kernel/cap_last_cap") as last:
        bounding = next(int(line.split()[1], 16) for line in f if line.startswith("CapBnd"))
        return bounding == (2 << int(last.read())) - 1


def make_base(engine):
    with tempfile.TemporaryDirectory(dir="/tmp") as t:
        base = os.path.join(t, "base.tar")
        subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", "--aptopt=Acquire::Check-Valid-Until \"false\"",
                        "bookworm", base], check=True)
        with open(base, "rb") as f:
            engine.docker("import", "-", "debian:12-slim", stdin=f)


class Images(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.data = tempfile.mkdtemp(prefix="skl-images-", dir="/tmp")
        cls.addClassCleanup(shutil.rmtree, cls.data, True)
        cls.builder = cls.enterClassContext(Engine(Engine.HOST_NETWORK, keep=cls.data))
        make_base(cls.builder)
        # The Engine takes the storage driver that it finds best: gigabytes are copied with the one of the other tests.
        for target in [f"sockerless-backend-{b}" for b in BACKENDS] + ["sockerless-agent", "sockerless-sim-azure", "sockerless-sim-gcp"]:
            # Names as deploy/compose.yaml has them.
            print("building", target, flush=True)
            cls.builder.docker("build", "--network", "host", "--target", target, "-t", target.replace("-", "/", 1), TOP)

    def image(self, name):
        return json.loads(self.builder.docker("image", "inspect", "sockerless/" + name))[0]

    def test_1_small_and_without_root(self):
        for name in ["agent"] + ["backend-" + b for b in BACKENDS]:
            with self.subTest(name):
                image = self.image(name)
                print(name, round(image["Size"] / 1e6, 1), "MB")
                self.assertLess(image["Size"], 30e6)
                self.assertEqual(image["Config"]["User"], "65532:65532")

    def test_2_nothing_but_the_executable_runs(self):
        for name in ["agent"] + ["backend-" + b for b in BACKENDS]:
            with self.subTest(name):
                run = ["run", "--rm", "--network", "none", "--read-only", "--cap-drop", "ALL"]
                self.assertIn(VERSION, self.builder.docker(*run, "sockerless/" + name, "--version"))
                self.assertIn("no such file", self.builder.docker(*run, "--entrypoint", "/bin/sh", "sockerless/" + name, check=False))

    def test_3_settings_are_asked_for(self):
        said = self.builder.docker("run", "--rm", "--network", "none", "sockerless/backend-aca", "--check-config", check=False)
        self.assertIn("SOCKERLESS_ACA_SUBSCRIPTION_ID", said)

    def test_4_compose(self):
        self.builder.end()  # its folder goes on with the next Engine
        flags = ("--bip", BRIDGE + "/24", "--default-address-pool", "base=172.30.78.0/23,size=26")
        with Engine(flags, NAMESPACE, self.data) as engine:
            within = ["nsenter", "--target", str(engine.process.pid), "--net"]
            self.start_registry(within)
            for backend in BACKENDS:
                with self.subTest(backend):
                    self.project(engine, within, backend)

    def start_registry(self, within):
        folder = tempfile.mkdtemp(prefix="skl-registry-", dir="/tmp")
        self.addCleanup(shutil.rmtree, folder, True)
        config = os.path.join(folder, "config.yml")
        with open(config, "w") as f:
            f.write(f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {folder}/data}}}}\n"
                    f"http: {{addr: '{BRIDGE}:5000'}}\n")
        registry = subprocess.Popen([*within, "docker-registry", "serve", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(registry.wait)
        self.addCleanup(registry.terminate)
        url = f"http://{BRIDGE}:5000"
        await_true("the registry", lambda: subprocess.run([*within, "curl", "-fs", url + "/v2/"], capture_output=True).returncode == 0)
        subprocess.run([*within, "/usr/bin/python3", os.path.join(TOP, "tools", "seed-registry.py"), url], check=True)

    def project(self, engine, within, backend):
        environ = {**engine.environ, "REGISTRY_MIRROR": BRIDGE + ":5000", "REGISTRY_MIRROR_URL": f"http://{BRIDGE}:5000"}
        compose = ["docker-compose", "-f", os.path.join(TOP, "deploy", "compose.yaml")]
        if not has_all_capabilities():
            override = os.path.join(engine.dir, "override.yaml")
            with open(override, "w") as f:
                f.write("services:\n" + "".join(f"  {name}:\n    {UNPRIVILEGED}\n" for name in ("azure", "gcp")))
            compose += ["-f", override]
        compose += ["--profile", backend]

        def composed(*args):
            return subprocess.run([*compose, *args], env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

        def docker(*args):
            r = subprocess.run([*within, "docker", *args], env={**engine.environ, "DOCKER_HOST": "tcp://127.0.0.1:2375"},
                               capture_output=True, text=True)
            return r.returncode, r.stdout, r.stderr
        r = composed("up", "-d", "--no-build")
        try:
            self.assertEqual(r.returncode, 0, r.stdout)
            await_true("the daemon", lambda: docker("version")[0] == 0)
            self.assertEqual(docker("run", "--rm", "busybox", "sh", "-c", "echo hello; exit 3")[:2], (3, "hello\n"), self.told(composed))
            code, i, said = docker("run", "-d", "busybox", "sleep", "1000")
            self.assertEqual(code, 0, said)
            self.assertEqual(docker("exec", i.strip(), "cat", "/proc/1/comm")[0], 0)
            self.assertEqual(docker("rm", "-f", i.strip())[0], 0)
        finally:
            r = composed("down", "-v")
        self.assertEqual(r.returncode, 0, r.stdout)

    @staticmethod
    def told(composed):
        return composed("logs", "--no-color").stdout[-4000:]


if __name__ == "__main__":
    needed = [p for p in ("dockerd", "docker-compose", "docker-registry", "mmdebstrap", "nsenter", "ip", "iptables", "curl") if not shutil.which(p)]
    if os.geteuid() != 0 or needed:
        print("skipped: needs root and", ", ".join(needed) or "nothing else")
        sys.exit(SKIP)
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])
