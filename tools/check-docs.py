#!/usr/bin/python3
"""Documents that speak of the code say what it says: each override of a backend is in its mapping document, and the other way
round; what docs/operations.md calls a message or a metric is one; each test that docs/security.md names exists, and each fuzz
target is in it; links lead somewhere. Settings: make-configuration.py.
"""
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def read(path):
    with open(os.path.join(TOP, path)) as f:
        return f.read()


# What clouds say, not we.
THEIRS = {"AADSTS7000215", "AuthorizationFailed", "SERVICE_DISABLED"}


def tracked(*patterns):
    return subprocess.check_output(["git", "-C", TOP, "ls-files", *patterns], text=True).split()


def literals():
    """The string literals of the code, those that stand beside each other as one."""
    text = "\n".join(map(read, tracked("libsockerless/*.c", "backends/*.c", "cmd/*.c", "libsockerless/*.h")))
    one = r'"(?:[^"\\\n]|\\.)*"'
    return "\0".join(re.sub(r'"\s*"', "", found) for found in re.findall(rf"{one}(?:\s*{one})*", text))


def operations():
    """Symptoms that no message has, metrics that nobody counts."""
    text, code = read("docs/operations.md"), literals()
    symptoms = re.findall(r"^\| `([^`]*)` \|", text[text.index("## Troubleshooting"):], re.M)
    for symptom in symptoms:
        # Between the parts stands what printf fills in.
        parts = [re.escape(part) for part in symptom.split("…")]
        if symptom not in THEIRS and not re.search("%[.0-9*]*s".join(parts), code):
            yield f"docs/operations.md: no message says '{symptom}'"
    for metric in set(re.findall(r"\bsockerless_\w+", text)):
        if metric not in code:
            yield f"docs/operations.md: there is no metric {metric}"
    if len(symptoms) < 20:
        yield "docs/operations.md: its symptoms were not found"


def anchor(heading):
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def links():
    """Links to files and headings that are not there."""
    for path in tracked("*.md"):
        for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", read(path), flags=re.S)):
            if "://" in target:
                continue
            name, _, fragment = target.partition("#")
            where = os.path.normpath(os.path.join(os.path.dirname(path), name)) if name else path
            if not os.path.exists(os.path.join(TOP, where)):
                yield f"{path}: {target} leads nowhere"
            elif fragment and fragment not in map(anchor, re.findall(r"^#+ (.*)$", read(where), re.M)):
                yield f"{path}: {where} has no heading {fragment}"


def security():
    """`suite/file: case` and `fuzz/fuzz_name`, as docs/security.md has them."""
    named = re.findall(r"`(unit|sim|agent|packaging|fuzz)/(\w+)(?:: (\w+))?`", read("docs/security.md"))
    for suite, name, case in named:
        path = f"tests/{suite}/{name}"
        path += ".c" if os.path.exists(os.path.join(TOP, path + ".c")) else ".py"
        if not os.path.exists(os.path.join(TOP, path)):
            yield f"docs/security.md: there is no {path}"
        elif suite != "fuzz" and not re.search(rf"START_TEST\({case}\)|def {case}\(", read(path)):
            yield f"docs/security.md: {path} has no {case}"
    targets = {os.path.basename(path)[:-2] for path in tracked("tests/fuzz/fuzz_*.c")}
    for name in sorted(targets - {name for suite, name, _ in named if suite == "fuzz"}):
        yield f"docs/security.md: {name} is not named"
    if len(named) < 100:
        yield "docs/security.md: its tests were not found"


def main():
    problems = [*operations(), *links(), *security()]
    print("\n".join(problems))
    wrong = bool(problems)
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
