"""The Google Cloud simulator for one test, and the few calls every test makes; standard library only.

    with Cloud() as c:
        status, answer = c.api("GET", "/v2/projects/sockerless/locations/us-central1/services")
"""
import base64
import hashlib
import http.client
import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.parse
import urllib.request

from harness import BUILD, SANITIZER, TOP, await_true, free_port

PROJECT = "sockerless"
LOCATION = f"projects/{PROJECT}/locations/us-central1"
ACCOUNT = f"sockerless@{PROJECT}.iam.gserviceaccount.com"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def claims_of(token):
    return json.loads(from_base64url(token.split(".")[1]))


def der_items(data):
    """The items of a DER sequence: (tag, content)."""
    while data:
        tag, n, at = data[0], data[1], 2
        if n & 0x80:
            at += n & 0x7f
            n = int.from_bytes(data[2:at], "big")
        yield tag, data[at:at + n]
        data = data[at + n:]


def private_key(pem):
    """(n, d) of a PKCS#8 RSA key."""
    lines = pem.strip().splitlines()
    assert lines[0] == "-----BEGIN PRIVATE KEY-----", lines[0]
    ((_, outer),) = der_items(base64.b64decode("".join(lines[1:-1])))
    version, algorithm, (tag, inner) = der_items(outer)
    assert version[1] == b"\0" and algorithm[0] == 0x30 and tag == 4
    ((_, sequence),) = der_items(inner)
    numbers = [int.from_bytes(content, "big") for _, content in der_items(sequence)]
    return numbers[1], numbers[3]


def padded_hash(text, size):
    digest = bytes.fromhex("3031300d060960864801650304020105000420") + hashlib.sha256(text.encode()).digest()
    return b"\0\1" + b"\xff" * (size - len(digest) - 3) + b"\0" + digest


def sign_jwt(credentials, **claims):
    n, d = private_key(credentials["private_key"])
    header = {"alg": "RS256", "typ": "JWT", "kid": credentials["private_key_id"]}
    text = ".".join(base64url(json.dumps(part).encode()) for part in (header, claims))
    size = (n.bit_length() + 7) // 8
    signature = pow(int.from_bytes(padded_hash(text, size), "big"), d, n).to_bytes(size, "big")
    return f"{text}.{base64url(signature)}"


