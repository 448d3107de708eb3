"""The Python ones of Azure's own clients: create, get, list, start, stop, logs, delete.

usage: azure_clients.py URL HTTP_URL CONTAINER_ID IMAGE PORT, as azure.js
"""
import datetime
import os
import sys
import time

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import ClientSecretCredential, EnvironmentCredential, ManagedIdentityCredential
from azure.mgmt.appcontainers import ContainerAppsAPIClient
from azure.mgmt.loganalytics import LogAnalyticsManagementClient
from azure.mgmt.web import WebSiteManagementClient
from azure.monitor.query import LogsQueryClient, LogsQueryStatus

ENDPOINT, PLAIN, CONTAINER, IMAGE, PORT = sys.argv[1:]
SUBSCRIPTION, WORKSPACE = "00000000-0000-0000-0000-000000000000", "11111111-2222-3333-4444-555555555555"
GROUP, LOCATION = "sockerless", "eastus"
ARM = {"base_url": ENDPOINT, "credential_scopes": ["https://management.azure.com/.default"], "polling_interval": 0.1}
CREDENTIAL = ClientSecretCredential("tenant", "client", "secret", authority=ENDPOINT, disable_instance_discovery=True)


def names(items):
    return sorted(item.name for item in items)


def equal(got, expected):
    assert got == expected, f"got {got!r}, expected {expected!r}"


def status_of(call, *args, **kw):
    try:
        call(*args, **kw)
    except HttpResponseError as e:
        return e.status_code
    return None


def functions():
    web = WebSiteManagementClient(CREDENTIAL, SUBSCRIPTION, **ARM)
    plan = web.app_service_plans.begin_create_or_update(
        GROUP, "from-python", {"location": LOCATION, "kind": "linux", "sku": {"name": "B1", "tier": "Basic"},
                               "properties": {"reserved": True}}).result()
    equal((plan.name, plan.properties.status), ("from-python", "Ready"))
    equal(names(web.app_service_plans.list_by_resource_group(GROUP)), ["from-python", "sockerless"])
    site = web.web_apps.begin_create_or_update(GROUP, "site-of-python", {
        "location": LOCATION, "kind": "functionapp,linux,container", "tags": {"made-by": "python"},
        "properties": {"serverFarmId": plan.id, "reserved": True, "siteConfig": {
            "linuxFxVersion": f"DOCKER|{IMAGE}", "appCommandLine": f"httpd -f -p {PORT} -h /etc", "alwaysOn": True,
            "appSettings": [{"name": "WEBSITES_PORT", "value": PORT}]}}}).result()
    equal((site.tags, site.properties.state), ({"made-by": "python"}, "Running"))
    equal(site.properties.default_host_name, "site-of-python.azurewebsites.net")
    equal(web.web_apps.list_application_settings(GROUP, "site-of-python").properties, {"WEBSITES_PORT": PORT})
    equal(names(web.app_service_plans.list_web_apps(GROUP, "from-python")), ["site-of-python"])
    web.web_apps.stop(GROUP, "site-of-python")
    equal(web.web_apps.get(GROUP, "site-of-python").properties.state, "Stopped")
    web.web_apps.start(GROUP, "site-of-python")
    equal(web.web_apps.get(GROUP, "site-of-python").properties.state, "Running")
    own = web.web_apps.get(GROUP, "skls-" + CONTAINER[:12])
    equal((own.tags["managed-by"], own.tags["sockerless-container-id"]), ("sockerless", CONTAINER))
    assert own.id in [item.id for item in web.web_apps.list()]
    # Without deleteEmptyServerFarm=false the plan goes with its last app.
    web.web_apps.delete(GROUP, "site-of-python")
    equal(names(web.app_service_plans.list()), ["sockerless"])
    equal(status_of(web.web_apps.get, GROUP, "site-of-python"), 404)
    equal(status_of(web.app_service_plans.begin_create_or_update, GROUP, "bad", {"location": LOCATION, "sku": {"name": "Z9"}}), 400)


def container_apps():
    apps = ContainerAppsAPIClient(CREDENTIAL, SUBSCRIPTION, **ARM)
    equal(names(apps.managed_environments.list_by_subscription()), ["sockerless"])
    environment = apps.managed_environments.get(GROUP, "sockerless")
    job = apps.jobs.begin_create_or_update(GROUP, "job-of-python", {"location": LOCATION, "properties": {
        "environmentId": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.App/managedEnvironments/"
                         + environment.name,
        "configuration": {"triggerType": "Manual", "replicaTimeout": 60, "replicaRetryLimit": 0,
                          "manualTriggerConfig": {"parallelism": 1, "replicaCompletionCount": 1}},
        "template": {"containers": [{"name": "main", "image": IMAGE, "command": ["sh", "-c", "echo said; exit 3"],
                                     "resources": {"cpu": 0.25, "memory": "0.5Gi"}}]}}}).result()
    equal((job.name, job.properties.provisioning_state), ("job-of-python", "Succeeded"))
    execution = apps.jobs.begin_start(GROUP, "job-of-python").result()
    end = time.monotonic() + 60
    while (first := next(iter(apps.jobs_executions.list(GROUP, "job-of-python")))).status != "Failed":  # it exits with 3
        assert first.name == execution.name and first.status != "Succeeded" and time.monotonic() < end, first.status
        time.sleep(0.1)
    insights = LogAnalyticsManagementClient(CREDENTIAL, SUBSCRIPTION, **ARM)
    equal(insights.workspaces.get(GROUP, "sockerless").customer_id, WORKSPACE)
    logs = LogsQueryClient(CREDENTIAL, endpoint=ENDPOINT, audience="https://api.loganalytics.io")
    answer = logs.query_workspace(WORKSPACE, 'ContainerAppConsoleLogs_CL | where ContainerJobName_s == "job-of-python" '
                                             '| project TimeGenerated, Log_s', timespan=datetime.timedelta(hours=1))
    equal(answer.status, LogsQueryStatus.SUCCESS)
    equal([row["Log_s"] for row in answer.tables[0].rows], ["said"])
    assert isinstance(answer.tables[0].rows[0]["TimeGenerated"], datetime.datetime)
    apps.jobs.begin_delete(GROUP, "job-of-python").result()
    equal(names(apps.jobs.list_by_resource_group(GROUP)), [])
    try:
        apps.jobs.get(GROUP, "job-of-python")
        raise AssertionError("the job is still there")
    except ResourceNotFoundError as e:
        equal(e.error.code, "ResourceNotFound")


def credentials():
    os.environ.update(AZURE_AUTHORITY_HOST=ENDPOINT, AZURE_TENANT_ID="tenant", AZURE_CLIENT_ID="client", AZURE_CLIENT_SECRET="secret",
                      IDENTITY_ENDPOINT=PLAIN + "/msi/token", IDENTITY_HEADER="header")
    for each in (EnvironmentCredential(disable_instance_discovery=True), ManagedIdentityCredential()):
        equal(names(WebSiteManagementClient(each, SUBSCRIPTION, **ARM).app_service_plans.list()), ["sockerless"])
    wrong = WebSiteManagementClient(CREDENTIAL, SUBSCRIPTION, **{**ARM, "credential_scopes": ["https://vault.azure.net/.default"]})
    equal(status_of(lambda: list(wrong.app_service_plans.list())), 403)


functions()
container_apps()
credentials()
print("all steps")
