"""The simulator alone, asked as any client of Azure asks: strict where Azure is strict, and workloads really run."""
import json
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

from harness import Stack, await_true, main

SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/sockerless"
ENVIRONMENT = f"{GROUP}/providers/Microsoft.App/managedEnvironments/sockerless"
WORKSPACE = "11111111-2222-3333-4444-555555555555"
ARM = "https://management.azure.com/.default"
API = "2024-03-01"
UNSET = object()


def job(**changes):
    """A body that is fine; changes by path: {"properties.template...": value or UNSET}."""
    body = {"location": "eastus", "tags": {"a": "b"}, "properties": {
        "environmentId": ENVIRONMENT,
        "configuration": {"triggerType": "Manual", "replicaTimeout": 60, "replicaRetryLimit": 0,
                          "manualTriggerConfig": {"parallelism": 1, "replicaCompletionCount": 1},
                          "secrets": [{"name": "s", "value": "planted-secret-3"}]},
        "template": {
            "volumes": [{"name": "v", "storageType": "EmptyDir"}],
            "initContainers": [{"name": "init", "image": "busybox", "command": ["sh", "-c", "echo from init > /v/file"],
                                "resources": {"cpu": 0.5, "memory": "1Gi"},
                                "volumeMounts": [{"volumeName": "v", "mountPath": "/v"}]}],
            "containers": [{"name": "main", "image": "busybox",
                            "command": ["sh", "-c", "cat /v/file; echo $WORD; echo wrong >&2; exit 3"],
                            "env": [{"name": "WORD", "secretRef": "s"}],
                            "resources": {"cpu": 0.5, "memory": "1Gi"},
                            "volumeMounts": [{"volumeName": "v", "mountPath": "/v"}]}]}}}
    for path, value in changes.items():
        at, keys = body, path.split("__")
        for key in keys[:-1]:
            at = at[int(key) if key.isdigit() else key]
        if value is UNSET:
            del at[keys[-1]]
        else:
            at[keys[-1]] = value
    return body


