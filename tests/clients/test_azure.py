"""Azure's own clients (npm's in azure.js, PyPI's in azure_clients.py) against the Azure simulator behind TLS; install.sh fetches them."""
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "sim"))
from harness import BUILD, SKIP, Stack, free_port  # noqa: E402
from tls_front import TlsFront  # noqa: E402

CACHE = os.environ.get("SKL_CLIENTS_CACHE") or os.path.join(BUILD, "clients")
FOLDER = os.path.join(CACHE, "azure")
LANGUAGES = {"node": ([shutil.which("node"), os.path.join(FOLDER, "azure.js")], os.path.join(FOLDER, "node_modules")),
             "python": ([os.path.join(FOLDER, "venv/bin/python"), os.path.join(HERE, "azure/azure_clients.py")],
                        os.path.join(FOLDER, "venv/bin/python"))}

command, needed = LANGUAGES[sys.argv[1]]
if not command[0] or not os.path.exists(needed) or not shutil.which("openssl"):
    print("skipped: needs openssl,", sys.argv[1], "and what `make test-clients` fetches")
    sys.exit(SKIP)
# --latency: operations take time and are really polled.
with Stack(backend="azf", env={"SOCKERLESS_AZF_APP_SERVICE_PLAN": "sockerless"}, sim_args=["--latency", "200"]) as stack, \
        TlsFront(stack.sim, stack.dir) as front:
    container = stack.docker("create", "busybox", "true", check=0).stdout.decode().strip()
    env = {"PATH": os.environ["PATH"], "HOME": stack.dir, "NODE_EXTRA_CA_CERTS": front.ca, "REQUESTS_CA_BUNDLE": front.ca}
    r = subprocess.run([*command, front.url, stack.sim, container, "docker.io/library/busybox:latest", str(free_port())], env=env, capture_output=True,
                       text=True, timeout=240)
    if r.returncode != 0 or "all steps\n" not in r.stdout:
        sys.exit(f"exit code {r.returncode}\n{r.stdout[-3000:]}\n{r.stderr[-6000:]}")
    stack.docker("rm", container, check=0)
