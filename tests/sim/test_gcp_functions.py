"""The Google simulator's Cloud Functions: stubs that are built from a source, and the service below that is swapped."""
import json
import unittest

from gcp import LOCATION, PROJECT, Cloud, request
from harness import await_true, main
from test_gcp_run import SERVER, SERVICES

FUNCTIONS = f"/v2/{LOCATION}/functions"


def function(source, **config):
    return {"labels": {"managed-by": "sockerless", "sockerless-container-id": "a" * 32},
            "buildConfig": {"runtime": "go126", "entryPoint": "Stub", "onDeployUpdatePolicy": {},
                            "source": {"storageSource": source}},
            "serviceConfig": {"availableCpu": "1", "availableMemory": "1Gi", "timeoutSeconds": 3600, "maxInstanceCount": 1,
                              "maxInstanceRequestConcurrency": 80, "ingressSettings": "ALLOW_ALL", **config}}


class Functions(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cloud = cls.enterClassContext(Cloud("--latency", "200", "--stop-grace", "3", "--bucket", "code", "--read-quota", "0",
                                                "--startup-timeout", "30", "--docker-runtime", registry=True))
        cls.cloud.ok("POST", "/upload/storage/v1/b/code/o?uploadType=media&name=stub.zip", b"PK",
                     headers={"Content-Type": "application/zip"})
        cls.source = {"bucket": "code", "object": "stub.zip"}

    def create(self, name, body=None):
        operation = self.cloud.ok("POST", f"{FUNCTIONS}?functionId={name}", body or function(self.source))
        self.addCleanup(self.remove, name)
        return operation

    def remove(self, name):
        status, operation = self.cloud.api("DELETE", f"{FUNCTIONS}/{name}")
        if status == 200:
            self.cloud.finish(operation)

    def invoke(self, uri, body="{}"):
        status, _, text = request("POST", uri, body, {"Authorization": "Bearer " + self.cloud.id_token(uri)})
        return status, text.decode(errors="replace")

    def test_a_function_is_built_deployed_and_answers(self):
        operation = self.create("stub")
        self.assertNotIn("done", operation)
        self.assertEqual(operation["metadata"]["operationType"], "CREATE_FUNCTION")
        self.assertEqual([s["name"] for s in operation["metadata"]["stages"]], ["ARTIFACT_REGISTRY", "BUILD", "SERVICE"])
        self.assertEqual(self.cloud.ok("GET", f"{FUNCTIONS}/stub")["state"], "DEPLOYING")
        self.assertEqual(self.cloud.api("PATCH", f"{FUNCTIONS}/stub", function(self.source))[0], 409)
        made = self.cloud.finish(operation)["response"]
        self.assertEqual((made["state"], made["environment"]), ("ACTIVE", "GEN_2"))
        self.assertEqual(made["serviceConfig"]["service"], f"{LOCATION}/services/stub")
        self.assertEqual(made["url"], f"https://us-central1-{PROJECT}.cloudfunctions.net/stub")
        self.assertEqual(self.invoke(made["serviceConfig"]["uri"])[0], 200)
        status, _, _ = request("POST", self.cloud.base + "/stub/x", "{}",
                               {"Host": f"us-central1-{PROJECT}.cloudfunctions.net",
                                "Authorization": "Bearer " + self.cloud.id_token(made["url"])})
        self.assertEqual(status, 200)

    def test_the_image_of_the_service_is_swapped(self):
        made = self.cloud.finish(self.create("swap"))["response"]
        service = self.cloud.ok("GET", f"/v2/{made['serviceConfig']['service']}")
        self.assertEqual(service["labels"]["goog-managed-by"], "cloudfunctions")
        self.assertEqual(service["labels"]["managed-by"], "sockerless")
        self.assertEqual(service["annotations"]["cloudfunctions.googleapis.com/function-id"], "swap")
        container = service["template"]["containers"][0]
        self.assertEqual(container["name"], "worker")
        self.assertIn("gcf-artifacts", container["image"])
        self.assertEqual(service["template"]["revision"], service["latestReadyRevision"])
        container.update(image="busybox", command=["sh", "-c", SERVER], env=[{"name": "NAME", "value": "swapped"}])
        status, answer = self.cloud.api("PATCH", f"/v2/{service['name']}?updateMask=template", service)
        self.assertEqual((status, answer["error"]["status"]), (409, "ALREADY_EXISTS"), "the revision's name is taken")
        del service["template"]["revision"]
        operation = self.cloud.ok("PATCH", f"/v2/{service['name']}?updateMask=template", service)
        swapped = self.cloud.finish(operation)["response"]
        self.assertEqual(swapped["latestReadyRevision"], swapped["latestCreatedRevision"])
        uri = made["serviceConfig"]["uri"]
        self.assertIn("hello swapped from swap", self.ask(uri, "/cgi-bin/hello"))
        self.assertEqual(self.cloud.ok("GET", f"{FUNCTIONS}/swap")["buildConfig"]["runtime"], "go126")
        # A patch of the function brings the stub back.
        self.cloud.finish(self.cloud.ok("PATCH", f"{FUNCTIONS}/swap?updateMask=labels", {"labels": {"a": "b"}}))
        self.assertIn("gcf-artifacts", self.cloud.ok("GET", f"/v2/{service['name']}")["template"]["containers"][0]["image"])
        self.assertEqual(self.cloud.ok("GET", f"{FUNCTIONS}/swap")["labels"], {"a": "b"})
        # The function takes its service along.
        operation = self.cloud.ok("DELETE", f"{FUNCTIONS}/swap")
        self.assertEqual(self.cloud.ok("GET", f"{FUNCTIONS}/swap")["state"], "DELETING")
        self.cloud.finish(operation)
        self.assertEqual(self.cloud.api("GET", f"{FUNCTIONS}/swap")[0], 404)
        self.assertEqual(self.cloud.api("GET", f"/v2/{service['name']}")[0], 404)

    def ask(self, uri, path):
        return request("POST", uri + path, "{}", {"Authorization": "Bearer " + self.cloud.id_token(uri)})[2].decode()

    def test_a_source_that_is_not_there_fails_in_the_operation(self):
        operation = self.cloud.finish(self.create("nosource", function({"bucket": "code", "object": "none.zip"})))
        self.assertEqual(operation["error"]["code"], 3)
        self.assertIn("Build failed", operation["error"]["message"])
        left = self.cloud.ok("GET", f"{FUNCTIONS}/nosource")
        self.assertEqual(left["state"], "FAILED")
        self.assertEqual(left["stateMessages"][0]["severity"], "ERROR")
        self.assertEqual(self.cloud.api("POST", f"{FUNCTIONS}?functionId=nosource", function(self.source))[0], 409)

    def test_an_upload_url(self):
        answer = self.cloud.ok("POST", f"{FUNCTIONS}:generateUploadUrl", {"environment": "GEN_2"})
        zip_type = {"Content-Type": "application/zip"}
        url = answer["uploadUrl"]
        self.assertEqual(request("PUT", url[:-1] + ("0" if url[-1] != "0" else "1"), b"PK", zip_type)[0], 403)
        self.assertEqual(request("PUT", url, b"PK", {"Content-Type": "text/plain"})[0], 403)
        self.assertEqual(request("PUT", url, b"PK", {**zip_type, "Authorization": f"Bearer {self.cloud.token}"})[0], 400)
        self.assertEqual(request("PUT", url, b"PK", zip_type)[0], 200)
        done = self.cloud.finish(self.create("uploaded", function(answer["storageSource"])))
        self.assertEqual(done["response"]["state"], "ACTIVE")

    def test_the_docker_runtime_where_it_is_taken(self):
        body = {"labels": {"managed-by": "sockerless"},
                "buildConfig": {"runtime": "docker", "entryPoint": "",
                                "environmentVariables": {"DOCKER_IMAGE": "busybox", "DOCKER_COMMAND": json.dumps(["sh", "-c", SERVER])}},
                "serviceConfig": {"availableCpu": "1", "availableMemory": "1Gi", "timeoutSeconds": 3600,
                                  "environmentVariables": {"NAME": "docker"}}}
        made = self.cloud.finish(self.create("docker", body))["response"]
        self.assertIn("hello docker", self.ask(made["serviceConfig"]["uri"], "/cgi-bin/hello"))
        del body["buildConfig"]["environmentVariables"]
        made = self.cloud.finish(self.create("bare", body))["response"]
        self.assertEqual(self.invoke(made["serviceConfig"]["uri"])[0], 200)

    def test_lists_are_filtered_and_shortened(self):
        for name, label in (("list-a", "one"), ("list-b", "two")):
            body = function(self.source)
            body["labels"]["kind"] = label
            self.cloud.finish(self.create(name, body))
        answer = self.cloud.ok("GET", f'{FUNCTIONS}?filter=labels.kind%3D%22one%22%20AND%20labels.managed-by%3Dsockerless')
        self.assertEqual([f["name"].rsplit("/", 1)[1] for f in answer["functions"]], ["list-a"])
        self.assertNotIn("uri", answer["functions"][0]["serviceConfig"])
        self.assertEqual(self.cloud.api("GET", f"{FUNCTIONS}?filter=nonsense")[0], 400)
        page = self.cloud.ok("GET", f"{FUNCTIONS}?pageSize=1")
        self.assertIn("nextPageToken", page)

    def test_functions_that_are_refused(self):
        def changed(path, value):
            body = function(self.source)
            at = body
            *parents, last = path.split(".")
            for part in parents:
                at = at[part]
            at[last] = value
            return body
        for path, value in (("runtime", "x"), ("buildConfig.runtime", "cobol1"), ("buildConfig.runtime", ""),
                            ("buildConfig.image", "busybox"), ("buildConfig.source", {}), ("serviceConfig.availableMemory", "33Gi"),
                            ("serviceConfig.availableMemory", "8Gi"), ("serviceConfig.timeoutSeconds", 3601),
                            ("serviceConfig.timeoutSeconds", "soon"), ("serviceConfig.availableCpu", "0.5"),
                            ("serviceConfig.environmentVariables", {"PORT": "1"}), ("serviceConfig.environmentVariables", {"A": 1}),
                            ("serviceConfig.maxInstanceRequestConcurrency", 1001), ("labels", {"Key": "v"}),
                            ("labels", {"k": "v" * 64}), ("environment", "GEN_1"), ("environment", "GEN_9")):
            with self.subTest(path=path, value=value):
                status, answer = self.cloud.api("POST", f"{FUNCTIONS}?functionId=refused", changed(path, value))
                self.assertEqual((status, answer["error"]["status"]), (400, "INVALID_ARGUMENT"), answer)
                self.assertEqual(answer["error"]["details"][0]["@type"], "type.googleapis.com/google.rpc.BadRequest")
        for name in ("", "9a", "a-", "a b", "a" * 50):
            with self.subTest(name):
                self.assertEqual(self.cloud.api("POST", f"{FUNCTIONS}?functionId={name.replace(' ', '%20')}",
                                                function(self.source))[0], 400)
        self.assertEqual(self.cloud.api("GET", f"{FUNCTIONS}/none")[0], 404)
        self.assertEqual(self.cloud.api("DELETE", f"{FUNCTIONS}/none")[0], 404)

    def test_runtimes_are_listed(self):
        names = [r["name"] for r in self.cloud.ok("GET", f"/v2/{LOCATION}/runtimes")["runtimes"]]
        self.assertIn("go126", names)
        self.assertNotIn("docker", names)

    def test_repositories(self):
        path = f"/v1/{LOCATION}/repositories"
        body = {"format": "DOCKER", "mode": "REMOTE_REPOSITORY",
                "remoteRepositoryConfig": {"dockerRepository": {"publicRepository": "DOCKER_HUB"}}}
        made = self.cloud.ok("POST", f"{path}?repositoryId=docker-hub", body)
        self.assertTrue(made["done"])
        self.assertEqual(self.cloud.api("POST", f"{path}?repositoryId=docker-hub", body)[0], 409)
        self.assertEqual(self.cloud.ok("GET", f"{path}/docker-hub")["mode"], "REMOTE_REPOSITORY")
        service = {"template": {"containers": [{"image": f"us-central1-docker.pkg.dev/{PROJECT}/docker-hub/library/busybox:latest",
                                                "command": ["sh", "-c", SERVER]}]}}
        operation = self.cloud.finish(self.cloud.ok("POST", f"{SERVICES}?serviceId=remote", service))
        self.assertIn("response", operation)
        self.cloud.finish(self.cloud.ok("DELETE", f"{SERVICES}/remote"))
        self.cloud.ok("DELETE", f"{path}/docker-hub")
        self.assertEqual(self.cloud.api("GET", f"{path}/docker-hub")[0], 404)

    def test_faults_are_made_where_they_are_asked_for(self):
        def faults(spec):
            return request("POST", self.cloud.base + "/simulator/fault", spec)[0]
        self.assertEqual(faults("nonsense"), 400)
        self.assertEqual(faults("functions.get=429*2,functions.create=lost,services.get=503"), 200)
        self.assertEqual([self.cloud.api("GET", f"{FUNCTIONS}/none")[0] for _ in range(3)], [429, 429, 404])
        self.assertEqual(self.cloud.api("GET", f"{SERVICES}/none")[0], 503)
        with self.assertRaises(OSError):
            self.cloud.api("POST", f"{FUNCTIONS}?functionId=lost", function(self.source))
        await_true("it took effect", lambda: self.cloud.api("GET", f"{FUNCTIONS}/lost")[1].get("state") == "ACTIVE")
        self.remove("lost")
        faults("functions.create=exhausted")
        operation = self.cloud.finish(self.create("full"))
        self.assertEqual(operation["error"]["code"], 8)
        self.assertEqual(self.cloud.ok("GET", f"{FUNCTIONS}/full")["state"], "FAILED")
        faults("")


class Strict(unittest.TestCase):
    def test_the_docker_runtime_is_refused_unless_it_is_allowed(self):
        with Cloud("--latency", "50") as cloud:
            body = {"buildConfig": {"runtime": "docker"}, "serviceConfig": {"availableMemory": "256M"}}
            status, answer = cloud.api("POST", f"{FUNCTIONS}?functionId=docker", body)
            self.assertEqual((status, answer["error"]["status"]), (400, "INVALID_ARGUMENT"))

    def test_uris_of_run_app_are_reached_by_host(self):
        with Cloud("--google-uris", "--bucket", "code", "--fault", "429:0.2,500:0.2", "--fault-seed", "7") as cloud:
            self.assertTrue({cloud.api("GET", f"{FUNCTIONS}/none")[0] for _ in range(60)} >= {404, 429, 500})
            request("POST", cloud.base + "/simulator/fault", "")
            cloud.ok("POST", "/upload/storage/v1/b/code/o?uploadType=media&name=stub.zip", b"PK")
            operation = cloud.ok("POST", f"{FUNCTIONS}?functionId=host", function({"bucket": "code", "object": "stub.zip"}))
            uri = cloud.finish(operation)["response"]["serviceConfig"]["uri"]
            self.assertRegex(uri, r"^https://host-[a-z0-9]{10}-uc\.a\.run\.app$")
            headers = {"Authorization": "Bearer " + cloud.id_token(uri), "Host": uri[len("https://"):]}
            self.assertEqual(request("POST", cloud.base + "/", "{}", headers)[0], 200)
            self.assertEqual(request("POST", cloud.base + "/", "{}", {**headers, "Host": "none-x.a.run.app"})[0], 404)


if __name__ == "__main__":
    main()
