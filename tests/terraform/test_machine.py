"""What the VM modules put on a machine: the cloud-init document, and its scripts, which run here as they would there."""
import base64
import hashlib
import http.server
import json
import os
import shutil
import ssl
import stat
import subprocess
import sys
import tempfile
import threading
import unittest
import urllib.error
import urllib.request

import tools
from tools import Terraform, harness

TOKEN = "planted-token-1"
ROOT = '''
variable "package_path" { type = string }

module "azure" {
  source         = "../../modules/vm-azure"
  backend        = "aca"
  environment    = { SOCKERLESS_ACA_RESOURCE_GROUP = "sockerless" }
  package_path   = var.package_path
  ssh_public_key = "ssh-ed25519 AAAA"
  base = {
    resource_group_name = "g", location = "eastus", virtual_network_id = "n", backend_subnet_id = "s"
    workload_subnet_prefix = "10.42.0.0/21", storage_account_id = "a", storage_account_name = "a"
    log_analytics_resource_id = "l", backend_identity_id = "i", backend_identity_client_id = "client-1"
    backend_identity_principal_id = "p"
  }
}

module "google" {
  source         = "../../modules/vm-gcp"
  backend        = "gcf"
  environment    = { SOCKERLESS_GCF_PROJECT = "my-project" }
  package_path   = var.package_path
  ssh_public_key = "ssh-ed25519 AAAA"
  base = {
    project_id = "my-project", region = "us-central1", network_id = "n", backend_subnet_id = "s", workload_range = "10.43.0.0/20"
    bucket_name = "bucket", backend_service_account_email = "backend@example.com"
  }
}
'''


class Cloud(http.server.BaseHTTPRequestHandler):
    """Both clouds' metadata and storage: `package` is what is there, `wanted` what the machine is told to run."""
    package, wanted, asked = b"", "", []

    def do_GET(self):
        Cloud.asked.append(self.path)
        path, azure = self.path.split("?")[0], self.headers.get("Metadata") == "true"
        google = self.headers.get("Metadata-Flavor") == "Google"
        if path == "/metadata/instance/compute/userData" and azure:
            self.answer(base64.b64encode(Cloud.wanted.encode()))
        elif path == "/computeMetadata/v1/instance/attributes/sockerless-package" and google:
            self.answer(Cloud.wanted.encode())
        elif path == "/metadata/identity/oauth2/token" and azure and "client_id=client-1" in self.path:
            self.answer(json.dumps({"access_token": TOKEN, "expires_in": "3599"}).encode())
        elif path == "/computeMetadata/v1/instance/service-accounts/default/token" and google:
            self.answer(json.dumps({"token_type": "Bearer", "access_token": TOKEN}).encode())
        elif path == "/packages/one.deb" and self.headers.get("Authorization") == f"Bearer {TOKEN}":
            self.answer(Cloud.package)
        else:
            self.send_error(403)

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *unused):
        pass


