#!/usr/bin/python3
"""render.py TEMPLATE OUTPUT OPTIONS_PROGRAM NAME=VALUE...: fills in a template: @NAME@, and what is made of a backend's settings.

@DAEMON_OPTIONS@, @BACKEND_OPTIONS@  paragraphs of a man page
@DAEMON_SETTINGS@, @BACKEND_SETTINGS@  lines of an environment file, each commented out with its default
@FLAGS@, @VALUE_FLAGS@, @CHOICES@  for the shell's completion
The defaults of the unit (Environment= in backend.service.in) go before those of the program. A template without settings has
"-" for the program.
"""
import json
import os
import re
import subprocess
import sys
import textwrap

HERE = os.path.dirname(os.path.abspath(__file__))


def roff(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^([.'])", r"\\&\1", text)


def what(option):
    """The help with what belongs to it, as --help has it."""
    text = option["help"]
    if option["type"] == "list":
        text += "; several: separated by commas, as a flag repeated"
    if option["type"] == "enum":
        text += "; one of " + ", ".join(option["choices"].split("|"))
    return text


def man(option, unit):
    value = {"int": " N", "bool": "", "enum": " WORD"}.get(option["type"], " VALUE")
    names = []
    if option["flag"]:
        flag, _, argument = (option["flag"] + value).partition(" ")
        names.append(f"\\fB{roff(flag)}\\fR" + (f" \\fI{argument}\\fR" if argument else ""))
    if option["env"]:
        names.append(f"\\fB{option['env']}\\fR")
    tail = " (required)" if option["required"] else f" (default {option['default']})" if option["default"] else ""
    return f".TP\n{', '.join(names)}\n{roff(what(option) + tail)}."


def setting(option, unit):
    if not option["env"]:
        return None
    text = what(option) + (" (required)" if option["required"] else "")
    lines = textwrap.wrap(text, 110, break_on_hyphens=False, break_long_words=False)
    return "".join(f"# {line}\n" for line in lines) + f"#{option['env']}={unit.get(option['env'], option['default'])}\n"


def paragraphs(render, options, unit):
    return "\n".join(filter(None, (render(o, unit) for o in options)))


def main():
    template, output, program = sys.argv[1:4]
    values = dict(argument.split("=", 1) for argument in sys.argv[4:])
    with open(template) as f:
        text = f.read()
    if program != "-":
        tables = json.loads(subprocess.check_output([program, values["BACKEND"]]))
        with open(os.path.join(HERE, "backend.service.in")) as f:
            unit = dict(re.findall(r"^Environment=(\w+)=(.*)$", f.read(), re.M))
        for table, options in tables.items():
            values[table.upper() + "_OPTIONS"] = paragraphs(man, options, unit)
            values[table.upper() + "_SETTINGS"] = paragraphs(setting, options, unit)
        flags = [o for options in tables.values() for o in options if o["flag"]]
        values["FLAGS"] = " ".join(o["flag"] for o in flags)
        values["VALUE_FLAGS"] = "|".join(
            o["flag"] for o in flags if o["type"] != "bool" and not o["choices"] and o["flag"] != "--state-dir")
        values["CHOICES"] = "\n".join(f"    {o['flag']}) words=\"{o['choices'].replace('|', ' ')}\" ;;" for o in flags if o["choices"])
    # Twice: what is filled in has names, too.
    for _ in range(2):
        text = re.sub(r"@([A-Z_]+)@", lambda m: values[m.group(1)], text)
    with open(output, "w") as f:
        f.write(text)


if __name__ == "__main__":
    main()
