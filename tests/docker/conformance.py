"""The same raw HTTP requests to our daemon and to a real Docker Engine: the answers have the same form.

rows.py lists the requests, in order; both sides play all of them. Compared are: the status, the names and values of the
headers, of JSON the keys, the types and (for errors) the message, of other bodies the text. A finding is
"ROW | WHAT = ours ; engine"; differences.txt holds the rules of the findings that are known, each with its reason.
A finding without a rule fails, and so does a rule without a finding: the list can only be true.
"""
import fnmatch
import http.client
import io
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import tarfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "sim"))
sys.path.insert(0, HERE)
from harness import SKIP, Stack, UnixConnection, free_port  # noqa: E402
from rows import ROWS  # noqa: E402
from engine import Engine  # noqa: E402

# Of these headers the name is compared and not the value.
ANY_VALUE = {"date", "content-length", "x-docker-container-path-stat"}
# How a body is cut into pieces is the server's own affair.
IGNORED = {"content-length", "transfer-encoding"}
PREFIX = "invalid JSON: "
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.\d]*(Z|[+-]\d\d:\d\d)")


class Side:
    """One server: its socket and what its earlier answers named."""

    def __init__(self, name, path, registry):
        self.name, self.path = name, path
        self.vars = {"port": free_port(), "registry": registry, "registry_path": registry.replace(":", "%3A")}
        self.answers = []
        self.failure = None

    def fill(self, text):
        return re.sub(r"\{(\w+)\}", lambda m: str(self.vars.get(m.group(1), m.group(0))), text)

    def plain(self, text):
        """What is one server's own (ids, times) made equal."""
        text = re.sub(r"\b[0-9a-f]{64}\b", "<id>", text)
        text = re.sub(r"\b[0-9a-f]{12}\b", "<short>", text)
        text = TIME.sub("<time>", text)
        return text.strip()

    def play(self):
        try:
            for row in ROWS:
                self.answers.append(self.ask(row))
        except BaseException as e:  # the other side goes on; the main thread reports
            self.failure = f"{row.name}: {e!r}"

    def ask(self, row):
        self.vars["now"] = int(time.time())
        body = row.body
        headers = {"Host": "docker"}
        if callable(body):
            body = body()
        elif isinstance(body, (dict, list)):
            body = self.fill(json.dumps(body)) if not row.verbatim else json.dumps(body)
        if isinstance(body, str):
            body = body.encode()
        if body is not None and row.content_type:
            headers["Content-Type"] = row.content_type
        headers.update(row.headers)
        path = row.prefix + self.fill(row.path)
        answer = self.hijack(row, path, body, headers) if row.hijack else self.plain_request(row, path, body, headers)
        if row.save:
            try:
                value = json.loads(answer.body.splitlines()[0])
                self.vars[row.save] = value.get("Id") or value.get("ID") or value.get("Name")
            except (ValueError, IndexError, AttributeError):
                self.vars[row.save] = "not-" + row.save
        return answer

    def plain_request(self, row, path, body, headers):
        c = UnixConnection(self.path)
        c.timeout = row.seconds
        try:
            c.connect()
            c.sock.settimeout(row.seconds)
            c.request(row.method, path, body, headers)
            r = c.getresponse()
            if row.stream:  # a stream without an end: its first piece is enough
                return Answer(r.status, r.getheaders(), r.read1(65536))
            return Answer(r.status, r.getheaders(), r.read())
        finally:
            c.close()

    def hijack(self, row, path, body, headers):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(row.seconds)
            s.connect(self.path)
            head = "".join(f"{k}: {v}\r\n" for k, v in headers.items())
            length = f"Content-Length: {len(body)}\r\n" if body is not None else ""
            s.sendall(f"{row.method} {path} HTTP/1.1\r\n{head}{length}\r\n".encode() + (body or b""))
            data = b""
            while b"\r\n\r\n" not in data:
                piece = s.recv(65536)
                if not piece:
                    break
                data += piece
            if row.stdin is not None:  # an Engine loses what comes before its head
                s.sendall(row.stdin)
                s.shutdown(socket.SHUT_WR)
            head, _, rest = data.partition(b"\r\n\r\n")
            head = head.decode("latin-1").split("\r\n")
            headers = [tuple(x.split(": ", 1)) for x in head[1:]]
            low = {k.lower(): v for k, v in headers}
            # Whoever keeps the connection open says how long the body is; a stream ends with the connection.
            while not done(low, rest):
                piece = s.recv(65536)
                if not piece:
                    break
                rest += piece
            return Answer(int(head[0].split()[1]), headers, rest)


