#!/usr/bin/python3
"""Every setting in the code is in the backend's README, and the other way round."""
import os
import re
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def read(path):
    with open(os.path.join(TOP, path)) as f:
        return f.read()


def main():
    code = set(re.findall(r'\.env = "([A-Z_]+)"', read("backends/aca/config.c") + read("libsockerless/daemon/settings.c")))
    readme = set(re.findall(r"^\| .*?`([A-Z][A-Z_]+)` \|", read("backends/aca/README.md"), re.M))
    for name in sorted(code - readme):
        print(f"{name} is not in backends/aca/README.md")
    for name in sorted(readme - code):
        print(f"{name} is in backends/aca/README.md and not in the code")
    print(f"{len(code)} settings")
    sys.exit(code != readme or not code)


if __name__ == "__main__":
    main()
