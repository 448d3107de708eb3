"""The Google simulator's Cloud Run: services whose images really run, invoked as the cloud lets them be invoked."""
import json
import threading
import time
import unittest

from gcp import ACCOUNT, LOCATION, PROJECT, Cloud, claims_of, request
from harness import await_true, main

SERVICES = f"/v2/{LOCATION}/services"
UNSET = object()
# A web server with a few programs: hello, slow (5 s), die, args.
SERVER = r"""
mkdir -p /www/cgi-bin
cd /www/cgi-bin
printf '#!/bin/sh\nprintf "Content-Type: text/plain\\r\\n\\r\\n"; echo hello $NAME from $K_SERVICE; env; cat' > hello
printf '#!/bin/sh\nsleep 5; printf "Content-Type: text/plain\\r\\n\\r\\nslow"' > slow
printf '#!/bin/sh\nkill -9 1 %s' "$$" > die
chmod 755 *
echo "starts with $NAME"
echo "an error" >&2
trap 'echo got TERM; exit 0' TERM
httpd -f -p $PORT -h /www &
wait
wait
"""


def service(**changes):
    """A body that is fine; changes by path: template__containers__0__image=value or UNSET."""
    body = {"template": {
        "containers": [{"image": "busybox", "command": ["sh", "-c", SERVER], "env": [{"name": "NAME", "value": "you"}],
                        "resources": {"limits": {"cpu": "1", "memory": "512Mi"}, "cpuIdle": True}}],
        "timeout": "60s", "maxInstanceRequestConcurrency": 1, "scaling": {"maxInstanceCount": 1}}}
    for path, value in changes.items():
        at = body
        *parents, last = [int(p) if p.isdigit() else p for p in path.split("__")]
        for part in parents:
            at = at.setdefault(part, {}) if isinstance(part, str) else at[part]
        if value is UNSET:
            del at[last]
        else:
            at[last] = value
    return body


