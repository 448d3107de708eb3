"""The Google simulator's Cloud Logging: entries written, found by filters, read in pages, within the quota."""
import json
import time
import unittest

from gcp import LOCATION, PROJECT, Cloud, request
from harness import await_true, main
from test_gcp_run import SERVICES

LOG = f"projects/{PROJECT}/logs/"
RESOURCE = {"type": "cloud_run_revision",
            "labels": {"project_id": PROJECT, "location": "us-central1", "service_name": "svc", "revision_name": "svc-1"}}


def entry(text, second, log="run.googleapis.com%2Fstdout", **more):
    return {"logName": LOG + log, "resource": RESOURCE, "timestamp": f"2026-01-02T03:04:{second:09.6f}Z",
            "insertId": f"id-{text}", "textPayload": text, **more}


class Entries(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cloud = cls.enterClassContext(Cloud("--read-quota", "0"))
        cls.cloud.ok("POST", "/v2/entries:write", {"entries": [
            entry("one", 1, labels={"instanceId": "a", "goog-managed-by": "cloudfunctions"}), entry("Two", 2, severity="ERROR"),
            entry("three", 3.5, log="run.googleapis.com%2Fstderr"), entry('quo"te\\d', 4), entry("five", 5, severity="INFO"),
            dict({k: v for k, v in entry("six", 6).items() if k != "textPayload"}, jsonPayload={"message": "six", "n": 7})]})

    def list(self, filter="", status=200, **more):
        answer = self.cloud.api("POST", "/v2/entries:list",
                                {"resourceNames": [f"projects/{PROJECT}"], "filter": filter, **more})
        self.assertEqual(answer[0], status, answer[1])
        return answer[1]

    def texts(self, filter, **more):
        found = self.list(f'resource.labels.service_name="svc" AND ({filter})', **more).get("entries", [])
        return [e.get("textPayload") or e["jsonPayload"]["message"] for e in found]

    def test_filters(self):
        stdout, stderr = (f'"{LOG}run.googleapis.com%2F{s}"' for s in ("stdout", "stderr"))
        everything = ["one", "Two", "three", 'quo"te\\d', "five", "six"]
        for filter, expected in (
                ('timestamp>="2026-01-02T03:04:05.000000000Z"', ["five", "six"]),
                ('timestamp>"2026-01-02T03:04:05Z"', ["six"]), ('timestamp<"2026-01-02T03:04:02+00:00"', ["one"]),
                ('timestamp>="2026-01-02T03:04:03.5Z" timestamp<="2026-01-02T03:04:04Z"', ["three", 'quo"te\\d']),
                ('timestamp="2026-01-02T03:04:03.500Z"', ["three"]),
                (f"logName={stderr}", ["three"]), (f"logName=({stdout} OR {stderr})", everything),
                (f"logName!={stdout}", ["three"]), (f"NOT logName={stdout}", ["three"]), (f"-logName={stdout}", ["three"]),
                ('textPayload="two"', ["Two"]), ('textPayload:"re"', ["three"]), ('textPayload=~"^T"', ["Two"]),
                ('textPayload!~"e"', ["Two"]), ('textPayload="quo\\"te\\\\d"', ['quo"te\\d']),
                ('textPayload="one" OR textPayload="five"', ["one", "five"]),
                ('textPayload="one" OR textPayload="five" AND severity=INFO', ["five"]),
                ('(textPayload="one" OR textPayload="five") AND severity>=INFO', ["five"]),
                ("severity=ERROR", ["Two"]), ("severity>=INFO", ["Two", "five"]),
                ('severity=DEFAULT AND timestamp<"2026-01-02T03:04:04Z"', ["one", "three"]),
                ('labels.instanceId="a"', ["one"]), ('labels."goog-managed-by"="cloudfunctions"', ["one"]), ("labels:instanceId", ["one"]),
                ('labels.missing!="x"', []), ('NOT labels.instanceId="a" AND textPayload:"o"', ["Two", 'quo"te\\d']),
                ("jsonPayload.n=7", ["six"]), ("jsonPayload.n>7", []), ("jsonPayload.message:*", ["six"]),
                ('insertId="id-five"', ["five"]), ('"thre"', ["three"]), ('resource.type="cloud_run_revision"', everything),
                ('resource.labels.location="us-central1" AND resource.labels.service_name=("svc" OR "other")', everything),
                ("textPayload=five -- a comment\n", ["five"])):
            with self.subTest(filter):
                self.assertEqual(self.texts(filter), expected)

    def test_filters_that_are_refused(self):
        for filter in ('textPayload="', "(", ")", "a.b", 'timestamp>="yesterday"', 'nonsense="x"', 'textPayload="\\n"', "textPayload=",
                       'textPayload=("a" OR)', 'textPayload=~"("', "AND", 'textPayload="a" AND', "x" * 20001, "(" * 200):
            with self.subTest(filter[:40]):
                self.assertEqual(self.list(filter, 400)["error"]["status"], "INVALID_ARGUMENT")

    def test_pages_in_both_orders(self):
        base = 'resource.labels.service_name="svc" AND timestamp>="2026-01-01T00:00:00Z"'
        for order in ("timestamp asc", "timestamp desc", ""):
            seen, token = [], None
            while True:
                page = self.list(base, orderBy=order, pageSize=4, **({"pageToken": token} if token else {}))
                seen += [e["insertId"] for e in page.get("entries", [])]
                token = page.get("nextPageToken")
                if not token:
                    break
            expected = ["id-one", "id-Two", "id-three", 'id-quo"te\\d', "id-five", "id-six"]
            self.assertEqual(seen, expected[::-1] if "desc" in order else expected)
        token = self.list(base, pageSize=1)["nextPageToken"]
        self.list(base + " AND severity=INFO", 400, pageSize=1, pageToken=token)
        self.list(base, 400, pageToken="nonsense")
        self.list(base, 400, orderBy="severity")
        self.list(base, 400, pageSize=-1)

    def test_a_page_can_be_empty_and_have_a_token(self):
        request("POST", self.cloud.base + "/simulator/fault", "entries.list=empty*2")
        base = 'resource.labels.service_name="svc"'
        page = self.list(base, pageSize=2)
        self.assertNotIn("entries", page)
        page = self.list(base, pageSize=2, pageToken=page["nextPageToken"])
        self.assertNotIn("entries", page)
        page = self.list(base, pageSize=2, pageToken=page["nextPageToken"])
        self.assertEqual([e["insertId"] for e in page["entries"]], ["id-one", "id-Two"])

    def test_what_cannot_be_written_or_asked(self):
        good = entry("x", 1)
        for body in ({}, {"entries": []}, {"entries": [dict(good, logName="stdout")]}, {"entries": [dict(good, colour=1)]},
                     {"entries": [{k: v for k, v in good.items() if k != "resource"}]}, {"entries": [dict(good, timestamp="now")]},
                     {"entries": [dict(good, severity="BAD")]}):
            with self.subTest(body=body):
                self.assertEqual(self.cloud.api("POST", "/v2/entries:write", body)[0], 400)
        self.assertEqual(self.cloud.api("POST", "/v2/entries:list", {})[0], 400)
        self.assertEqual(self.cloud.api("POST", "/v2/entries:list", {"resourceNames": ["projects/other"]})[0], 403)
        self.assertEqual(self.cloud.api("POST", "/v2/entries:list", {"resourceNames": ["projects/" + PROJECT], "x": 1})[0], 400)


class Output(unittest.TestCase):
    def test_output_of_containers_comes_later_and_whole(self):
        script = r"""printf 'plain\nno newline at the end' >&2; echo '{"severity":"WARNING","message":"from json","n":1}'
printf 'bad \377 utf\n'; exec httpd -f -p $PORT"""
        with Cloud("--ingestion-delay", "2", "--read-quota", "0", "--stop-grace", "1", registry=True) as cloud:
            body = {"labels": {"user": "label"}, "template": {"labels": {"user": "label"},
                                                              "containers": [{"image": "busybox", "command": ["sh", "-c", script]}]}}
            made = cloud.finish(cloud.ok("POST", f"{SERVICES}?serviceId=out", body))["response"]
            base = 'resource.type="cloud_run_revision" AND resource.labels.service_name="out" AND timestamp>="2020-01-01T00:00:00Z"'

            def entries(more=""):
                return cloud.ok("POST", "/v2/entries:list", {"resourceNames": [f"projects/{PROJECT}"], "pageSize": 100,
                                                             "filter": base + more}).get("entries", [])
            began = time.monotonic()
            await_true("they come", lambda: len(entries(' AND logName:"std"')) >= 3)
            self.assertGreater(time.monotonic() - began, 0.5, "the ingestion takes a while")
            stdout = entries(f' AND logName="{LOG}run.googleapis.com%2Fstdout"')
            self.assertEqual(stdout[0]["jsonPayload"], {"message": "from json", "n": 1})
            self.assertEqual(stdout[0]["severity"], "WARNING")
            self.assertEqual(stdout[1]["textPayload"], "bad \ufffd utf")
            self.assertNotIn("severity", stdout[1])
            self.assertEqual(stdout[1]["resource"]["labels"]["revision_name"], made["latestReadyRevision"])
            self.assertEqual(stdout[1]["resource"]["labels"]["location"], LOCATION.rsplit("/", 1)[1])
            self.assertEqual(stdout[1]["labels"]["user"], "label")
            self.assertRegex(stdout[1]["labels"]["instanceId"], "^[0-9a-f]{64}$")
            self.assertGreater(stdout[1]["receiveTimestamp"], stdout[1]["timestamp"])
            stderr = entries(f' AND logName="{LOG}run.googleapis.com%2Fstderr"')
            self.assertEqual(stderr[0]["textPayload"], "plain")
            system = entries(f' AND logName="{LOG}run.googleapis.com%2Fvarlog%2Fsystem"')
            self.assertTrue(any("DEPLOYMENT_ROLLOUT" in e["textPayload"] for e in system))
            request("GET", made["uri"] + "/none", None, {"Authorization": "Bearer " + cloud.id_token(made["uri"])})
            await_true("the request", lambda: entries(" AND httpRequest.status=404"))

    def test_the_read_quota(self):
        with Cloud("--read-quota", "3") as cloud:
            body = {"resourceNames": [f"projects/{PROJECT}"]}
            answers = [cloud.api("POST", "/v2/entries:list", body) for _ in range(5)]
            self.assertEqual([status for status, _ in answers], [200, 200, 200, 429, 429])
            self.assertEqual(answers[3][1]["error"]["status"], "RESOURCE_EXHAUSTED")
            self.assertEqual(cloud.api("POST", "/v2/entries:write", {"entries": [entry("x", 1)]})[0], 200)
            self.assertEqual(json.loads(request("GET", cloud.base + "/simulator/state")[2])["calls"]["entries.list"], 5)


if __name__ == "__main__":
    main()
