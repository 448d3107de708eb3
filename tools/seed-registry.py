#!/usr/bin/python3
"""Puts a small busybox image, made from Debian's busybox-static, into a registry.

usage: seed-registry.py http://127.0.0.1:PORT [NAME:TAG]...        (default: library/busybox:latest)
"""
import gzip
import hashlib
import io
import json
import subprocess
import sys
import tarfile
import urllib.request

BUSYBOX = "/bin/busybox"


def add(tar, name, data=b"", mode=0o644, kind=tarfile.REGTYPE, link=""):
    info = tarfile.TarInfo(name)
    info.mode, info.type, info.linkname, info.size = mode, kind, link, len(data)
    tar.addfile(info, io.BytesIO(data))


def layer():
    out = io.BytesIO()
    applets = subprocess.check_output([BUSYBOX, "--list"], text=True).split()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name in ("bin", "etc", "root", "home", "usr", "var", "proc", "sys", "dev"):
            add(tar, name, mode=0o755, kind=tarfile.DIRTYPE)
        add(tar, "home/app", mode=0o755, kind=tarfile.DIRTYPE)
        add(tar, "tmp", mode=0o1777, kind=tarfile.DIRTYPE)
        with open(BUSYBOX, "rb") as f:
            add(tar, "bin/busybox", f.read(), 0o755)
        for applet in applets:
            if applet != "busybox":
                add(tar, "bin/" + applet, kind=tarfile.SYMTYPE, mode=0o777, link="busybox")
        add(tar, "etc/passwd", b"root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/home/app:/bin/sh\n")
        add(tar, "etc/group", b"root:x:0:\napp:x:1000:\nstaff:x:50:app\n")
    return out.getvalue()


def call(method, url, data=None, kind="application/octet-stream"):
    request = urllib.request.Request(url, data=data, method=method, headers={"Content-Type": kind})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.headers


def push_blob(base, name, data):
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    where = call("POST", f"{base}/v2/{name}/blobs/uploads/", b"")["Location"]
    if where.startswith("/"):
        where = base + where
    call("PUT", where + ("&" if "?" in where else "?") + "digest=" + digest, data)
    return digest


def main():
    base = sys.argv[1].rstrip("/")
    raw = layer()
    packed = gzip.compress(raw, mtime=0)
    config = json.dumps({
        "architecture": "amd64", "os": "linux", "created": "2026-01-01T00:00:00Z",
        "config": {"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
                   "Cmd": ["sh"]},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(raw).hexdigest()]},
        "history": [{"created": "2026-01-01T00:00:00Z", "created_by": "busybox-static"}],
    }).encode()
    for reference in sys.argv[2:] or ["library/busybox:latest"]:
        name, tag = reference.rsplit(":", 1)
        manifest = json.dumps({
            "schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": {"mediaType": "application/vnd.docker.container.image.v1+json",
                       "size": len(config), "digest": push_blob(base, name, config)},
            "layers": [{"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
                        "size": len(packed), "digest": push_blob(base, name, packed)}],
        }).encode()
        call("PUT", f"{base}/v2/{name}/manifests/{tag}", manifest,
             "application/vnd.docker.distribution.manifest.v2+json")


if __name__ == "__main__":
    main()
