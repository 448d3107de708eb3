'use strict';
/* testcontainers with its reaper off: wait strategies, exec, copies, a published port, stop. */
const assert = require('assert');
/* Workloads of the simulator share the machine's network, so the port is one that is free there. */
const PORT = Number(process.env.PORT);
const { GenericContainer, Network, Wait } = require('testcontainers');

async function ask(c, path) {
    const answer = await fetch(`http://${c.getHost()}:${c.getMappedPort(PORT)}${path}`);
    return answer.text();
}

async function main() {
    const c = await new GenericContainer('busybox:latest')
        .withCommand(['sh', '-c', 'cat /tmp/early; echo ready to serve; while :; do sleep 0.1; done'])
        .withEnvironment({ A: 'b' })
        .withLabels({ suite: 'node' })
        .withCopyContentToContainer([{ content: 'copied before the start\n', target: '/tmp/early', mode: 0o644 }])
        .withWaitStrategy(Wait.forLogMessage('ready to serve'))
        .withStartupTimeout(60000)
        .start();
    const said = await c.exec(['sh', '-c', 'echo $A; exit 5']);
    assert.strictEqual(said.exitCode, 5);
    assert.strictEqual(said.output, 'b\n');
    await c.copyContentToContainer([{ content: '#!/bin/sh\necho later\n', target: '/tmp/later', mode: 0o755 }]);
    assert.strictEqual((await c.exec(['/tmp/later'])).output, 'later\n');
    const archive = await c.copyArchiveFromContainer('/tmp/early');
    let bytes = 0;
    for await (const d of archive) bytes += d.length;
    assert(bytes >= 512, 'an archive has a header');
    const logs = await c.logs();
    const first = await new Promise((resolve) => logs.once('data', (d) => resolve(String(d))));
    assert.match(first, /copied before the start/);
    logs.destroy();
    await c.restart();
    await c.stop();
    console.log('testcontainers: log message, exec, copies, restart, stop');

    const port = await new GenericContainer('busybox:latest')
        .withCommand(['sh', '-c', `echo from the port > /tmp/page; httpd -f -p ${PORT} -h /tmp`])
        .withExposedPorts(PORT)
        .withWaitStrategy(Wait.forListeningPorts())
        .withStartupTimeout(60000)
        .start();
    assert.strictEqual(await ask(port, '/page'), 'from the port\n');
    await port.stop();
    const web = await new GenericContainer('busybox:latest')
        .withCommand(['sh', '-c', `sleep 1; echo ok > /tmp/index.html; httpd -f -p ${PORT} -h /tmp`])
        .withExposedPorts(PORT)
        .withWaitStrategy(Wait.forHttp('/', PORT))
        .withStartupTimeout(60000)
        .start();
    assert.strictEqual(await ask(web, '/'), 'ok\n');
    await web.stop();
    console.log('testcontainers: a published port');

    const healthy = await new GenericContainer('busybox:latest')
        .withCommand(['sleep', '1000'])
        .withHealthCheck({ test: ['CMD', 'true'], interval: 500, timeout: 5000, retries: 3, startPeriod: 0 })
        .withWaitStrategy(Wait.forHealthCheck())
        .withStartupTimeout(60000)
        .start();
    await healthy.stop();
    const once = await new GenericContainer('busybox:latest')
        .withCommand(['sh', '-c', 'exit 0']).withWaitStrategy(Wait.forOneShotStartup()).start();
    await once.stop();
    console.log('testcontainers: health and one-shot');

    const network = await new Network().start();
    const member = await new GenericContainer('busybox:latest').withCommand(['sleep', '1000'])
        .withNetwork(network).withNetworkAliases('peer').start();
    assert.strictEqual(member.getNetworkNames().includes(network.getName()), true);
    await member.stop();
    await network.stop();
    console.log('testcontainers: a network\nall steps');
}

/* The library lets go of its log sockets; without this Node would end while the script waits for a line. */
const alive = setInterval(() => {}, 1000);
main().then(() => clearInterval(alive), (e) => { console.error(e); process.exit(1); });
