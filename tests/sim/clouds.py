"""What a simulated cloud holds, in one form for all backends: {name: tags}. What was there before us does not count."""
from gcp import LOCATION, Google
from harness import SUBSCRIPTION, await_true

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/sockerless/providers"
PRELOADED = {"sockerless"}
COLLECTIONS = {
    "aca": [(f"{GROUP}/Microsoft.App/jobs", "2024-03-01")],
    "azf": [(f"{GROUP}/Microsoft.Web/sites", "2023-12-01"), (f"{GROUP}/Microsoft.Web/serverfarms", "2023-12-01")],
}


def google_resources(stack):
    """A function's service goes with its function."""
    google = Google(stack)
    found = {}
    for kind in ("functions", "services"):
        status, answer = google.ask("GET", f"/v2/{LOCATION}/{kind}")
        assert status == 200, answer
        for item in answer.get(kind, []):
            if not item.get("labels", {}).get("goog-managed-by"):
                found[item["name"].rsplit("/", 1)[1]] = item.get("labels") or {}
    return found


def plant_service(stack, name, labels):
    google = Google(stack)
    body = {"labels": {key: value[:32] for key, value in labels.items()},
            "template": {"healthCheckDisabled": True, "containers": [{"image": "docker.io/library/busybox"}]}}
    status, operation = google.ask("POST", f"/v2/{LOCATION}/services?serviceId={name}", body)
    assert status == 200, operation
    await_true("the service is made", lambda: google.ask("GET", f"/v2/{operation['name']}")[1].get("done"))


def resources(stack):
    if stack.kind == "gcf":
        return google_resources(stack)
    found = {}
    for path, api in COLLECTIONS[stack.kind]:
        status, answer = stack.arm("GET", path, api=api)
        assert status == 200, answer
        found.update({item["name"]: item.get("tags") or {} for item in answer["value"]})
    return {name: tags for name, tags in found.items() if name not in PRELOADED}


def plant(stack, name, tags):
    """A resource that somebody else made, in the daemon's own place."""
    if stack.kind == "gcf":
        plant_service(stack, name, tags)
        return
    if stack.kind == "aca":
        body = {"location": "eastus", "tags": tags, "properties": {
            "environmentId": f"{GROUP}/Microsoft.App/managedEnvironments/sockerless",
            "configuration": {"triggerType": "Manual", "replicaTimeout": 60, "replicaRetryLimit": 0,
                              "manualTriggerConfig": {"parallelism": 1, "replicaCompletionCount": 1}},
            "template": {"containers": [{"name": "main", "image": "busybox", "resources": {"cpu": 0.25, "memory": "0.5Gi"}}]}}}
    else:
        body = {"location": "eastus", "kind": "linux", "tags": tags, "sku": {"name": "B1", "tier": "Basic"},
                "properties": {"reserved": True}}
    path, api = COLLECTIONS[stack.kind][-1]
    status, answer = stack.arm("PUT", f"{path}/{name}", body, api=api)
    assert status in (200, 201, 202), answer


def containers_of(stack):
    """The containers that the cloud holds something for, by the beginning of their ids."""
    return {tags["sockerless-container-id"][:12] for tags in resources(stack).values() if "sockerless-container-id" in tags}
