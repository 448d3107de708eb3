#!/usr/bin/python3
"""docker build with the classic builder, and what its images do in `docker run`."""
import concurrent.futures
import hashlib
import http.server
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import Stack, UnixConnection, await_true, main  # noqa: E402

FILES = {
    "a.txt": "hello\n", "b.txt": "b\n", "run.sh": "#!/bin/sh\necho run $(cat /app/data/x)\n", "dir/x": "x in dir\n",
    "dir/sub/y": "y in sub\n", "secret.key": "no\n", "docs/keep.md": "kept\n", "docs/drop.md": "dropped\n",
}


def tar_of(files, mode=""):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w" + mode) as t:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            data = text if isinstance(text, bytes) else text.encode()
            info.size, info.mode, info.mtime = len(data), 0o755 if name.endswith(".sh") else 0o644, 1700000000
            t.addfile(info, io.BytesIO(data))
    return out.getvalue()


class Build(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack().__enter__()
        cls.addClassCleanup(cls.stack.__exit__, None, None, None)
        cls.env = dict(cls.stack.env(), DOCKER_BUILDKIT="0")

    def build(self, dockerfile, *args, files=None, ok=True):
        with tempfile.TemporaryDirectory(prefix="skl-b-") as d:
            for name, text in dict(FILES, **(files or {})).items():
                path = os.path.join(d, name)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "wb" if isinstance(text, bytes) else "w") as f:
                    f.write(text)
                os.chmod(path, 0o755 if name.endswith(".sh") else 0o644)
            with open(os.path.join(d, "Dockerfile"), "w") as f:
                f.write(dockerfile)
            r = subprocess.run(["docker", "build", *args, d], capture_output=True, env=self.env, timeout=120, text=True)
        self.assertEqual(r.returncode == 0, ok, r.stdout[-2000:] + r.stderr[-2000:] + self.stack.log("backend")[-1500:])
        return r.stdout if ok else r.stdout + r.stderr

    def run_image(self, *args, check=0):
        return self.stack.docker("run", "--rm", *args, check=check).stdout.decode()

    def post(self, query, body, headers=None):
        c = UnixConnection(self.stack.socket)
        c.request("POST", "/v1.44/build?" + query, body, dict({"Content-Type": "application/x-tar"}, **(headers or {})))
        r = c.getresponse()
        text = r.read().decode()
        c.close()
        return r.status, text

    def lines(self, query, files, mode=""):
        status, text = self.post(query, tar_of(files, mode))
        self.assertEqual(status, 200, text)
        return [json.loads(line) for line in text.split("\r\n") if line]

    def test_copied_files_are_there_and_the_configuration_counts(self):
        out = self.build("""FROM busybox
ENV GREETING="good day" NAME=x
WORKDIR /app
COPY --chmod=0755 run.sh .
COPY dir data/
COPY a.txt b.txt /two/
COPY *.txt /wild/
ADD a.txt /etc
USER 0:0
LABEL maker=me
EXPOSE 80 90/udp
CMD ["./run.sh"]
""", "-t", "app:1", "--label", "extra=1")
        self.assertIn("Successfully tagged app:1", out)
        self.assertEqual(self.run_image("app:1"), "run x in dir\n")
        self.assertEqual(self.run_image("app:1", "sh", "-c", "echo $GREETING; pwd; cat /app/data/sub/y /two/b.txt /wild/a.txt /etc/a.txt; ls -ld /etc/passwd | cut -c1-10"),
                         "good day\n/app\ny in sub\nb\nhello\nhello\n-rw-r--r--\n")
        config = json.loads(self.stack.docker("image", "inspect", "app:1").stdout)[0]
        self.assertEqual(config["Config"]["Labels"], {"maker": "me", "extra": "1"})
        self.assertEqual(sorted(config["Config"]["ExposedPorts"]), ["80/tcp", "90/udp"])
        history = self.stack.docker("history", "--no-trunc", "app:1").stdout.decode()
        self.assertIn('CMD ["./run.sh"]', history)

    def test_files_are_there_after_a_restart_too(self):
        self.build("FROM busybox\nCOPY a.txt /x/a.txt\nCMD [\"cat\", \"/x/a.txt\"]\n", "-t", "again:1")
        self.stack.docker("create", "--name", "again", "again:1", check=0)
        for _ in range(2):
            self.assertEqual(self.stack.docker("start", "-a", "again", check=0).stdout, b"hello\n")
        self.stack.docker("rm", "again", check=0)

    def test_stages_pass_files_on(self):
        self.build("""ARG BASE=busybox
FROM $BASE AS Source
COPY dir /src/dir
COPY --from=0 a.txt /never
""", ok=False)
        out = self.build("""ARG BASE=busybox
FROM $BASE AS Source
COPY dir /src/dir
FROM source AS second
COPY a.txt /src/
FROM busybox
COPY --from=source /src/dir/x /x
COPY --from=1 /src /all
CMD cat /x /all/a.txt /all/dir/sub/y
""", "-t", "stages:1")
        self.assertIn("Step 8/9 : COPY --from=1 /src /all", out)
        self.assertEqual(self.run_image("stages:1"), "x in dir\nhello\ny in sub\n")
        self.build("FROM busybox\nCOPY --from=stages:1 /all/a.txt /from-image\nCMD [\"cat\",\"/from-image\"]\n", "-t", "copied:1")
        self.assertEqual(self.run_image("copied:1"), "hello\n")
        self.build("FROM copied:1\nCOPY b.txt /\nCMD cat /from-image /b.txt\n", "-t", "on-top:1")
        self.assertEqual(self.run_image("on-top:1"), "hello\nb\n")

    def test_a_target_ends_the_build_early(self):
        out = self.build("FROM busybox AS one\nENV A=1\nFROM busybox\nENV B=1\n", "--target", "one")
        self.assertIn("Step 2/2 : ENV A=1", out)
        self.assertIn("failed to reach build target nope", self.build("FROM busybox\n", "--target", "nope", ok=False))

    def test_run_is_said_not_to_be_executed(self):
        out = self.build("FROM busybox\nRUN touch /never\nCMD ls /never\n", "-t", "runs:1")
        self.assertIn("RUN is not executed", out)
        self.assertIn("not executed", self.stack.docker("history", "runs:1").stdout.decode())
        self.run_image("runs:1", check=1)

    def test_owners_by_name_and_number(self):
        self.build("""FROM busybox
COPY passwd group /etc/
COPY --chown=7:5 a.txt /o/number
COPY --chown=8 a.txt /o/user
COPY --chown=bob a.txt /o/name
COPY --chown=bob:staff dir /o/both
CMD stat -c '%n %u:%g' /o/number /o/user /o/name /o/both /o/both/sub/y
""", "-t", "owners:1", files={"passwd": "root:x:0:0::/root:/bin/sh\nbob:x:1234:1235::/:/bin/sh\n", "group": "staff:x:77:\n"})
        self.assertEqual(self.run_image("owners:1"), "/o/number 7:5\n/o/user 8:8\n/o/name 1234:1235\n/o/both 1234:77\n/o/both/sub/y 1234:77\n")
        self.build("FROM busybox\nCOPY --chown=stranger a.txt /x\nCMD true\n", "-t", "owners:2")
        r = self.stack.docker("run", "--rm", "owners:2")
        self.assertEqual(r.returncode, 125)
        self.assertIn(b"unable to find user stranger", r.stderr)

    def test_ignored_files_stay_out(self):
        ignore = {".dockerignore": "*.key\ndocs\n!docs/keep.md\n", "Dockerfile": "FROM busybox\nCOPY . /c/\nCMD find /c -type f\n"}
        lines = self.lines("t=ignored:1", dict(FILES, **ignore))  # not applied by a client
        self.assertIn({"stream": "Successfully tagged ignored:1\n"}, lines)
        found = self.run_image("ignored:1").split()
        self.assertIn("/c/docs/keep.md", found)
        self.assertIn("/c/dir/sub/y", found)
        self.assertNotIn("/c/docs/drop.md", found)
        self.assertNotIn("/c/secret.key", found)

    def test_archives_are_unpacked_by_add_only(self):
        for mode in ("", ":gz", ":bz2", ":xz"):
            packed = tar_of({"in/tar.txt": "from tar\n"}, mode)
            self.build("FROM busybox\nADD p.tar /ad\nCOPY p.tar /co/\nCMD cat /ad/in/tar.txt; ls /co\n", "-t", "packed:1", files={"p.tar": packed})
            self.assertEqual(self.run_image("packed:1"), "from tar\np.tar\n")

    def test_here_documents_become_files(self):
        lines = self.lines("t=here:1", {"Dockerfile": "FROM busybox\nARG WHO=you\nCOPY <<EOF <<'RAW' /h/\nhi $WHO\nEOF\n$raw\nRAW\nCMD cat /h/EOF /h/RAW\n"})
        self.assertIn({"stream": "Successfully tagged here:1\n"}, lines)
        self.assertEqual(self.run_image("here:1"), "hi you\n$raw\n")

    def test_arguments_and_their_scopes(self):
        out = self.build("""ARG GLOBAL=g
FROM busybox
ARG GLOBAL
ARG OWN=default
ENV SEEN=$GLOBAL-$OWN-$UNSET-${HTTP_PROXY:+p}
CMD echo $SEEN
""", "-t", "args:1", "--build-arg", "OWN=given", "--build-arg", "HTTP_PROXY=http://x", "--build-arg", "UNUSED=1")
        self.assertIn("[Warning] One or more build-args [UNUSED] were not consumed", out)
        self.assertEqual(self.run_image("args:1"), "g-given--p\n")

    def test_triggers_run_in_the_next_build(self):
        self.build("FROM busybox\nONBUILD COPY a.txt /onbuild/\nONBUILD ENV T=1\n", "-t", "trigger:1")
        out = self.build("FROM trigger:1\nCMD cat /onbuild/a.txt; echo $T\n", "-t", "triggered:1")
        self.assertIn("# Executing 2 build triggers", out)
        self.assertEqual(self.run_image("triggered:1"), "hello\n1\n")

    def test_equal_builds_give_the_same_image(self):
        text = "FROM busybox\nCOPY a.txt /same\nENV A=1\n"
        first = self.build(text, "-q")
        self.assertRegex(first, r"^sha256:[0-9a-f]{64}\n$")
        again = self.build(text)
        self.assertEqual(again.count("Using cache"), 2)
        self.assertEqual(self.build(text, "-q"), first)
        self.assertNotIn("Using cache", self.build(text, "--no-cache"))
        text = "FROM busybox AS one\nENV S=1\nCOPY b.txt /s\nFROM one\nENV T=$S\n"
        first = self.build(text, "-q")
        self.assertEqual(self.build(text, "-q"), first)
        only = self.build("FROM busybox AS one\nENV ONLY=1\nFROM one\n", "-t", "only:1")
        self.assertIn("Successfully tagged only:1", only)
        self.assertEqual(self.run_image("only:1", "sh", "-c", "echo $ONLY"), "1\n")
        self.build("FROM busybox\n", "-t", "alias:1")
        self.assertEqual(self.stack.docker("image", "inspect", "-f", "{{.Id}}", "alias:1").stdout, self.stack.docker("image", "inspect", "-f", "{{.Id}}", "busybox").stdout)
        self.assertNotIn("Using cache", self.build(text, files={"a.txt": "other\n"}).split("ENV")[0])

    def test_failures_have_the_engines_words(self):
        for text, want in (
                ("FROM busybox\nFOO bar\n", "dockerfile parse error line 2: unknown instruction: FOO"),
                ("FROM busybox\n\n\nCOPY a\n", "dockerfile parse error line 4: COPY requires at least two arguments"),
                ("", "the Dockerfile (Dockerfile) cannot be empty"),
                ("FROM busybox\nCOPY nope /x\n", "COPY failed: file not found in build context or excluded by .dockerignore: stat nope: file does not exist"),
                ("FROM busybox\nCOPY ../a /x\n", "COPY failed: forbidden path outside the build context: ../a ()"),
                ("FROM busybox\nCOPY a.txt b.txt /x\n", "When using COPY with more than one source file, the destination must be a directory and end with a /"),
                ("FROM busybox\nCOPY zz* /x/\n", "COPY failed: no source files were specified"),
                ("FROM busybox\nCOPY --from=busybox /bin/nope /x\n", "COPY failed: stat bin/nope: file does not exist"),
                ("FROM busybox\nCOPY --from=no-such-image /x /x\n", "invalid from flag value no-such-image: "),
                ("FROM busybox AS a\nRUN make\nFROM busybox\nCOPY --from=a /out /x\n", "RUN instructions of that stage were not executed"),
                ("FROM busybox\nADD http://127.0.0.1:1/x /x\n", 'ADD failed: Get "http://127.0.0.1:1/x": '),
                ("FROM busybox\nADD http://169.254.169.254/x /x\n", "a link-local address is not for builds"),
                ("FROM busybox\nEXPOSE abc\n", "Invalid containerPort: abc"),
                ("FROM busybox\nSTOPSIGNAL FOO\n", "Invalid signal: FOO"),
                ("FROM scratch\n", "No image was generated. Is your Dockerfile empty?"),
                ("FROM no-such-image-anywhere:1\n", "no-such-image-anywhere")):
            self.assertIn(want, self.build(text, ok=False))

    def test_files_of_an_image_and_of_a_stages_base(self):
        self.build("FROM busybox\nCOPY --from=busybox /bin/busybox /copied\nCMD cmp /copied /bin/busybox && echo equal\n", "-t", "from:1")
        self.assertEqual(self.run_image("from:1"), "equal\n")
        # Of a built image: what the registry has of it, and what was put on top here.
        self.build("FROM from:1\nCOPY a.txt /etc/added\n", "-t", "from:2")
        self.build("FROM from:2 AS s\nCOPY b.txt /etc/more\nFROM busybox\nCOPY --from=s /etc /e\nCOPY --from=from:2 /copied /c\n"
                   "CMD cat /e/added /e/more && grep -c root /e/passwd && cmp /c /bin/busybox && echo equal\n", "-t", "from:3")
        self.assertEqual(self.run_image("from:3"), "hello\nb\n1\nequal\n")

    def test_a_file_of_the_web(self):
        class Web(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                if self.path == "/moved":
                    self.send_response(302)
                    self.send_header("Location", "/data.tar?x=1")
                    self.end_headers()
                    return
                found = self.path.startswith("/data.tar")
                self.send_response(200 if found else 404)
                self.send_header("Last-Modified", "Mon, 02 Jan 2006 15:04:05 GMT")
                self.end_headers()
                self.wfile.write(b"web\n" if found else b"not here\n")

            def log_message(self, *unused):
                pass

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Web) as web:
            thread = threading.Thread(target=web.serve_forever)
            thread.start()
            try:
                at = f"http://127.0.0.1:{web.server_port}"
                self.build(f"FROM busybox\nADD {at}/data.tar /w/\nADD --chown=1:2 {at}/moved /w/\nCMD stat -c '%a %u %g %Y' /w/*; cat /w/*\n", "-t", "web:1")
                self.assertEqual(self.run_image("web:1"), "600 0 0 1136214245\n600 1 2 1136214245\nweb\nweb\n")
                out = self.build(f"FROM busybox\nADD {at}/nope /w/\n", ok=False)
                self.assertIn(f"ADD failed: failed to GET {at}/nope with status 404", out)
                self.assertIn("not here", out)
            finally:
                web.shutdown()
                thread.join()

    def test_an_image_from_scratch_cannot_run(self):
        self.build("FROM scratch\nCOPY a.txt /\nCMD [\"/x\"]\n", "-t", "scratch:1")
        r = self.stack.docker("run", "--rm", "scratch:1")
        self.assertEqual(r.returncode, 125)
        self.assertIn(b"was built FROM scratch or imported", r.stderr)

    def test_what_is_in_no_registry_is_neither_pushed_nor_saved(self):
        for text in ("FROM scratch\nCMD [\"x\"]\n", "FROM busybox\nENV A=1\n", "FROM busybox\nCOPY a.txt /\n"):
            self.build(text, "-t", f"{self.stack.registry}/own:1")
            for args in (("push", f"{self.stack.registry}/own:1"), ("save", f"{self.stack.registry}/own:1")):
                r = self.stack.docker(*args)
                self.assertNotEqual(r.returncode, 0)
                self.assertIn(b"was built here", r.stdout + r.stderr)

    def test_answers_before_the_first_line_are_statuses(self):
        good = tar_of({"Dockerfile": "FROM busybox\n"})
        for query, body, status, want in (
                ("dockerfile=Nope", good, 500, "Cannot locate specified Dockerfile: Nope"),
                ("", b"no tar" * 500, 400, "no tar archive"),
                ("", good[:100], 400, ""),
                ("", tar_of({"../../escape": "x"}), 400, ""),
                ("remote=https://x/y.git", good, 501, "remote build contexts"),
                ("version=2", good, 501, "BuildKit"),
                ("version=3", good, 400, "invalid version"),
                ("t=A:1", good, 400, "must be lowercase"),
                ("buildargs=x", good, 400, "error reading build args"),
                ("labels=[]", good, 400, "error reading labels")):
            got, text = self.post(query, body)
            self.assertEqual(got, status, (query, text))
            self.assertIn(want, text)
        self.assertEqual(os.listdir(os.path.join(self.stack.dir, "state", "builds")), [])

    def test_builds_whose_client_leaves_are_cleaned_up(self):
        folder = os.path.join(self.stack.dir, "state", "builds")
        c = UnixConnection(self.stack.socket)
        c.putrequest("POST", "/v1.44/build?t=left:1")
        c.putheader("Transfer-Encoding", "chunked")
        c.endheaders()
        c.send(b"200\r\n" + b"x" * 512 + b"\r\n")
        await_true("the body is taken", lambda: os.listdir(folder))
        c.close()
        await_true("half a body goes", lambda: not os.listdir(folder))
        c = UnixConnection(self.stack.socket)
        c.request("POST", "/v1.44/build?t=left:2", tar_of({"Dockerfile": "FROM busybox\n" + "ENV a=$a.\n" * 3000}))
        c.close()
        await_true("a build goes", lambda: not os.listdir(folder), 60)

    def test_a_dockerfile_from_the_input(self):
        with tempfile.TemporaryDirectory(prefix="skl-b-") as d:
            with open(os.path.join(d, "x"), "w") as f:
                f.write("x\n")
            for args, text, want in ((["-f", "-", d], "FROM busybox\nCOPY . /c\nCMD find /c -type f\n", "/c/x\n"), (["-"], "FROM busybox\nCMD echo y\n", "y\n")):
                subprocess.run(["docker", "build", "-t", "input:1", *args], input=text, capture_output=True, env=self.env, text=True, timeout=60, check=True)
                self.assertEqual(self.run_image("input:1"), want)

    def test_many_builds_at_once(self):
        def one(n):
            return self.post(f"t=many:{n}", tar_of({"Dockerfile": f"FROM busybox\nCOPY x /x\nENV N={n}\nCMD cat /x\n", "x": f"{n}\n"}))
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            for n, (status, text) in enumerate(pool.map(one, range(40))):
                self.assertEqual(status, 200)
                self.assertIn(f"Successfully tagged many:{n}", text)
        self.assertEqual(self.run_image("many:17"), "17\n")

    def test_a_large_file_arrives_whole(self):
        data = os.urandom(1 << 20) * 48
        self.build("FROM busybox\nCOPY large /large\nCMD md5sum </large\n", "-t", "large:1", files={"large": data})
        self.assertEqual(self.run_image("large:1").split()[0], hashlib.md5(data).hexdigest())

    def test_the_python_client_builds(self):
        script = ("import docker, io, sys; c = docker.DockerClient('unix://' + sys.argv[1]); "
                  "i, lines = c.images.build(fileobj=io.BytesIO(b'FROM busybox\\nENV P=1\\nCMD echo $P\\n'), tag='py:1', rm=True); "
                  "print(i.tags, c.containers.run('py:1', remove=True))")
        r = subprocess.run(["/usr/bin/python3", "-c", script, self.stack.socket], capture_output=True, text=True, timeout=60)
        if "No module named 'docker'" in r.stderr:
            self.skipTest("needs python3-docker")
        self.assertEqual(r.stdout, "['py:1'] b'1\\n'\n", r.stderr[-1500:])

    def test_layers_go_with_their_last_user(self):
        self.build("FROM busybox\nCOPY a.txt /gone\nENV U=unique\n", "-t", "gone:1", files={"a.txt": "unique layer\n"})
        layers = os.path.join(self.stack.dir, "state", "layers")
        before = set(os.listdir(layers))
        self.stack.docker("rmi", "gone:1", check=0)
        self.assertEqual(len(before - set(os.listdir(layers))), 1)
        # A container has them for as long as it is there, its image or not.
        self.build("FROM busybox\nCOPY a.txt /gone\n", "-t", "gone:2", files={"a.txt": "another unique layer\n"})
        self.stack.docker("create", "--name", "last", "gone:2", "cat", "/gone", check=0)
        kept = set(os.listdir(layers))
        self.stack.docker("rmi", "-f", "gone:2", check=0)
        self.assertEqual(set(os.listdir(layers)), kept)
        self.assertEqual(self.stack.docker("start", "-a", "last", check=0).stdout, b"another unique layer\n")
        self.stack.docker("rm", "last", check=0)
        self.assertEqual(len(kept - set(os.listdir(layers))), 1)
        status, answer = self.stack.api("POST", "/v1.44/build/prune")
        self.assertEqual((status, sorted(answer)), (200, ["CachesDeleted", "SpaceReclaimed"]))
        self.assertEqual(self.stack.api("POST", "/v1.44/build/cancel?id=x")[0], 200)
        self.assertEqual(self.stack.api("POST", "/v1.44/build/cancel")[0], 400)

    def test_a_container_that_has_not_run_can_be_committed(self):
        s = self.stack
        self.build("FROM busybox\nCOPY a.txt /kept\nCMD true\n", "-t", "base:1")
        s.docker("create", "--name", "com", "-e", "A=1", "base:1", "cat", "/kept", check=0)
        out = s.docker("commit", "-c", "ENV B=$A-2", "-c", 'CMD ["sh", "-c", "cat /kept; echo $B"]', "-m", "why", "-a", "me", "com", "com:1", check=0)
        self.assertRegex(out.stdout.decode(), r"^sha256:[0-9a-f]{64}\n$")
        self.assertEqual(self.run_image("com:1"), "hello\n1-2\n")
        image = json.loads(s.docker("image", "inspect", "com:1", check=0).stdout)[0]
        self.assertEqual(image["Author"], "me")
        self.assertIn("why", s.docker("history", "com:1", check=0).stdout.decode())
        for changes, status, want in (("FOO+bar", 400, "foo is not a valid change command"), ("RUN+x", 400, "run is not a valid change command"),
                                      ("ENV", 400, "ENV requires at least one argument")):
            got, answer = s.api("POST", f"/v1.44/commit?container=com&changes={changes}")
            self.assertEqual((got, answer["message"]), (status, want))
        self.assertEqual(s.api("POST", "/v1.44/commit?container=nope")[0], 404)
        self.assertEqual(s.api("POST", "/v1.44/commit")[0], 400)

    def test_a_commit_has_what_the_command_did_to_the_files(self):
        s = self.stack
        self.build("FROM busybox\nCOPY a.txt b.txt /base/\nCMD true\n", "-t", "base:2")
        s.docker("run", "-d", "--name", "ran", "-v", "/volume", "base:2", "sh", "-c", """
            mkdir -p -m 1750 /new/deep; echo one >/new/deep/f; chown 12:34 /new/deep/f; chmod 4711 /new/deep/f; ln /new/deep/f /new/same
            ln -s deep/f /new/link; echo changed >>/base/a.txt; rm /base/b.txt; echo in >/volume/not-kept; touch /done; sleep 1000""", check=0)
        s.docker("exec", "ran", "sh", "-c", "until [ -e /done ]; do sleep 0.1; done", check=0)
        s.docker("commit", "ran", "ran:1", check=0)
        self.assertEqual(s.docker("inspect", "-f", "{{.State.Status}}", "ran", check=0).stdout, b"running\n")
        look = ("sh", "-c", "cat /base/a.txt; ls /base /volume; stat -c '%a %u:%g %h %N' /new/deep /new/deep/f /new/same /new/link; cat /new/link")
        want = "hello\nchanged\n/base:\na.txt\n\n/volume:\n" + "".join(line + "\n" for line in (
            "1750 0:0 2 /new/deep", "4711 12:34 2 /new/deep/f", "4711 12:34 2 /new/same", "777 0:0 1 '/new/link' -> 'deep/f'", "one"))
        self.assertEqual(self.run_image("ran:1", *look), want)
        image, base = (json.loads(s.docker("image", "inspect", name, check=0).stdout)[0] for name in ("ran:1", "base:2"))
        self.assertEqual(image["RootFS"]["Layers"][:-1], base["RootFS"]["Layers"])
        self.assertEqual(image["Parent"], base["Id"])
        # What a commit keeps, a second one and a build have too.
        s.docker("run", "--name", "again", "ran:1", "sh", "-c", "echo two >/new/second", check=0)
        s.docker("commit", "again", "again:1", check=0)  # it has ended; its workload is there for a while
        self.assertEqual(self.run_image("again:1", "cat", "/new/deep/f", "/new/second"), "one\ntwo\n")
        self.build("FROM again:1\nCOPY --from=ran:1 /new/deep/f /copied\nCOPY a.txt /new/second\n", "-t", "on-ran:1")
        self.assertEqual(self.run_image("on-ran:1", "cat", "/copied", "/new/second", "/new/same"), "one\nhello\none\n")
        s.docker("rm", "-f", "-v", "ran", "again", check=0)

    def test_the_files_of_a_workload_that_has_gone_cannot_be_committed(self):
        with Stack(env={"SOCKERLESS_WARM_SECONDS": "0"}) as cold:
            cold.docker("run", "--name", "over", "busybox", "touch", "/x", check=0)
            await_true("the end of the workload", lambda: cold.api("POST", "/v1.44/commit?container=over")[0] != 201)
            got, answer = cold.api("POST", "/v1.44/commit?container=over")
            self.assertEqual(got, 409, answer)
            self.assertIn("gone with its workload", answer["message"])