class Run(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cloud = cls.enterClassContext(Cloud("--pending-timeout", "1", "--startup-timeout", "20", "--stop-grace", "3",
                                                "--without-invoker", "stranger@x.iam.gserviceaccount.com",
                                                "--bucket", "data", "--read-quota", "0", registry=True))

    def create(self, name, body):
        status, operation = self.cloud.api("POST", f"{SERVICES}?serviceId={name}", body)
        self.assertEqual(status, 200, operation)
        return self.cloud.finish(operation)

    def make(self, name, **changes):
        operation = self.create(name, service(**changes))
        self.assertIn("response", operation)
        self.addCleanup(self.remove, name)
        return operation["response"]

    def remove(self, name):
        status, operation = self.cloud.api("DELETE", f"{SERVICES}/{name}")
        if status == 200:
            self.cloud.finish(operation)

    def get(self, name):
        return self.cloud.ok("GET", f"{SERVICES}/{name}")

    def invoke(self, uri, path="/cgi-bin/hello", body="{}", token=None, headers=None, method="POST", audience=None):
        headers = dict(headers or {})
        if token is None:
            token = self.cloud.id_token(audience or uri)
        if token:
            headers["Authorization"] = f"Bearer {token}"
        status, answer_headers, answer = request(method, uri + path, body, headers)
        return status, answer.decode(errors="replace")

    def logs(self, name, log):
        flt = (f'resource.type="cloud_run_revision" AND resource.labels.service_name="{name}" '
               f'AND logName="projects/{PROJECT}/logs/run.googleapis.com%2F{log}" AND timestamp>="2020-01-01T00:00:00Z"')
        answer = self.cloud.ok("POST", "/v2/entries:list", {"resourceNames": [f"projects/{PROJECT}"], "filter": flt,
                                                            "pageSize": 1000})
        return [e.get("textPayload") for e in answer.get("entries", [])]

    # -- life

    def test_a_service_runs_its_image(self):
        made = self.make("real", labels={"managed-by": "test"})
        self.assertEqual(made["name"], f"{LOCATION}/services/real")
        self.assertEqual(made["terminalCondition"]["state"], "CONDITION_SUCCEEDED")
        self.assertEqual(made["latestReadyRevision"], made["latestCreatedRevision"])
        self.assertEqual(made["observedGeneration"], made["generation"])
        self.assertNotIn("reconciling", made)
        self.assertIn(made["uri"], made["urls"])
        status, text = self.invoke(made["uri"], body="the body")
        self.assertEqual(status, 200, text)
        self.assertIn("hello you from real", text)
        self.assertIn(f"K_REVISION={made['latestReadyRevision']}", text)
        self.assertIn("the body", text)
        for url in made["urls"]:
            if url.startswith("https://"):
                with self.subTest(url):
                    status, text = self.invoke(self.cloud.base, audience=url, headers={"Host": url[len("https://"):]})
                    self.assertEqual(status, 200, text)
        await_true("stdout", lambda: "starts with you" in self.logs("real", "stdout"))
        self.assertIn("an error", self.logs("real", "stderr"))
        self.remove("real")
        await_true("it is told", lambda: "got TERM" in self.logs("real", "stdout"))
        self.assertEqual(self.cloud.api("GET", f"{SERVICES}/real")[0], 404)

    def test_a_patch_makes_a_revision_and_a_failed_one_leaves_the_old(self):
        made = self.make("swap")
        body = self.get("swap")
        body["template"]["containers"][0]["env"][0]["value"] = "other"
        status, operation = self.cloud.api("PATCH", f"{SERVICES}/swap?updateMask=template", body)
        self.assertEqual(status, 200, operation)
        changed = self.cloud.finish(operation)["response"]
        self.assertNotEqual(changed["latestReadyRevision"], made["latestReadyRevision"])
        self.assertIn("hello other", self.invoke(made["uri"])[1])
        # The old etag
        status, answer = self.cloud.api("PATCH", f"{SERVICES}/swap?updateMask=template", body)
        self.assertEqual((status, answer["error"]["status"]), (409, "ABORTED"))
        # A command that does not listen
        body = {"template": dict(changed["template"])}
        body["template"]["containers"] = [dict(body["template"]["containers"][0], command=["sh", "-c", "exit 3"])]
        failed = self.cloud.finish(self.cloud.ok("PATCH", f"{SERVICES}/swap?updateMask=template", body))
        self.assertIn("failed to start and listen on the port", failed["error"]["message"])
        after = self.get("swap")
        self.assertEqual(after["terminalCondition"]["state"], "CONDITION_FAILED")
        self.assertEqual(after["terminalCondition"]["revisionReason"], "HEALTH_CHECK_CONTAINER_ERROR")
        self.assertEqual(after["latestReadyRevision"], changed["latestReadyRevision"])
        self.assertNotEqual(after["latestCreatedRevision"], after["latestReadyRevision"])
        self.assertIn("hello other", self.invoke(made["uri"])[1])
        revisions = self.cloud.ok("GET", f"{SERVICES}/swap/revisions")["revisions"]
        self.assertEqual(len(revisions), 3)
        one = self.cloud.ok("GET", f"/v2/{revisions[0]['name']}")
        self.assertEqual(one["conditions"][0]["state"], "CONDITION_FAILED")
        await_true("its end is told", lambda: "Container called exit(3)." in self.logs("swap", "varlog%2Fsystem"))
        # Labels alone make none
        self.cloud.finish(self.cloud.ok("PATCH", f"{SERVICES}/swap?updateMask=labels", {"labels": {"a": "b"}}))
        self.assertEqual(len(self.cloud.ok("GET", f"{SERVICES}/swap/revisions")["revisions"]), 3)
        self.assertEqual(self.get("swap")["labels"], {"a": "b"})

    def test_an_image_that_is_not_there(self):
        operation = self.create("ghost", service(template__containers__0__image="nosuch/image:1"))
        self.addCleanup(self.remove, "ghost")
        self.assertEqual(operation["error"]["code"], 5)
        condition = self.get("ghost")["terminalCondition"]
        self.assertEqual((condition["state"], condition["reason"]), ("CONDITION_FAILED", "CONTAINER_MISSING"))
        self.assertNotIn("latestReadyRevision", self.get("ghost"))

    def test_a_container_that_never_listens_fails_the_revision(self):
        operation = self.create("mute", service(template__containers__0__command=["sleep", "1000"]))
        self.addCleanup(self.remove, "mute")
        self.assertIn("failed to start and listen", operation["error"]["message"])

    def test_names_are_taken_once_and_lists_have_pages(self):
        self.make("page-a")
        self.make("page-b")
        status, answer = self.cloud.api("POST", f"{SERVICES}?serviceId=page-a", service())
        self.assertEqual((status, answer["error"]["status"]), (409, "ALREADY_EXISTS"))
        names, token = [], ""
        while True:
            page = self.cloud.ok("GET", f"{SERVICES}?pageSize=1&pageToken={token}")
            self.assertLessEqual(len(page["services"]), 1)
            names += [s["name"].rsplit("/", 1)[1] for s in page["services"]]
            token = page.get("nextPageToken")
            if not token:
                break
        self.assertLess(names.index("page-a"), names.index("page-b"))
        everywhere = self.cloud.ok("GET", f"/v2/projects/{PROJECT}/locations/-/services")["services"]
        self.assertGreaterEqual(len(everywhere), 2)

    def test_an_operation_can_be_waited_for(self):
        operation = self.cloud.ok("POST", f"{SERVICES}?serviceId=waited", service())
        self.addCleanup(self.remove, "waited")
        self.assertNotIn("done", operation)
        self.assertEqual(operation["metadata"]["@type"], "type.googleapis.com/google.cloud.run.v2.Service")
        done = self.cloud.ok("POST", f"/v2/{operation['name']}:wait", {"timeout": "20s"})
        self.assertTrue(done["done"], done)
        self.assertEqual(self.cloud.api("GET", f"/v2/{LOCATION}/operations/nothing")[0], 404)

    # -- invocation

    def test_who_may_invoke(self):
        uri = self.make("private")["uri"]
        self.assertEqual(self.invoke(uri, token="")[0], 403)
        self.assertEqual(self.invoke(uri, token="x.y.z")[0], 401)
        self.assertEqual(self.invoke(uri, token=self.cloud.token)[0], 401)
        self.assertEqual(self.invoke(uri, audience="https://other.example")[0], 401)
        self.assertEqual(self.invoke(uri)[0], 200)
        token = self.cloud.id_token(uri)
        self.assertEqual(self.invoke(uri, token="", headers={"X-Serverless-Authorization": f"Bearer {token}"})[0], 200)
        stranger = self.cloud.ok("POST", "/v1/projects/-/serviceAccounts/stranger@x.iam.gserviceaccount.com:generateIdToken",
                                 {"audience": uri, "includeEmail": True})["token"]
        self.assertEqual(claims_of(stranger)["email"], "stranger@x.iam.gserviceaccount.com")
        self.assertEqual(self.invoke(uri, token=stranger)[0], 403)
        policy = self.cloud.ok("GET", f"{SERVICES}/private:getIamPolicy")
        policy["bindings"] = [{"role": "roles/run.invoker",
                               "members": ["serviceAccount:stranger@x.iam.gserviceaccount.com"]}]
        policy = self.cloud.ok("POST", f"{SERVICES}/private:setIamPolicy", {"policy": policy})
        self.assertEqual(self.invoke(uri, token=stranger)[0], 200)
        self.assertEqual(self.cloud.api("POST", f"{SERVICES}/private:setIamPolicy",
                                        {"policy": {"etag": "b2xk", "bindings": []}})[0], 409)
        policy["bindings"][0]["members"] = ["allUsers"]
        self.cloud.ok("POST", f"{SERVICES}/private:setIamPolicy", {"policy": policy})
        self.assertEqual(self.invoke(uri, token="")[0], 200)

    def test_the_container_sees_the_token_without_its_signature(self):
        show = ["sh", "-c", "while true; do printf 'HTTP/1.0 200 OK\\r\\n\\r\\n' | nc -l -p $PORT; done"]
        uri = self.make("seen", template__containers__0__command=show)["uri"]
        token = self.cloud.id_token(uri)
        self.assertEqual(self.invoke(uri, token=token, headers={"X-Other": "kept"})[0], 200)

        def lines():
            return [line.strip() for line in self.logs("seen", "stdout") if line]
        await_true("the request is there", lambda: any("X-Other: kept" in line for line in lines()))
        seen, = [line for line in lines() if line.startswith("Authorization:")]
        self.assertEqual(seen, f"Authorization: Bearer {token.rsplit('.', 1)[0]}.SIGNATURE_REMOVED_BY_GOOGLE")

    def test_invocation_without_authentication_when_it_is_disabled(self):
        uri = self.make("open", invokerIamDisabled=True)["uri"]
        self.assertEqual(self.invoke(uri, token="")[0], 200)
        internal = self.make("inside", ingress="INGRESS_TRAFFIC_INTERNAL_ONLY", invokerIamDisabled=True)["uri"]
        self.assertEqual(self.invoke(internal, token="")[0], 404)

    def test_one_request_at_a_time(self):
        uri = self.make("single")["uri"]
        results = []
        slow = threading.Thread(target=lambda: results.append(self.invoke(uri, "/cgi-bin/slow")))
        slow.start()
        await_true("the slow one is under way", lambda: self.busy("single"))
        self.assertEqual(self.invoke(uri)[0], 429)
        slow.join()
        self.assertEqual(results, [(200, "slow")])

    def state(self):
        return self.cloud.ok("GET", "/simulator/state")

    def busy(self, name):
        return self.state()["inFlight"].get(name, 0) > 0

    def test_more_instances_come_up_to_the_limit(self):
        uri = self.make("two", template__scaling={"maxInstanceCount": 2})["uri"]
        results = []
        threads = [threading.Thread(target=lambda: results.append(self.invoke(uri, "/cgi-bin/slow")[0])) for _ in range(2)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(results, [200, 200])

    def test_the_time_limit_does_not_kill_the_instance(self):
        uri = self.make("late", template__timeout="2s")["uri"]
        self.assertEqual(self.invoke(uri, "/cgi-bin/slow")[0], 504)
        await_true("it still answers", lambda: self.invoke(uri)[0] == 200)
        self.assertNotIn("got TERM", self.logs("late", "stdout"))

    def test_an_instance_that_dies_is_503_and_the_next_request_gets_another(self):
        uri = self.make("dies")["uri"]
        self.assertEqual(self.invoke(uri, "/cgi-bin/die")[0], 503)
        status, text = self.invoke(uri)
        self.assertEqual(status, 200, text)

    def test_scaling_to_zero_by_hand(self):
        uri = self.make("off")["uri"]
        self.cloud.finish(self.cloud.ok("PATCH", f"{SERVICES}/off?updateMask=scaling",
                                        {"scaling": {"scalingMode": "MANUAL", "manualInstanceCount": 0}}))
        self.assertEqual(self.invoke(uri)[0], 503)
        await_true("its instance has been told", lambda: "got TERM" in self.logs("off", "stdout"))
        self.cloud.finish(self.cloud.ok("PATCH", f"{SERVICES}/off?updateMask=scaling",
                                        {"scaling": {"scalingMode": "AUTOMATIC"}}))
        self.assertEqual(self.invoke(uri)[0], 200)

    def test_faults_of_invocations_and_maintenance(self):
        uri = self.make("unlucky")["uri"]

        def faults(spec):
            self.assertEqual(request("POST", self.cloud.base + "/simulator/fault", spec)[0], 200)
        faults("invoke=503*2")
        self.assertEqual([self.invoke(uri)[0] for _ in range(3)], [503, 503, 200])
        faults("invoke=lost")
        with self.assertRaises(OSError):
            self.invoke(uri, "/cgi-bin/slow")
        faults("")
        self.assertEqual(self.invoke(uri)[0], 200)
        self.cloud.ok("POST", "/simulator/maintenance?service=unlucky", "")
        await_true("it is told", lambda: "got TERM" in self.logs("unlucky", "stdout"))
        self.assertEqual(self.invoke(uri)[0], 200)

    def test_the_agent_is_there(self):
        agent = "/sockerless/bin/sockerless-agent"
        self.make("agent", template__containers__0__command=["sh", "-c", f"{agent} --version; " + SERVER])
        await_true("it says its version", lambda: any("sockerless-agent" in line for line in self.logs("agent", "stdout")))

    def test_probes_over_http(self):
        probe = {"httpGet": {"path": "/cgi-bin/hello"}, "periodSeconds": 1, "timeoutSeconds": 1, "failureThreshold": 3}
        self.make("healthy", template__containers__0__startupProbe=probe)
        missing = dict(probe, httpGet={"path": "/nothing"})
        operation = self.create("sick", service(template__containers__0__startupProbe=missing))
        self.addCleanup(self.remove, "sick")
        self.assertIn("failed to start and listen", operation["error"]["message"])
        self.make("dying", template__containers__0__livenessProbe=missing)
        await_true("it is ended", lambda: any("LIVENESS" in line for line in self.logs("dying", "varlog%2Fsystem")))
        self.assertIn("got TERM", self.logs("dying", "stdout"))

    def test_the_declared_port_at_the_instances_own_address(self):
        command = ["sh", "-c", "exec httpd -f -p $SOCKERLESS_AGENT_BIND:8123 -h /etc"]
        for name in ("own-a", "own-b"):
            uri = self.make(name, template__containers__0__command=command,
                            template__containers__0__ports=[{"name": "http1", "containerPort": 8123}])["uri"]
            self.assertIn("root:", self.invoke(uri, "/passwd", method="GET", body=None)[1])

    def test_the_agent_as_a_function(self):
        argv = ["/sockerless/bin/sockerless-agent", "--http-port", "8080", "--http-hold", "2", "--http-stay", "--", "echo", "hello"]
        env = [{"name": k, "value": v} for k, v in (("SOCKERLESS_CONTAINER_ID", "c" * 64), ("SOCKERLESS_AGENT_TOKEN", "t" * 64),
                                                    ("SOCKERLESS_AGENT_CALLBACK_URL", "http://127.0.0.1:1/agent/v1"))]
        uri = self.make("func", template__containers__0__command=argv, template__containers__0__env=env)["uri"]
        token = self.cloud.id_token(uri)
        headers = {"Authorization": f"Bearer {token}", "X-Sockerless-Token": "t" * 64, "X-Sockerless-Run": "1"}
        status, got, _ = request("GET", uri, None, headers)
        self.assertEqual((status, got["X-Sockerless-State"]), (200, "waiting"))
        status, got, body = request("POST", uri, "{}", headers)
        self.assertEqual((status, json.loads(body)["state"]), (202, "waiting"), "nobody answers where it dials")
        self.assertTrue(got["X-Sockerless-Agent"])

    # -- volumes

    def test_buckets_and_empty_dirs(self):
        script = "echo kept > /data/file; /data/tool; /scratch/tool; cp /bin/busybox /scratch/busybox; /scratch/busybox echo runs; "
        for name in ("noexec", "exec"):
            self.cloud.ok("POST", "/upload/storage/v1/b/data/o?uploadType=media&name=volumes/v/tool",
                          b"#!/bin/sh\necho from the tool\n", headers={"Content-Type": "application/octet-stream"})
            options = ["file-mode=755"] if name == "exec" else []
            self.make("vol-" + name, template__containers__0__command=["sh", "-c", script + SERVER],
                      template__volumes=[{"name": "d", "gcs": {"bucket": "data", "mountOptions": options + ["only-dir=volumes/v"]}},
                                         {"name": "e", "emptyDir": {"medium": "MEMORY", "sizeLimit": "64Mi"}}],
                      template__executionEnvironment="EXECUTION_ENVIRONMENT_GEN2",
                      template__containers__0__volumeMounts=[{"name": "d", "mountPath": "/data"},
                                                             {"name": "e", "mountPath": "/scratch"}])
            await_true("it has started", lambda: "starts with you" in self.logs("vol-" + name, "stdout"))
            self.assertEqual("from the tool" in self.logs("vol-" + name, "stdout"), name == "exec")
            self.assertIn("runs", self.logs("vol-" + name, "stdout"))
        self.assertEqual(self.cloud.api("GET", "/storage/v1/b/data/o/volumes%2Fv%2Ffile?alt=media"), (200, b"kept\n"))
        items = self.cloud.ok("GET", "/storage/v1/b/data/o?prefix=volumes/v/")["items"]
        self.assertEqual([i["name"] for i in items], ["volumes/v/file", "volumes/v/tool"])
        self.assertEqual(self.cloud.api("DELETE", "/storage/v1/b/data/o/volumes%2Fv%2Ffile")[0], 204)
        self.assertEqual(self.cloud.api("DELETE", "/storage/v1/b/data/o/volumes%2Fv%2Ffile")[0], 404)
        self.remove("vol-exec")
        self.remove("vol-noexec")
        await_true("nothing has it mounted", lambda: not any(n.startswith("vol-") for n in self.state()["inFlight"]))
        self.assertEqual(self.cloud.api("DELETE", "/storage/v1/b/data/o/volumes%2Fv%2Ftool")[0], 204)
        self.assertEqual(self.cloud.ok("GET", "/storage/v1/b/data/o?prefix=volumes")["items"], [])

    def test_a_sidecar_starts_first_and_shares_a_volume(self):
        body = service()
        main_container = body["template"]["containers"][0]
        main_container.update(ports=[{"containerPort": 8080}], dependsOn=["side"], name="main",
                              volumeMounts=[{"name": "e", "mountPath": "/e"}])
        main_container["command"][2] = "until cat /e/note; do sleep 0.1; done; " + SERVER
        body["template"]["containers"].append({"image": "busybox", "name": "side", "volumeMounts": [{"name": "e", "mountPath": "/e"}],
                                               "command": ["sh", "-c", "echo from the side > /e/note; exec sleep 1000"]})
        body["template"]["volumes"] = [{"name": "e", "emptyDir": {}}]
        operation = self.create("pair", body)
        self.addCleanup(self.remove, "pair")
        self.assertIn("response", operation)
        self.assertIn("from the side", self.logs("pair", "stdout"))

    def test_zero_values_are_absent_and_numbers_are_names(self):
        made = self.make("zeros", ingress=1, launchStage=4, description="", etag="", template__revision="", template__sessionAffinity=False,
                         template__executionEnvironment=2, template__scaling={"minInstanceCount": 0, "maxInstanceCount": "1"},
                         template__containers__0__workingDir="", template__containers__0__livenessProbe=None)
        self.assertEqual((made["ingress"], made["launchStage"]), ("INGRESS_TRAFFIC_ALL", "GA"))
        self.assertEqual(made["template"]["executionEnvironment"], "EXECUTION_ENVIRONMENT_GEN2")
        self.assertNotIn("livenessProbe", made["template"]["containers"][0])
        self.assertEqual(self.cloud.api("POST", f"{SERVICES}?serviceId=refused", service(ingress=77))[0], 400)

    # -- refusals

    def test_services_that_are_refused(self):
        c0 = "template__containers__0__"
        cases = {
            "unknown field": {"template__colour": "red"}, "unknown field below": {c0 + "colour": "red"},
            "type": {"template__timeout": 5}, "enum": {"ingress": "NOWHERE"}, "name": {"name": "x"},
            "no image": {c0 + "image": UNSET}, "host": {c0 + "image": "ghcr.io/a/b:1"}, "no containers": {"template__containers": []},
            "memory": {c0 + "resources": {"limits": {"cpu": "1", "memory": "8Gi"}}},
            "little memory": {c0 + "resources": {"limits": {"cpu": "4", "memory": "512Mi"}}},
            "cpu": {c0 + "resources": {"limits": {"cpu": "3", "memory": "4Gi"}}},
            "concurrency": {c0 + "resources": {"limits": {"cpu": "0.5", "memory": "512Mi"}}, "template__maxInstanceRequestConcurrency": 2},
            "timeout": {"template__timeout": "3601s"}, "port in env": {c0 + "env": [{"name": "PORT", "value": "1"}]},
            "mount": {c0 + "volumeMounts": [{"name": "x", "mountPath": "/x"}]}, "label": {"labels": {"Big": "x"}},
            "label value": {"labels": {"a": "x" * 64}}, "revision": {"template__revision": "other-1"},
            "flag": {"template__volumes": [{"name": "d", "gcs": {"bucket": "data", "mountOptions": ["metadata-cache:ttl-secs:0"]}}]},
        }
        for name, changes in cases.items():
            with self.subTest(name):
                status, answer = self.cloud.api("POST", f"{SERVICES}?serviceId=refused", service(**changes))
                self.assertEqual((status, answer["error"]["status"]), (400, "INVALID_ARGUMENT"), answer)
        self.assertIn('Unknown name "colour" at \'service.template\'',
                      self.cloud.api("POST", f"{SERVICES}?serviceId=refused", service(template__colour=1))[1]["error"]["message"])
        for name in ("Upper", "-x", "x-", "x" * 50, "a_b", ""):
            with self.subTest(name):
                self.assertEqual(self.cloud.api("POST", f"{SERVICES}?serviceId={name}", service())[0], 400)
        self.assertEqual(self.cloud.api("GET", "/v2/projects/other/locations/us-central1/services")[0], 403)
        self.assertEqual(self.cloud.api("GET", f"{SERVICES}/nothing")[0], 404)
        self.assertEqual(self.cloud.api("DELETE", f"{SERVICES}/nothing")[0], 404)
        self.assertEqual(self.cloud.api("PATCH", f"{SERVICES}/nothing", service())[0], 404)


class Idle(unittest.TestCase):
    def test_an_idle_instance_goes_and_a_request_brings_another(self):
        with Cloud("--idle-timeout", "1", "--stop-grace", "2", registry=True) as cloud:
            body = service()
            made = cloud.finish(cloud.ok("POST", f"{SERVICES}?serviceId=idle", body))["response"]

            def instances():
                return cloud.ok("GET", "/simulator/state")["instances"]
            await_true("it is idle for long", lambda: instances() == 0)
            headers = {"Authorization": "Bearer " + cloud.id_token(made["uri"])}
            self.assertEqual(request("POST", made["uri"] + "/cgi-bin/hello", "", headers)[0], 200)
            cloud.finish(cloud.ok("PATCH", f"{SERVICES}/idle?updateMask=scaling", {"scaling": {"minInstanceCount": 1}}))
            await_true("there is one", lambda: instances() == 1)
            time.sleep(2)  # longer than the idle timeout: the minimum stays
            self.assertGreaterEqual(instances(), 1)


if __name__ == "__main__":
    main()
