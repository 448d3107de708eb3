"""The current docker-py and testcontainers-python: python workload.py docker | testcontainers."""
import sys


def with_docker():
    import docker
    client = docker.from_env()
    client.images.pull("busybox", tag="latest")
    assert client.containers.run("busybox", ["echo", "hello"], remove=True) == b"hello\n"
    c = client.containers.run("busybox", ["sh", "-c", "echo out; while :; do sleep 0.1; done"], detach=True)
    assert c.exec_run(["sh", "-c", "echo o; echo e >&2; exit 3"], demux=True) == (3, (b"o\n", b"e\n"))
    c.kill()
    assert c.wait()["StatusCode"] == 137
    assert c.logs() == b"out\n"
    c.remove()
    try:
        client.containers.run("busybox", ["sh", "-c", "echo bad >&2; exit 5"], remove=True)
        raise AssertionError("expected an error")
    except docker.errors.ContainerError as e:
        assert e.exit_status == 5 and b"bad" in e.stderr
    image, _ = client.images.build(fileobj=__import__("io").BytesIO(b"FROM busybox\nCMD [\"echo\", \"built\"]\n"), tag="pyb:1")
    assert client.containers.run("pyb:1", remove=True) == b"built\n"
    client.images.remove("pyb:1")


def with_testcontainers():
    import os
    import urllib.request
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.network import Network
    from testcontainers.core.waiting_utils import wait_for_logs
    port = int(os.environ["PORT"])
    with Network() as network:
        c = DockerContainer("busybox:latest").with_network(network).with_network_aliases("web").with_env("A", "b")
        c = c.with_command(["sh", "-c", f"echo page > /tmp/index.html; echo ready $A; httpd -f -p {port} -h /tmp"])
        with c.with_exposed_ports(port):
            wait_for_logs(c, "ready b", timeout=60)
            assert tuple(c.exec(["sh", "-c", "echo in; exit 6"])) == (6, b"in\n")
            url = f"http://127.0.0.1:{c.get_exposed_port(port)}/index.html"
            for attempt in range(50):  # a line in the log comes before the server listens
                try:
                    with urllib.request.urlopen(url, timeout=5) as page:
                        assert page.read() == b"page\n"
                    break
                except OSError:
                    if attempt == 49:
                        raise
                    __import__("time").sleep(0.1)
            assert b"ready b" in c.get_logs()[0]


{"docker": with_docker, "testcontainers": with_testcontainers}[sys.argv[1]]()
print("all steps")
