#!/usr/bin/python3
"""Fails when a file includes a layer it must not know, or reads the environment where it must not.

Layers: base <- net <- agent, spool, store <- driver <- docker <- daemon, backends <- cmd; cloud on base, registry on cloud, build on base, function on net and cloud; docker on build and function; ops on base, known to daemon only.
"""
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MAY = {
    "base": set(),
    "net": {"base"},
    "agent": {"base", "net"},
    "spool": {"base", "net"},
    "store": {"base", "net"},
    "driver": {"base", "net", "agent", "spool", "store"},
    "cloud": {"base"},
    "registry": {"base", "cloud"},
    "build": {"base"},
    "function": {"base", "net", "cloud"},
    "docker": {"base", "net", "agent", "spool", "store", "driver", "registry", "cloud", "build", "function"},
    "ops": {"base"},
    "daemon": {"base", "net", "agent", "spool", "store", "cloud", "driver", "docker", "ops"},
    "backends": {"base", "cloud", "docker", "function", "spool", "store"},
    "cmd": {"base", "daemon", "aca", "azure-functions", "cloudrun-functions"},
    "sockerless-agent": {"base", "net", "agent"},
}
# cJSON is for those who read the JSON of clients and clouds; daemon/version.c asks it for its version alone.
MAY_CJSON = {"base", "build", "docker", "function", "cloud", "registry", "store", "backends"}
MAY_GETENV = re.compile(r"^(cmd/|libsockerless/daemon/daemon\.c|backends/[^/]+/config\.c)")


def layer_of(path):
    parts = path.split("/")
    if parts[0] == "libsockerless":
        return parts[1]
    if parts[0] == "cmd" and parts[1] == "sockerless-agent":
        return "sockerless-agent"
    return parts[0]


def problems(path, text):
    layer = layer_of(path)
    for included in re.findall(r'^#include "([a-z]+)/', text, re.M):
        if included != layer and included not in MAY[layer]:
            yield f"{path}: {layer} must not include {included}/"
    if re.search(r"cjson/cJSON.h|base/json_read.h", text) and layer not in MAY_CJSON and path != "libsockerless/daemon/version.c":
        yield f"{path}: cJSON is not for {layer}"
    if re.search(r"\bgetenv\(", text) and not MAY_GETENV.match(path):
        yield f"{path}: getenv() belongs to cmd/, daemon/daemon.c and a backend's config.c"
    if layer == "base" and re.search(r"#include <uv\.h>", text):
        yield f"{path}: base knows no event loop"


def main():
    files = subprocess.check_output(["git", "-C", TOP, "ls-files", "libsockerless", "backends", "cmd"], text=True).split()
    found = []
    checked = [f for f in files if f.endswith((".c", ".h"))]
    for path in checked:
        with open(os.path.join(TOP, path)) as f:
            found += problems(path, f.read())
    print("\n".join(found) or f"{len(checked)} files keep the layers")
    sys.exit(bool(found) or not checked)


if __name__ == "__main__":
    main()
