#!/usr/bin/python3
"""build-info.py HEADER: what a build is made of: the commit, or "release" outside of a checkout, and its time, which is
SOURCE_DATE_EPOCH, else the commit's. Nothing is written when nothing has changed, so nothing is built again."""
import os
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def git(*argv):
    # A tarball that is unpacked in some other checkout is not of it.
    if not os.path.exists(os.path.join(TOP, ".git")):
        return ""
    done = subprocess.run(["git", "-C", TOP, *argv], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""


def main():
    epoch = os.environ.get("SOURCE_DATE_EPOCH") or git("log", "-1", "--format=%ct")
    date = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(epoch))) if epoch else ""
    commit = git("describe", "--always", "--dirty", "--abbrev=12", "--exclude=*") or "release"
    text = f'#define SKL_BUILD_COMMIT "{commit}"\n#define SKL_BUILD_DATE "{date}"\n'
    if os.path.exists(sys.argv[1]):
        with open(sys.argv[1]) as f:
            if f.read() == text:
                return
    with open(sys.argv[1], "w") as f:
        f.write(text)


if __name__ == "__main__":
    main()
