// Azure's own clients against the simulator: create, get, list, start, stop, logs, delete.
// usage: node azure.js URL HTTP_URL CONTAINER_ID IMAGE PORT
// CONTAINER_ID is a container of the Functions backend: its app is looked at, not made here. PORT is a free one: sites of the
// simulator share the machine's network.
'use strict';
const assert = require('node:assert');
const {WebSiteManagementClient} = require('@azure/arm-appservice');
const {ContainerAppsAPIClient} = require('@azure/arm-appcontainers');
const {OperationalInsightsManagementClient} = require('@azure/arm-operationalinsights');
const {LogsQueryClient} = require('@azure/monitor-query-logs');
const {ClientSecretCredential, EnvironmentCredential, ManagedIdentityCredential} = require('@azure/identity');

const [endpoint, plainEndpoint, containerId, image, port] = process.argv.slice(2);
const subscription = '00000000-0000-0000-0000-000000000000', workspace = '11111111-2222-3333-4444-555555555555';
const group = 'sockerless', location = 'eastus';
const root = `/subscriptions/${subscription}/resourceGroups/${group}/providers`;
const credential = new ClientSecretCredential('tenant', 'client', 'secret', {authorityHost: endpoint, disableInstanceDiscovery: true});
const options = {endpoint, credentialScopes: ['https://management.azure.com/.default']};

async function all(pages) {
  const items = [];
  for await (const item of pages) items.push(item);
  return items;
}
const names = items => items.map(item => item.name).sort();
const gone = error => error.statusCode === 404;

async function functions() {
  const web = new WebSiteManagementClient(credential, subscription, options);
  const plan = await web.appServicePlans.createOrUpdate(group, 'from-node', {
    location, kind: 'linux', sku: {name: 'B1', tier: 'Basic'}, reserved: true,
  });
  assert.deepStrictEqual([plan.name, plan.status, plan.provisioningState], ['from-node', 'Ready', 'Succeeded']);
  assert.deepStrictEqual(names(await all(web.appServicePlans.listByResourceGroup(group))), ['from-node', 'sockerless']);
  assert.deepStrictEqual(names(await all(web.appServicePlans.list())), ['from-node', 'sockerless']);

  const made = await web.webApps.createOrUpdate(group, 'site-of-node', {
    location, kind: 'functionapp,linux,container', tags: {'made-by': 'node'}, serverFarmId: plan.id, reserved: true,
    siteConfig: {
      linuxFxVersion: `DOCKER|${image}`, appCommandLine: `httpd -f -p ${port} -h /etc`, alwaysOn: true,
      appSettings: [{name: 'WEBSITES_PORT', value: port}, {name: 'ONE', value: 'uno'}],
    },
  });
  assert.strictEqual(made.defaultHostName, 'site-of-node.azurewebsites.net');
  const site = await web.webApps.get(group, 'site-of-node');
  assert.deepStrictEqual([site.state, site.tags, site.kind], ['Running', {'made-by': 'node'}, 'functionapp,linux,container']);
  assert.deepStrictEqual(names(await all(web.appServicePlans.listWebApps(group, 'from-node'))), ['site-of-node']);
  assert.ok(names(await all(web.webApps.list())).includes('site-of-node'));

  const settings = await web.webApps.listApplicationSettings(group, 'site-of-node');
  assert.deepStrictEqual(settings.properties, {WEBSITES_PORT: port, ONE: 'uno'});
  await web.webApps.updateApplicationSettings(group, 'site-of-node', {properties: {...settings.properties, TWO: 'due'}});
  assert.strictEqual((await web.webApps.listApplicationSettings(group, 'site-of-node')).properties.TWO, 'due');
  assert.strictEqual((await web.webApps.getConfiguration(group, 'site-of-node')).linuxFxVersion, `DOCKER|${image}`);
  await web.webApps.updateAzureStorageAccounts(group, 'site-of-node', {
    properties: {data: {type: 'AzureFiles', accountName: 'sockerless', shareName: 'data', accessKey: 'a', mountPath: '/data'}},
  });
  const mounts = await web.webApps.listAzureStorageAccounts(group, 'site-of-node');
  assert.strictEqual(mounts.properties.data.mountPath, '/data');

  // Its container really answers at its own name.
  const address = new URL(plainEndpoint);
  const ask = () => new Promise((resolve, reject) => require('node:http').get({
    host: address.hostname, port: address.port, path: '/passwd', headers: {Host: made.defaultHostName},
  }, answer => {
    let text = '';
    answer.on('data', part => text += part).on('end', () => resolve([answer.statusCode, text]));
  }).on('error', reject));
  for (const end = Date.now() + 60000; ;) {
    const [status, text] = await ask();
    if (status === 200) {
      assert.match(text, /^root:/);
      break;
    }
    assert.ok(Date.now() < end, `${status}: ${text}`);
    await new Promise(resolve => setTimeout(resolve, 100));
  }
  await web.webApps.stop(group, 'site-of-node');
  assert.strictEqual((await web.webApps.get(group, 'site-of-node')).state, 'Stopped');
  assert.strictEqual((await ask())[0], 403);
  await web.webApps.start(group, 'site-of-node');
  await web.webApps.restart(group, 'site-of-node');
  assert.strictEqual((await web.webApps.get(group, 'site-of-node')).state, 'Running');

  // What the backend made is as visible to others.
  const own = await web.webApps.get(group, `skls-${containerId.slice(0, 12)}`);
  assert.deepStrictEqual([own.tags['managed-by'], own.tags['sockerless-container-id']], ['sockerless', containerId]);
  assert.ok((await all(web.webApps.listByResourceGroup(group))).some(item => item.id === own.id));

  await assert.rejects(web.appServicePlans.delete(group, 'from-node'), error => error.statusCode === 409);
  await web.webApps.delete(group, 'site-of-node', {deleteMetrics: true, deleteEmptyServerFarm: false});
  await assert.rejects(web.webApps.get(group, 'site-of-node'), gone);
  await web.appServicePlans.delete(group, 'from-node');
  assert.strictEqual(await web.appServicePlans.get(group, 'from-node').catch(error => error.code), 'ResourceNotFound');
  await assert.rejects(web.webApps.createOrUpdate(group, 'no_such_name', {location, kind: 'functionapp,linux,container'}),
                       error => error.statusCode === 400);
}

