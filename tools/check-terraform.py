#!/usr/bin/python3
"""Keeps the Terraform code, the READMEs and the backends' options in step.

The options in backends/*/config.c are the source. A module's output `environment` says which output is which variable:
each variable is an option, each value an output of its own, the README's table the same pairs, and what the simulator's
environment says is a part of it. Beside that: variables are described, checked and used, outputs described and used or
documented, versions pinned. Needs neither Terraform nor a network; `make tf-test` has the checks that do.
"""
import os
import re
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TERRAFORM = os.path.join(TOP, "terraform")
BACKENDS = {"aca": "aca", "azf": "azure-functions", "gcf": "cloudrun-functions"}
# Modules that only other modules call; their callers check what goes in.
INNER = re.compile(r"/modules/[a-z]+-base$")
SECRET = re.compile(r"(_key|password|secret|connection_string|private_key_pem)\b")

problems = []


def read(*path):
    path = os.path.join(TOP, *path)
    if not os.path.exists(path):
        return ""
    with open(path) as f:
        return f.read()


def code(folder):
    """The .tf files of a folder in one text, without comments."""
    texts = [read(folder, name) for name in sorted(os.listdir(folder)) if name.endswith(".tf")]
    return re.sub(r"^\s*#.*\n", "", "\n".join(texts), flags=re.M)


def blocks(text, kind):
    """name -> body of `kind "name" {...}`."""
    return dict(re.findall(rf'^{kind} "(\w+)" \{{\n(.*?)^\}}', text, re.S | re.M))


def output_values(text):
    return {name: re.search(r"^  value\s+= (.*?)(?=^  \w+\s+=|\Z)", body, re.S | re.M).group(1).strip()
            for name, body in blocks(text, "output").items()}


def documents(backend):
    return read("backends", backend, "README.md") + read("backends", backend, "examples/terraform/README.md")


def mapping(folder):
    """environment variable -> expression, of the output `environment`."""
    value = output_values(code(folder)).get("environment", "")
    return dict(re.findall(r"^    (\w+)\s+= (.*)$", value, re.M))


def options(backend):
    text = read("backends", backend, "config.c")
    text += "".join(read("libsockerless", h) for h in re.findall(r'#include "(cloud/\S+_options\.h)"', text))
    rows = re.findall(r'\{\.env = "(\w+)"(.*?)\}', text, re.S)
    return {name: ".required = true" in row for name, row in rows}


def check_backend(short, backend):
    module = os.path.join(TERRAFORM, "modules", short)
    known, live = options(backend), mapping(module)
    outputs = output_values(code(module))
    by_value = {}
    for name, value in outputs.items():
        by_value.setdefault(value, []).append(name)
    pairs = {}
    for variable, value in live.items():
        if known and variable not in known:
            problems.append(f"modules/{short}: {variable} is no option of the backend")
        if len(by_value.get(value, [])) != 1:
            problems.append(f"modules/{short}: {variable} = {value} is not the value of one output")
        else:
            pairs[by_value[value][0]] = variable
    for variable in (v for v, required in known.items() if required):
        if variable not in live and not variable.endswith("_SUBSCRIPTION_ID"):
            problems.append(f"modules/{short}: the backend requires {variable}, which no output is")
    if known:
        table = re.findall(r"^\| `([a-z_]+)` \| `([A-Z_]+)` \|$", documents(backend), re.M)
        for output, variable in sorted(set(table) ^ set(pairs.items())):
            problems.append(f"the READMEs of backends/{backend} and modules/{short} differ on {output} -> {variable}")
    check_simulator(short, pairs, known)
    return len(pairs)


def check_simulator(short, pairs, known):
    folder = os.path.join(TERRAFORM, "environments", short, "simulator")
    simulated, outputs = mapping(folder), output_values(code(folder))
    for name, value in outputs.items():
        if name != "environment" and (name not in pairs or simulated.get(pairs[name]) != value):
            problems.append(f"environments/{short}/simulator: output {name} is not what the live environment has")
    for variable in simulated:
        if known and variable not in known:
            problems.append(f"environments/{short}/simulator: {variable} is no option of the backend")
    for variable in (v for v, required in known.items() if required and v not in simulated):
        problems.append(f"environments/{short}/simulator: {variable} is required and missing")


def check_folder(folder, all_code, prose):
    where = os.path.relpath(folder, TOP)
    text = code(folder)
    for name, body in blocks(text, "variable").items():
        for word in ("description", "type"):
            if not re.search(rf"^  {word}\s+=", body, re.M):
                problems.append(f"{where}: variable {name} has no {word}")
        if "  validation {" not in body and not INNER.search(folder) and "= bool" not in body:
            problems.append(f"{where}: variable {name} is not checked")
        if not re.search(rf"\bvar\.{name}\b", re.sub(rf'^variable "{name}" .*?^\}}', "", text, flags=re.S | re.M)):
            problems.append(f"{where}: variable {name} is not used")
    for name, body in blocks(text, "output").items():
        if "  description" not in body:
            problems.append(f"{where}: output {name} has no description")
        if SECRET.search(output_values(text)[name]) and not re.search(r"^  sensitive\s+= true$", body, re.M):
            problems.append(f"{where}: output {name} is a secret and not marked so")
        if not re.search(rf"\bmodule\.\w+\.{name}\b", all_code) and not re.search(rf"(`|-raw ){name}\b", prose):
            problems.append(f"{where}: output {name} is neither used nor documented")
    for name in re.findall(r"\blocal\.(\w+)", text):
        if not re.search(rf"^  {name}\s+= ", text, re.M):
            problems.append(f"{where}: local.{name} is not defined")
    if re.search(r'^(resource|data) "(azurerm|google)_', text, re.M):
        pins = re.findall(r'^      version = "([^"]*)"', text, re.M)
        if not pins or not all(re.fullmatch(r"\d+\.\d+\.\d+", pin) for pin in pins):
            problems.append(f"{where}: its providers' versions are not pinned: {pins}")
    if not re.search(r'required_version = ">= 1\.5"', text):
        problems.append(f"{where}: it does not say which Terraform it needs")


def main():
    folders = sorted(root for top in (TERRAFORM, os.path.join(TOP, "backends"))
                     for root, _, files in os.walk(top) if any(f.endswith(".tf") for f in files) and ".terra" not in root)
    all_code = "\n".join(map(code, folders))
    prose = read("terraform", "README.md") + "".join(map(documents, BACKENDS.values()))
    for folder in folders:
        check_folder(folder, all_code, prose)
    for short, backend in BACKENDS.items():
        print(f"{short}: {check_backend(short, backend)} outputs are settings")
    print(f"{len(folders)} folders of Terraform")
    for problem in problems:
        print(problem)
    sys.exit(bool(problems) or not folders)


if __name__ == "__main__":
    main()
