#!/usr/bin/python3
"""Each override of a backend is in its mapping document, and the other way round. Settings: make-configuration.py."""
import os
import re
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def read(path):
    with open(os.path.join(TOP, path)) as f:
        return f.read()


def main():
    wrong = False
    for backend in sorted(os.listdir(os.path.join(TOP, "backends"))):
        if not os.path.exists(os.path.join(TOP, "backends", backend, "config.c")):
            continue
        slots = set(re.findall(r"\.((?:container|image|volume)_\w+) = skl_", read(f"backends/{backend}/server.c")))
        mapped = set(re.findall(r"^\| `(\w+)` \|", read(f"backends/{backend}/docs/docker_api_mapping.md"), re.M))
        for name in sorted(slots ^ mapped):
            print(f"{name} is in only one of backends/{backend}/server.c and its docs/docker_api_mapping.md")
        print(f"{backend}: {len(slots)} overrides")
        wrong |= slots != mapped or not slots
    sys.exit(wrong)


if __name__ == "__main__":
    main()
