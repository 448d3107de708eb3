"""What create takes and inspect shows, here and on a real Engine: every field, and the defaults when none is sent.

Both daemons get the same bodies for the same image, and the trees that inspect answers are compared leaf by leaf. What
may differ is in DIFFERS (a path, and why); anything else is a failure.
"""
import json
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "sim"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import SKIP, Stack, UnixConnection  # noqa: E402
from engine import Engine  # noqa: E402

# Both speak this one: the Engine is Debian's 20.10.
VERSION = "v1.41"

MS = 1000000

BODIES = {
    "nothing": {"Image": "busybox"},
    "what the CLI sends": {
        "Image": "busybox", "Hostname": "", "Domainname": "", "User": "", "AttachStdin": False, "AttachStdout": True,
        "AttachStderr": True, "Tty": False, "OpenStdin": False, "StdinOnce": False, "Env": None, "Cmd": ["echo", "hi"],
        "Volumes": {}, "WorkingDir": "", "Entrypoint": None, "OnBuild": None, "Labels": {},
        "HostConfig": {"Binds": None, "ContainerIDFile": "", "LogConfig": {"Type": "", "Config": {}}, "NetworkMode": "none",
                       "PortBindings": {}, "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0}, "AutoRemove": False,
                       "VolumeDriver": "", "VolumesFrom": None, "ConsoleSize": [0, 0], "CapAdd": None, "CapDrop": None,
                       "CgroupnsMode": "", "Dns": [], "DnsOptions": [], "DnsSearch": [], "ExtraHosts": None, "GroupAdd": None,
                       "IpcMode": "", "Cgroup": "", "Links": None, "OomScoreAdj": 0, "PidMode": "", "Privileged": False,
                       "PublishAllPorts": False, "ReadonlyRootfs": False, "SecurityOpt": None, "UTSMode": "",
                       "UsernsMode": "", "ShmSize": 0, "Isolation": "", "CpuShares": 0, "Memory": 0, "NanoCpus": 0,
                       "CgroupParent": "", "BlkioWeight": 0, "BlkioWeightDevice": [], "BlkioDeviceReadBps": None,
                       "BlkioDeviceWriteBps": None, "BlkioDeviceReadIOps": None, "BlkioDeviceWriteIOps": None, "CpuPeriod": 0,
                       "CpuQuota": 0, "CpuRealtimePeriod": 0, "CpuRealtimeRuntime": 0, "CpusetCpus": "", "CpusetMems": "",
                       "Devices": [], "DeviceCgroupRules": None, "DeviceRequests": None, "KernelMemory": 0,
                       "KernelMemoryTCP": 0, "MemoryReservation": 0, "MemorySwap": 0, "MemorySwappiness": -1,
                       "OomKillDisable": False, "PidsLimit": 0, "Ulimits": None, "CpuCount": 0, "CpuPercent": 0,
                       "IOMaximumIOps": 0, "IOMaximumBandwidth": 0, "MaskedPaths": None, "ReadonlyPaths": None},
        "NetworkingConfig": {"EndpointsConfig": {}}},
    "Config": {
        "Image": "busybox", "Hostname": "myhost", "Domainname": "example.org", "User": "1000:1000", "AttachStdin": True,
        "AttachStdout": True, "AttachStderr": True, "ExposedPorts": {"80/tcp": {}, "53/udp": {}}, "Tty": True,
        "OpenStdin": True, "StdinOnce": True, "Env": ["A=1", "B=two words", "EMPTY=", "PATH=/only"],
        "Cmd": ["sh", "-c", "true"], "Entrypoint": ["/bin/env"], "WorkingDir": "/srv/../tmp/",
        "Healthcheck": {"Test": ["CMD-SHELL", "true"], "Interval": 100 * MS, "Timeout": 200 * MS, "StartPeriod": 300 * MS,
                        "Retries": 4},
        "Volumes": {"/data": {}}, "Labels": {"a": "b", "empty": ""}, "StopSignal": "SIGUSR1", "StopTimeout": 7,
        "Shell": ["/bin/ash", "-c"], "MacAddress": "02:42:ac:11:00:09", "OnBuild": ["RUN true"],
        "HostConfig": {"NetworkMode": "none"}},
    "resources": {
        "Image": "busybox", "Cmd": ["true"],
        "HostConfig": {"NetworkMode": "none", "Memory": 67108864, "MemoryReservation": 33554432, "CpuShares": 512,
                       "CpuPeriod": 100000, "CpuQuota": 50000, "CpusetCpus": "0", "CpusetMems": "0", "PidsLimit": 100,
                       "BlkioWeight": 0, "OomKillDisable": False, "OomScoreAdj": 100, "ShmSize": 1048576,
                       "Ulimits": [{"Name": "nofile", "Soft": 1024, "Hard": 2048}, {"Name": "core", "Soft": 0, "Hard": 0}]}},
    "swap and processors": {
        "Image": "busybox", "Cmd": ["true"],
        "HostConfig": {"NetworkMode": "none", "Memory": 67108864, "MemorySwap": 134217728, "MemorySwappiness": 10,
                       "NanoCpus": 500000000, "PidsLimit": -1}},
    "lists": {
        "Image": "busybox", "Cmd": ["true"],
        "HostConfig": {"NetworkMode": "none", "CapAdd": ["NET_ADMIN", "CAP_SYS_TIME"], "CapDrop": ["MKNOD"],
                       "Dns": ["10.0.0.1"], "DnsOptions": ["ndots:2"], "DnsSearch": ["example.org"],
                       "ExtraHosts": ["db:10.0.0.2"], "GroupAdd": ["audio", "1234"], "SecurityOpt": ["no-new-privileges"],
                       "Sysctls": {"net.ipv4.ip_forward": "1"}, "Tmpfs": {"/run": "size=1m", "/scratch": ""},
                       "DeviceCgroupRules": ["c 1:3 mr"], "VolumeDriver": "", "ReadonlyRootfs": True, "Init": True,
                       "AutoRemove": True, "ContainerIDFile": "/tmp/cid", "ConsoleSize": [24, 80],
                       "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}}},
    "modes": {
        "Image": "busybox", "Cmd": ["true"],
        "HostConfig": {"NetworkMode": "none", "IpcMode": "shareable", "PidMode": "host", "UTSMode": "host",
                       "CgroupnsMode": "host", "Privileged": True, "PublishAllPorts": True,
                       "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}, "MaskedPaths": ["/proc/kcore"],
                       "ReadonlyPaths": ["/proc/sys"], "LogConfig": {"Type": "none"}}},
    "mounts": {
        "Image": "busybox", "Cmd": ["true"],
        "HostConfig": {"NetworkMode": "none", "Binds": ["named:/named:ro", "other:/other"],
                       "Mounts": [{"Type": "volume", "Source": "third", "Target": "/third",
                                   "VolumeOptions": {"NoCopy": True, "Labels": {"l": "v"}}},
                                  {"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"SizeBytes": 65536, "Mode": 448}},
                                  {"Type": "volume", "Source": "fourth", "Target": "/fourth", "ReadOnly": True}]}},
    "ports": {
        "Image": "busybox", "Cmd": ["true"], "ExposedPorts": {"81/tcp": {}},
        "HostConfig": {"PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "18080"}], "90/tcp": [{}]}}},
    "restart": {
        "Image": "busybox", "Cmd": ["true"],
        "HostConfig": {"NetworkMode": "none", "RestartPolicy": {"Name": "unless-stopped"}}},
    "no health check": {
        "Image": "busybox", "Cmd": ["true"], "Healthcheck": {"Test": ["NONE"]}, "HostConfig": {"NetworkMode": "none"}},
    "empty lists": {
        "Image": "busybox", "Cmd": [], "Entrypoint": [], "Env": [], "Labels": None, "Volumes": None, "ExposedPorts": None,
        "HostConfig": {"NetworkMode": "none", "Binds": [], "ExtraHosts": [], "GroupAdd": [], "CapAdd": [], "CapDrop": [],
                       "SecurityOpt": [], "VolumesFrom": [], "Links": [], "Ulimits": [], "Devices": [],
                       "Sysctls": {}, "Tmpfs": {}, "StorageOpt": {}, "Mounts": []}},
    "words": {"Image": "busybox", "Cmd": "one word", "Entrypoint": "/bin/echo", "HostConfig": {"NetworkMode": "none"}},
}

# A path, or what:path (a regular expression that matches all of it), and the reason for its difference.
DIFFERS = [
    (r"\.(Id|Created|Name)", "made anew for each container"),
    (r"\.Image", "the Engine names the image by its configuration, and so do we; its layers are unpacked there only"),
    (r"\.(ResolvConfPath|HostnamePath|HostsPath|LogPath)", "files of a host that a workload in a cloud does not have"),
    (r"\.(Driver|GraphDriver\..*|GraphDriver)", "storage is the cloud's"),
    (r"\.(MountLabel|ProcessLabel|AppArmorProfile)", "the host's"),
    (r"\.Config\.Hostname", "the short id, when none was given"),
    (r"\.NetworkSettings\..*(SandboxID|SandboxKey|NetworkID|EndpointID)", "ids"),
    (r"\.Mounts\.\d+\.(Source|Name)", "a path of the host; the name of an anonymous volume is new"),
    (r"\.HostConfig\.(KernelMemory|KernelMemoryTCP)", "later Engines do not have it any more"),
    (r"\.HostConfig\.MaskedPaths\.10", "a path that later Engines mask too"),
    (r"\.HostConfig\.CgroupnsMode", "the Engine's default depends on the cgroup version of its host"),
    (r"\.HostConfig\.RestartPolicy\.Name", "later Engines, and every client, call none of them `no`"),
    (r"nothing:\.HostConfig\.Runtime", "20.10 leaves it out when there is no HostConfig at all; later Engines do not"),
    (r"ports:\.Config\.ExposedPorts\.(80|90)/tcp", "a published port is an exposed one here, whoever sent it: clients do so"),
]


def call(path, method, target, body=None):
    c = UnixConnection(path)
    try:
        c.request(method, f"/{VERSION}{target}", json.dumps(body) if body is not None else None,
                  {"Content-Type": "application/json"} if body is not None else {})
        answer = c.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text.strip() else None
    finally:
        c.close()


def trees(path):
    """{what: (status, tree or message)}"""
    result = {}
    for what, body in BODIES.items():
        status, created = call(path, "POST", "/containers/create", body)
        if status != 201:
            result[what] = status, created["message"]
            continue
        _, tree = call(path, "GET", f"/containers/{created['Id']}/json")
        tree["Mounts"].sort(key=lambda m: m["Destination"])
        result[what] = status, tree
        call(path, "DELETE", f"/containers/{created['Id']}?v=1&force=1")
    return result


def leaves(tree, path=""):
    """{path: value}; an empty object or array is a leaf of its own."""
    if isinstance(tree, dict) and tree:
        return {k: v for name, item in tree.items() for k, v in leaves(item, f"{path}.{name}").items()}
    if isinstance(tree, list) and tree:
        return {k: v for i, item in enumerate(tree) for k, v in leaves(item, f"{path}.{i}").items()}
    return {path: tree}


ABSENT = "(absent)"


def compare(ours, engine):
    wrong = compared = 0
    for what in BODIES:
        (our_status, our_tree), (status, tree) = ours[what], engine[what]
        if our_status != status or status != 201:
            if (our_status, our_tree) != (status, tree):
                wrong += 1
                print(f"DIFFERS: {what}: ours {our_status} {our_tree}, engine {status} {tree}")
            continue
        a, b = leaves(our_tree), leaves(tree)
        for path in sorted(a.keys() | b.keys()):
            compared += 1
            x, y = a.get(path, ABSENT), b.get(path, ABSENT)
            if (x, type(x)) == (y, type(y)) or any(re.fullmatch(p, q) for p, _ in DIFFERS for q in (path, f"{what}:{path}")):
                continue
            wrong += 1
            print(f"DIFFERS: {what}: {path}: ours {json.dumps(x)}, engine {json.dumps(y)}")
    print(f"{len(BODIES)} containers, {compared} leaves, {wrong} differ")
    return wrong


def main():
    missing = [p for p in ("dockerd", "containerd", "runc", "skopeo", "umoci", "docker-registry") if not shutil.which(p)]
    if os.geteuid() != 0 or missing:
        print("skipped: needs root and", ", ".join(missing))
        sys.exit(SKIP)
    with Stack() as s:
        with Engine() as e:
            name = f"{s.registry}/library/busybox:latest"
            subprocess.run(["docker", "pull", "-q", name], env=e.environ, check=True, capture_output=True)
            subprocess.run(["docker", "tag", name, "busybox:latest"], env=e.environ, check=True)
            engine = trees(e.socket)
        s.docker("pull", "-q", "busybox", check=0)
        ours = trees(s.socket)
        sys.exit(compare(ours, engine) > 0)


if __name__ == "__main__":
    main()
