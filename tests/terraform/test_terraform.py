"""Terraform on every module, environment and example: with the providers' published schemas, and no cloud.

The providers are stand-ins that have the real ones' schemas (provider/main.go): Terraform itself checks arguments, blocks,
types and references, plans, applies and plans again. What only the real providers know (their own checks of values, and what
the clouds answer) is not tested here. The simulators' environments are applied as they are and used by a backend.
"""
import json
import os
import re
import shutil
import subprocess
import unittest

import tools
from tools import TOP, Terraform, changed, harness

# What each folder needs beside its defaults.
AGENT, PACKAGE = {"agent_path": "/bin/true"}, {"package_path": "package.deb"}
VALUES = {
    "terraform/modules/aca": {},
    "terraform/modules/azf": AGENT,
    "terraform/modules/gcf": {"project_id": "my-project", **AGENT},
    "backends/aca/examples/terraform": PACKAGE,
    "backends/azure-functions/examples/terraform": {**AGENT, **PACKAGE},
    "backends/cloudrun-functions/examples/terraform": {"project_id": "my-project", **AGENT, **PACKAGE},
}


def folders(*parts):
    found = []
    for part in parts:
        for root, _, files in os.walk(os.path.join(TOP, part)):
            if any(name.endswith(".tf") for name in files):
                found.append(os.path.relpath(root, TOP))
    return sorted(found)


