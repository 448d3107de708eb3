"""Documents as tests: what a document says to type is typed, and what it says comes of it is compared.

A fenced block of `sh` is run (indented ones and other fences are not: they need an account, or are for reading). All of a
document, or of one section, is one shell. A block of `output` right after one is the end of what that printed. A block whose
line before ends in "`NAME`:" is a file of that name in the working folder.
"""
import os
import re
import subprocess

from harness import TOP

BLOCK = re.compile(r"(?:^|\n)([^\n]*)\n*\n```(\w+)\n(.*?)\n```", re.S)
MARK = "\x1eend of block\x1e"


def section_of(text, heading):
    if heading is None:
        return text
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", text, re.S | re.M)
    assert found, f"no section {heading}"
    return found.group(1)


def walk(path, folder, env, section=None, replace=None, timeout=240):
    """path: below the top of the tree. replace: what a user fills in -> what it is here; each must be in the text."""
    with open(os.path.join(TOP, path)) as f:
        text = section_of(f.read(), section)
    for old, new in (replace or {}).items():
        assert old in text, f"{path} does not say {old}"
        text = text.replace(old, new)
    script, expected = ["set -e"], []
    for before, kind, body in BLOCK.findall(text):
        name = re.search(r"`([^`]+)`:$", before)
        if kind == "sh":
            script += [body, f"printf '%s\\n' '{MARK}'"]
            expected.append(None)
        elif kind == "output":
            expected[-1] = body
        elif name:
            file = os.path.join(folder, name.group(1))
            os.makedirs(os.path.dirname(file), exist_ok=True)
            with open(file, "w") as f:
                f.write(body + "\n")
    assert expected, f"{path}: there is nothing to type"
    done = subprocess.run(["bash", "-c", "\n".join(script)], cwd=folder, env=env, capture_output=True, text=True, timeout=timeout,
                          stdin=subprocess.DEVNULL)
    parts = done.stdout.split(MARK + "\n")
    assert done.returncode == 0 and len(parts) == len(expected) + 1, (path, done.returncode, done.stdout[-3000:], done.stderr[-3000:])
    for printed, said in zip(parts, expected):
        assert said is None or printed.rstrip("\n").endswith(said), (path, printed, said)
    return done.stdout, done.stderr
