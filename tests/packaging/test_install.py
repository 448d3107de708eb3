"""`meson install`: files, units, man pages, default settings, completion; and a daemon on the service manager's socket."""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "sim"))
import harness

BACKENDS = {"aca": "SOCKERLESS_ACA_", "azf": "SOCKERLESS_AZF_", "gcf": "SOCKERLESS_GCF_"}
PREFIX = "usr/local"
# What `systemd-analyze security` may find: 0 (nothing exposed) to 100. A daemon without a network would have 5.
EXPOSURE = 11


def run(*argv, **kw):
    return subprocess.run(argv, capture_output=True, text=True, timeout=120, **kw)


def program(backend):
    return f"{harness.BUILD}/cmd/sockerless-backend-{backend}"


class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="skl-install-", dir="/tmp")
        cls.addClassCleanup(shutil.rmtree, cls.dir)
        done = run("meson", "install", "-C", harness.BUILD, "--no-rebuild", env={**os.environ, "DESTDIR": cls.dir})
        assert done.returncode == 0, done.stdout + done.stderr

    def path(self, *parts):
        return os.path.join(self.dir, PREFIX, *parts)

    def read(self, *parts):
        with open(self.path(*parts)) as f:
            return f.read()

    def unit(self, backend, kind):
        return self.path("lib/systemd/system", f"sockerless-backend-{backend}.{kind}")

    def test_all_of_it_and_nothing_else(self):
        expected = {"libexec/sockerless/sockerless-agent", "share/man/man8/sockerless-agent.8",
                    "share/doc/sockerless-agent/sockerless-agent.spdx.json"}
        for name in (f"sockerless-backend-{b}" for b in BACKENDS):
            expected |= {f"bin/{name}", f"etc/default/{name}", f"share/man/man8/{name}.8", f"lib/sysusers.d/{name}.conf",
                         f"lib/systemd/system/{name}.service", f"lib/systemd/system/{name}.socket",
                         f"share/bash-completion/completions/{name}.bash", f"share/doc/{name}/{name}.spdx.json"}
        found = {os.path.relpath(os.path.join(folder, f), self.path()) for folder, _, files in os.walk(self.dir) for f in files}
        self.assertEqual(found, expected)
        for name in (n for n in found if not n.startswith(("bin/", "libexec/"))):
            self.assertNotRegex(self.read(name), r"@[A-Z_]+@", name)

    def test_units_are_read_and_hardened(self):
        for backend in BACKENDS:
            for kind in ("service", "socket"):
                with open(self.unit(backend, kind)) as f:
                    self.assertNotIn(self.dir, f.read())
            done = run("systemd-analyze", "verify", "--man=no", self.unit(backend, "service"), self.unit(backend, "socket"))
            ours = [line for line in done.stderr.splitlines() if "sockerless" in line]
            # It is installed below another root; where it is, `make deb-test` sees.
            missing = f"Command /{PREFIX}/bin/sockerless-backend-{backend} is not executable: No such file or directory"
            self.assertEqual([line for line in ours if missing not in line], [])
            done = run("systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE}", self.unit(backend, "service"))
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertIn("Overall exposure level", done.stdout)

    def test_the_measure_of_hardening_measures(self):
        with open(self.unit("aca", "service")) as f:
            text = f.read()
        loose = os.path.join(self.dir, "sockerless-loose.service")
        with open(loose, "w") as f:
            f.write(re.sub(r"^SystemCallFilter=.*\n", "", text, flags=re.M))
        self.addCleanup(os.unlink, loose)
        self.assertNotEqual(run("systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE}", loose).returncode, 0)

    def test_the_user_is_made(self):
        with tempfile.TemporaryDirectory(prefix="skl-root-", dir="/tmp") as root:
            os.mkdir(root + "/etc")
            files = [self.path("lib/sysusers.d", f"sockerless-backend-{b}.conf") for b in BACKENDS]
            done = run("systemd-sysusers", f"--root={root}", *files)
            self.assertEqual(done.returncode, 0, done.stderr)
            with open(root + "/etc/passwd") as f:
                self.assertRegex(f.read(), r"(?m)^sockerless:x:\d+:\d+:Sockerless:/var/lib/sockerless:\S*nologin$")
            with open(root + "/etc/group") as f:
                self.assertRegex(f.read(), r"(?m)^sockerless:x:\d+:$")

    def test_man_pages_say_what_help_says(self):
        for name in [f"sockerless-backend-{b}" for b in BACKENDS] + ["sockerless-agent"]:
            page = self.path("share/man/man8", name + ".8")
            done = run("groff", "-man", "-Tutf8", "-ww", "-rLL=200n", page)
            self.assertEqual((done.returncode, done.stderr), (0, ""), page)
            text = re.sub(r"\x1b\[[0-9;]*m|.\x08", "", done.stdout).replace("‐", "-").replace("−", "-")
            flat = " ".join(text.split())
            binary = program(name[-3:]) if name != "sockerless-agent" else f"{harness.BUILD}/cmd/sockerless-agent"
            told = subprocess.check_output([binary, "--help"], text=True)
            names = re.findall(r"(?m)^  (?:(-\S+)[^\n]*?)?(?:(?:^|  )([A-Z_]{8,}))?$", told)
            self.assertGreater(len(names), 4)
            for word in re.findall(r"(?m)^  (--?[a-z-]+)|\b((?:SOCKERLESS|AZURE|GOOGLE|IDENTITY)_[A-Z_]+)$", told):
                self.assertIn("".join(word), flat, page)
            for line in re.findall(r"with containers on (.*?)\.|^        (.*?)(?:; may be repeated)?(?: \(default.*)?(?: \(required\))?$", told, re.M):
                self.assertIn("".join(line), flat, page)

    def test_default_settings_are_the_defaults(self):
        """Every line without its # changes nothing."""
        for backend, prefix in BACKENDS.items():
            path = self.path("etc/default", f"sockerless-backend-{backend}")
            self.assertEqual(os.stat(path).st_mode & 0o777, 0o640)  # for secrets
            text = self.read("etc/default", f"sockerless-backend-{backend}")
            self.assertEqual([line for line in text.splitlines() if line and line[0] != "#"], [])
            settings = dict(re.findall(r"^#([A-Z_]+)=(.*)$", text, re.M))
            told = subprocess.check_output([program(backend), "--help"], text=True)
            self.assertEqual(set(settings), set(re.findall(r"^  (?:\S.*  )?([A-Z_]{4,})$", told, re.M)))
            required = {name: "example1" for name in re.findall(r"^  ([A-Z_]{8,})\n        .*\(required\)$", told, re.M)}
            required.update({"SOCKERLESS_GCF_BUCKET": "example1"} if backend == "gcf" else {})  # with the default mode
            with open(self.unit(backend, "service")) as f:
                unit = dict(re.findall(r"^Environment=(\w+)=(.*)$", f.read(), re.M))
            self.assertEqual(unit, {"SOCKERLESS_HOST": "fd://", "SOCKERLESS_STATE_DIR": f"/var/lib/sockerless/{backend}"})
            answers = [run(program(backend), "--check-config", env={**unit, **more, **required}) for more in ({}, settings)]
            self.assertEqual([a.returncode for a in answers], [0, 0], answers[1].stderr)
            self.assertEqual(answers[0].stdout, answers[1].stdout)
            self.assertTrue(any(name.startswith(prefix) for name in settings))

    def test_the_bill_of_materials_names_what_is_linked(self):
        for name in [f"sockerless-backend-{b}" for b in BACKENDS] + ["sockerless-agent"]:
            document = json.loads(self.read("share/doc", name, name + ".spdx.json"))
            packages = {p["SPDXID"]: p for p in document["packages"]}
            self.assertEqual(len(packages), len(document["packages"]))
            self.assertEqual(packages["SPDXRef-program"]["name"], name)
            linked = {"DYNAMIC_LINK": set(), "STATIC_LINK": set(), "DESCRIBES": set()}
            for r in document["relationships"]:
                linked[r["relationshipType"]].add(packages[r["relatedSpdxElement"]].get("packageFileName"))
            needed = subprocess.check_output(["readelf", "-d", f"{harness.BUILD}/cmd/{name}"], text=True)
            loader = {n for n in re.findall(r"\(NEEDED\).*\[(.*)\]", needed) if n.startswith("ld-linux")}
            self.assertEqual(linked["DYNAMIC_LINK"], set(re.findall(r"\(NEEDED\).*\[(.*)\]", needed)) - loader)
            self.assertTrue(linked["STATIC_LINK"])
            for package in (p for p in packages.values() if p["name"] in ("libuv1", "libuv1-dev", "libcurl4")):
                version = subprocess.check_output(["dpkg-query", "-W", "-f=${Version}", package["name"]], text=True)
                self.assertEqual(package["versionInfo"], version)
                self.assertIn(package["licenseDeclared"], ("MIT", "curl"))
            self.assertTrue({"libuv1", "libuv1-dev"} & {p["name"] for p in packages.values()})

    def complete(self, backend, *words):
        file = self.path("share/bash-completion/completions", f"sockerless-backend-{backend}.bash")
        script = (f'. "{file}"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _sockerless_backend_{backend}; '
                  'printf "%s\\n" "${COMPREPLY[@]}"')
        done = run("bash", "-uc", script, "bash", f"sockerless-backend-{backend}", *words)
        self.assertEqual(done.stderr, "")
        return done.stdout.split()

    def test_bash_completes(self):
        for backend in BACKENDS:
            self.assertEqual(self.complete(backend, "--agent-tls-c"), ["--agent-tls-cert", "--agent-tls-ca"])
            self.assertEqual(self.complete(backend, "--log-level", ""), ["debug", "info", "warn", "error"])
            self.assertCountEqual(self.complete(backend, "--tlskey", self.path("lib/sys")), [self.path("lib/systemd"), self.path("lib/sysusers.d")])
            self.assertEqual(self.complete(backend, "do"), ["doctor"])
            self.assertEqual(self.complete(backend, "--tls", "--he"), ["--help"])