class Modules(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tf = Terraform().__enter__()
        cls.addClassCleanup(cls.tf.__exit__)
        cls.tf.write("package.deb", "a package")
        subprocess.check_call(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", os.path.join(cls.tf.dir, "key")])

    def values(self, folder):
        values = dict(VALUES[folder])
        if "package_path" in values:
            values.update(package_path=os.path.join(self.tf.dir, "package.deb"), allowed_from=["203.0.113.7/32"],
                          ssh_public_key_path=os.path.join(self.tf.dir, "key.pub"))
        return values

    def test_is_formatted(self):
        for part in ("terraform", "backends"):
            self.assertEqual(self.tf.run(part, "fmt", "-check", "-recursive", check=False).stdout, "")
        for root, _, files in os.walk(os.path.join(TOP, "terraform")):
            for name in files:
                if name.endswith(".hcl") and not name.startswith("."):
                    with open(os.path.join(root, name)) as f:
                        done = subprocess.run([tools.TERRAFORM, "fmt", "-check", "-"], stdin=f, stdout=subprocess.PIPE,
                                              env={"PATH": os.environ["PATH"], "TF_CLI_CONFIG_FILE": self.tf.config})
                    self.assertEqual(done.returncode, 0, name)

    def test_the_pins_are_of_the_schemas(self):
        versions = {name: provider["version"] for name, provider in self.tf.schemas.items()}
        self.assertEqual(set(versions), {"azurerm", "google"})
        for folder in folders("terraform", "backends"):
            for name in os.listdir(os.path.join(TOP, folder)):
                if name.endswith(".tf"):
                    with open(os.path.join(TOP, folder, name)) as f:
                        for provider, pin in re.findall(r'source  = "hashicorp/(\w+)"\n\s+version = "(.*)"', f.read()):
                            self.assertEqual(pin, versions[provider], folder)

    def test_each_folder_is_valid_for_new_and_old_terraform(self):
        everything = folders("terraform", "backends")
        self.assertGreaterEqual(len(everything), 12)
        for executable in {tools.TERRAFORM, tools.OLDEST}:
            if not os.path.exists(executable):
                print("not there, not tried:", executable)
                continue
            for folder in everything:
                with self.subTest(folder=folder, executable=executable):
                    self.tf.init(folder, executable=executable)
                    answer = json.loads(self.tf.run(folder, "validate", "-json", check=False, executable=executable).stdout)
                    self.assertEqual(answer["diagnostics"], [])
                    shutil.rmtree(os.path.join(self.tf.dir, folder, ".terraform"), ignore_errors=True)
                    lock = os.path.join(self.tf.dir, folder, ".terraform.lock.hcl")
                    if os.path.exists(lock):
                        os.unlink(lock)

    def test_modules_and_examples_apply_and_stay_applied(self):
        self.assertEqual(sorted(VALUES), [f for f in folders("terraform/modules", "backends") if "/vm-" not in f and "-base" not in f])
        for folder in VALUES:
            with self.subTest(folder=folder):
                outputs = self.tf.apply(folder, **self.values(folder))
                self.assertTrue(all(outputs.values()), outputs)
                # 2 would be: there is something to change.
                again = self.tf.run(folder, "plan", "-no-color", "-input=false", "-detailed-exitcode", check=False)
                self.assertEqual(again.returncode, 0, again.stdout[-3000:])
                for value in (outputs.get("environment") or {}).values():
                    self.assertIn(value, [v for k, v in outputs.items() if k != "environment"])

    def test_a_new_package_replaces_no_machine(self):
        folder = "backends/aca/examples/terraform"
        self.tf.apply(folder, **self.values(folder))
        new = self.tf.write("new.deb", "another package")
        self.tf.variables(folder, **{**self.values(folder), "package_path": new})
        self.tf.run(folder, "plan", "-no-color", "-input=false", "-out=plan")
        plan = json.loads(self.tf.run(folder, "show", "-json", "plan").stdout)
        changes = {c["address"]: c["change"] for c in plan["resource_changes"] if c["change"]["actions"] != ["no-op"]}
        machine = changes["module.vm.azurerm_linux_virtual_machine.this"]
        self.assertEqual(machine["actions"], ["update"])
        self.assertEqual([k for k in machine["after"] if machine["after"][k] != machine["before"][k]], ["user_data"])

    def test_what_is_wrong_is_refused(self):
        """That the checks above can fail."""
        base = os.path.join(self.tf.dir, "terraform/modules/azure-base/main.tf")
        self.tf.init("terraform/modules/azure-base")
        for old, new, says in (
                ("retention_in_days ", "retention_days ", "retention_days"),
                ('sku                 = "PerGB2018"', 'sku = ["PerGB2018"]', "string required"),
                ("azurerm_container_registry.this.id", "azurerm_container_registry.this.login", "login"),
                ("  permissions {", "  permission {", "permission"),
                ('  location = var.location\n  tags     = var.tags', '  tags     = var.tags', "location")):
            with self.subTest(new=new), changed(base, old, new):
                answer = json.loads(self.tf.run("terraform/modules/azure-base", "validate", "-json", check=False).stdout)
                self.assertFalse(answer["valid"])
                self.assertIn(says, json.dumps(answer["diagnostics"]))

    def test_variables_are_checked(self):
        self.tf.init("terraform/modules/aca")
        for name, value in {"name": "Not-Lower", "location": "East US", "address_space": "10.0.0.0/24", "log_retention_days": 7,
                            "operators": ["me"], "environment_name": "x y", "agent_tag": ":"}.items():
            with self.subTest(name=name):
                self.tf.variables("terraform/modules/aca", **{name: value})
                done = self.tf.run("terraform/modules/aca", "plan", "-no-color", "-input=false", check=False)
                self.assertEqual(done.returncode, 1)
                self.assertIn(f"var.{name}", done.stdout)
        os.unlink(os.path.join(self.tf.dir, "terraform/modules/aca/test.auto.tfvars.json"))


def parse(path):
    """A terragrunt file as JSON; expressions as ${...} text."""
    script = ("require('@cdktf/hcl2json').parse('x.hcl', require('fs').readFileSync(process.argv[1], 'utf8'))"
              ".then(o => console.log(JSON.stringify(o)))")
    return json.loads(subprocess.check_output(["node", "-e", script, path], cwd=tools.FOLDER, text=True))


@unittest.skipUnless(shutil.which("node"), "there is no node")
class Terragrunt(unittest.TestCase):
    """terragrunt itself is in no package registry: its files are parsed, and what it would do is done with Terraform."""

    def test_live_environments_fit_their_modules(self):
        for short in ("aca", "azf", "gcf"):
            with self.subTest(short=short):
                folder = os.path.join(TOP, "terraform/environments", short, "live")
                live = parse(os.path.join(folder, "terragrunt.hcl"))
                source = live["terraform"][0]["source"].replace("${get_terragrunt_dir()}", folder).replace("//", "/")
                self.assertEqual(os.path.realpath(source), os.path.join(TOP, "terraform/modules", short))
                with open(os.path.join(source, "variables.tf")) as f:
                    variables = dict(re.findall(r'^variable "(\w+)" \{\n(.*?)^\}', f.read(), re.S | re.M))
                self.assertLessEqual(set(live["inputs"]), set(variables))
                required = {name for name, body in variables.items() if "  default " not in body}
                self.assertLessEqual(required, set(live["inputs"]))
                included = re.search(r'find_in_parent_folders\("(.*?)"\)', live["include"]["cloud"][0]["path"]).group(1)
                cloud = parse(os.path.join(TOP, "terraform/environments", included))
                self.assertIn(f'provider "{"google" if short == "gcf" else "azurerm"}"', cloud["generate"]["provider"][0]["contents"])


class WithoutAnAccount(unittest.TestCase):
    """The simulators' environments applied, and a backend run with exactly what they say: the examples' own words."""

    def walk(self, folder):
        with open(os.path.join(TOP, "backends", folder, "examples/terraform/README.md")) as f:
            script = re.search(r"^```sh\n(.*?)^```", f.read().split("## Without an account")[1], re.S | re.M).group(1)
        with Terraform() as tf, tools.Registry() as registry:
            os.symlink(harness.BUILD, os.path.join(tf.dir, "build"))
            for old, new in (("127.0.0.1:5000", registry.registry), ("/tmp/sockerless", os.path.join(tf.dir, "s")),
                             (re.search(r"--listen (\S+)", script).group(1), f"127.0.0.1:{harness.free_port()}"),
                             ("127.0.0.1:9111", f"127.0.0.1:{harness.free_port()}")):
                self.assertIn(old, script)
                script = script.replace(old, new)
            # What it leaves running ends with it.
            script = "trap 'kill $(jobs -p); wait' EXIT\n" + script
            env = {"PATH": f"{os.path.dirname(tools.TERRAFORM)}:{os.environ['PATH']}", "HOME": tf.dir, "TF_CLI_CONFIG_FILE": tf.config}
            env.update((k, v) for k, v in os.environ.items() if k.endswith("SAN_OPTIONS"))
            done = subprocess.run(["bash", "-e", "-o", "pipefail", "-c", script], cwd=tf.dir, env=env, text=True, timeout=240,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
            self.assertEqual(done.returncode, 0, done.stdout[-2000:] + done.stderr[-3000:])
            self.assertEqual(done.stdout.splitlines()[-1], "hello")

    def test_container_apps(self):
        self.walk("aca")

    def test_functions(self):
        self.walk("azure-functions")

    def test_cloud_run_functions(self):
        if not os.path.exists(f"{harness.BUILD}/cmd/sockerless-backend-gcf"):
            self.skipTest("there is no sockerless-backend-gcf")
        self.walk("cloudrun-functions")


if __name__ == "__main__":
    tools.main()
