// Google's own clients against the simulator: create, get, list, invoke, logs, delete.
// usage: node google.js BASE KEY_FILE BUCKET OBJECT
'use strict';
const assert = require('node:assert');
const {v2, protos} = require('@google-cloud/functions');
const {ServicesClient, RevisionsClient} = require('@google-cloud/run').v2;
const {v2: logging} = require('@google-cloud/logging');
const {GoogleAuth} = require('google-auth-library');

const [base, keyFilename, bucket, object] = process.argv.slice(2);
const {hostname, port} = new URL(base);
const options = {fallback: true, protocol: 'http', apiEndpoint: hostname, port: Number(port), keyFilename, projectId: 'sockerless'};
const parent = 'projects/sockerless/locations/us-central1';
const name = `${parent}/functions/from-node`;

async function main() {
  const functions = new v2.FunctionServiceClient(options);
  const services = new ServicesClient(options);
  const [creating] = await functions.createFunction({
    parent, functionId: 'from-node',
    function: {
      name, environment: 'GEN_2', labels: {'managed-by': 'node'},
      buildConfig: {runtime: 'nodejs22', entryPoint: 'stub', source: {storageSource: {bucket, object}}},
      serviceConfig: {availableMemory: '1Gi', availableCpu: '1', timeoutSeconds: 600, maxInstanceCount: 1, ingressSettings: 'ALLOW_ALL'},
    },
  });
  const [made] = await creating.promise();
  const names = protos.google.cloud.functions.v2;
  assert.strictEqual(names.Function.State[made.state], 'ACTIVE');
  assert.strictEqual(names.Environment[made.environment], 'GEN_2');
  assert.strictEqual((await functions.getFunction({name}))[0].name, name);
  const [list] = await functions.listFunctions({parent, filter: 'labels.managed-by="node"'});
  assert.deepStrictEqual(list.map(f => f.name), [name]);

  const [service] = await services.getService({name: made.serviceConfig.service});
  assert.strictEqual(service.terminalCondition.type, 'Ready');
  const container = service.template.containers[0];
  container.image = 'busybox';
  container.command = ['sh', '-c', 'echo said by the function; exec httpd -f -p $PORT -h /etc'];
  service.template.revision = '';
  const [swapping] = await services.updateService({service, updateMask: {paths: ['template']}});
  const [swapped] = await swapping.promise();
  assert.strictEqual(swapped.latestReadyRevision, swapped.latestCreatedRevision);
  const [revisions] = await new RevisionsClient(options).listRevisions({parent: service.name});
  assert.strictEqual(revisions.length, 2);

  // gtoken knows no token_uri, so the ID token comes from the endpoint by hand.
  const key = require(keyFilename);
  const now = Math.floor(Date.now() / 1000);
  const {sign, createPrivateKey} = require('node:crypto');
  const part = value => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = part({alg: 'RS256', typ: 'JWT', kid: key.private_key_id}) + '.' +
      part({iss: key.client_email, aud: key.token_uri, target_audience: swapped.uri, iat: now - 10, exp: now + 3000});
  const signature = sign('RSA-SHA256', Buffer.from(text), createPrivateKey(key.private_key)).toString('base64url');
  const tokens = await fetch(key.token_uri, {
    method: 'POST', body: new URLSearchParams({grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion: `${text}.${signature}`}),
  });
  const {id_token: idToken} = await tokens.json();
  const answer = await fetch(swapped.uri + '/passwd', {headers: {Authorization: `Bearer ${idToken}`}});
  assert.strictEqual(answer.status, 200);
  assert.match(await answer.text(), /^root:/);

  const logs = new logging.LoggingServiceV2Client(options);
  const filter = 'resource.type="cloud_run_revision" AND resource.labels.service_name="from-node" ' +
      'AND logName="projects/sockerless/logs/run.googleapis.com%2Fstdout" AND timestamp>="2020-01-01T00:00:00Z"';
  const [entries] = await logs.listLogEntries({resourceNames: ['projects/sockerless'], filter, orderBy: 'timestamp desc'});
  assert.deepStrictEqual(entries.map(e => e.textPayload), ['said by the function']);
  await logs.writeLogEntries({entries: [{logName: 'projects/sockerless/logs/node', resource: {type: 'global'}, textPayload: 'written'}]});

  const [deleting] = await functions.deleteFunction({name});
  await deleting.promise();
  await assert.rejects(functions.getFunction({name}), /NOT_FOUND|not found/);

  // What finds its credentials by itself: the metadata server.
  process.env.METADATA_SERVER_DETECTION = 'assume-present';
  const auth = new GoogleAuth({projectId: 'sockerless'});
  assert.match(await auth.getAccessToken(), /^ya29\./);
  const client = await auth.getIdTokenClient('https://audience.example');
  const headers = await client.getRequestHeaders();
  const header = headers.get ? headers.get('authorization') : headers.Authorization;
  assert.match(header, /^Bearer ey/);
  console.log('all steps');
}

main().catch(error => {
  console.error(error);
  process.exit(1);
});