class Tarball(unittest.TestCase):
    def test_the_same_commit_gives_the_same_bytes(self):
        if not os.path.exists(os.path.join(harness.TOP, ".git")):
            self.skipTest("not a checkout")
        with tempfile.TemporaryDirectory(prefix="skl-dist-", dir="/tmp") as folder:
            made = []
            for name in "ab":
                path = subprocess.check_output([os.path.join(harness.TOP, "tools/dist.sh"), f"{folder}/{name}"], text=True,
                                               stderr=subprocess.DEVNULL).strip()
                with open(path, "rb") as f:
                    made.append(f.read())
            self.assertTrue(made[0])
            self.assertEqual(made[0], made[1])
            inside = {n.split("/", 1)[1] for n in subprocess.check_output(["tar", "-tf", path], text=True).splitlines()}
            committed = subprocess.check_output(["git", "-C", harness.TOP, "ls-tree", "-r", "--name-only", "HEAD"], text=True).splitlines()
            self.assertEqual({n for n in inside if n and not n.endswith("/")}, set(committed))


class Version(unittest.TestCase):
    def build_info(self, script, **env):
        with tempfile.TemporaryDirectory(prefix="skl-info-", dir="/tmp") as folder:
            done = run(script, folder + "/info.h", env={"PATH": os.environ["PATH"], **env})
            self.assertEqual(done.returncode, 0, done.stderr)
            with open(folder + "/info.h") as f:
                return dict(re.findall(r'^#define SKL_BUILD_(\w+) "(.*)"$', f.read(), re.M))

    def test_it_tells_version_build_and_libraries(self):
        with open(os.path.join(harness.TOP, "VERSION")) as f:
            version = f.read().strip()
        for binary in [program(b) for b in BACKENDS] + [f"{harness.BUILD}/cmd/sockerless-agent"]:
            first, second, *libraries = subprocess.check_output([binary, "--version"], text=True).splitlines()
            self.assertEqual(first, f"{os.path.basename(binary)} {version}")
            self.assertRegex(second, r"^build ([0-9a-f]{12}(-dirty)?|release)( of \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)?, (gcc|clang) [\d.]+$")
            for library in ("libuv", "mbed TLS", "llhttp", *(() if "agent" in binary else ("libcurl", "SQLite", "cJSON", "zlib"))):
                self.assertRegex("\n".join(libraries), rf"\b{library}[ /]\d+\.\d+")

    def test_the_time_is_told_and_not_the_clock(self):
        script = os.path.join(harness.TOP, "tools/build-info.py")
        self.assertEqual(self.build_info(script, SOURCE_DATE_EPOCH="86400")["DATE"], "1970-01-02T00:00:00Z")
        self.assertEqual(self.build_info(script), self.build_info(script))

    def test_a_tarball_is_a_release(self):
        """Also one that is unpacked inside some checkout."""
        with tempfile.TemporaryDirectory(prefix="skl-git-", dir="/tmp") as folder:
            subprocess.check_call(["git", "init", "-q", folder])
            os.makedirs(folder + "/sockerless/tools")
            shutil.copy(os.path.join(harness.TOP, "tools/build-info.py"), folder + "/sockerless/tools")
            self.assertEqual(self.build_info(folder + "/sockerless/tools/build-info.py"), {"COMMIT": "release", "DATE": ""})