async function containerApps() {
  const apps = new ContainerAppsAPIClient(credential, subscription, options);
  assert.deepStrictEqual(names(await all(apps.managedEnvironments.listByResourceGroup(group))), ['sockerless']);
  const environment = await apps.managedEnvironments.get(group, 'sockerless');
  assert.strictEqual(environment.appLogsConfiguration.logAnalyticsConfiguration.customerId, workspace);
  const job = await apps.jobs.createOrUpdate(group, 'job-of-node', {
    location, environmentId: `${root}/Microsoft.App/managedEnvironments/sockerless`,
    configuration: {
      triggerType: 'Manual', replicaTimeout: 60, replicaRetryLimit: 0, manualTriggerConfig: {parallelism: 1, replicaCompletionCount: 1},
      secrets: [{name: 'word', value: 'planted-secret-9'}],
    },
    template: {containers: [{
      name: 'main', image, command: ['sh', '-c', 'echo said by the job $WORD'], resources: {cpu: 0.25, memory: '0.5Gi'},
      env: [{name: 'WORD', secretRef: 'word'}],
    }]},
  });
  assert.deepStrictEqual([job.name, job.provisioningState], ['job-of-node', 'Succeeded']);
  assert.strictEqual((await apps.jobs.get(group, 'job-of-node')).configuration.secrets[0].value, undefined);
  assert.strictEqual((await apps.jobs.listSecrets(group, 'job-of-node')).value[0].value, 'planted-secret-9');
  assert.deepStrictEqual(names(await all(apps.jobs.listByResourceGroup(group))), ['job-of-node']);
  assert.deepStrictEqual(names(await all(apps.jobs.listBySubscription())), ['job-of-node']);
  const execution = await apps.jobs.start(group, 'job-of-node');
  for (const end = Date.now() + 60000; ;) {
    const [first] = await all(apps.jobsExecutions.list(group, 'job-of-node'));
    assert.strictEqual(first.name, execution.name);
    if (first.status === 'Succeeded') break;
    assert.ok(Date.now() < end && first.status !== 'Failed', first.status);
    await new Promise(resolve => setTimeout(resolve, 100));
  }
  const insights = new OperationalInsightsManagementClient(credential, subscription, options);
  assert.strictEqual((await insights.workspaces.get(group, 'sockerless')).customerId, workspace);
  const logs = new LogsQueryClient(credential, {endpoint: `${endpoint}/v1`, audience: 'https://api.loganalytics.io/.default'});
  const answer = await logs.queryWorkspace(
      workspace, 'ContainerAppConsoleLogs_CL | where ContainerJobName_s == "job-of-node" | project TimeGenerated, Log_s', {duration: 'PT1H'});
  assert.strictEqual(answer.status, 'Success');
  const table = answer.tables[0];
  assert.deepStrictEqual(table.columnDescriptors.map(column => column.name), ['TimeGenerated', 'Log_s']);
  assert.ok(table.rows[0][0] instanceof Date);
  assert.deepStrictEqual(table.rows.map(row => row[1]), ['said by the job planted-secret-9']);
  await apps.jobs.delete(group, 'job-of-node');
  await assert.rejects(apps.jobs.get(group, 'job-of-node'), gone);
}

async function credentials() {
  Object.assign(process.env, {
    AZURE_AUTHORITY_HOST: endpoint, AZURE_TENANT_ID: 'tenant', AZURE_CLIENT_ID: 'client', AZURE_CLIENT_SECRET: 'secret',
    IDENTITY_ENDPOINT: `${plainEndpoint}/msi/token`, IDENTITY_HEADER: 'header',
  });
  const scope = 'https://management.azure.com/.default';
  for (const each of [new EnvironmentCredential({disableInstanceDiscovery: true}), new ManagedIdentityCredential()]) {
    const web = new WebSiteManagementClient(each, subscription, options);
    assert.deepStrictEqual(names(await all(web.appServicePlans.list())), ['sockerless']);
    assert.ok((await each.getToken(scope)).expiresOnTimestamp > Date.now());
  }
  const wrong = {getToken: () => credential.getToken('https://vault.azure.net/.default')};
  await assert.rejects(all(new WebSiteManagementClient(wrong, subscription, options).appServicePlans.list()),
                       error => error.code === 'InvalidAuthenticationTokenAudience');
}

(async () => {
  await functions();
  await containerApps();
  await credentials();
  console.log('all steps');
})().catch(error => {
  console.error(error);
  process.exit(1);
});