class Azure(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack(sim_args=["--latency", "100"]).__enter__()
        cls.token = cls.get_token(ARM)

    @classmethod
    def tearDownClass(cls):
        cls.stack.__exit__(None, None, None)

    @classmethod
    def http(cls, method, url, body=None, headers=None):
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(url, data, {"Content-Type": "application/json", **(headers or {})}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                status, head, text = answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as e:
            with e:
                status, head, text = e.code, e.headers, e.read()
        return status, head, json.loads(text) if text.strip() else None

    @classmethod
    def get_token(cls, scope, tenant="t"):
        form = urllib.parse.urlencode({"grant_type": "client_credentials", "client_id": "c", "client_secret": "s", "scope": scope})
        status, _, answer = cls.http("POST", f"{cls.stack.sim}/{tenant}/oauth2/v2.0/token", form.encode(),
                                     {"Content-Type": "application/x-www-form-urlencoded"})
        assert status == 200, answer
        return answer["access_token"]

    def arm(self, method, path, body=None, api=API, token=None):
        query = f"?api-version={api}" if api else ""
        return self.http(method, self.stack.sim + path + query, body, {"Authorization": f"Bearer {token or self.token}"})

    def finish(self, status, headers):
        """Polls a long-running operation as its headers say; the last answer."""
        url = headers["Azure-AsyncOperation"] or headers["Location"]
        self.assertIn(status, (200, 201, 202))
        if not url:
            return None
        self.assertTrue(url.startswith(self.stack.sim), url)
        for _ in range(200):
            status, headers, answer = self.http("GET", url, headers={"Authorization": f"Bearer {self.token}"})
            if status in (200, 204) and (answer or {}).get("status") not in ("InProgress", "Running"):
                return answer
            time.sleep(0.02)  # the poll itself, at the pace of a client
        raise AssertionError("the operation does not end")

    def put_job(self, name, body):
        status, headers, answer = self.arm("PUT", f"{GROUP}/providers/Microsoft.App/jobs/{name}", body)
        if status < 300:
            self.finish(status, headers)
        return status, answer

    def refused(self, answer, status, code):
        self.assertEqual((answer[0], answer[-1]["error"]["code"]), (status, code), answer[-1])
        self.assertTrue(answer[-1]["error"]["message"])

    def test_tokens_are_asked_for_and_looked_at(self):
        url = f"{self.stack.sim}{GROUP}/providers/Microsoft.App/jobs?api-version={API}"
        self.assertEqual(self.http("GET", url)[0], 401)
        self.assertEqual(self.http("GET", url, headers={"Authorization": "Bearer nonsense"})[0], 401)
        other = self.get_token("https://api.loganalytics.io/.default")
        self.assertIn(self.http("GET", url, headers={"Authorization": f"Bearer {other}"})[0], (401, 403))
        form = b"grant_type=client_credentials&client_id=c"
        self.assertEqual(self.http("POST", f"{self.stack.sim}/t/oauth2/v2.0/token", form,
                                   {"Content-Type": "application/x-www-form-urlencoded"})[0], 400)
        status, _, answer = self.http("POST", f"{self.stack.sim}/v1/workspaces/{WORKSPACE}/query", {"query": "x"},
                                      {"Authorization": f"Bearer {self.token}"})
        self.assertEqual(status, 403, answer)

    def test_versions_and_scopes_are_looked_at(self):
        jobs = f"{GROUP}/providers/Microsoft.App/jobs"
        self.refused(self.arm("GET", jobs, api=None), 400, "MissingApiVersionParameter")
        self.assertEqual(self.arm("GET", jobs, api="1999-01-01")[0], 400)
        self.refused(self.arm("GET", jobs.replace("/sockerless/", "/nowhere/")), 404, "ResourceGroupNotFound")
        self.assertEqual(self.arm("GET", f"{jobs}/not-there")[0], 404)
        self.assertEqual(self.arm("GET", ENVIRONMENT)[2]["name"], "sockerless")

    def test_jobs_that_azure_would_refuse(self):
        template = "properties__template__"
        wrong = [
            ({"location": UNSET}, "LocationRequired"),
            ({"properties__environmentId": UNSET}, "InvalidRequestContent"),
            ({"properties__configuration__triggerType": UNSET}, "ContainerAppJobTriggerTypeRequired"),
            ({"properties__configuration__replicaTimeout": UNSET}, "ContainerAppJobReplicaTimeoutRequired"),
            ({template + "containers": []}, "ContainerAppContainersRequired"),
            ({template + "containers__0__image": UNSET}, "ContainerAppContainerInvalid"),
            ({template + "containers__0__resources__memory": "3Gi"}, "ContainerAppInvalidResourceTotal"),
            ({template + "containers__0__resources__cpu": 0.3}, "ContainerAppInvalidResourceTotal"),
            ({template + "containers__0__volumeMounts": [{"volumeName": "w", "mountPath": "/v"}]}, "ContainerAppVolumeMountInvalid"),
            ({template + "containers__0__env": [{"name": "A", "secretRef": "nobody"}]}, "ContainerAppSecretRefNotFound"),
            ({template + "volumes": [{"name": "v", "storageType": "AzureFile", "storageName": "x"}]}, "ManagedEnvironmentStorageNotFound"),
        ]
        for changes, code in wrong:
            with self.subTest(changes):
                status, answer = self.put_job("refused", job(**changes))
                self.refused((status, answer), 400, code)
        for name in ("Upper", "-x", "a--b", "x" * 40, "1digit"):
            with self.subTest(name):
                self.assertEqual(self.put_job(name, job())[0], 400)
        self.assertEqual(self.arm("GET", f"{GROUP}/providers/Microsoft.App/jobs")[2]["value"], [])

    def test_a_job_runs_and_is_looked_at_and_goes(self):
        path = f"{GROUP}/providers/Microsoft.App/jobs/real"
        self.assertIn(self.put_job("real", job())[0], (200, 201))
        status, _, answer = self.arm("GET", path)
        self.assertEqual((status, answer["properties"]["provisioningState"], answer["tags"]), (200, "Succeeded", {"a": "b"}))
        self.assertNotIn("planted-secret-3", json.dumps(answer))
        status, headers, _ = self.arm("POST", f"{path}/start", {"template": {}})
        self.assertEqual(status, 400)
        status, headers, answer = self.arm("POST", f"{path}/start")
        self.assertIn(status, (200, 202))
        self.finish(status, headers)
        executions = self.arm("GET", f"{path}/executions")[2]["value"]
        self.assertEqual(len(executions), 1)
        execution = f"{path}/executions/{executions[0]['name']}"

        def over():
            return self.arm("GET", execution)[2]["properties"]["status"] not in ("Running", "Processing", "Unknown")
        await_true("the execution ends", over)
        self.assertEqual(self.arm("GET", execution)[2]["properties"]["status"], "Failed")
        logs = self.get_token("https://api.loganalytics.io/.default")
        query = {"query": "ContainerAppConsoleLogs_CL | where ContainerJobName_s == 'real' | where ContainerName_s == 'main' "
                          "| order by _timestamp_d asc | project Log_s, Stream_s"}

        def rows():
            status, _, answer = self.http("POST", f"{self.stack.sim}/v1/workspaces/{WORKSPACE}/query", query,
                                          {"Authorization": f"Bearer {logs}"})
            self.assertEqual(status, 200, answer)
            return answer["tables"][0]["rows"]
        await_true("all lines are there", lambda: len(rows()) == 3)
        self.assertEqual(sorted(r[0] for r in rows()), ["from init", "planted-secret-3", "wrong"])
        self.assertEqual([r[1] for r in rows() if r[0] == "wrong"], ["stderr"])
        status, headers, _ = self.arm("DELETE", path)
        self.finish(status, headers)
        self.assertEqual(self.arm("GET", path)[0], 404)
        self.assertEqual(self.arm("DELETE", path)[0], 204)

    def test_stop_ends_an_execution(self):
        path = f"{GROUP}/providers/Microsoft.App/jobs/long"
        self.put_job("long", job(properties__template__containers__0__command=["sleep", "1000"]))
        self.finish(*self.arm("POST", f"{path}/start")[:2])
        name = self.arm("GET", f"{path}/executions")[2]["value"][0]["name"]

        def status():
            return self.arm("GET", f"{path}/executions/{name}")[2]["properties"]["status"]
        await_true("it runs", lambda: status() == "Running")
        stopped = self.arm("POST", f"{path}/executions/{name}/stop")
        self.assertIn(stopped[0], (200, 202), stopped[2])
        await_true("it is stopped", lambda: status() == "Stopped", 60)
        self.finish(*self.arm("DELETE", path)[:2])

    def test_an_image_that_cannot_be_pulled_fails_the_execution(self):
        path = f"{GROUP}/providers/Microsoft.App/jobs/ghost"
        image = "127.0.0.1:1/ghost:1"
        self.put_job("ghost", job(properties__template__containers__0__image=image))
        self.finish(*self.arm("POST", f"{path}/start")[:2])
        name = self.arm("GET", f"{path}/executions")[2]["value"][0]["name"]
        await_true("it fails", lambda: self.arm("GET", f"{path}/executions/{name}")[2]["properties"]["status"] == "Failed", 60)
        self.finish(*self.arm("DELETE", path)[:2])

    def test_queries_that_log_analytics_would_refuse(self):
        token = self.get_token("https://api.loganalytics.io/.default")
        for query in ("", "NoSuchTable_CL | take 1", "ContainerAppConsoleLogs_CL | where (", "ContainerAppConsoleLogs_CL | wheree x"):
            with self.subTest(query):
                status, _, answer = self.http("POST", f"{self.stack.sim}/v1/workspaces/{WORKSPACE}/query", {"query": query},
                                              {"Authorization": f"Bearer {token}"})
                self.assertEqual(status, 400, answer)
                self.assertIn("error", answer)


if __name__ == "__main__":
    main()