class Restart(unittest.TestCase):
    def test_images_outlive_the_daemon_and_unfinished_builds_do_not(self):
        with Stack() as s:
            def post(query, body):
                c = UnixConnection(s.socket)
                c.request("POST", "/v1.44/build?" + query, body)
                return c
            c = post("t=kept:1", tar_of({"Dockerfile": "FROM busybox\nCOPY Dockerfile /x\nCMD wc -l </x\n"}))
            self.assertIn(b"Successfully tagged", c.getresponse().read())
            c.close()
            s.docker("create", "--name", "waits", "kept:1", check=0)
            c = post("t=cut:1", tar_of({"Dockerfile": "FROM busybox\n" + "ENV a=$a.\n" * 3000}))
            await_true("it builds", lambda: os.listdir(os.path.join(s.dir, "state", "builds")))
            self.assertEqual(s.stop_backend(), 0)
            c.close()
            os.makedirs(os.path.join(s.dir, "state", "builds", "left"))
            s.start_backend()
            self.assertEqual(os.listdir(os.path.join(s.dir, "state", "builds")), [])
            self.assertEqual(s.docker("start", "-a", "waits", check=0).stdout, b"3\n")
            self.assertEqual(s.docker("run", "--rm", "kept:1", check=0).stdout, b"3\n")


class Agentless(unittest.TestCase):
    def test_files_that_nothing_can_bring_are_refused(self):
        with Stack(mode="none", env={"SOCKERLESS_ACA_AGENT": "none"}) as s:
            c = UnixConnection(s.socket)
            c.request("POST", "/v1.44/build?t=files:1", tar_of({"Dockerfile": "FROM busybox\nCOPY Dockerfile /x\n"}))
            self.assertIn(b"Successfully tagged", c.getresponse().read())
            c.close()
            r = s.docker("create", "files:1", "true")
            self.assertEqual(r.returncode, 1)
            self.assertIn(b"nothing can bring its files into the container", r.stderr)


if __name__ == "__main__":
    main()
