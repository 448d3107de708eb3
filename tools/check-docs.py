#!/usr/bin/python3
"""Every setting in a backend's code is in its README, each override in its mapping document; and the other way round."""
import os
import re
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def read(path):
    with open(os.path.join(TOP, path)) as f:
        return f.read()


def settings_of(backend):
    code = read(f"backends/{backend}/config.c")
    texts = [code, read("libsockerless/daemon/settings.c")]
    # Tables that several backends have in common are headers of their cloud.
    texts += [read("libsockerless/" + header) for header in re.findall(r'#include "(cloud/\S+_options\.h)"', code)]
    return set(re.findall(r'\.env = "([A-Z_]+)"', "".join(texts)))


def main():
    wrong = False
    for backend in sorted(os.listdir(os.path.join(TOP, "backends"))):
        if not os.path.exists(os.path.join(TOP, "backends", backend, "config.c")):
            continue
        path = f"backends/{backend}/README.md"
        code = settings_of(backend)
        readme = set(re.findall(r"^\| .*?`([A-Z][A-Z_]+)` \|", read(path), re.M))
        for name in sorted(code - readme):
            print(f"{name} is not in {path}")
        for name in sorted(readme - code):
            print(f"{name} is in {path} and not in the code")
        slots = set(re.findall(r"\.((?:container|image|volume)_\w+) = skl_", read(f"backends/{backend}/server.c")))
        mapped = set(re.findall(r"^\| `(\w+)` \|", read(f"backends/{backend}/docs/docker_api_mapping.md"), re.M))
        for name in sorted(slots ^ mapped):
            print(f"{name} is in only one of backends/{backend}/server.c and its docs/docker_api_mapping.md")
        print(f"{backend}: {len(code)} settings, {len(slots)} overrides")
        wrong |= code != readme or not code or slots != mapped or not slots
    sys.exit(wrong)


if __name__ == "__main__":
    main()
