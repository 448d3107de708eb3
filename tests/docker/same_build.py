"""The same builds against our daemon and a real Docker Engine: answers, lines and the images' configurations are equal.

What may differ is in DIFFERS, with the reason. Ids and the lines about the Engine's containers are made equal or
left out before comparing. RUN is not compared: it is not executed here.
"""
import http.client
import http.server
import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "sim"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import SKIP, Stack  # noqa: E402
from engine import Engine  # noqa: E402

# What an ADD of a URL fetches: WEB is its address.
class Web(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/file.txt" else 404)
        self.end_headers()
        self.wfile.write(b"of the web\n")

    def log_message(self, *unused):
        pass


# Dockerfile, query
BUILDS = [
    ("FROM busybox\nFOO bar\n", ""), ("FROM busybox\n\n# c\nFOO bar\n", ""), ("", ""), ("# only\n", ""),
    ("RUN x\nFROM busybox\n", ""), ("FROM busybox\nENV\n", ""), ("FROM busybox\nENV a\n", ""), ("FROM busybox\nENV a=b c\n", ""),
    ("FROM busybox\nENV =b\n", ""), ("FROM busybox\nCOPY a\n", ""), ("FROM busybox\nCOPY nope /x\n", ""),
    ("FROM busybox\nCOPY a.txt b.txt /x\n", ""), ("FROM busybox\nCOPY ../a /x\n", ""), ("FROM busybox\nCOPY --foo=1 a /x\n", ""),
    ("FROM busybox\nCOPY --chown a.txt /x\n", ""), ("FROM busybox\nCOPY --from=0 a.txt /x\n", ""),
    ("FROM busybox AS a\nFROM busybox\nCOPY --from=a /nofile /x\n", ""), ("FROM\n", ""), ("FROM a b\n", ""),
    ("FROM busybox AS 1a\n", ""), ("FROM ${X}\n", ""), ("FROM scratch\nCMD [\"x\"]\n", ""), ("FROM scratch\n", ""),
    ("FROM busybox\nHEALTHCHECK\n", ""), ("FROM busybox\nHEALTHCHECK FOO x\n", ""), ("FROM busybox\nHEALTHCHECK CMD\n", ""),
    ("FROM busybox\nHEALTHCHECK NONE a\n", ""), ("FROM busybox\nHEALTHCHECK --interval=5s --retries=2 CMD true\n", ""),
    ("FROM busybox\nHEALTHCHECK CMD [\"a\", \"b\"]\n", ""), ("FROM busybox\nHEALTHCHECK NONE\n", ""),
    ("FROM busybox\nHEALTHCHECK --interval=5x CMD true\n", ""), ("FROM busybox\nHEALTHCHECK --retries=x CMD true\n", ""),
    ("FROM busybox\nSHELL sh -c\n", ""), ("FROM busybox\nSHELL [\"sh\",\"-x\"]\nCMD a b\nENTRYPOINT c\n", ""),
    ("FROM busybox\nONBUILD FROM x\n", ""), ("FROM busybox\nONBUILD ONBUILD RUN x\n", ""), ("FROM busybox\nONBUILD\n", ""),
    ("FROM busybox\nONBUILD COPY a.txt /x\n", "t=trigger:1"), ("FROM trigger:1\nCMD [\"cat\", \"/x\"]\n", ""),
    ("FROM busybox\nEXPOSE\n", ""), ("FROM busybox\nEXPOSE 80 90/udp 100-102\n", ""), ("FROM busybox\nEXPOSE abc\n", ""),
    ("FROM busybox\nSTOPSIGNAL FOO\n", ""), ("FROM busybox\nSTOPSIGNAL TERM\n", ""), ("FROM busybox\nUSER\n", ""),
    ("FROM busybox\nUSER a:b\n", ""), ("FROM busybox\nWORKDIR a b\n", ""), ("FROM busybox\nVOLUME\n", ""),
    ("FROM busybox\nVOLUME [\"/a\", \"\"]\n", ""), ("FROM busybox\nVOLUME /a /b\n", ""), ("FROM busybox\nMAINTAINER a b\n", ""),
    ("FROM busybox\nCMD\n", ""), ("FROM busybox\nCMD [\"a\",1]\n", ""), ("FROM busybox\nCMD [\"a\" b\n", ""),
    ("FROM busybox\nENTRYPOINT [\"a\"]\nCMD x\n", ""), ("FROM busybox\nCMD x\nENTRYPOINT [\"a\"]\n", ""),
    ("FROM busybox\nARG\n", ""), ("FROM busybox\nARG a b=c\n", "buildargs=%7B%22a%22%3A%221%22%2C%22zz%22%3A%22q%22%7D"),
    ("FROM busybox\nARG a=1\nENV b=$a c=${a:-x} d=${q:-\"y z\"} e='$a' f=\\$a\nENV b=2 g=$b h=$b\n", ""),
    ("ARG a=busybox\nFROM $a\nARG a\nENV b=$a\n", ""),
    ("FROM busybox\nENV key a value  of words\nLABEL \"a b\"=c d=\"e\\\nf\"\n", ""),
    ("# escape=`\nFROM busybox\nENV a=b `\n c=d\n", ""), ("# escape=x\nFROM busybox\n", ""), ("# escape=`\n# escape=`\nFROM busybox\n", ""),
    ("# syntax=docker/dockerfile:1\nFROM busybox\n", ""), ("FROM busybox\nENV a \\\n\n  b\n", ""),
    ("FROM busybox\nENV a=1 \\\n# c\n  b=2 \\\n   c=3\n", ""), ("FROM busybox\nENV a=${b:?msg}\n", ""), ("FROM busybox\nENV a='\n", ""),
    ("FROM busybox\n", "target=nope"), ("FROM busybox AS one\nENV a=1\nFROM busybox\n", "target=one"), ("FROM busybox\n", "dockerfile=Nope"),
    ("FROM busybox\n", "version=3"), ("FROM busybox\n", "buildargs=x"), ("FROM busybox\n", "labels=x"),
    ("FROM busybox\nENV q=1\n", "labels=%7B%22l%22%3A%22v%22%7D&q=1"), ("FROM busybox\n", "labels=%7B%22l%22%3A%22v%22%7D"),
    ("FROM busybox\n", "t=x:1&t=y"), ("FROM busybox\n", "squash=1"), ("FROM busybox\nCOPY http://127.0.0.1:1/x /x\n", ""),
    ("FROM busybox\nCOPY dir /x\nCOPY *.txt /y/\nCOPY a.txt b.txt /z/\nADD a.txt /q\n", ""), ("FROM busybox\nCOPY zz* /x/\n", ""),
    ("FROM busybox AS A\nFROM a\nENV PATH=/x:$PATH\nWORKDIR x\nWORKDIR y\nWORKDIR /z/$a\nUSER 1:2\n", ""),
    ("FROM busybox AS a\nFROM a AS a\n", ""), ("FROM busybox AS a\nCOPY dir /d\nFROM busybox\nCOPY --from=a /d/c.txt /\n", ""),
    ("FROM busybox\nADD WEB/file.txt /w/\nADD WEB/file.txt /x\n", ""), ("FROM busybox\nADD WEB/nope /w/\n", ""),
    ("FROM busybox\nADD WEB/ /w/\n", ""), ("FROM busybox\nADD WEB/file.txt a.txt /w\n", ""),
    ("FROM busybox\nCOPY --from=busybox:latest /bin/sh /etc /x/\n", ""), ("FROM busybox\nCOPY --from=busybox /nope /x\n", ""),
    ("FROM busybox\nCOPY --from=UPPER /nope /x\n", ""), ("FROM busybox AS s\nFROM scratch\nCOPY --from=s /etc/passwd /bin/busyb* /x/\n", ""),
]

# Dockerfile -> why the answers are not compared.
DIFFERS = {
    "FROM busybox\nENV a\n": "20.10 leaves the line out of errors found while words are divided; newer ones and we say it",
    "FROM busybox\nENV a=b c\n": "the line, as above",
    "FROM busybox\nCMD [\"a\",1]\n": "the line, as above",
    "# escape=x\nFROM busybox\n": "the line, as above",
    "# escape=`\n# escape=`\nFROM busybox\n": "the line, as above",
    "RUN x\nFROM busybox\n": "we say the line",
    "FROM busybox AS a\nFROM busybox\nCOPY --from=a /nofile /x\n": "we add why a file may be missing",
    "FROM busybox\nHEALTHCHECK --interval=5s --retries=2 CMD true\n": "history: the Engine prints a Go structure",
    "FROM busybox\nHEALTHCHECK CMD [\"a\", \"b\"]\n": "as above",
    "FROM busybox\nHEALTHCHECK NONE\n": "as above",
    "FROM busybox\nCOPY --from=UPPER /nope /x\n": "names the repository since 24",
    "FROM busybox\nENV a='\n": "the quote's name differs between versions",
}
HISTORY_ONLY = {k for k, why in DIFFERS.items() if why.startswith("history") or why == "as above"}
STATUS = {"version=3": "20.10 answers 500 to an invalid parameter, newer ones and we 400"}
MEMBERS = ("Cmd", "Entrypoint", "Env", "ExposedPorts", "Volumes", "WorkingDir", "User", "StopSignal", "Shell", "OnBuild", "Labels", "Healthcheck")


def context(dockerfile):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as t:
        for name, text in (("a.txt", "a\n"), ("b.txt", "b\n"), ("dir/c.txt", "c\n"), ("dir/sub/d", "d\n"), ("Dockerfile", dockerfile)):
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(text), 0o644
            t.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


class Connection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=120)
        self.unix_path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.unix_path)