def done(headers, body):
    if "content-length" in headers:
        return len(body) >= int(headers["content-length"])
    if headers.get("transfer-encoding") == "chunked":
        return body.endswith(b"0\r\n\r\n")
    return False


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body


def is_frames(body):
    return len(body) >= 8 and body[0] in (1, 2, 3) and body[1:4] == b"\0\0\0"


def read_frames(body):
    """{stream: bytes}, however they were cut."""
    streams = {}
    while len(body) >= 8:
        kind, size = struct.unpack(">BxxxL", body[:8])
        streams[kind] = streams.get(kind, b"") + body[8:8 + size]
        body = body[8 + size:]
    return streams


def kind_of(value):
    return {dict: "object", list: "list", str: "string", bool: "boolean", int: "number", float: "number",
            type(None): "null"}[type(value)]


def shape(value, at, side, out):
    """Collects {path: set of types}. Keys that are ids count as one key; so do the elements of a list."""
    out.setdefault(at or ".", set()).add(kind_of(value))
    if isinstance(value, dict):
        for key, member in value.items():
            shape(member, f"{at}.{side.plain(key)}", side, out)
    elif isinstance(value, list):
        for member in value:
            shape(member, at + "[]", side, out)


def parse(body):
    """The JSON values of a body: one, or one a line; None when it is not JSON."""
    text = body.decode("utf-8", "replace").strip()
    if not text or text[0] not in "{[\"n":
        return None
    try:
        return [json.loads(text)]
    except ValueError:
        pass
    try:
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    except ValueError:
        return None


def covered(path, other):
    """Below a list or an object that has nothing in it on the other side, nothing can be compared."""
    cut = len(path)
    while cut > 0:
        cut = max(path.rfind(".", 0, cut), path.rfind("[]", 0, cut))
        parent = path[:cut] if cut > 0 else "."
        if parent in other:
            inside = any(p != parent and p.startswith("" if parent == "." else parent) for p in other)
            return not inside and other[parent] & {"list", "null"}
    return False


def compare_json(row, ours, theirs, sides):
    a, b = {}, {}
    for value in ours:
        shape(value, "", sides[0], a)
    for value in theirs:
        shape(value, "", sides[1], b)
    for path in sorted(set(a) | set(b)):
        if path not in b:
            if not covered(path, b) and parent_shared(path, a, b):
                yield f"more {path}", ",".join(sorted(a[path])), "no such key"
        elif path not in a:
            if not covered(path, a) and parent_shared(path, a, b):
                yield f"missing {path}", "no such key", ",".join(sorted(b[path]))
        elif a[path] != b[path]:
            yield f"type {path}", ",".join(sorted(a[path])), ",".join(sorted(b[path]))
    for key in ("message", "error"):
        texts = [[sides[i].plain(str(v[key])) for v in values if isinstance(v, dict) and key in v]
                 for i, values in enumerate((ours, theirs))]
        # Newer Engines put this before what Go's decoder says; the rest is the same.
        texts[0] = [t[len(PREFIX):] if t.startswith(PREFIX) and t not in texts[1] else t for t in texts[0]]
        if texts[0] != texts[1]:
            yield key, *(" / ".join(t) for t in texts)


def parent_shared(path, a, b):
    """Only the top of a part that is missing is reported."""
    cut = path.rfind(".")
    parent = path[:cut] if cut > 0 else "."
    while parent.endswith("[]") and (parent not in a or parent not in b):
        parent = parent[:-2] or "."
    return parent in a and parent in b


def text_of(row, answer, side):
    if row.method == "HEAD":
        return ""
    if row.tar:
        try:
            with tarfile.open(fileobj=io.BytesIO(answer.body)) as tar:
                return "\n".join(sorted(f"{m.name} {m.mode:o} {m.type.decode()}" for m in tar))
        except tarfile.TarError as e:
            return f"not a tar: {e}"
    if row.any_text:
        return ""
    if is_frames(answer.body):
        return "\n".join(f"{k}: {side.plain(v.decode(errors='replace'))}" for k, v in sorted(read_frames(answer.body).items()))
    return side.plain(answer.body.decode(errors="replace"))


