"""The simulator's App Service alone: plans, sites, their containers and the front end, strict where Azure is strict."""
import copy
import http.client
import unittest
import urllib.parse

from harness import SUBSCRIPTION, Stack, await_true, free_port, main

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/sockerless"
WEB = GROUP + "/providers/Microsoft.Web"
PLAN = {"location": "eastus", "kind": "linux", "sku": {"name": "B1", "tier": "Basic"}, "properties": {"reserved": True}}
UNSET = object()


def site(port=None, command="httpd -f -p {port} -h /etc", plan="sockerless", **changes):
    """A body that is fine; changes by path: properties__siteConfig__... = value or UNSET."""
    port = port or free_port()
    body = {"location": "eastus", "kind": "functionapp,linux,container", "tags": {"a": "b"}, "properties": {
        "serverFarmId": f"{WEB}/serverfarms/{plan}", "reserved": True, "siteConfig": {
            "linuxFxVersion": "DOCKER|docker.io/library/busybox:latest", "appCommandLine": command.format(port=port),
            "appSettings": [{"name": "WEBSITES_PORT", "value": str(port)}, {"name": "ONE", "value": "uno"}]}}}
    for path, value in changes.items():
        at, keys = body, path.split("__")
        for key in keys[:-1]:
            at = at[key]
        if value is UNSET:
            del at[keys[-1]]
        else:
            at[keys[-1]] = value
    return copy.deepcopy(body)


def mount(**changes):
    return {"m": {"type": "AzureFiles", "protocol": "Smb", "accountName": "sockerless", "shareName": "data", "accessKey": "k",
                  "mountPath": "/data", **changes}}


