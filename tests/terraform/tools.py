"""Terraform on a copy of our tree, with stand-ins for the providers; standard library only."""
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(TOP, "tests", "sim"), os.path.join(TOP, "tests", "terraform")]
import harness  # noqa: E402
import schema  # noqa: E402

FOLDER = os.path.join(harness.BUILD, "terraform")
OLDEST = os.path.join(FOLDER, "terraform-1.5.7", "terraform")
TERRAFORM = shutil.which("terraform") or OLDEST
PACKAGES = os.path.join(FOLDER, "node_modules", "@cdktf")


def missing():
    """What `make tf-test` could not get, in words."""
    wanted = {"terraform": TERRAFORM, "npm's @cdktf packages": PACKAGES, "the stand-in provider (go)": os.path.join(FOLDER, "stand-in")}
    return [what for what, path in wanted.items() if not os.path.exists(path)]


class Terraform:
    """A copy of the tree's Terraform code, and a mirror with the stand-ins in the pinned versions."""

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix="skl-tf-", dir="/tmp")
        ignore = shutil.ignore_patterns(".terraform", "*.tfstate*", "*.c", "*.h")
        for part in ("terraform", "backends"):
            shutil.copytree(os.path.join(TOP, part), os.path.join(self.dir, part), ignore=ignore)
        self.schemas = schema.build(PACKAGES, self.dir)
        for name, provider in self.schemas.items():
            folder = os.path.join(self.dir, "mirror/registry.terraform.io/hashicorp", name, provider["version"], "linux_amd64")
            os.makedirs(folder)
            shutil.copy(os.path.join(FOLDER, "stand-in"), f"{folder}/terraform-provider-{name}_v{provider['version']}")
            with open(os.path.join(folder, "schemas.json"), "w") as f:
                json.dump(self.schemas, f)
        self.config = os.path.join(self.dir, "cli.tfrc")
        with open(self.config, "w") as f:
            f.write('disable_checkpoint = true\nprovider_installation {\n  filesystem_mirror {\n'
                    f'    path = "{self.dir}/mirror"\n  }}\n}}\n')
        return self

    def __exit__(self, *unused):
        shutil.rmtree(self.dir, ignore_errors=True)

    def run(self, folder, *args, check=True, executable=None, env=None):
        done = subprocess.run([executable or TERRAFORM, f"-chdir={os.path.join(self.dir, folder)}", *args], text=True,
                              env={"PATH": os.environ["PATH"], "HOME": self.dir, "TF_CLI_CONFIG_FILE": self.config, **(env or {})},
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        if check and done.returncode != 0:
            raise AssertionError(f"terraform {' '.join(args)} in {folder}: {done.returncode}\n{done.stdout[-4000:]}")
        return done

    def init(self, folder, **more):
        self.run(folder, "init", "-no-color", "-input=false", **more)

    def variables(self, folder, **values):
        with open(os.path.join(self.dir, folder, "test.auto.tfvars.json"), "w") as f:
            json.dump(values, f)

    def apply(self, folder, **values):
        """The outputs."""
        self.init(folder)
        self.variables(folder, **values)
        self.run(folder, "apply", "-no-color", "-input=false", "-auto-approve")
        return {name: o["value"] for name, o in json.loads(self.run(folder, "output", "-json").stdout).items()}

    def write(self, path, text):
        path = os.path.join(self.dir, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        return path


class Registry(harness.Stack):
    """The test stack's registry alone."""

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix="skl-", dir="/tmp")
        self._registry()
        return self


@contextlib.contextmanager
def changed(path, old, new):
    """A file with `new` in the place of `old`, for as long as the block lasts."""
    with open(path) as f:
        text = f.read()
    assert old in text, f"{path} has no {old}"
    try:
        with open(path, "w") as f:
            f.write(text.replace(old, new, 1))
        yield
    finally:
        with open(path, "w") as f:
            f.write(text)


def main():
    import unittest
    absent = missing()
    if absent:
        print("skipped: there is no", ", no ".join(absent))
        sys.exit(harness.SKIP)
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])
