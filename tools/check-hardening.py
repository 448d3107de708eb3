#!/usr/bin/python3
"""The built executables are hardened. usage: check-hardening.py BUILD_DIR

Read from the files: position independent, nothing executable on the stack, relocations read-only after the start, stack
protector, stack probes, control-flow marks, checked libc calls. The sanitizers stand in for the last in the sanitized
builds; there only the agent, which never has them, is looked at for it, and the backends' options in a release build that
is configured and not compiled.
"""
import json
import os
import re
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BACKENDS = ("sockerless-backend-aca", "sockerless-backend-azf", "sockerless-backend-gcf")
# What a probe of a large stack frame looks like; other machines have no such check here.
PROBE = {"x86-64": r"\tor[qb]? +\$0x0,\(%rsp\)|\tmovq +\$0x0,\(%rsp\)", "AArch64": r"\tstr\txzr, \[sp, #1024\]"}
MARKS = {"x86-64": r"x86 feature:.*IBT.*SHSTK", "AArch64": r"AArch64 feature:.*BTI.*PAC"}

problems = []


def run(*argv, **kw):
    return subprocess.check_output(argv, text=True, env={**os.environ, "LC_ALL": "C"}, **kw)


def expect(path, what, ok):
    if not ok:
        problems.append(f"{os.path.basename(path)}: {what}")


def machine(header):
    return next((m for m in PROBE if m in header.replace("X86-64", "x86-64")), None)


def check_file(path, static):
    header, segments, dynamic = run("readelf", "-hW", path), run("readelf", "-lW", path), run("readelf", "-dW", path)
    expect(path, "not position independent", re.search(r"Type: +DYN", header) and re.search(r"FLAGS_1.*PIE", dynamic))
    expect(path, "linked to shared libraries" if static else "not linked to the C library", ("(NEEDED)" in dynamic) != static)
    stack = re.search(r"GNU_STACK +(?:0x\w+ +){5}(\w+)", segments)
    expect(path, "executable stack", stack and "E" not in stack.group(1))
    expect(path, "a segment that is written and executed", not re.search(r"LOAD +(?:0x\w+ +){5}RWE", segments))
    expect(path, "relocations stay writable", "GNU_RELRO" in segments)
    expect(path, "functions bound lazily", re.search(r"FLAGS_1.*NOW", dynamic))
    expect(path, "code relocated at its start", "TEXTREL" not in dynamic)
    expect(path, "a search path of its own", not re.search(r"\((RPATH|RUNPATH)\)", dynamic))
    kind = machine(header)
    if kind:
        expect(path, "large stack frames are not probed", re.search(PROBE[kind], run("objdump", "-d", path)))


def check_objects(folder, fortified):
    """Each of our objects is marked; those with buffers on the stack call the protector."""
    objects = [os.path.join(folder, f) for f in sorted(os.listdir(folder)) if f.endswith(".o") and "llhttp" not in f]
    called = run("nm", "-u", *objects)
    kind = machine(run("readelf", "-hW", objects[0]))
    expect(folder, "no object calls the stack protector", "__stack_chk_fail" in called)
    if fortified:
        expect(folder, "no checked libc call", re.search(r"U __\w+_chk$", called, re.M))
    for path in objects if kind else ():
        expect(path, "no control-flow marks", re.search(MARKS[kind], run("readelf", "-nW", path)))


def check_commands(build):
    """What a release build compiles our code with."""
    with open(os.path.join(build, "compile_commands.json")) as f:
        commands = [c for c in json.load(f) if re.search(r"(libsockerless|backends|cmd)/", c["file"])]
    expect(build, "no commands", len(commands) > 100)
    for c in commands:
        expect(c["file"], "not fortified in a release build",
               "-D_FORTIFY_SOURCE=3" in c["command"] and re.search(r" -O[23s] ", c["command"]))


def main():
    build = sys.argv[1]
    options = json.loads(run("meson", "introspect", "--buildoptions", build))
    sanitized = next(o["value"] for o in options if o["name"] == "b_sanitize") != "none"
    check_file(f"{build}/cmd/sockerless-agent", static=True)
    check_objects(f"{build}/cmd/sockerless-agent.p", fortified=True)
    for name in BACKENDS:
        check_file(f"{build}/cmd/{name}", static=False)
    for layer in ("base", "net", "docker", "cloud"):
        check_objects(f"{build}/libsockerless/{layer}/libskl-{layer}.a.p", fortified=not sanitized)
    if sanitized:
        with tempfile.TemporaryDirectory(prefix="skl-") as release:
            run(f"{TOP}/tools/configure.sh", f"{release}/build", "release", cwd=TOP)
            check_commands(f"{release}/build")
    else:
        check_commands(build)
    print("\n".join(problems) or "all hardened" + (", checked libc calls of the backends by their options" if sanitized else ""))
    sys.exit(len(problems) > 0)


if __name__ == "__main__":
    main()