def call(path, method, url, body=None):
    c = Connection(path)
    c.request(method, "/v1.41" + url, body, {"Content-Type": "application/x-tar"} if body is not None else {})
    r = c.getresponse()
    text = r.read().decode()
    c.close()
    return r.status, text


def without_ids(text):
    text = re.sub(r"[0-9a-f]{64}", "<id>", text)
    return re.sub(r"\b[0-9a-f]{12}\b", "<short>", text)


def play(path, web):
    results = []
    for dockerfile, query in BUILDS:
        status, text = call(path, "POST", "/build?nocache=1&" + query, context(dockerfile.replace("WEB", web)))
        ids = re.findall(r"sha256:[0-9a-f]{64}", text)
        lines = [without_ids(line) for line in text.split("\r\n")
                 if line != "{}" and not re.search("Running in|Removing intermediate|Downloading", line)]
        config, history = None, None
        if status == 200 and ids and "errorDetail" not in text:
            image = json.loads(call(path, "GET", f"/images/{ids[-1]}/json")[1])
            config = {k: v for k, v in ((m, image["Config"].get(m)) for m in MEMBERS) if v}
            history = [without_ids(h["CreatedBy"]) for h in json.loads(call(path, "GET", f"/images/{ids[-1]}/history")[1])][:-1]
        results.append((status, lines, config, history))
    return results


