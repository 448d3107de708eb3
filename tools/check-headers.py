#!/usr/bin/python3
"""Every header compiles alone. usage: check-headers.py CC [ARG...]"""
import concurrent.futures
import os
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def compiles(path):
    r = subprocess.run([*sys.argv[1:], "-std=gnu11", "-fsyntax-only", "-D_GNU_SOURCE", f"-I{TOP}/libsockerless",
                        f"-I{TOP}/backends/aca", "-isystem/usr/share/include/llhttp", f"-I{TOP}/cmd/sockerless-agent", "-x", "c", os.path.join(TOP, path)],
                       capture_output=True, text=True)
    return path, r.returncode, r.stderr


def main():
    files = subprocess.check_output(["git", "-C", TOP, "ls-files", "libsockerless/*.h", "backends/*.h", "cmd/*.h"], text=True).split()
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, code, err in pool.map(compiles, [f for f in files if not f.endswith("banned.h")]):
            if code:
                bad += 1
                print(f"{path}:\n{err}")
    print(f"{len(files)} headers, {bad} do not compile alone")
    sys.exit(bad > 0 or not files)


if __name__ == "__main__":
    main()