class SocketActivation(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="skl-fd-", dir="/tmp")
        self.addCleanup(shutil.rmtree, self.dir)
        self.notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.notices.close)
        self.notices.bind(self.dir + "/notify")
        self.notices.settimeout(30)
        self.env = {"PATH": os.environ["PATH"], "SOCKERLESS_ACA_SUBSCRIPTION_ID": "s", "SOCKERLESS_ACA_RESOURCE_GROUP": "g",
                    "SOCKERLESS_ENDPOINT_URL": "http://127.0.0.1:1", "SOCKERLESS_STATE_DIR": self.dir + "/state",
                    "SOCKERLESS_HOST": "fd://", "NOTIFY_SOCKET": self.dir + "/notify"}

    def start(self, listener=None):
        """As a service manager does: the socket is descriptor 3."""
        def give():
            os.dup2(listener.fileno(), 3)
        script = 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$0"'
        with open(self.dir + "/log", "ab") as log:
            argv = ["sh", "-c", script, program("aca")] if listener else [program("aca")]
            p = subprocess.Popen(argv, env=self.env, stdout=log, stderr=log, pass_fds=[3] if listener else [],
                                 preexec_fn=give if listener else None)

        def end():
            if p.poll() is None:
                p.kill()
            p.wait()
        self.addCleanup(end)
        return p

    def ping(self, before_answer=lambda: None):
        c = harness.UnixConnection(self.dir + "/docker.sock")
        try:
            c.request("GET", "/_ping")
            before_answer()
            return c.getresponse().read()
        finally:
            c.close()

    def test_a_client_that_comes_during_a_restart_waits(self):
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self.dir + "/docker.sock")
            listener.listen(16)
            inode = os.stat(self.dir + "/docker.sock").st_ino
            first = self.start(listener)
            self.assertEqual(self.notices.recv(100), b"READY=1")
            self.assertEqual(self.ping(), b"OK")
            first.send_signal(signal.SIGTERM)
            self.assertEqual(self.notices.recv(100), b"STOPPING=1")
            self.assertEqual(first.wait(60), 0)
            # The manager's socket is the manager's: it stays, and the request is answered by the next daemon.
            self.assertEqual(os.stat(self.dir + "/docker.sock").st_ino, inode)
            self.assertEqual(self.ping(lambda: self.start(listener)), b"OK")
            self.assertEqual(self.notices.recv(100), b"READY=1")

    def test_no_socket_is_told(self):
        p = self.start()
        self.assertEqual(p.wait(60), 1)
        with open(self.dir + "/log") as f:
            self.assertIn("-H fd://: the service manager passed no socket", f.read())


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])