class Machine(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with Terraform() as tf:
            tf.write("terraform/environments/machine/main.tf", ROOT + "".join(
                f'output "{m}" {{\n  value = module.{m}.cloud_init\n}}\n' for m in ("azure", "google")))
            # What the module hands to the machine is no output of it; here it is.
            for module in ("vm-azure", "vm-gcp"):
                with open(os.path.join(tf.dir, "terraform/modules", module, "outputs.tf"), "a") as f:
                    f.write('output "cloud_init" {\n  value = module.machine.cloud_init\n}\n')
            cls.texts = tf.apply("terraform/environments/machine", package_path=tf.write("package.deb", "x"))
            for name, text in cls.texts.items():
                tf.write(f"decode/{name}.yaml", text)
            tf.write("decode/main.tf", "".join(f'output "{n}" {{\n  value = yamldecode(file("{n}.yaml"))\n}}\n' for n in cls.texts))
            cls.documents = tf.apply("decode")

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="skl-vm-", dir="/tmp")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def unpack(self, cloud):
        """The document's files below self.dir."""
        for file in self.documents[cloud]["write_files"]:
            path = self.dir + file["path"]
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as f:
                f.write(file["content"])
            os.chmod(path, int(file.get("permissions", "0644"), 8))

    def test_the_document_is_what_cloud_init_takes(self):
        folder = os.path.join(tools.FOLDER, "cloud-init")
        if not os.path.exists(os.path.join(folder, "ready")):
            self.skipTest("there is no cloud-init")
        env = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{folder}/usr/lib/python3/dist-packages:{folder}/py"}

        def check(path):
            return subprocess.run([sys.executable, "-m", "cloudinit.cmd.main", "schema", "--config-file", path],
                                  capture_output=True, text=True, env=env)
        for name, text in self.texts.items():
            path = os.path.join(self.dir, name)
            with open(path, "w") as f:
                f.write(text)
            done = check(path)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertIn("Valid", done.stdout)
            with open(path, "w") as f:
                f.write(text.replace('"write_files"', '"write_file"').replace('"runcmd":\n', '"runcmd": 1\n"x":\n'))
            self.assertNotEqual(check(path).returncode, 0)

    def test_it_has_no_secret_and_no_leftover_template(self):
        for name, text in self.texts.items():
            self.assertTrue(text.startswith("#cloud-config\n"))
            self.assertNotIn("$${", text, name)
            self.assertNotRegex(text, "PRIVATE KEY|AccountKey", name)

    def test_scripts_are_clean_and_units_are_read(self):
        self.unpack("azure")
        scripts = [os.path.join(self.dir, "usr/local/sbin", s) for s in os.listdir(os.path.join(self.dir, "usr/local/sbin"))]
        self.assertEqual(len(scripts), 3)
        for script in scripts:
            self.assertTrue(os.stat(script).st_mode & stat.S_IXUSR)
            subprocess.check_call(["sh", "-n", script])
        if shutil.which("shellcheck"):
            done = subprocess.run(["shellcheck", "-s", "sh", *scripts], capture_output=True, text=True)
            self.assertEqual(done.stdout, "")
        if shutil.which("systemd-analyze"):
            units = [os.path.join(self.dir, "etc/systemd/system", f"sockerless-upgrade.{kind}") for kind in ("service", "timer")]
            done = subprocess.run(["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True)
            ours = [line for line in done.stderr.splitlines() if "sockerless-upgrade" in line and "not executable" not in line]
            self.assertEqual(ours, [])

    def tls(self, *names):
        subprocess.check_call([self.dir + "/usr/local/sbin/sockerless-tls", os.path.join(self.dir, "tls"), *names])

    def read(self, *path):
        with open(os.path.join(self.dir, *path), "rb") as f:
            return f.read()

    def test_certificates_are_made_once_and_again_for_another_name(self):
        self.unpack("azure")
        self.tls("backend.sockerless.internal")
        names = subprocess.check_output(["openssl", "x509", "-noout", "-ext", "subjectAltName", "-in", self.dir + "/tls/server.pem"], text=True)
        self.assertIn("DNS:backend.sockerless.internal", names)
        self.assertIn("IP Address:127.0.0.1", names)
        for certificate, purpose in (("server.pem", "sslserver"), ("client/cert.pem", "sslclient")):
            subprocess.check_call(["openssl", "verify", "-CAfile", self.dir + "/tls/ca.pem", "-purpose", purpose,
                                   self.dir + "/tls/" + certificate], stdout=subprocess.DEVNULL)
        for key in ("ca-key.pem", "server-key.pem", "client/key.pem"):
            self.assertFalse(os.stat(os.path.join(self.dir, "tls", key)).st_mode & 0o007, key)
        first = [self.read("tls", n) for n in ("ca.pem", "server.pem", "client/cert.pem")]
        self.tls("backend.sockerless.internal")
        self.assertEqual([self.read("tls", n) for n in ("ca.pem", "server.pem", "client/cert.pem")], first)
        self.tls("other.sockerless.internal")
        second = [self.read("tls", n) for n in ("ca.pem", "server.pem", "client/cert.pem")]
        self.assertEqual([a == b for a, b in zip(first, second)], [True, False, True])

    def test_the_backend_takes_the_settings_and_only_clients_with_a_certificate(self):
        self.unpack("azure")
        self.tls("backend.sockerless.internal")
        docker, agent = harness.free_port(), harness.free_port()
        text = self.read("etc/sockerless/vm.env").decode()
        for old, new in (("/var/lib/sockerless", self.dir), ("fd://", f"unix://{self.dir}/docker.sock"), ("0.0.0.0:2376", f"127.0.0.1:{docker}"),
                         ("0.0.0.0:9443", f"127.0.0.1:{agent}")):
            self.assertIn(old, text)
            text = text.replace(old, new)
        env = dict(line.split("=", 1) for line in text.splitlines())
        self.assertEqual(env["SOCKERLESS_CALLBACK_URL"], "https://backend.sockerless.internal:9443")
        self.assertEqual(env["AZURE_CLIENT_ID"], "client-1")
        env.update(PATH=os.environ["PATH"], SOCKERLESS_STATE_DIR=self.dir + "/state", SOCKERLESS_ACA_SUBSCRIPTION_ID="s", SOCKERLESS_ENDPOINT_URL="http://127.0.0.1:1")
        with open(os.path.join(self.dir, "log"), "w") as log:
            backend = subprocess.Popen([f"{harness.BUILD}/cmd/sockerless-backend-aca"], env=env, stdout=log, stderr=log)
        self.addCleanup(lambda: (backend.terminate(), backend.wait(30)))

        def ping(certificate):
            context = ssl.create_default_context(cafile=self.dir + "/tls/ca.pem")
            if certificate:
                context.load_cert_chain(self.dir + "/tls/client/cert.pem", self.dir + "/tls/client/key.pem")
            with urllib.request.urlopen(f"https://127.0.0.1:{docker}/_ping", timeout=10, context=context) as answer:
                return answer.read() == b"OK"

        def answers():
            self.assertIsNone(backend.poll(), self.read("log")[-2000:])
            try:
                return ping(True)
            except (OSError, urllib.error.URLError):
                return False
        harness.await_true("the Docker API by TLS", answers)
        with self.assertRaises(OSError):
            ping(False)
        with self.assertRaises(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{docker}/_ping", timeout=10)

    def upgrade(self, check=True):
        env = {"PATH": f"{self.dir}/stubs:{self.dir}/usr/local/sbin:{os.environ['PATH']}", "SERVICE": "sockerless-backend-aca",
               "INSTALLED": self.dir + "/installed", "METADATA": self.metadata, "DIR": self.dir,
               "CERTIFICATE": self.dir + "/tls/server.pem"}
        done = subprocess.run([self.dir + "/usr/local/sbin/sockerless-upgrade"], env=env, capture_output=True, text=True)
        if check:
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertNotIn(TOKEN, done.stdout + done.stderr)
        return done

    def installs(self):
        path = self.dir + "/calls"
        if not os.path.exists(path):
            return []
        with open(path) as f:
            return f.read().split("\n")[:-1]

    def test_a_package_is_replaced_when_the_metadata_names_another(self):
        for cloud in ("azure", "google"):
            with self.subTest(cloud=cloud):
                self.setUp()
                self.unpack(cloud)
                server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Cloud)
                threading.Thread(target=server.serve_forever, daemon=True).start()
                self.addCleanup(server.server_close)
                self.addCleanup(server.shutdown)
                self.metadata = f"http://127.0.0.1:{server.server_port}"
                os.mkdir(self.dir + "/stubs")
                # The package manager and the service manager of this machine are not touched.
                for name, script in (("apt-get", 'for f; do :; done; echo "apt $(cat "$f")" >>"$DIR/calls"'),
                                     ("systemctl", 'echo "$*" >>"$DIR/calls"')):
                    with open(f"{self.dir}/stubs/{name}", "w") as f:
                        f.write("#!/bin/sh\n" + script + "\n")
                    os.chmod(f"{self.dir}/stubs/{name}", 0o755)
                restart = ["enable sockerless-backend-aca", "restart sockerless-backend-aca"]
                for package in (b"first", b"second"):
                    Cloud.package = package
                    Cloud.wanted = f"{self.metadata}/packages/one.deb {hashlib.sha256(package).hexdigest()}"
                    before = self.installs()
                    self.upgrade()
                    self.assertEqual(self.installs(), before + [f"apt {package.decode()}"] + restart)
                # Nothing is done again, but for a certificate that is about to run out (here: there is none).
                before = self.installs()
                self.upgrade()
                self.assertEqual(self.installs(), before + restart[1:])
                self.tls("backend.sockerless.internal")
                self.upgrade()
                self.assertEqual(self.installs(), before + restart[1:])
                # What was not announced is not installed, and is asked for again.
                Cloud.package, before = b"tampered with", self.installs()
                Cloud.wanted = f"{self.metadata}/packages/one.deb {hashlib.sha256(b'third').hexdigest()}"
                self.assertNotEqual(self.upgrade(check=False).returncode, 0)
                self.assertEqual(self.installs(), before)
                Cloud.package = b"third"
                self.upgrade()
                self.assertEqual(self.installs(), before + ["apt third"] + restart)


if __name__ == "__main__":
    tools.main()