def compare(row, ours, theirs, sides):
    """Findings: (what, ours, engine)"""
    if ours.status != theirs.status:
        yield "status", f"{ours.status} {ours.body[:160].decode(errors='replace').strip()}", \
            f"{theirs.status} {theirs.body[:160].decode(errors='replace').strip()}"
        return
    a, b = ({k.lower(): v for k, v in answer.headers if k.lower() not in IGNORED} for answer in (ours, theirs))
    for name in sorted(set(a) | set(b)):
        if name not in a or name not in b:
            yield f"header {name}", a.get(name, "absent"), b.get(name, "absent")
        elif name not in ANY_VALUE and a[name] != b[name]:
            yield f"header {name}", a[name], b[name]
    if row.pick:
        picked = [row.pick(json.loads(x.body)) if x.status == 200 else None for x in (ours, theirs)]
        if picked[0] != picked[1]:
            yield "picked", *map(str, picked)
    values = [None if row.tar or row.hijack or row.any_text else parse(x.body) for x in (ours, theirs)]
    if None not in values:
        yield from compare_json(row, *values, sides)
        return
    texts = [text_of(row, answer, side) for answer, side in zip((ours, theirs), sides)]
    if texts[0] != texts[1]:
        yield "text", *(t[:300] for t in texts)


class Rule:
    def __init__(self, number, line):
        parts = [p.strip() for p in line.split("|", 2)]
        if len(parts) != 3 or not all(parts):
            raise SystemExit(f"differences.txt:{number}: not ROW | WHAT | reason")
        self.row, self.what, self.reason = parts
        self.number, self.used = number, 0

    def covers(self, row, what, ours, engine):
        return literal_match(row, self.row) and (
            literal_match(what, self.what) or literal_match(f"{what} = {ours} ; {engine}", self.what))


def literal_match(text, pattern):
    """* stands for anything; every other character for itself, brackets too."""
    return fnmatch.fnmatchcase(text, re.sub(r"([\[?])", r"[\1]", pattern))


def read_rules():
    with open(os.path.join(HERE, "differences.txt")) as f:
        return [Rule(n, line) for n, line in enumerate(f, 1) if line.strip() and not line.startswith("#")]


def judge(sides):
    rules = read_rules()
    failures = compared = 0
    for row, ours, theirs in zip(ROWS, sides[0].answers, sides[1].answers):
        if row.set_up:
            if ours.status != theirs.status:
                failures += 1
                print(f"SET-UP: {row.name} | ours {ours.status} {ours.body[:200]!r} ; engine {theirs.status} {theirs.body[:200]!r}")
            continue
        compared += 1
        for what, a, b in compare(row, ours, theirs, sides):
            known = [r for r in rules if r.covers(row.name, what, a, b)]
            for rule in known:
                rule.used += 1
            if not known:
                failures += 1
                print(f"{row.name} | {what} = {a} ; {b}")
    unused = [r for r in rules if not r.used]
    for rule in unused:
        print(f"differences.txt:{rule.number}: nothing differs so any more: {rule.row} | {rule.what}")
    print(f"{compared} requests on both, {failures} differences without a rule, {len(rules)} rules, {len(unused)} of them unused")
    return failures + len(unused)


def main():
    missing = [p for p in ("dockerd", "containerd", "runc", "skopeo", "umoci", "docker-registry") if not shutil.which(p)]
    if os.geteuid() != 0 or missing:
        print("skipped: needs root and", ", ".join(missing))
        sys.exit(SKIP)
    with Stack() as s, Engine() as e:
        name = f"{s.registry}/library/busybox:latest"
        for env in (s.env(), e.environ):
            subprocess.run(["docker", "pull", "-q", name], env=env, check=True, capture_output=True)
            subprocess.run(["docker", "tag", name, "busybox:latest"], env=env, check=True)
        sides = [Side("ours", s.socket, s.registry), Side("engine", e.socket, s.registry)]
        threads = [threading.Thread(target=side.play) for side in sides]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        failures = [f"{side.name}: {side.failure}" for side in sides if side.failure]
        for f in failures:
            print("NOT PLAYED TO THE END:", f)
        sys.exit(bool(judge(sides) + len(failures)))


if __name__ == "__main__":
    main()
