"""Secrets planted wherever one can be given, a life of containers with a cloud that says back what it was sent, bad logins,
and a crash: none of them is in a log, an event, an answer, a page of the ops listener, a command line or the last words.

What a user gives to a container (its environment) is the user's: inspect shows it, and nothing else does.
"""
import base64
import contextlib
import http.client
import http.server
import io
import json
import os
import re
import shutil
import signal
import subprocess
import tarfile
import tempfile
import threading
import time
import unittest
import urllib.parse
import urllib.request

from certificates import Authority
from events import Events
from harness import PLANTED, Stack, await_true, free_port, main

REGISTRY_PASSWORD, IDENTITY_TOKEN = "planted-registry-password", "planted-identity-token"
CONFIG_PASSWORD, LOGIN_PASSWORD = "planted-config-password", "planted-login-password"
BUILD_ARGUMENT, USER_ENV = "planted-build-argument", "planted-user-env-value"
AGENT_TOKEN, URL_PASSWORD = "planted-agent-token-0123456789", "planted-url-password"
BEARER = re.compile(r"Bearer ([\w.~+/=-]{12,})")
GIVEN = re.compile(r'"(?:access_token|token|id_token|value)":\s*"([^"]{16,})"')


class Echo:
    """Between a backend and its cloud: hands on, and on demand refuses with all that it was sent as its message.
    It also learns what no test can plant: the tokens and keys that the cloud gives."""

    def __init__(self, cloud, stands_for_it):
        """stands_for_it: URLs in what the cloud says lead here. A function's own does not: tokens are made for it."""
        self.stands_for_it = stands_for_it
        self.cloud, self.refuse, self.refused, self.secrets = cloud, lambda method, path: False, 0, set()
        echo = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                echo.learn(self.headers, body)
                if echo.refuse(self.command, self.path):
                    said = echo.views(self.headers, body.decode(errors="replace"))[echo.refused % 3]
                    echo.refused += 1
                    return self.give(400, {}, echo.refusal(self.path, said + f" {self.command} {self.path}"))
                return self.give(*echo.hand_on(self, body))

            def give(self, status, headers, body):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_PUT = do_POST = do_DELETE = do_PATCH = do_HEAD = answer

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.handle_error = lambda *_: None  # a backend that was killed in a call
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def learn(self, headers, body):
        text = "".join(f"{k}: {v}\n" for k, v in headers.items()) + body.decode(errors="replace")
        self.secrets |= set(BEARER.findall(text))
        for name in ("client_assertion", "assertion"):
            self.secrets |= set(urllib.parse.parse_qs(body.decode(errors="replace")).get(name, []))

    @staticmethod
    def views(headers, body):
        """What of a call is quoted, since only the beginning of a message is shown."""
        value = max(0, body.find('"value"') - 60)
        return str(headers), body[value:], body[-300:]

    @staticmethod
    def refusal(path, said):
        if "token" in path:
            return json.dumps({"error": "invalid_client", "error_description": "I was sent: " + said.replace("\r", "").replace("\n", " ")}).encode()
        return json.dumps({"error": {"code": 400, "status": "INVALID_ARGUMENT", "message": "I was sent: " + said}}).encode()

    def hand_on(self, handler, body):
        own, host = (urllib.parse.urlsplit(url).netloc for url in (self.url, self.cloud))
        connection = http.client.HTTPConnection(host, timeout=300)
        headers = {k: v.replace(self.url, self.cloud) for k, v in handler.headers.items()
                   if k.lower() not in ("connection", "content-length", "expect")}
        headers["Host"] = headers["Host"].replace(own, host)
        connection.request(handler.command, handler.path, body.replace(self.url.encode(), self.cloud.encode()), headers)
        answer = connection.getresponse()
        shown = self.url if self.stands_for_it else self.cloud
        text = answer.read().replace(self.cloud.encode(), shown.encode())
        kept = {k: v.replace(self.cloud, shown) for k, v in answer.getheaders()
                if k.lower() not in ("transfer-encoding", "content-length", "connection", "date", "server")}
        connection.close()
        if "oken" in handler.path or "listKeys" in handler.path:
            self.secrets |= set(GIVEN.findall(text.decode(errors="replace")))
        return answer.status, kept, text

    @contextlib.contextmanager
    def refusing(self, what):
        """Whoever is asked while this lasts; some call must have been."""
        before, self.refuse = self.refused, what
        try:
            yield
        finally:
            self.refuse = lambda method, path: False
        assert self.refused > before, "no call was refused"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def header(**auth):
    return base64.urlsafe_b64encode(json.dumps(auth).encode()).decode()


