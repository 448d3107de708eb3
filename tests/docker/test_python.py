"""Debian's python3-docker against the daemon: what its users do, with the results that an Engine gives."""
import io
import os
import sys
import tarfile
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "sim"))
import harness  # noqa: E402

try:
    import docker
except ImportError:
    print("skipped: needs python3-docker (make docker-test installs it)")
    sys.exit(harness.SKIP)


def packed(**files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(text), 0o755
            tar.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


class PythonClient(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = harness.Stack().__enter__()
        try:
            cls.client = docker.DockerClient(base_url=f"unix://{cls.stack.socket}", version="auto")
            cls.client.images.pull("busybox", tag="latest")
        except BaseException:
            cls.stack.__exit__(None, None, None)
            raise

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.stack.__exit__(None, None, None)

    def tearDown(self):
        for c in self.client.containers.list(all=True):
            c.remove(force=True, v=True)

    def sleeper(self, **more):
        return self.client.containers.run("busybox", ["sleep", "1000"], detach=True, **more)

    def test_ping_version_info_and_df(self):
        self.assertTrue(self.client.ping())
        self.assertEqual("linux", self.client.version()["Os"])
        self.assertEqual("linux", self.client.info()["OSType"])
        self.assertIn("Images", self.client.df())

    def test_run_returns_the_output(self):
        self.assertEqual(b"hello\n", self.client.containers.run("busybox", "echo hello", remove=True))
        self.assertEqual([], self.client.containers.list(all=True))

    def test_run_pulls_an_image_that_is_missing(self):
        self.assertEqual(b"fresh\n", self.client.containers.run("busybox:latest", ["echo", "fresh"], remove=True))

    def test_run_raises_with_code_and_stderr(self):
        with self.assertRaises(docker.errors.ContainerError) as caught:
            self.client.containers.run("busybox", ["sh", "-c", "echo oops >&2; exit 3"], remove=True)
        self.assertEqual(3, caught.exception.exit_status)
        self.assertIn(b"oops", caught.exception.stderr)

    def test_run_with_both_streams(self):
        out = self.client.containers.run("busybox", ["sh", "-c", "echo o; echo e >&2"], stderr=True, remove=True)
        self.assertEqual([b"e", b"o"], sorted(out.split()))

    def test_detached_logs_wait_and_attrs(self):
        c = self.client.containers.run("busybox", ["sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.1; done; exit 4"],
                                       detach=True, name="d-1", labels={"k": "v"}, environment={"A": "b"})
        self.assertEqual(b"1\n2\n3\n", b"".join(c.logs(stream=True, follow=True)))
        self.assertEqual(4, c.wait()["StatusCode"])
        c.reload()
        self.assertEqual("exited", c.status)
        self.assertEqual("v", c.labels["k"])
        self.assertIn("A=b", c.attrs["Config"]["Env"])
        self.assertEqual(b"3\n", c.logs(tail=1))
        self.assertRegex(c.logs(timestamps=True, tail=1).decode(), r"^\d{4}-\d\d-\d\dT[\d:.]{18}Z 3\n$")
        self.assertEqual([c.id], [x.id for x in self.client.containers.list(all=True, filters={"label": "k=v"})])

    def test_attach_streams_what_is_written(self):
        c = self.client.containers.create("busybox", ["sh", "-c", "echo attached; echo err >&2"])
        stream = c.attach(stream=True, stdout=True, stderr=True, demux=True)
        c.start()
        pieces = list(stream)
        self.assertEqual(b"attached\n", b"".join(o for o, _ in pieces if o))
        self.assertEqual(b"err\n", b"".join(e for _, e in pieces if e))

    def test_attach_socket_types_into_the_container(self):
        c = self.client.containers.create("busybox", ["cat"], stdin_open=True, tty=False)
        sock = c.attach_socket(params={"stdin": 1, "stdout": 1, "stream": 1})
        c.start()
        sock._sock.sendall(b"typed\n")
        got = b""
        while len(got) < 8 + 6:
            got += sock._sock.recv(100)
        self.assertEqual(b"typed\n", got[8:])
        sock.close()

    def test_exec_run(self):
        c = self.sleeper(environment={"FROM": "container"})
        self.assertEqual((0, b"one\n"), tuple(c.exec_run(["echo", "one"])))
        self.assertEqual(7, c.exec_run(["sh", "-c", "exit 7"]).exit_code)
        code, (out, err) = c.exec_run(["sh", "-c", "echo o; echo e >&2"], demux=True)
        self.assertEqual((0, b"o\n", b"e\n"), (code, out, err))
        self.assertEqual(b"x container /tmp app\n", c.exec_run(
            ["sh", "-c", 'echo $E $FROM $(pwd) $(id -un)'], environment={"E": "x"}, workdir="/tmp", user="app").output)
        self.assertEqual(b"a terminal\r\n", c.exec_run(["sh", "-c", "test -t 1 && echo a terminal"], tty=True).output)
        self.assertEqual(b"123", b"".join(c.exec_run(["printf", "123"], stream=True).output))
        self.assertIn(c.exec_run(["no-such-command"]).exit_code, (126, 127))

    def test_exec_socket(self):
        c = self.sleeper()
        sock = c.exec_run(["cat"], stdin=True, socket=True).output
        sock._sock.sendall(b"through the socket")
        sock._sock.shutdown(1)
        got = b""
        while True:
            piece = sock._sock.recv(100)
            if not piece:
                break
            got += piece
        self.assertEqual(b"through the socket", got[8:])
        sock.close()

    def test_detached_exec(self):
        c = self.sleeper()
        c.exec_run(["touch", "/tmp/made"], detach=True)
        self.assertEqual(0, c.exec_run(["sh", "-c", "until [ -e /tmp/made ]; do sleep 0.1; done"]).exit_code)

    def test_archives(self):
        c = self.sleeper()
        self.assertTrue(c.put_archive("/tmp", packed(script="#!/bin/sh\necho it runs\n")))
        self.assertEqual(b"it runs\n", c.exec_run(["/tmp/script"]).output)
        chunks, stat = c.get_archive("/tmp/script")
        self.assertEqual(("script", 0o755), (stat["name"], stat["mode"] & 0o777))
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
            self.assertEqual(b"#!/bin/sh\necho it runs\n", tar.extractfile("script").read())
        with self.assertRaises(docker.errors.NotFound):
            c.get_archive("/no/such/file")

    def test_archive_into_a_created_container(self):
        c = self.client.containers.create("busybox", ["cat", "/tmp/early"])
        c.put_archive("/tmp", packed(early="before the start"))
        c.start()
        c.wait()
        self.assertEqual(b"before the start", c.logs())

    def test_lifecycle(self):
        c = self.sleeper(name="life")
        c.reload()
        self.assertEqual("running", c.status)
        c.rename("living")
        self.assertEqual(c.id, self.client.containers.get("living").id)
        self.assertIn("sleep", str(c.top()["Processes"]))
        self.assertEqual(c.id, c.stats(stream=False)["id"])
        c.restart(timeout=0)
        c.kill()
        self.assertEqual(137, c.wait()["StatusCode"])
        c.start()
        c.stop(timeout=0)
        c.reload()
        self.assertEqual("exited", c.status)
        c.remove()
        with self.assertRaises(docker.errors.NotFound):
            c.reload()

    def test_events(self):
        seen = []
        events = self.client.events(decode=True, filters={"type": "container", "label": "watch=me"})

        def read():
            for e in events:
                seen.append(e["Action"])
                if e["Action"] == "destroy":
                    break
        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        c = self.client.containers.run("busybox", ["true"], detach=True, labels={"watch": "me"})
        c.wait()
        c.remove()
        reader.join(30)
        events.close()
        self.assertEqual(["create", "start", "die", "destroy"], [a for a in seen if a not in ("attach",)])

    def test_images(self):
        image = self.client.images.get("busybox")
        self.assertIn("busybox:latest", image.tags)
        self.assertTrue(image.tag("mine", tag="1"))
        self.assertIn("mine:1", self.client.images.get("mine:1").tags)
        self.assertEqual([image.id], [i.id for i in self.client.images.list("mine")])
        self.assertTrue(image.history())
        self.client.images.remove("mine:1")
        with self.assertRaises(docker.errors.ImageNotFound):
            self.client.images.get("mine:1")

    def test_build(self):
        image, log = self.client.images.build(fileobj=io.BytesIO(b"FROM busybox\nENV B=built\nCMD [\"sh\", \"-c\", \"echo $B\"]\n"),
                                              tag="built:1")
        self.assertIn("built:1", image.tags)
        self.assertTrue(any("Successfully built" in x.get("stream", "") for x in log))
        self.assertEqual(b"built\n", self.client.containers.run("built:1", remove=True))
        with self.assertRaises(docker.errors.APIError):
            self.client.images.build(fileobj=io.BytesIO(b"FROM busybox\nNOPE\n"))

    def test_networks(self):
        n = self.client.networks.create("net-py", labels={"a": "b"}, check_duplicate=True)
        c = self.sleeper(network="net-py", name="member")
        n.reload()
        self.assertEqual([c.id], [x.id for x in n.containers])
        self.assertIn("net-py", self.client.containers.get("member").attrs["NetworkSettings"]["Networks"])
        with self.assertRaises(docker.errors.APIError) as caught:
            n.remove()
        self.assertEqual(403, caught.exception.status_code)
        n.disconnect(c)
        n.connect(c, aliases=["alias"])
        c.remove(force=True)
        self.assertEqual(["net-py"], [x.name for x in self.client.networks.list(names=["net-py"])])
        n.remove()
        with self.assertRaises(docker.errors.NotFound):
            self.client.networks.get("net-py")

    def test_volumes(self):
        v = self.client.volumes.create("vol-py", labels={"a": "b"})
        c = self.client.containers.create("busybox", ["true"], volumes={"vol-py": {"bind": "/data", "mode": "rw"}})
        self.assertEqual("/data", c.attrs["Mounts"][0]["Destination"])
        with self.assertRaises(docker.errors.APIError) as caught:
            v.remove()
        self.assertEqual(409, caught.exception.status_code)
        c.remove()
        self.assertIn("vol-py", [x.name for x in self.client.volumes.list(filters={"label": "a=b"})])
        v.remove()
        with self.assertRaises(docker.errors.NotFound):
            self.client.volumes.get("vol-py")

    def test_errors_have_their_classes(self):
        with self.assertRaises(docker.errors.ImageNotFound):
            self.client.api.create_container("no-such-image", "true")
        with self.assertRaises(docker.errors.NotFound):
            self.client.containers.get("nothing-here")
        self.client.containers.create("busybox", "true", name="taken")
        with self.assertRaises(docker.errors.APIError) as caught:
            self.client.containers.create("busybox", "true", name="taken")
        self.assertEqual(409, caught.exception.status_code)
        self.assertIn("is already in use", caught.exception.explanation)
        with self.assertRaises(docker.errors.APIError) as caught:
            self.client.containers.run("busybox", ["no-such-command"])
        self.assertIn("executable file not found", caught.exception.explanation)

    def test_prune(self):
        self.client.containers.run("busybox", ["true"], detach=True).wait()
        self.assertEqual(1, len(self.client.containers.prune()["ContainersDeleted"]))


if __name__ == "__main__":
    harness.main()
