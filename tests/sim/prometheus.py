"""Prometheus' text format, read strictly: what a scraper would take amiss is an error here."""
import re

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)')
SUFFIXES = ("_bucket", "_sum", "_count")


class Family:
    def __init__(self, name, text):
        self.name, self.help, self.type, self.samples = name, text, None, {}

    def value(self, suffix="", **labels):
        """The sum of all samples that have these labels."""
        found = [v for (name, have), v in self.samples.items()
                 if name == self.name + suffix and labels.items() <= dict(have).items()]
        return sum(found) if found else None


def labels_of(text):
    out, at = [], 0
    while at < len(text):
        m = LABEL.match(text, at)
        if not m:
            raise ValueError(f"labels: {text!r}")
        out.append((m[1], re.sub(r"\\(.)", lambda e: "\n" if e[1] == "n" else e[1], m[2])))
        at = m.end()
    if len({name for name, _ in out}) != len(out):
        raise ValueError(f"a label twice: {text!r}")
    return tuple(sorted(out))


def check_histogram(family):
    series = {}
    for (name, labels), value in family.samples.items():
        le = dict(labels).get("le")
        key = tuple(x for x in labels if x[0] != "le")
        series.setdefault(key, {})[le if name.endswith("_bucket") else name[len(family.name):]] = value
    for key, values in series.items():
        bounds = sorted((float(le), v) for le, v in values.items() if le not in ("_sum", "_count"))
        counts = [v for _, v in bounds]
        if not bounds or bounds[-1][0] != float("inf") or counts != sorted(counts) or counts[-1] != values["_count"]:
            raise ValueError(f"histogram {family.name}{key}: {values}")
        if (values["_sum"] > 0) != (values["_count"] > 0) and values["_sum"] != 0:
            raise ValueError(f"histogram {family.name}{key}: sum without count")


def parse(text):
    """{name: Family}"""
    if not text.endswith("\n"):
        raise ValueError("the last line has no end")
    families, family = {}, None
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            name, _, words = line[7:].partition(" ")
            if name in families or not NAME.fullmatch(name) or not words.strip():
                raise ValueError(f"family {name}: twice, misnamed or without help")
            family = families[name] = Family(name, words)
        elif line.startswith("# TYPE "):
            name, kind = line[7:].split(" ")
            if not family or name != family.name or family.type or family.samples or kind not in ("counter", "gauge", "histogram"):
                raise ValueError(line)
            family.type = kind
        else:
            m = re.fullmatch(r"([^ {]+)(?:\{(.*)\})? (\S+)", line)
            if not m or not family or not family.type:
                raise ValueError(f"line {line!r}")
            bare = m[1]
            if family.type == "histogram":
                bare = next((bare[:-len(s)] for s in SUFFIXES if bare.endswith(s)), bare)
            key = (m[1], labels_of(m[2] or ""))
            if bare != family.name or key in family.samples:
                raise ValueError(f"a sample out of place or twice: {line!r}")
            family.samples[key] = float(m[3])
            if family.type == "counter" and (family.samples[key] < 0 or not family.name.endswith("_total")):
                raise ValueError(f"counter: {line!r}")
    for f in families.values():
        if f.type == "histogram":
            check_histogram(f)
    return families