class Cloud:
    def __init__(self, *args, registry=False):
        self.args, self.with_registry, self.processes = list(args), registry, []

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix="skl-", dir="/tmp")
        try:
            if self.with_registry:
                self._registry()
            self._spawn("sim", [f"{BUILD}/tests/simulators/sockerless-sim-gcp", "--listen", "127.0.0.1:0",
                                "--credentials-dir", f"{self.dir}/credentials", *self.args])
            await_true("simulator", self._listens, 60)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        self.base = self.log("sim").split("listening on ", 1)[1].split()[0]
        self.credentials = self.credentials_file("service_account")
        self.token = self.access_token()
        return self

    def _listens(self):
        if self.processes[-1].poll() is not None:
            raise AssertionError(f"the simulator ended ({self.processes[-1].poll()}):\n" + self.log("sim")[-3000:])
        return "listening on " in self.log("sim")

    def _spawn(self, name, argv):
        with open(os.path.join(self.dir, name + ".log"), "ab") as log:
            self.processes.append(subprocess.Popen(argv, stdout=log, stderr=log, start_new_session=True))

    def log(self, name):
        with open(os.path.join(self.dir, name + ".log"), errors="replace") as f:
            return f.read()

    def _registry(self):
        self.registry = f"127.0.0.1:{free_port()}"
        with open(os.path.join(self.dir, "registry.yml"), "w") as f:
            f.write(f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {self.dir}/registry}}}}\n"
                    f"http: {{addr: {self.registry}}}\n")
        self._spawn("registry", ["docker-registry", "serve", os.path.join(self.dir, "registry.yml")])

        def answers():
            try:
                return request("GET", f"http://{self.registry}/v2/")[0] == 200
            except OSError:
                return False
        await_true("registry", answers)
        subprocess.check_call(["/usr/bin/python3", os.path.join(TOP, "tools/seed-registry.py"), f"http://{self.registry}",
                               "library/busybox:latest"])
        self.args += ["--registry-mirror", self.registry, "--agent", f"{BUILD}/cmd/sockerless-agent"]

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        text = self.log("sim") if os.path.exists(os.path.join(self.dir, "sim.log")) else ""
        shutil.rmtree(self.dir, ignore_errors=True)
        if SANITIZER.search(text):
            raise AssertionError("the simulator:\n" + text[-6000:])

    # -- tokens

    def credentials_file(self, kind):
        with open(f"{self.dir}/credentials/{kind}.json") as f:
            return json.load(f)

    def token_call(self, path, **form):
        status, _, body = request("POST", self.base + path, urllib.parse.urlencode(form),
                                  {"Content-Type": "application/x-www-form-urlencoded"})
        return status, json.loads(body)

    def jwt(self, **changes):
        now = int(time.time())
        claims = {"iss": ACCOUNT, "aud": self.credentials["token_uri"], "scope": SCOPE, "iat": now - 10, "exp": now + 3500}
        claims.update(changes)
        return sign_jwt(self.credentials, **{k: v for k, v in claims.items() if v is not None})

    def grant(self, jwt):
        return self.token_call("/token", grant_type="urn:ietf:params:oauth:grant-type:jwt-bearer", assertion=jwt)

    def access_token(self):
        status, answer = self.grant(self.jwt())
        assert status == 200, answer
        return answer["access_token"]

    def id_token(self, audience):
        status, answer = self.grant(self.jwt(scope=None, target_audience=audience))
        assert status == 200, answer
        return answer["id_token"]

    # -- calls

    def api(self, method, path, body=None, headers=None, token=None):
        """Status and the answer, decoded if it is JSON."""
        headers = {"Authorization": f"Bearer {token or self.token}", **(headers or {})}
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        status, answer_headers, answer = request(method, self.base + path, body, headers)
        if "json" in answer_headers.get("Content-Type", ""):
            return status, json.loads(answer)
        return status, answer

    def ok(self, *args, **more):
        status, answer = self.api(*args, **more)
        assert 200 <= status < 300, (args, status, answer)
        return answer

    def finish(self, operation, seconds=120):
        """The operation when it is done."""
        end = time.monotonic() + seconds
        while not operation.get("done"):
            assert time.monotonic() < end, operation
            time.sleep(0.02)
            operation = self.ok("GET", f"/v2/{operation['name']}")
        return operation


def request(method, url, body=None, headers=None, timeout=120):
    """Status, headers and bytes; whatever the status."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    try:
        path = parts.path or "/"
        connection.request(method, path + ("?" + parts.query if parts.query else ""), body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def name_of(container_id):
    return "skls-" + container_id[:12]


class Google:
    """The simulated cloud, asked beside the backend."""

    def __init__(self, stack):
        self.base = stack.sim
        credentials = json.loads(request("GET", f"{self.base}/simulator/credentials?type=service_account")[2])
        now = int(time.time())
        assertion = sign_jwt(credentials, iss=ACCOUNT, aud=credentials["token_uri"], scope=SCOPE, iat=now, exp=now + 3600)
        form = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=" + assertion
        with urllib.request.urlopen(f"{self.base}/token", form.encode(), timeout=10) as answer:
            self.token = json.load(answer)["access_token"]

    def ask(self, method, path, body=None):
        status, _, text = request(method, self.base + path, None if body is None else json.dumps(body),
                                  {"Authorization": "Bearer " + self.token, "Content-Type": "application/json"})
        return status, json.loads(text) if text else None

    def function(self, container_id):
        return self.ask("GET", f"/v2/{LOCATION}/functions/{name_of(container_id)}")[1]

    def service(self, container_id):
        return self.ask("GET", f"/v2/{LOCATION}/services/{name_of(container_id)}")[1]

    def delete(self, kind, container_id):
        """Waits for its end."""
        status, operation = self.ask("DELETE", f"/v2/{LOCATION}/{kind}/{name_of(container_id)}")
        assert status == 200, operation
        await_true("deleted", lambda: self.ask("GET", f"/v2/{operation['name']}")[1].get("done"))
