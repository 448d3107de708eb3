"""TLS: the docker CLI's own flags, probes that must be refused, certificates exchanged under way, agents that pin a CA."""
import hashlib
import http.client
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import unittest

from certificates import Authority
from harness import BUILD, Stack, await_true, free_port, main

PING = b"GET /_ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def probe(port, *options, data=PING):
    """What a server says to openssl s_client after the handshake, and what openssl says of it."""
    r = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-ign_eof", *options],
                       input=data, capture_output=True, timeout=60)
    return r.stdout + r.stderr


class Tls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="skl-tls-", dir="/tmp")
        cls.authority = Authority(f"{cls.dir}/authority")
        cls.stranger = Authority(f"{cls.dir}/stranger")
        cls.server, cls.client = cls.authority.sign(f"{cls.dir}/server"), cls.authority.sign(f"{cls.dir}/client")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.dir)

    def stack(self, server=None, **more):
        self.port, server = free_port(), server or self.server
        return Stack(args=["-H", f"tcp://127.0.0.1:{self.port}", "--tlsverify", "--tlscacert", f"{server}/ca.pem",
                           "--tlscert", f"{server}/cert.pem", "--tlskey", f"{server}/key.pem", *more.pop("args", [])], **more)

    def identity(self, folder):
        return ["-cert", f"{folder}/cert.pem", "-key", f"{folder}/key.pem"]

    def docker(self, s, *args, stdin=None, env=None):
        env = {"PATH": os.environ["PATH"], "HOME": s.dir, "DOCKER_HOST": f"tcp://127.0.0.1:{self.port}",
               **(env if env is not None else {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": self.client})}
        return subprocess.run(["docker", *args], input=stdin, capture_output=True, env=env, timeout=120)

    def served_serial(self):
        """The serial number of the certificate that a new connection is shown."""
        context = ssl.create_default_context(cafile=self.authority.path("ca.pem"))
        context.load_cert_chain(f"{self.client}/cert.pem", f"{self.client}/key.pem")
        with socket.create_connection(("127.0.0.1", self.port), 30) as plain, \
                context.wrap_socket(plain, server_hostname="localhost") as secure:
            return secure.getpeercert()["serialNumber"]

    def test_the_cli_runs_attaches_and_executes_over_tls(self):
        data = os.urandom(3 << 20)
        digest = hashlib.sha256(data).hexdigest().encode()
        with self.stack() as s:
            r = self.docker(s, "run", "--rm", "-i", "busybox", "sh", "-c", "sha256sum; echo err >&2; exit 5", stdin=data)
            self.assertEqual((r.returncode, r.stdout.split()[0]), (5, digest), r.stderr)
            self.assertIn(b"err\n", r.stderr)
            r = self.docker(s, "run", "-d", "--name", "box", "busybox", "sleep", "1000")
            self.assertEqual(r.returncode, 0, r.stderr)
            r = self.docker(s, "exec", "-i", "box", "cat", stdin=data)
            self.assertEqual((r.returncode, hashlib.sha256(r.stdout).hexdigest().encode()), (0, digest), r.stderr)
            flags = ["--tlsverify", *(f"--tls{n}={self.client}/{f}.pem" for n, f in (("cacert", "ca"), ("cert", "cert"), ("key", "key")))]
            self.assertEqual(self.docker(s, *flags, "ps", "-q", env={}).returncode, 0)
            self.assertEqual(self.docker(s, "rm", "-f", "box").returncode, 0)
            for env in ({}, {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": self.stranger.sign(f"{self.dir}/cli-stranger")}):
                r = self.docker(s, "ps", env=env)
                self.assertNotEqual(r.returncode, 0, env)

    def test_probes_are_refused(self):
        outsider = self.stranger.sign(f"{self.dir}/outsider")
        expired = self.authority.sign(f"{self.dir}/expired", end="20210101000000Z")
        early = self.authority.sign(f"{self.dir}/early", start="20900101000000Z")
        own = self.identity(self.client)
        weak = ["-cipher", "ALL:@SECLEVEL=0"]
        with self.stack() as s:
            for options in (["-tls1_2"], ["-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"], []):
                said = probe(self.port, *own, *options)
                self.assertIn(b"\r\n\r\nOK", said, options)
            for options, why in ((["-tls1", *weak, *own], b"alert protocol version"),
                                 (["-tls1_1", *weak, *own], b"alert protocol version"),
                                 (["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256", *own], b"alert handshake failure"),
                                 (["-tls1_2", "-cipher", "AES128-GCM-SHA256:@SECLEVEL=0", *own], b"alert handshake failure"),
                                 (["-tls1_2", "-cipher", "DHE:@SECLEVEL=0", *own], b"alert handshake failure"),
                                 (["-tls1_2"], b"alert handshake failure"),
                                 (["-tls1_2", *self.identity(outsider)], b"alert unknown ca"),
                                 (["-tls1_2", *self.identity(expired)], b"alert certificate expired"),
                                 (["-tls1_2", *self.identity(early)], b"alert")):
                with self.subTest(options=options):
                    said = probe(self.port, *options)
                    self.assertIn(why, said)
                    self.assertNotIn(b"HTTP/1.1 ", said)
            with socket.create_connection(("127.0.0.1", self.port), 30) as plain:
                plain.sendall(PING)
                self.assertNotIn(b"HTTP", plain.recv(100))
            self.assertTrue(s.ping())

    def test_hangup_takes_new_certificates_for_new_connections(self):
        server = self.authority.sign(f"{self.dir}/changing")
        with self.stack(server) as s:
            first = self.served_serial()
            context = ssl.create_default_context(cafile=self.authority.path("ca.pem"))
            context.load_cert_chain(f"{self.client}/cert.pem", f"{self.client}/key.pem")
            kept = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30, context=context)

            def ask():
                kept.request("GET", "/_ping")
                return kept.getresponse().read()
            self.assertEqual(ask(), b"OK")
            kept_socket = kept.sock
            self.authority.sign(server)
            s.backend.send_signal(signal.SIGHUP)
            await_true("the reload", lambda: "certificates reloaded" in s.log("backend"))
            second = self.served_serial()
            self.assertNotEqual(first, second)
            self.assertEqual(ask(), b"OK")
            self.assertIs(kept.sock, kept_socket)
            with open(f"{server}/cert.pem", "w") as f:
                f.write("no certificate\n")
            s.backend.send_signal(signal.SIGHUP)
            await_true("the refusal", lambda: "not reloaded" in s.log("backend"))
            lines = [line for line in s.log("backend").splitlines() if "reloaded" in line]
            self.assertEqual(len(lines), 2, lines)
            self.assertIn(f"{server}/cert.pem", lines[1])
            self.assertEqual(self.served_serial(), second)
            shutil.copy(f"{self.server}/key.pem", f"{server}/key.pem")  # fits no certificate
            self.assertEqual(ask(), b"OK")
            kept.close()

    def test_an_address_for_everybody_needs_client_certificates(self):
        def check(*args, env=None):
            return subprocess.run([f"{BUILD}/cmd/sockerless-backend-aca", "--check-config", *args], capture_output=True, text=True,
                                  timeout=60, env={"SOCKERLESS_ACA_SUBSCRIPTION_ID": "0" * 8 + "-0000-0000-0000-" + "0" * 12,
                                                   "SOCKERLESS_ACA_RESOURCE_GROUP": "r", **(env or {})})
        everywhere, docker_cert_path = ["-H", "tcp://0.0.0.0:2376"], {"DOCKER_CERT_PATH": self.server}
        files = ["--tlscert", f"{self.server}/cert.pem", "--tlskey", f"{self.server}/key.pem"]
        for args in ([], ["--tls", *files], files):
            r = check(*everywhere, *args)
            self.assertEqual((r.returncode, r.stderr.count("\n")), (2, 1), r.stderr)
            self.assertIn("--insecure-tcp", r.stderr)
        for args in (["--tlsverify"], ["--tls", "--insecure-tcp"], ["--insecure-tcp"]):
            self.assertEqual(check(*everywhere, *args, env=docker_cert_path).returncode, 0, args)
        for args, word in ((["--tlsverify", *files], "--tlscacert"), (["--tlscert", f"{self.server}/cert.pem"], "--tlskey"),
                           (["--tls", "--tlscert", "/nowhere", "--tlskey", "/nowhere"], "/nowhere"),
                           (["--tls", "--tlscert", f"{self.server}/cert.pem", "--tlskey", f"{self.client}/key.pem"], "does not fit"),
                           (["--agent-tls-ca", f"{self.server}/key.pem"], "--agent-tls-ca")):
            r = check(*args)
            self.assertEqual((r.returncode, r.stderr.count("\n")), (2, 1), (args, r.stderr))
            self.assertIn(word, r.stderr)

    def agent_stack(self, kind, identity, ca):
        port = free_port()
        return Stack(backend=kind, args=["--agent-tls-cert", f"{identity}/cert.pem", "--agent-tls-key", f"{identity}/key.pem",
                                         "--agent-tls-ca", ca],
                     env={"SOCKERLESS_CALLBACK_URL": f"https://127.0.0.1:{port}/agent/v1",
                          "SOCKERLESS_AGENT_LISTEN": f"127.0.0.1:{port}", "SOCKERLESS_ACA_START_TIMEOUT": "3",
                          "SOCKERLESS_ACA_START_TIMEOUT_MAX": "3"})

    def test_agents_come_over_tls_and_pin_the_ca(self):
        for kind in ("aca", "azf", "gcf"):
            with self.subTest(kind), self.agent_stack(kind, self.server, self.authority.path("ca.pem")) as s:
                r = s.docker("run", "--rm", "busybox", "sh", "-c", "echo out; env | grep -c SOCKERLESS; exit 3", check=3)
                self.assertEqual(r.stdout, b"out\n0\n")

    def test_agents_do_not_come_to_a_stranger(self):
        with self.agent_stack("aca", self.stranger.sign(f"{self.dir}/impostor"), self.authority.path("ca.pem")) as s:
            r = s.docker("run", "--rm", "busybox", "true")
            self.assertEqual(r.returncode, 125, r)
            self.assertIn(b"agent", r.stderr)
            self.assertEqual(s.sim_state()["jobs"], 0)


class ForwardAgent(unittest.TestCase):
    """The agent that is dialled knows its backend by the token, and the other way round, before either says a word."""

    def setUp(self):
        self.token, self.container, port = os.urandom(32).hex(), os.urandom(32).hex(), free_port()
        self.port = port
        self.agent = subprocess.Popen([f"{BUILD}/cmd/sockerless-agent", "--addr", f"127.0.0.1:{port}", "--", "true"],
                                      env={"SOCKERLESS_CONTAINER_ID": self.container, "SOCKERLESS_AGENT_TOKEN": self.token})

        def listens():
            try:
                socket.create_connection(("127.0.0.1", port), 5).close()
                return True
            except OSError:
                return False
        await_true("the agent listens", listens)

    def tearDown(self):
        self.agent.terminate()
        self.agent.wait(30)

    def psk(self, token):
        return hashlib.sha256(b"sockerless forward agent 1\n" + token.encode()).hexdigest()

    def upgrade(self, token):
        return (f"GET /agent/v1 HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                f"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nAuthorization: Bearer {token}\r\n\r\n").encode()

    def say(self, identity, key, data):
        """What the agent answers until its answer's header is there or the connection ends."""
        p = subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{self.port}", "-quiet", "-tls1_2", "-psk_identity", identity,
                              "-psk", key], stdin=-1, stdout=-1, stderr=-1)
        kill = threading.Timer(30, p.kill)
        kill.start()
        p.stdin.write(data)
        p.stdin.flush()
        said = b""
        while b"\r\n\r\n" not in said:
            piece = os.read(p.stdout.fileno(), 65536)
            if not piece:
                break
            said += piece
        kill.cancel()
        p.kill()
        errors = p.communicate()[1]
        return said, errors

    def test_both_ends_have_to_know_the_token(self):
        said, errors = self.say(self.container, self.psk(self.token), self.upgrade(self.token))
        self.assertTrue(said.startswith(b"HTTP/1.1 101 "), (said, errors))
        said, _ = self.say(self.container, self.psk(self.token), self.upgrade("f" * 64))
        self.assertTrue(said.startswith(b"HTTP/1.1 401 "), said)
        for identity, token in ((self.container, "f" * 64), ("f" * 64, self.token), (self.container, "")):
            said, errors = self.say(identity, self.psk(token), self.upgrade(self.token))
            self.assertEqual(said, b"", (identity, token))
            self.assertIn(b"alert", errors)

    def test_without_a_handshake_nothing_is_said(self):
        with socket.create_connection(("127.0.0.1", self.port), 30) as plain:
            plain.sendall(self.upgrade(self.token))
            self.assertNotIn(b"HTTP", plain.recv(1000))


if __name__ == "__main__":
    main()
