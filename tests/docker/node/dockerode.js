'use strict';
/* dockerode as its users use it; every step says what it expects. Ends with exit code 1 at the first surprise. */
const assert = require('assert');
const { PassThrough } = require('stream');
const { promisify } = require('util');
const Docker = require('dockerode');
const tar = require('tar-stream');

const docker = new Docker({ socketPath: process.env.SOCKET });

function collect(stream) {
    return new Promise((resolve, reject) => {
        const pieces = [];
        stream.on('data', (d) => pieces.push(d));
        stream.on('end', () => resolve(Buffer.concat(pieces)));
        stream.on('error', reject);
    });
}

async function demuxed(stream) {
    const out = new PassThrough(), err = new PassThrough();
    const both = Promise.all([collect(out), collect(err)]);
    docker.modem.demuxStream(stream, out, err);
    stream.on('end', () => { out.end(); err.end(); });
    stream.on('close', () => { out.end(); err.end(); });
    return (await both).map(String);
}

async function followed(stream) {
    return promisify(docker.modem.followProgress.bind(docker.modem))(stream);
}

async function refused(what, status) {
    const error = await what.then(() => null, (e) => e);
    assert(error, 'expected a refusal');
    assert.strictEqual(error.statusCode, status, String(error));
}

async function main() {
    assert.strictEqual(String(await docker.ping()), 'OK');
    assert.strictEqual((await docker.version()).Os, 'linux');
    const lines = await followed(await docker.pull('busybox:latest'));
    assert(lines.some((l) => /^Status: /.test(l.status)), 'the last line of a pull');

    const out = new PassThrough();
    const text = collect(out);
    const [result, done] = await docker.run('busybox', ['sh', '-c', 'echo from run; exit 3'], out, { Tty: true });
    assert.strictEqual(result.StatusCode, 3);
    assert.strictEqual(String(await text), 'from run\r\n');
    await done.remove();

    const c = await docker.createContainer({
        name: 'node-1', Image: 'busybox', Labels: { lang: 'node' }, Env: ['A=b'],
        Cmd: ['sh', '-c', 'echo out; echo err >&2; while :; do sleep 0.1; done'],
    });
    const attached = await c.attach({ stream: true, stdout: true, stderr: true });
    const output = demuxed(attached);
    await c.start();
    await refused(c.start(), 304);
    assert.strictEqual((await c.inspect()).State.Running, true);
    assert.deepStrictEqual((await docker.listContainers({ filters: { label: ['lang=node'] } })).map((x) => x.Id), [c.id]);

    for (const options of [{}, { hijack: true }]) {
        const exec = await c.exec({ Cmd: ['sh', '-c', 'echo $A; echo e >&2; exit 4'], AttachStdout: true, AttachStderr: true });
        assert.deepStrictEqual(await demuxed(await exec.start(options)), ['b\n', 'e\n']);
        assert.strictEqual((await exec.inspect()).ExitCode, 4);
    }
    const cat = await c.exec({ Cmd: ['cat'], AttachStdin: true, AttachStdout: true });
    const typed = await cat.start({ hijack: true, stdin: true });
    const echoed = demuxed(typed);
    typed.end('typed\n');
    assert.deepStrictEqual(await echoed, ['typed\n', '']);

    const pack = tar.pack();
    pack.entry({ name: 'script', mode: 0o755 }, '#!/bin/sh\necho copied\n');
    pack.finalize();
    await c.putArchive(pack, { path: '/tmp' });
    const run = await c.exec({ Cmd: ['/tmp/script'], AttachStdout: true });
    assert.deepStrictEqual(await demuxed(await run.start({})), ['copied\n', '']);
    const back = tar.extract();
    let read = '';
    back.on('entry', (header, stream, next) => {
        stream.on('data', (d) => { read += d; });
        stream.on('end', next);
    });
    const archive = await c.getArchive({ path: '/tmp/script' });
    await new Promise((resolve, reject) => archive.pipe(back).on('finish', resolve).on('error', reject));
    assert.strictEqual(read, '#!/bin/sh\necho copied\n');

    assert((await c.top()).Processes.length > 0);
    assert.strictEqual((await c.stats({ stream: false })).id, c.id);
    await c.kill();
    assert.strictEqual((await c.wait()).StatusCode, 137);
    assert.deepStrictEqual(await output, ['out\n', 'err\n']);
    assert.match(String(await c.logs({ stdout: true, stderr: true })), /out[^]*err/);
    await refused(c.stop(), 304);
    await refused(docker.createContainer({ name: 'node-1', Image: 'busybox', Cmd: ['true'] }), 409);
    await c.remove();
    await refused(c.inspect(), 404);

    const network = await docker.createNetwork({ Name: 'net-node', CheckDuplicate: true });
    const volume = await docker.createVolume({ Name: 'vol-node' });
    const member = await docker.createContainer({ Image: 'busybox', Cmd: ['sleep', '1000'],
        HostConfig: { NetworkMode: 'net-node', Binds: ['vol-node:/data'] } });
    await member.start();
    assert.deepStrictEqual(Object.keys((await network.inspect()).Containers), [member.id]);
    await refused(docker.getVolume(volume.Name || volume.name).remove(), 409);
    await member.remove({ force: true, v: true });
    await network.remove();
    await docker.getVolume('vol-node').remove();

    const built = await followed(await docker.buildImage({ context: __dirname, src: ['Dockerfile'] }, { t: 'node-built:1' }));
    assert(built.some((l) => /Successfully tagged node-built:1/.test(l.stream || '')), JSON.stringify(built));
    await docker.getImage('node-built:1').remove();
    console.log('all steps');
}

main().catch((e) => { console.error(e); process.exit(1); });
