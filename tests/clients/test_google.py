"""Google's own clients of npm against the Google simulator; they are fetched by install.sh, and a missing one skips."""
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "sim"))
from harness import BUILD, SKIP  # noqa: E402
from gcp import Cloud  # noqa: E402

FOLDER = os.path.join(os.environ.get("SKL_CLIENTS_CACHE") or os.path.join(BUILD, "clients"), "google")

if not shutil.which("node") or not os.path.isdir(os.path.join(FOLDER, "node_modules")):
    print("skipped: needs node and what `make test-clients` fetches")
    sys.exit(SKIP)
with Cloud("--bucket", "code", registry=True) as cloud:
    cloud.ok("POST", "/upload/storage/v1/b/code/o?uploadType=media&name=stub.zip", b"PK", headers={"Content-Type": "application/zip"})
    env = {"PATH": os.environ["PATH"], "HOME": cloud.dir, "GCE_METADATA_HOST": cloud.base.split("//")[1]}
    key = f"{cloud.dir}/credentials/service_account.json"
    r = subprocess.run(["node", os.path.join(FOLDER, "google.js"), cloud.base, key, "code", "stub.zip"], env=env, capture_output=True,
                       text=True, timeout=240)
    if r.returncode != 0 or "all steps\n" not in r.stdout:
        sys.exit(f"exit code {r.returncode}\n{r.stdout[-3000:]}\n{r.stderr[-6000:]}")
