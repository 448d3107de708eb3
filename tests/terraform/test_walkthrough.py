"""The walk-throughs of backends/*/examples/terraform, typed from their first line to their last, but for what needs an account.

Real: Terraform (with the stand-in providers), docker, the backend and the cloud's simulator, TLS. Stand-ins, each as small as it can
be: az and gcloud; make, for the package (which tests/packaging tries); ssh, which leads to this machine; docker build and push, for
the agent's image into a registry of the account. A command that none of them knows fails the test.
"""
import os
import re
import shutil
import subprocess
import unittest

import tools
from certificates import Authority
from tools import TOP, Terraform, harness

FOLDERS = {"aca": "aca", "azf": "azure-functions", "gcf": "cloudrun-functions"}
STAND_INS = {
    "az": """case "$*" in
"account show --query id -o tsv") echo 00000000-0000-0000-0000-000000000000 ;;
login | "provider register --wait -n Microsoft."* | "acr login --name "?*) ;;
*) echo "az $*: not known" >&2; exit 1 ;;
esac""",
    "gcloud": '[ "$*" = "auth application-default login" ]',
    "make": '[ "$*" = "build deb" ] && echo package >"build/sockerless-backend-${BACKEND}_1_amd64.deb"',
    "ssh": """case "$*" in
"-fNL "*) from=${2%%:*}; [ "${2#*:}" = "/run/sockerless/$BACKEND.sock" ] && [ -n "$3" ] && ln -s "$STACK_SOCKET" "$from" ;;
?*@?*" sudo tar -C /var/lib/sockerless/tls/client -c ca.pem cert.pem key.pem") tar -C "$CLIENT_CERTS" -c ca.pem cert.pem key.pem ;;
?*@?*" journalctl -u sockerless-backend-$BACKEND -f") ;;
*) echo "ssh $*: not known" >&2; exit 1 ;;
esac""",
    "docker": """case "$*" in
"build --target sockerless-agent -t "?*" ../../../..") grep -q "AS sockerless-agent$" ../../../../Dockerfile ;;
"push "?*/?*) ;;
"run -it "*) echo exit | script -qec "$DOCKER $*" /dev/null ;;
*) exec "$DOCKER" "$@" ;;
esac""",
}


def commands(text):
    """The indented commands of a text, in their order."""
    return "\n".join(line[4:] for line in text.splitlines() if line.startswith("    "))


class Walkthrough(unittest.TestCase):
    def walk(self, kind):
        readme = f"backends/{FOLDERS[kind]}/examples/terraform/README.md"
        with open(os.path.join(TOP, readme)) as f:
            steps, simulated = f.read().split("## Without an account")
        self.assertIn("```sh", simulated)  # test_terraform.py types that
        script = commands(steps)
        port = harness.free_port()
        for old, new in (("$(terraform output -raw vm):2376", f"127.0.0.1:{port}"), ("NEW.deb", "$PWD/new.deb")):
            self.assertIn(old, script)
            script = script.replace(old, new)
        with Terraform() as tf:
            authority = Authority(f"{tf.dir}/ca")
            client, server = authority.sign(f"{tf.dir}/client"), authority.sign(f"{tf.dir}/server")
            with harness.Stack(backend=kind, args=["-H", f"tcp://127.0.0.1:{port}", "--tlsverify", "--tlscacert", f"{server}/ca.pem",
                                                   "--tlscert", f"{server}/cert.pem", "--tlskey", f"{server}/key.pem"]) as stack:
                for folder in ("bin", "build", "run", ".ssh"):
                    os.makedirs(os.path.join(tf.dir, folder))
                os.symlink(f"{harness.BUILD}/cmd", f"{tf.dir}/build/cmd")
                for name, text in STAND_INS.items():
                    with open(f"{tf.dir}/bin/{name}", "w") as f:
                        f.write(f"#!/bin/bash\n{text}\n")
                    os.chmod(f.name, 0o755)
                subprocess.check_call(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{tf.dir}/.ssh/id_ed25519"])
                tf.write(f"backends/{FOLDERS[kind]}/examples/terraform/new.deb", "another package")
                env = {"PATH": f"{tf.dir}/bin:{os.path.dirname(tools.TERRAFORM)}:{os.environ['PATH']}", "HOME": tf.dir,
                       "XDG_RUNTIME_DIR": f"{tf.dir}/run", "TF_CLI_CONFIG_FILE": tf.config, "TF_IN_AUTOMATION": "1",
                       "TF_CLI_ARGS_apply": "-auto-approve -input=false -no-color", "STACK_SOCKET": stack.socket, "BACKEND": kind,
                       "CLIENT_CERTS": client, "DOCKER": shutil.which("docker")}
                script += "\ndocker run --rm busybox echo by TLS\n"
                done = subprocess.run(["bash", "-e", "-o", "pipefail", "-c", script], cwd=tf.dir, env=env, text=True, timeout=280,
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
                self.assertEqual(done.returncode, 0, f"{script}\n{done.stdout[-1500:]}\n{done.stderr[-3000:]}")
                self.assertIn("\nhello\n", done.stdout)
                self.assertTrue(done.stdout.endswith("by TLS\n"), done.stdout[-500:])

    def test_container_apps(self):
        self.walk("aca")

    def test_functions(self):
        self.walk("azf")

    def test_cloud_run_functions(self):
        self.walk("gcf")

    def test_nothing_that_could_be_typed_is_left_out(self):
        """Commands stand indented (typed above) or in a block of sh (typed by the tests that the page names)."""
        for path in [f"backends/{folder}/examples/terraform/README.md" for folder in FOLDERS.values()]:
            with open(os.path.join(TOP, path)) as f:
                kinds = set(re.findall(r"^```(\w*)$", f.read(), re.M)) - {""}
            self.assertEqual(kinds, {"sh"}, path)


if __name__ == "__main__":
    tools.main()
