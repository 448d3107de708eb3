"""`sockerless-backend-X doctor` on each simulated cloud: all well, and each kind of fault named with what to do about it."""
import http.server
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import unittest
import urllib.request

from certificates import Authority
from harness import BUILD, SETTINGS, WORKSPACE, await_true, free_port, main

KINDS = ("aca", "azf", "gcf")
SECRET = "planted-secret-of-the-doctor"
LINE = re.compile(r"^(ok|warn|fail) +([a-z ]+): (.+)$")


class Cloud:
    """A simulator alone: nothing runs on it."""

    def __init__(self, kind, *args):
        self.dir = tempfile.mkdtemp(prefix="skl-doctor-", dir="/tmp")
        cloud, more = ("gcp", ["--credentials-dir", f"{self.dir}/credentials", "--bucket", "sockerless", "--docker-runtime"]) \
            if kind == "gcf" else ("azure", ["--client-secret", SECRET])
        self.process = subprocess.Popen(
            [f"{BUILD}/tests/simulators/sockerless-sim-{cloud}", "--listen", "127.0.0.1:0", "--runtime", "process",
             "--agent", f"{BUILD}/cmd/sockerless-agent", "--state-dir", f"{self.dir}/sim", *more, *args],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.url = re.search(r"listening on (\S+)", self.process.stdout.readline()).group(1)

    def close(self):
        self.process.terminate()
        self.process.wait(30)
        self.process.stdout.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def call(self, path):
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            return json.load(answer)

    def env(self, kind):
        port = free_port()
        env = {"PATH": os.environ["PATH"], "SOCKERLESS_ENDPOINT_URL": self.url, **SETTINGS[kind],
               "SOCKERLESS_STATE_DIR": f"{self.dir}/state", "SOCKERLESS_HOST": f"unix://{self.dir}/docker.sock",
               "SOCKERLESS_CALLBACK_URL": f"http://127.0.0.1:{port}/agent/v1", "SOCKERLESS_AGENT_LISTEN": f"127.0.0.1:{port}"}
        if kind == "gcf":
            env["GOOGLE_APPLICATION_CREDENTIALS"] = f"{self.dir}/credentials/service_account.json"
        else:
            env["AZURE_CLIENT_SECRET"] = SECRET
        if kind == "azf":
            env["SOCKERLESS_AZF_APP_SERVICE_PLAN"] = "sockerless"
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS"):
            if name in os.environ:
                env[name] = os.environ[name]
        return env


class Somebody(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_error(404)

    def log_message(self, *unused):
        pass


def doctor(kind, env, *args, code=None):
    """(lines by check: (grade, text), all that was printed)"""
    r = subprocess.run([f"{BUILD}/cmd/sockerless-backend-{kind}", "doctor", *args], env=env, capture_output=True, text=True,
                       timeout=60)
    text = r.stdout + r.stderr
    assert code is None or r.returncode == code, (r.returncode, text)
    assert SECRET not in text and "PRIVATE KEY" not in text, text
    found = {}
    for line in r.stdout.splitlines()[:-1]:
        match = LINE.match(line)
        assert match, text
        assert match.group(1) == "ok" or "; to fix: " in line, line
        found[match.group(2)] = (match.group(1), match.group(3))
    return found, text


class Doctor(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.clouds = {"aca": Cloud("aca"), "gcf": Cloud("gcf")}
        cls.clouds["azf"] = cls.clouds["aca"]

    @classmethod
    def tearDownClass(cls):
        cls.clouds["aca"].close()
        cls.clouds["gcf"].close()

    def env(self, kind):
        return self.clouds[kind].env(kind)

    def sick(self, kind, check, said, *args, fix="", grade="fail", **settings):
        """Exactly that check is not well (and those that need it are left out)."""
        env = self.env(kind)
        env.update(settings)
        found, text = doctor(kind, {k: v for k, v in env.items() if v is not None}, *args, code=int(grade == "fail"))
        self.assertEqual(found[check][0], grade, text)
        self.assertRegex(found[check][1], said)
        self.assertIn(fix, found[check][1].split("; to fix: ")[1])
        self.assertEqual([c for c, (g, _) in found.items() if g == "fail"], [check] if grade == "fail" else [], text)
        return found

    def test_all_well(self):
        for kind in KINDS:
            with self.subTest(kind):
                found, text = doctor(kind, self.env(kind), code=0)
                self.assertEqual({g for g, _ in found.values()}, {"ok"}, text)
                common = {"configuration", "state directory", "callback", "clock", "credentials", "permissions", "agent"}
                self.assertLessEqual(common, set(found), text)
                self.assertRegex(text.splitlines()[-1], rf"^sockerless-backend-{kind}: \d+ ok, 0 to look at, 0 to fix$")

    def test_json_says_the_same(self):
        for kind in KINDS:
            with self.subTest(kind):
                env = self.env(kind)
                found, _ = doctor(kind, env, code=0)
                r = subprocess.run([f"{BUILD}/cmd/sockerless-backend-{kind}", "doctor", "--json"], env=env, capture_output=True)
                told = json.loads(r.stdout)
                self.assertEqual((r.returncode, told["ok"]), (0, True))
                self.assertEqual([c["check"] for c in told["checks"]], list(found))
        env["SOCKERLESS_GCF_PROJECT"] = ""
        r = subprocess.run([f"{BUILD}/cmd/sockerless-backend-gcf", "doctor", "--json"], env=env, capture_output=True)
        told = json.loads(r.stdout)
        self.assertEqual((r.returncode, told["ok"], told["checks"][0]["check"]), (1, False, "configuration"))

    def test_settings(self):
        self.sick("aca", "configuration", "SOCKERLESS_ACA_SUBSCRIPTION_ID", SOCKERLESS_ACA_SUBSCRIPTION_ID=None)
        self.sick("azf", "configuration", "SOCKERLESS_AZF_STORAGE_ACCOUNT", SOCKERLESS_AZF_STORAGE_ACCOUNT="No_Such")
        self.sick("gcf", "configuration", "-H .*insecure-tcp", "-H", "tcp://0.0.0.0:2375")

    def test_credentials(self):
        for kind in ("aca", "azf"):
            found = self.sick(kind, "credentials", "AADSTS7000215", fix="AZURE_CLIENT_SECRET", AZURE_CLIENT_SECRET="another")
            self.assertNotIn("permissions", found)
        path = f"{self.clouds['gcf'].dir}/another.json"
        with open(f"{self.clouds['gcf'].dir}/credentials/service_account.json") as f:
            key = json.load(f)
        key["client_email"] = "nobody@sockerless.iam.gserviceaccount.com"
        with open(path, "w") as f:
            json.dump(key, f)
        self.sick("gcf", "credentials", "account not found", fix="GOOGLE_APPLICATION_CREDENTIALS",
                  GOOGLE_APPLICATION_CREDENTIALS=path)

    def test_what_is_not_there(self):
        fixes = {"aca": "SOCKERLESS_ACA_RESOURCE_GROUP", "azf": "SOCKERLESS_AZF_RESOURCE_GROUP"}
        for kind, name in fixes.items():
            self.sick(kind, "resource group", "ResourceGroupNotFound", fix=name, **{name: "gone"})
        self.sick("aca", "environment", "ResourceNotFound", fix="az containerapp env create", SOCKERLESS_ACA_ENVIRONMENT="gone")
        self.sick("aca", "environment", "is in eastus, not in", fix="SOCKERLESS_ACA_LOCATION",
                  SOCKERLESS_ACA_LOCATION="westeurope")
        self.sick("aca", "log workspace", "does not exist", fix="SOCKERLESS_ACA_LOG_ANALYTICS_WORKSPACE",
                  SOCKERLESS_ACA_LOG_ANALYTICS_WORKSPACE=WORKSPACE.replace("1", "9"))
        self.sick("azf", "plan", "NotFound", fix="az functionapp plan create", SOCKERLESS_AZF_APP_SERVICE_PLAN="gone")
        self.sick("azf", "storage account", "ResourceNotFound", fix="az storage account create",
                  SOCKERLESS_AZF_STORAGE_ACCOUNT="goneaccount")
        self.sick("azf", "agent", "ShareNotFound", fix="az storage share-rm create", SOCKERLESS_AZF_AGENT_SHARE="gone")
        self.sick("gcf", "project", "PERMISSION_DENIED", fix="SOCKERLESS_GCF_PROJECT", SOCKERLESS_GCF_PROJECT="gone-project")
        self.sick("gcf", "source bucket", "does not exist", fix="gcloud storage buckets create", SOCKERLESS_GCF_BUCKET="gone")
        self.sick("gcf", "agent bucket", "does not exist", fix="SOCKERLESS_GCF_AGENT", SOCKERLESS_GCF_AGENT="bucket:gone")
        self.sick("gcf", "agent", "gs://sockerless/bin/sockerless-agent: ", fix="gcloud storage cp",
                  SOCKERLESS_GCF_AGENT="bucket:sockerless")

    def test_what_is_only_worth_a_look(self):
        self.sick("azf", "plan", "bills from create to rm", grade="warn", SOCKERLESS_AZF_APP_SERVICE_PLAN=None)
        self.sick("aca", "log workspace", "is not set", grade="warn", SOCKERLESS_ACA_LOG_ANALYTICS_WORKSPACE=None)
        for kind in ("azf", "gcf"):
            self.sick(kind, "agent", "no exec, attach", grade="warn", fix="SOCKERLESS_CALLBACK_URL", SOCKERLESS_CALLBACK_URL=None)

    def test_permissions(self):
        reader = Cloud("aca", "--action", "*/read")
        try:
            for kind in ("aca", "azf"):
                found, text = doctor(kind, reader.env(kind), code=1)
                self.assertEqual(found["permissions"][0], "fail", text)
                for action in {"aca": ("Microsoft.App/jobs/write", "Microsoft.App/jobs/start/action"),
                               "azf": ("Microsoft.Web/sites/delete", "Microsoft.Storage/storageAccounts/listKeys/action")}[kind]:
                    self.assertIn(action, found["permissions"][1])
                self.assertNotIn("/read", found["permissions"][1].split(";")[0])
        finally:
            reader.close()
        nobody = Cloud("aca", "--action", "Microsoft.Web/nothing/read")
        try:
            found, text = doctor("aca", nobody.env("aca"), code=1)
            self.assertRegex(found["resource group"][1], "AuthorizationFailed.*to fix: give the identity the role")
        finally:
            nobody.close()
        viewer = Cloud("gcf", "--permission", "run.services.get", "--permission", "run.services.list")
        try:
            found, text = doctor("gcf", viewer.env("gcf"), code=1)
            self.assertIn("run.services.create", found["permissions"][1])
            self.assertNotIn("run.services.list", found["permissions"][1])
            self.assertEqual((found["use of api run"][0], found["use of api functions"][0]), ("ok", "fail"), text)
            self.assertIn("storage.objects.create", found["source bucket"][1])
        finally:
            viewer.close()

    def test_what_doctor_says_of_rights_is_what_the_cloud_does(self):
        """Where it finds a right missing, a run fails for that right."""
        reader = Cloud("aca", "--action", "*/read", "--action", "Microsoft.App/managedEnvironments/*")
        env = reader.env("aca")
        backend = subprocess.Popen([f"{BUILD}/cmd/sockerless-backend-aca"], env=env, stderr=subprocess.PIPE, text=True)
        try:
            await_true("backend", lambda: os.path.exists(f"{reader.dir}/docker.sock"))
            client = {"PATH": env["PATH"], "HOME": reader.dir, "DOCKER_HOST": env["SOCKERLESS_HOST"]}
            # Of a registry that does not answer: what is known of the image is its name.
            docker = subprocess.run(["docker", "create", f"127.0.0.1:{free_port()}/image", "true"], env=client,
                                    capture_output=True, text=True)
            self.assertEqual(docker.returncode, 0, docker.stderr)
            start = subprocess.run(["docker", "start", docker.stdout.split()[-1]], env=client, capture_output=True, text=True)
            self.assertNotEqual(start.returncode, 0)
            self.assertIn("Microsoft.App/jobs/write", start.stderr)
        finally:
            backend.terminate()
            backend.communicate(timeout=60)
            reader.close()

    def test_clock(self):
        for kind, seconds, grade, said in (("aca", 3600, "fail", "3[56]\\d\\d s behind"), ("gcf", -90, "warn", "\\d\\d s ahead")):
            cloud = Cloud(kind, "--clock-skew", str(seconds))
            try:
                found, text = doctor(kind, cloud.env(kind), code=int(grade == "fail"))
                self.assertEqual(found["clock"][0], grade, text)
                self.assertRegex(found["clock"][1], said)
                self.assertIn("timedatectl", found["clock"][1])
            finally:
                cloud.close()

    def test_apis_out_of_reach(self):
        for kind in KINDS:
            found, text = doctor(kind, {**self.env(kind), "SOCKERLESS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}"}, code=1)
            apis = [v for c, v in found.items() if c.startswith("api ")]
            self.assertTrue(apis and all(grade == "fail" for grade, _ in apis), text)
            self.assertNotIn("credentials", found)

    def test_callback(self):
        dead = "http://name-that-is-not.invalid:9110/agent/v1"
        self.sick("aca", "callback", "cannot resolve the name", fix="the name resolves", SOCKERLESS_CALLBACK_URL=dead)
        self.sick("azf", "callback", "refused", fix="the port is open",
                  SOCKERLESS_CALLBACK_URL=f"http://127.0.0.1:{free_port()}/agent/v1")
        other = http.server.HTTPServer(("127.0.0.1", 0), Somebody)
        threading.Thread(target=other.serve_forever, daemon=True).start()
        self.sick("gcf", "callback", "answered by something else, with status 404", fix="--agent-listen",
                  SOCKERLESS_CALLBACK_URL=f"http://127.0.0.1:{other.server_port}/agent/v1")
        other.shutdown()
        other.server_close()
        with socket.socket() as deaf:
            deaf.bind(("127.0.0.1", 0))
            deaf.listen()
            url = f"http://127.0.0.1:{deaf.getsockname()[1]}/agent/v1"
            self.sick("aca", "callback", "did not open in time|no answer in time", SOCKERLESS_CALLBACK_URL=url)

    def test_callback_by_tls(self):
        cloud = self.clouds["aca"]
        good, other = Authority(f"{cloud.dir}/good"), Authority(f"{cloud.dir}/other")
        folder = good.sign(f"{cloud.dir}/agents")
        files = {"SOCKERLESS_AGENT_TLS_CERT": f"{folder}/cert.pem", "SOCKERLESS_AGENT_TLS_KEY": f"{folder}/key.pem"}
        env = self.env("aca")
        url = env["SOCKERLESS_CALLBACK_URL"].replace("http", "https")
        port = url.split(":")[2].split("/")[0]
        found, text = doctor("aca", {**env, **files, "SOCKERLESS_CALLBACK_URL": url, "SOCKERLESS_AGENT_TLS_CA": good.path("ca.pem")}, code=0)
        self.assertIn("by TLS that agents accept", found["callback"][1])
        self.sick("aca", "callback", "TLS handshake", fix="--agent-tls-ca", **files, SOCKERLESS_CALLBACK_URL=url,
                  SOCKERLESS_AGENT_LISTEN=f"127.0.0.1:{port}", SOCKERLESS_AGENT_TLS_CA=other.path("ca.pem"))

    def test_beside_a_running_daemon(self):
        env = self.env("aca")
        backend = subprocess.Popen([f"{BUILD}/cmd/sockerless-backend-aca"], env=env, stderr=subprocess.DEVNULL)
        try:
            await_true("backend", lambda: os.path.exists(env["SOCKERLESS_HOST"][7:]))
            found, _ = doctor("aca", env, code=0)
            self.assertIn("a daemon is running", found["callback"][1])
        finally:
            backend.terminate()
            backend.wait(60)

    def test_state_directory(self):
        for kind in KINDS:
            self.sick(kind, "state directory", "cannot be (made|written)", fix="--state-dir",
                      SOCKERLESS_STATE_DIR="/proc/sys/kernel")
            self.sick(kind, "state directory", "cannot be made", fix="--state-dir", SOCKERLESS_STATE_DIR="/proc/no/such")
        env = {**self.env("aca"), "SOCKERLESS_STATE_DIR": f"{self.clouds['aca'].dir}/not-yet"}
        doctor("aca", env, code=0)
        self.assertFalse(os.path.exists(env["SOCKERLESS_STATE_DIR"]))  # looking makes nothing
        os.mkdir(env["SOCKERLESS_STATE_DIR"])
        doctor("aca", env, code=0)
        self.assertEqual(os.listdir(env["SOCKERLESS_STATE_DIR"]), [])

    def test_nothing_is_made_in_the_cloud(self):
        for kind in KINDS:
            before = self.clouds[kind].call("/simulator/state")["calls"]
            doctor(kind, self.env(kind), code=0)
            made = {c for c, n in self.clouds[kind].call("/simulator/state")["calls"].items() if n != before.get(c)}
            self.assertFalse([c for c in made if re.search("put|create|delete|patch|start|upload", c)], made)


if __name__ == "__main__":
    main()
