"""What cannot work: settings, images, agents and clouds that refuse; each with its reason, and nothing left behind."""
import os
import subprocess
import tempfile
import time
import unittest

from harness import BUILD, Stack, free_port, main

SETTINGS = {"SOCKERLESS_ACA_SUBSCRIPTION_ID": "00000000-0000-0000-0000-000000000000", "SOCKERLESS_ACA_RESOURCE_GROUP": "r",
            "AZURE_CLIENT_SECRET": "planted-secret-2"}
WRONG_SETTINGS = [
    ({"SOCKERLESS_ACA_SUBSCRIPTION_ID": None}, [], "SOCKERLESS_ACA_SUBSCRIPTION_ID"),
    ({"SOCKERLESS_ACA_RESOURCE_GROUP": ""}, [], "SOCKERLESS_ACA_RESOURCE_GROUP"),
    ({"SOCKERLESS_ACA_START_TIMEOUT": "soon"}, [], "SOCKERLESS_ACA_START_TIMEOUT"),
    ({"SOCKERLESS_ACA_START_TIMEOUT": "-1"}, [], "SOCKERLESS_ACA_START_TIMEOUT"),
    ({"SOCKERLESS_ACA_AGENT": "sideways"}, [], "SOCKERLESS_ACA_AGENT"),
    ({"SOCKERLESS_ACA_AGENT": "reverse"}, [], "SOCKERLESS_CALLBACK_URL"),
    ({"SOCKERLESS_CALLBACK_URL": "ftp://x"}, [], "SOCKERLESS_CALLBACK_URL"),
    ({"SOCKERLESS_ENDPOINT_URL": "localhost"}, [], "SOCKERLESS_ENDPOINT_URL"),
    ({"SOCKERLESS_FETCH_IMAGE_CONFIG": "perhaps"}, [], "SOCKERLESS_FETCH_IMAGE_CONFIG"),
    ({}, ["--no-such-flag"], "--no-such-flag"),
    ({}, ["--log-level", "loud"], "--log-level"),
    ({}, ["-H", "carrier-pigeon://x"], "-H"),
    ({}, ["-H", "tcp://0.0.0.0:2375"], "--insecure-tcp"),
    ({}, ["--tlsverify"], "--tlscacert"),
]


def backend(env, *args):
    env = {k: v for k, v in {**SETTINGS, "PATH": os.environ["PATH"], **env}.items() if v is not None}
    return subprocess.run([f"{BUILD}/cmd/sockerless-backend-aca", *args], env=env, capture_output=True, text=True, timeout=60)


class Settings(unittest.TestCase):
    def test_a_wrong_setting_is_one_line_that_names_it(self):
        with tempfile.TemporaryDirectory() as d:
            for env, args, name in WRONG_SETTINGS:
                with self.subTest(env=env, args=args):
                    r = backend(env, "--state-dir", d, *args)
                    self.assertEqual(r.returncode, 2, r.stderr)
                    self.assertEqual(r.stderr.count("\n"), 1, r.stderr)
                    self.assertIn(name, r.stderr)
                    self.assertNotIn("planted-secret", r.stderr)

    def test_check_config_prints_all_settings_and_no_secret(self):
        r = backend({}, "--check-config")
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertIn("configuration ok", r.stdout)
        self.assertIn("SOCKERLESS_ACA_ENVIRONMENT", r.stdout)
        self.assertNotIn("planted-secret", r.stdout + r.stderr)

    def test_secrets_have_no_flag(self):
        """A command line can be read by everybody on the machine."""
        for kind in ("aca", "azf", "gcf"):
            text = subprocess.check_output([f"{BUILD}/cmd/sockerless-backend-{kind}", "--help"], text=True)
            rows = [line for line in text.splitlines() if line.rstrip().endswith(("TOKEN", "SECRET", "PASSWORD", "IDENTITY_HEADER"))]
            self.assertTrue(rows, kind)
            self.assertEqual([row for row in rows if row.lstrip().startswith("-")], [])


class Refusals(unittest.TestCase):
    def start_fails(self, s, image, *needles, seconds=30):
        """`docker run` fails with the reason in time; the container is there, never ran, and the cloud has nothing."""
        begun = time.monotonic()
        r = s.docker("run", "--name", "refused", image, "true")
        self.assertLess(time.monotonic() - begun, seconds)
        self.assertEqual(r.returncode, 125, r)
        for needle in needles:
            self.assertIn(needle, r.stderr.decode())
        self.assertNotIn("planted-secret", r.stderr.decode() + s.log("backend"))
        status, c = s.api("GET", "/containers/refused/json")
        self.assertEqual((status, c["State"]["Status"], c["State"]["Running"]), (200, "created", False))
        self.assertNotEqual(c["State"]["ExitCode"], 0)
        self.assertEqual(s.sim_state()["jobs"], 0)
        s.docker("rm", "refused", check=0)

    def test_an_agent_that_never_calls(self):
        dead = f"http://127.0.0.1:{free_port()}/agent/v1"
        with Stack(env={"SOCKERLESS_CALLBACK_URL": dead, "SOCKERLESS_ACA_START_TIMEOUT": "3"}) as s:
            s.docker("pull", "-q", "busybox", check=0)
            self.start_fails(s, "busybox", "agent", "SOCKERLESS_CALLBACK_URL")

    def test_an_image_that_the_cloud_cannot_pull(self):
        with Stack() as s:
            image = f"127.0.0.1:{free_port()}/ghost:1"
            self.start_fails(s, image, "ghost")

    def test_a_secret_that_is_wrong(self):
        with Stack(sim_args=["--client-secret", "the-right-one"]) as s:
            s.docker("pull", "-q", "busybox", check=0)
            self.start_fails(s, "busybox", "AADSTS7000215")

    def test_a_resource_group_that_is_not_there(self):
        with Stack(env={"SOCKERLESS_ACA_RESOURCE_GROUP": "elsewhere"}) as s:
            s.docker("pull", "-q", "busybox", check=0)
            self.start_fails(s, "busybox", "ResourceGroupNotFound")

    def test_a_cloud_that_is_away(self):
        with Stack(env={"SOCKERLESS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}"}) as s:
            s.docker("pull", "-q", "busybox", check=0)
            self.start_fails(s, "busybox", "onnect", seconds=110)


if __name__ == "__main__":
    main()
