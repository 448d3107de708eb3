#!/usr/bin/python3
"""make-configuration.py [--check] OPTIONS_PROGRAM: docs/configuration.md and the settings' tables in the backends' READMEs, made
of the option tables that the daemons are built with. --check: only says what is not as it would be made.
"""
import difflib
import json
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BACKENDS = {
    "aca": ("Azure Container Apps", "aca"),
    "azf": ("Azure Functions", "azure-functions"),
    "gcf": ("Google Cloud Run functions", "cloudrun-functions"),
}
HEAD = """# Configuration

Made of the option tables in the code by `make configuration`; a test keeps it so. The same tables print `--help`, `--check-config`
and the man pages.

- A setting is a flag, an environment variable, or either. A flag goes before the variable, the variable before the default. An
  empty value is as if it were not set.
- A list is separated by commas in a variable; as a flag it is repeated. A switch is `true` or `false` in a variable; as a flag it
  stands alone.
- A wrong setting ends the start with exit status 2 and one line that names it. `--check-config` checks and prints all (secrets as
  `***`); `doctor` also looks at what the settings lead to ([operations.md](operations.md#doctor)).
- The packages read `/etc/default/sockerless-backend-X`, which lists all of them.

"""


def cell(text):
    return text.replace("|", "\\|")


def what(option):
    text = option["help"]
    if option["type"] == "enum" and not all(word in text for word in option["choices"].split("|")):
        text += "; one of " + ", ".join(f"`{word}`" for word in option["choices"].split("|"))
    if option["type"] == "int" and option["max"]:
        text += f" ({option['min']} to {option['max']})"
    if option["type"] == "list":
        text += " (a list)"
    if option["type"] == "secret":
        text += " (secret)"
    return cell(text)


def default(option):
    return "_(required)_" if option["required"] else f"`{option['default']}`" if option["default"] else ""


def table(options, with_flags):
    if with_flags:
        lines = ["| flag | variable | default | what |", "|---|---|---|---|"]
    else:
        lines = ["| variable | default | what |", "|---|---|---|"]
    for o in options:
        names = [o["flag"], o["env"]] if with_flags else [o["env"]]
        cells = [f"`{name}`" if name else "" for name in names] + [default(o), what(o)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def made(program):
    """path -> text, for every file that holds a table."""
    tables = {name: json.loads(subprocess.check_output([program, name])) for name in BACKENDS}
    text = HEAD + "## The daemon\n\nWhat all three have.\n\n" + table(tables["aca"]["daemon"], True)
    files = {}
    for name, (title, folder) in BACKENDS.items():
        text += f"\n## {title}\n\n`sockerless-backend-{name}`; [its README](../backends/{folder}/README.md) says more.\n\n"
        text += table(tables[name]["backend"], False)
        path = f"backends/{folder}/README.md"
        with open(os.path.join(TOP, path)) as f:
            readme = f.read()
        files[path] = re.sub(r"(?<=\n\n)\| variable \| default \| what \|\n(\|.*\n)+",
                             lambda _, t=table(tables[name]["backend"], False): t, readme)
        assert "| variable | default | what |" in files[path], path
    files["docs/configuration.md"] = text
    return files


def main():
    check = sys.argv[1] == "--check"
    wrong = False
    for path, text in made(sys.argv[-1]).items():
        full = os.path.join(TOP, path)
        old = ""
        if os.path.exists(full):
            with open(full) as f:
                old = f.read()
        if check:
            wrong |= old != text
            sys.stdout.writelines(difflib.unified_diff(old.splitlines(True), text.splitlines(True), path, "as made: make configuration"))
        elif old != text:
            with open(full, "w") as f:
                f.write(text)
    print("docs/configuration.md and the READMEs are", "not as the option tables" if wrong else "as the option tables")
    sys.exit(wrong)


if __name__ == "__main__":
    main()