def context():
    """A build's context: user arguments, and a file of a base image that needs a login."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        text = b"FROM busybox\nARG PASSWORD\nENV A=b\nLABEL a=b\n"
        info = tarfile.TarInfo("Dockerfile")
        info.size = len(text)
        tar.addfile(info, io.BytesIO(text))
    return out.getvalue()


class Secrets(unittest.TestCase):
    def setUp(self):
        self.seen, self.dir = [], tempfile.mkdtemp(prefix="skl-secrets-", dir="/tmp")
        self.addCleanup(shutil.rmtree, self.dir, True)
        self.tls = Authority(f"{self.dir}/authority").sign(f"{self.dir}/server")

    def see(self, what, *texts):
        for text in texts:
            self.seen.append((what, text if isinstance(text, str) else text.decode(errors="replace")))

    def docker(self, s, *args, **more):
        r = s.docker(*args, **more)
        self.see("docker " + " ".join(args[:2]), r.stdout, r.stderr)
        return r

    def request(self, s, method, path, body=None, **headers):
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
        status, text = s.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
        self.see(f"{method} {path[:40]}", text)
        return status

    def page(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ops}{path}", timeout=30) as answer:
                self.see(path, answer.read())
        except urllib.error.HTTPError as e:
            with e:
                self.see(path, e.read())

    @contextlib.contextmanager
    def stack(self, kind, **env):
        """A daemon that logs everything; its cloud can be made to say back what it is sent."""
        self.ops, tcp = free_port(), free_port()

        class Echoed(Stack):
            def _sim(stack):
                super()._sim()
                stack.echo = Echo(stack.sim, kind != "gcf")
                stack.extra_env = {**stack.extra_env, "SOCKERLESS_ENDPOINT_URL": stack.echo.url}
                if kind == "gcf":  # Google's own URL is asked for at the endpoint
                    with open(f"{stack.dir}/credentials/service_account.json") as f:
                        account = {**json.load(f), "token_uri": "https://oauth2.googleapis.com/token"}
                    with open(f"{stack.dir}/credentials/service_account.json", "w") as f:
                        json.dump(account, f)

        with Echoed(backend=kind, env={"SOCKERLESS_WARM_SECONDS": "0", **env},
                    args=["--log-level", "debug", "--ops-listen", f"127.0.0.1:{self.ops}", "-H", f"tcp://127.0.0.1:{tcp}",
                          "--tlsverify", "--tlscacert", f"{self.tls}/ca.pem", "--tlscert", f"{self.tls}/cert.pem",
                          "--tlskey", f"{self.tls}/key.pem"]) as s:
            try:
                yield s
            finally:
                s.echo.close()

    def life(self, s, refused):
        """Runs that succeed and runs whose calls are refused with an echo; what clients, operators and others see."""
        events = Events(s)
        user = ("-e", "USER_SECRET=" + USER_ENV)
        r = self.docker(s, "run", "--name", "good", *user, "busybox", "sh", "-c", "exit 3")
        self.assertEqual(r.returncode, 3, r.stderr)
        for name in ("bad1", "bad2", "bad3"):
            with s.echo.refusing(refused):
                self.assertNotEqual(self.docker(s, "run", "--name", name, *user, "busybox", "true").returncode, 0)
        shown = s.docker("inspect", "good", check=0).stdout.decode()
        self.assertIn("USER_SECRET=" + USER_ENV, shown)  # it is the user's own
        self.see("inspect", shown.replace(USER_ENV, ""))
        self.docker(s, "logs", "good")
        self.docker(s, "ps", "-a", "--no-trunc")
        self.docker(s, "info")
        self.docker(s, "rm", "-f", "good", "bad1", "bad2", "bad3")
        events.until("good", "destroy")
        self.see("events", json.dumps(events.seen))

    def logins(self, s):
        """Credentials for registries, in every place that takes some; most of them are refused."""
        auth = header(username="u", password=REGISTRY_PASSWORD, serveraddress=s.registry)
        token = header(identitytoken=IDENTITY_TOKEN, serveraddress=s.registry)
        config = header(**{s.registry: {"username": "u", "password": CONFIG_PASSWORD}})
        login = json.dumps({"username": "u", "password": LOGIN_PASSWORD, "serveraddress": s.registry})
        arguments = urllib.parse.quote(json.dumps({"PASSWORD": BUILD_ARGUMENT}))
        self.request(s, "POST", "/images/create?fromImage=busybox&tag=latest", X_Registry_Auth=auth)
        for value in (auth, token, auth + "x", REGISTRY_PASSWORD):
            self.request(s, "POST", f"/images/create?fromImage={s.registry}/absent&tag=x", X_Registry_Auth=value)
            self.request(s, "POST", f"/images/{s.registry}/absent/push", X_Registry_Auth=value)
        self.request(s, "POST", f"/build?buildargs={arguments}&t=built", context(), X_Registry_Config=config,
                     Content_Type="application/x-tar")
        self.request(s, "POST", "/auth", login)
        self.request(s, "POST", "/auth", login.replace(s.registry, "127.0.0.1:1"))
        self.request(s, "POST", "/auth", login[:-3])
        remote = urllib.parse.quote(f"https://u:{URL_PASSWORD}@127.0.0.1:1/x.git")
        self.request(s, "POST", f"/build?remote={remote}")
        self.request(s, "POST", f"/images/create?fromSrc={urllib.parse.quote(f'http://u:{URL_PASSWORD}@127.0.0.1:1/x')}&repo=x")

    def watch_from_outside(self, s):
        for path in ("/metrics", "/healthz", "/readyz"):
            self.page(path)
        self.see("command lines", subprocess.run(["ps", "-eo", "args", "-ww"], capture_output=True, check=True).stdout)

    def crash(self, s, signo):
        s.stop_backend(signo)
        self.see("log", s.log("backend"))
        with open(f"{s.dir}/backend.log", "w"):
            pass  # a sanitizer's last words were wanted

    def check(self, s, *planted):
        with open(f"{self.tls}/key.pem") as f:
            lines = [line for line in f.read().splitlines() if len(line) >= 16 and "-----" not in line]
        everything = {*PLANTED, *planted, *lines, *s.echo.secrets, REGISTRY_PASSWORD, IDENTITY_TOKEN, CONFIG_PASSWORD,
                      LOGIN_PASSWORD, URL_PASSWORD, USER_ENV}
        self.assertGreater(len(s.echo.secrets), 0)
        self.assertGreater(len(self.seen), 5)
        for what, text in self.seen:
            if what.startswith("command lines"):
                text = "\n".join(line for line in text.splitlines() if "docker" not in line)  # the test's own clients
            for secret in everything:
                for form in {secret, urllib.parse.quote(secret, safe=""), json.dumps(secret)[1:-1],
                             base64.b64encode(secret.encode()).decode()}:
                    at = text.find(form)
                    if at >= 0:
                        self.fail(f"{what} holds a secret: {text[max(0, at - 300):at + len(form) + 100]}")
        self.assertTrue(any("I was sent" in text and "***" in text for _, text in self.seen), "nothing was said back")

    def test_container_apps(self):
        with self.stack("aca", SOCKERLESS_ACA_AGENT_TOKEN=AGENT_TOKEN) as s:
            self.life(s, lambda method, path: method == "PUT" and "/jobs/" in path)
            self.logins(s)
            s.restart_backend()
            with s.echo.refusing(lambda method, path: "oauth2" in path):
                self.docker(s, "run", "--rm", "busybox", "true")
            self.watch_from_outside(s)
            self.crash(s, signal.SIGABRT)
            self.check(s, AGENT_TOKEN)

    def test_azure_functions(self):
        with self.stack("azf", SOCKERLESS_AZF_AGENT_TOKEN=AGENT_TOKEN) as s:
            self.life(s, lambda method, path: method == "PUT" and "/sites/" in path)
            self.watch_from_outside(s)
            self.crash(s, signal.SIGSEGV)
            self.check(s, AGENT_TOKEN)

    def test_google_functions(self):
        with self.stack("gcf", SOCKERLESS_GCF_AGENT_TOKEN=AGENT_TOKEN) as s:
            self.life(s, lambda method, path: method in ("POST", "PATCH") and ("/services" in path or "/functions" in path))
            s.restart_backend()
            with s.echo.refusing(lambda method, path: "token" in path):
                self.docker(s, "run", "--rm", "busybox", "true")
            self.watch_from_outside(s)
            with open(f"{s.dir}/credentials/service_account.json") as f:
                key = [line for line in json.load(f)["private_key"].splitlines() if "-----" not in line]
            self.crash(s, signal.SIGABRT)
            self.check(s, AGENT_TOKEN, *key)


if __name__ == "__main__":
    main()