def compare(ours, engine):
    wrong = 0
    for (dockerfile, query), a, b in zip(BUILDS, ours, engine):
        if query in STATUS:
            a, b = a[1:], b[1:]
        if dockerfile in HISTORY_ONLY:
            a, b = a[:3], b[:3]
        elif dockerfile in DIFFERS:
            a, b = a[0], b[0]
        if a == b:
            continue
        wrong += 1
        print(f"DIFFERS: {dockerfile!r} {query}\n  ours:   {a}\n  engine: {b}")
    print(f"{len(ours)} builds, {len(ours) - wrong} the same, {wrong} differ")
    return wrong


def main():
    missing = [p for p in ("dockerd", "containerd", "runc", "skopeo", "umoci", "docker-registry") if not shutil.which(p)]
    if os.geteuid() != 0 or missing:
        print("skipped: needs root and", ", ".join(missing))
        sys.exit(SKIP)
    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Web)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    at = f"http://127.0.0.1:{web.server_port}"
    with Stack() as s:
        with Engine() as e:
            name = f"{s.registry}/library/busybox:latest"
            subprocess.run(["docker", "pull", "-q", name], env=e.environ, check=True, capture_output=True)
            subprocess.run(["docker", "tag", name, "busybox:latest"], env=e.environ, check=True)
            engine = play(e.socket, at)
        s.docker("pull", "-q", "busybox", check=0)
        ours = play(s.socket, at)
        web.shutdown()
        sys.exit(compare(ours, engine) > 0)


if __name__ == "__main__":
    main()