class Web(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack(sim_args=["--front-end-limit", "1500"]).__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.stack.__exit__(None, None, None)

    def arm(self, method, path, body=None, query="", expect=None, api="2023-12-01"):
        status, answer = self.stack.arm(method, WEB + path, body, query, api)
        if expect is not None:
            self.assertEqual(status, expect, answer)
        return answer

    def make(self, name, **kw):
        self.arm("PUT", "/sites/" + name, site(**kw), expect=200)
        self.addCleanup(self.arm, "DELETE", "/sites/" + name, query="&deleteEmptyServerFarm=false")

    def ask(self, name, path="/passwd", method="GET"):
        connection = http.client.HTTPConnection(urllib.parse.urlparse(self.stack.sim).netloc, timeout=30)
        connection.request(method, path, headers={"Host": name + ".azurewebsites.net"})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status, text

    def test_plans_that_azure_would_refuse(self):
        for name, changes in (("a_b", {}), ("x" * 61, {}), ("p", {"location": ""}), ("p", {"sku": {"name": "Z1"}}),
                              ("p", {"sku": {"name": "EP4", "tier": "ElasticPremium"}}),
                              ("p", {"sku": {"name": "B1", "tier": "ElasticPremium"}}), ("p", {"properties": {}})):
            with self.subTest(name=name, changes=changes):
                self.arm("PUT", "/serverfarms/" + name, {**PLAN, **changes}, expect=400)
        self.assertEqual(self.stack.sim_state()["plans"], ["sockerless"])

    def test_sites_that_azure_would_refuse(self):
        self.arm("PUT", "/serverfarms/consumption", {**PLAN, "sku": {"name": "Y1", "tier": "Dynamic"}}, expect=200)
        self.arm("PUT", "/serverfarms/basic", PLAN, expect=200)
        config = "properties__siteConfig__"
        for status, name, kw in (
                (400, "a_b", {}), (400, "-ab", {}), (400, "a", {}), (400, "x" * 61, {}),
                (400, "x1", {"location": UNSET}), (400, "x1", {"kind": "app"}),
                (404, "x1", {"plan": "none"}), (400, "x1", {"plan": "consumption"}),
                (400, "x1", {config + "linuxFxVersion": "PYTHON|3.11"}), (400, "x1", {config + "linuxFxVersion": "DOCKER|busybox"}),
                (400, "x1", {config + "appSettings": [{"name": "odd-name", "value": "1"}]}),
                (400, "x1", {config + "appSettings": [{"name": "A", "value": 1}]}),
                (400, "x1", {config + "azureStorageAccounts": mount(mountPath="/home/x")}),
                (400, "x1", {config + "azureStorageAccounts": mount(mountPath="/")}),
                (400, "x1", {config + "azureStorageAccounts": mount(mountPath="/tmp/x")}),
                (400, "x1", {config + "azureStorageAccounts": mount(accessKey="")}),
                (400, "x1", {config + "azureStorageAccounts": {f"m{i}": mount()["m"] for i in range(6)}}),
                (409, "x1", {config + "alwaysOn": True}),
                (400, "x1", {"plan": "basic", config + "functionAppScaleLimit": 1})):
            with self.subTest(name=name, kw=kw):
                self.arm("PUT", "/sites/" + name, site(**kw), expect=status)
        # App Service's own errors are not wrapped.
        refused = self.arm("PUT", "/sites/x1", site(**{config + "alwaysOn": True}), expect=409)
        self.assertEqual((refused["Code"], refused["Details"][1]["ErrorEntity"]["ExtendedCode"]), ("Conflict", "04068"))
        self.assertEqual(self.stack.arm("PUT", WEB + "/sites/x1", site(), api="2020-99-99")[0], 400)
        self.assertNotIn("x1", self.stack.sim_state()["sites"])
        for plan in ("consumption", "basic"):
            self.arm("DELETE", "/serverfarms/" + plan, expect=200)

    def test_names_are_unique_over_all_groups(self):
        other = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/sockerless2"
        self.assertEqual(self.stack.arm("PUT", other, {"location": "eastus"})[0], 201)
        self.make("only-one")
        status, refused = self.stack.arm("PUT", other + "/providers/Microsoft.Web/sites/only-one", site())
        self.assertEqual((status, refused["error"]["code"]), (409, "Conflict"))

    def test_lists_are_of_their_scope(self):
        other = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/sockerless-b"  # a group's name that begins as another's
        self.assertEqual(self.stack.arm("PUT", other, {"location": "eastus"})[0], 201)
        self.assertEqual(self.stack.arm("PUT", other + "/providers/Microsoft.Web/serverfarms/theirs", PLAN)[0], 200)

        def listed(scope):
            status, answer = self.stack.arm("GET", scope + "/providers/Microsoft.Web/serverfarms")
            self.assertEqual(status, 200)
            return sorted(p["name"] for p in answer["value"])
        self.assertEqual((listed(GROUP), listed(other)), (["sockerless"], ["theirs"]))
        self.assertEqual(listed(f"/subscriptions/{SUBSCRIPTION}"), ["sockerless", "theirs"])
        self.make("in-plan")
        self.assertEqual([x["name"] for x in self.arm("GET", "/serverfarms/sockerless/sites", expect=200)["value"]], ["in-plan"])
        self.assertEqual(self.stack.arm("DELETE", other + "/providers/Microsoft.Web/serverfarms/theirs")[0], 200)

    def test_a_plan_goes_with_its_last_site_unless_told(self):
        for query, left in (("&deleteEmptyServerFarm=false", ["mine", "sockerless"]), ("", ["sockerless"])):
            self.arm("PUT", "/serverfarms/mine", PLAN, expect=200)
            self.arm("PUT", "/sites/last", site(plan="mine"), expect=200)
            self.arm("DELETE", "/serverfarms/mine", expect=409)
            self.arm("DELETE", "/sites/last", query=query, expect=200)
            self.assertEqual(sorted(self.stack.sim_state()["plans"]), left)
            self.arm("DELETE", "/sites/last", expect=204)

    def test_the_front_end(self):
        self.make("front")
        self.assertEqual(self.ask("no-such-site")[0], 404)
        await_true("ready", lambda: self.ask("front")[0] == 200)
        self.assertIn(b"root:x:0:0", self.ask("front")[1])
        self.arm("POST", "/sites/front/stop", expect=200)
        self.assertEqual((self.arm("GET", "/sites/front")["properties"]["state"], self.ask("front")[0]), ("Stopped", 403))
        self.arm("POST", "/sites/front/start", expect=200)
        await_true("ready again", lambda: self.ask("front")[0] == 200)

    def test_the_front_end_cuts_long_requests(self):
        # One connection answers the ping; the next ones stay open.
        port = free_port()
        script = "printf \"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n\" | nc -l -p @; while :; do sleep 60 | nc -l -p @; done"
        self.arm("PUT", "/sites/slow", site(port=port, properties__siteConfig__appCommandLine="sh -c eval${IFS}\"$SCRIPT\"",
                 properties__siteConfig__appSettings=[{"name": "WEBSITES_PORT", "value": str(port)},
                                                      {"name": "SCRIPT", "value": script.replace("@", str(port))}]), expect=200)
        self.addCleanup(self.arm, "DELETE", "/sites/slow", query="&deleteEmptyServerFarm=false")
        await_true("ready", lambda: self.stack.sim_state()["sites"]["slow"] == "ready")
        self.assertEqual(self.ask("slow")[0], 504)

    def test_a_container_that_ends_is_started_again_and_its_output_kept(self):
        self.make("again", command="cat /etc/hostname")
        text = lambda: self.stack.arm_bytes("POST", f"{WEB}/sites/again/containerlogs")[1]  # noqa: E731
        await_true("twice", lambda: text().count(b"Container ended") >= 2)

    def test_no_answer_to_pings_is_told(self):
        self.make("mute", command="tail -f /dev/null", properties__siteConfig__appSettings=[
            {"name": "WEBSITES_PORT", "value": str(free_port())}, {"name": "WEBSITES_CONTAINER_START_TIME_LIMIT", "value": "1"}])
        text = lambda: self.stack.arm_bytes("POST", f"{WEB}/sites/mute/containerlogs")[1]  # noqa: E731
        await_true("told", lambda: b"didn't respond to HTTP pings" in text())
        self.assertEqual(self.ask("mute")[0], 503)

    def test_settings_and_mounts_are_replaced(self):
        self.make("config")
        settings = self.arm("POST", "/sites/config/config/appsettings/list", expect=200)["properties"]
        self.assertEqual(settings["ONE"], "uno")
        self.arm("PUT", "/sites/config/config/appsettings", {"properties": {"odd-name": "x"}}, expect=400)
        self.arm("PUT", "/sites/config/config/appsettings", {"properties": {"TWO": "due"}}, expect=200)
        self.assertEqual(self.arm("POST", "/sites/config/config/appsettings/list")["properties"], {"TWO": "due"})
        self.arm("PUT", "/sites/config/config/azurestorageaccounts", {"properties": mount(mountPath="/home")}, expect=400)
        self.arm("PUT", "/sites/config/config/azurestorageaccounts", {"properties": mount()}, expect=200)
        self.assertEqual(self.arm("POST", "/sites/config/config/azurestorageaccounts/list")["properties"], mount())
        # Neither is shown by a GET of the site.
        self.assertIsNone(self.arm("GET", "/sites/config")["properties"]["siteConfig"])
        self.assertNotIn("appSettings", self.arm("GET", "/sites/config/config/web", expect=200)["properties"])

    def test_long_running_operations_take_time(self):
        with Stack(sim_args=["--latency", "1000"]) as s:
            status, made = s.arm("PUT", WEB + "/sites/late", site())
            self.assertEqual((status, made["properties"].get("state")), (202, None))
            self.assertEqual(s.arm("GET", WEB + "/sites/late/operationresults/1")[0], 202)
            await_true("done", lambda: s.arm("GET", WEB + "/sites/late/operationresults/1")[0] == 200)
            self.assertEqual(s.arm("GET", WEB + "/sites/late")[1]["properties"]["defaultHostName"], "late.azurewebsites.net")
            status, plan = s.arm("PUT", WEB + "/serverfarms/late", PLAN)
            self.assertEqual((status, plan["properties"]["provisioningState"]), (202, "InProgress"))
            await_true("done", lambda: s.arm("GET", WEB + "/serverfarms/late")[1]["properties"]["status"] == "Ready")


if __name__ == "__main__":
    main()
