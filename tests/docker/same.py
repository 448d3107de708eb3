"""The same docker CLI script against our daemon and a real Docker Engine: exit codes and output are equal.

The Engine is started here (dockerd, Debian's docker.io) with a folder and a socket of its own. What may differ is in
TEXT_DIFFERS and ALL_DIFFERS, with the reason; ids, times and addresses are made equal by name before comparing.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

from engine import Engine

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "sim"))
from harness import SKIP, Stack  # noqa: E402

# One shell command a line; $N is "--network none", which the Engine here needs.
SCRIPT = r"""
docker run $N --rm busybox echo hello
docker run $N --rm busybox sh -c 'echo out; echo err >&2; exit 42'
docker run $N --rm busybox sh -c 'exit 0'
docker run $N --rm busybox sh -c 'sleep 100 & kill -9 $!; wait $!'
docker run $N --rm busybox no-such-command
docker run $N --rm busybox /etc/passwd
docker run $N --rm busybox /no/such/file
docker run $N --rm -e A=1 -e B='two words' busybox sh -c 'echo $A; echo $B'
docker run $N --rm -w /var/new/dir busybox pwd
docker run $N --rm -u app busybox id
docker run $N --rm -u 1234:4321 busybox id
docker run $N --rm -u nobody-here busybox id
docker run $N --rm --entrypoint echo busybox from the entrypoint
printf 'a\nb\nc\n' | docker run $N --rm -i busybox wc -l
printf 'text' | docker run $N --rm busybox cat
docker run $N --rm -t busybox sh -c 'test -t 0 && test -t 1 && echo a terminal'
docker run $N --rm --name h-1 --hostname myhost busybox sh -c 'echo $HOSTNAME'
docker run $N -d --name w-1 busybox sh -c 'trap "echo got TERM; exit 7" TERM; echo ready; while :; do sleep 0.1; done' >/dev/null
docker run $N --name w-1 busybox true
docker exec w-1 echo from exec
docker exec w-1 sh -c 'echo e1; echo e2 >&2; exit 9'
docker exec -e X=y -w /tmp w-1 sh -c 'echo $X; pwd'
docker exec -u app w-1 id -un
printf 'in' | docker exec -i w-1 cat
docker exec w-1 no-such-command
docker exec -d w-1 touch /tmp/detached
docker exec w-1 sh -c 'until [ -e /tmp/detached ]; do sleep 0.1; done; echo there'
echo content > $T/f && docker cp $T/f w-1:/tmp/copied
docker exec w-1 cat /tmp/copied
docker cp w-1:/tmp/copied $T/back && cat $T/back
mkdir -p $T/d/sub && echo 1 > $T/d/one && echo 2 > $T/d/sub/two && docker cp $T/d w-1:/tmp/dir
docker exec w-1 sh -c 'cd /tmp/dir && find . | sort && cat one sub/two'
docker cp w-1:/tmp/dir - | tar t | sort
docker cp w-1:/no/such/file $T/x
docker cp $T/f w-1:/no/such/dir/
docker logs w-1
docker logs --tail 0 w-1
docker inspect -f '{{.State.Status}} {{.State.Running}} {{.State.ExitCode}} {{.Config.Image}} {{json .Config.Cmd}}' w-1
docker inspect -f '{{.Name}} {{.HostConfig.NetworkMode}} {{.HostConfig.RestartPolicy.Name}} {{.Config.Tty}}' w-1
docker ps --filter name=w-1 --format '{{.Names}} {{.Image}} {{.State}}'
docker rm w-1
docker pause w-1
docker exec w-1 true
docker unpause w-1
docker pause w-1; docker kill -s TERM w-1; docker wait w-1
docker start w-1
docker stop w-1
docker stop w-1
docker wait w-1
docker logs w-1
docker exec w-1 true
docker inspect -f '{{.State.Status}} {{.State.ExitCode}}' w-1
docker start w-1 && docker restart -t 0 w-1
docker inspect -f '{{.State.Running}}' w-1
docker kill -s USR1 w-1; docker inspect -f '{{.State.Running}}' w-1
docker kill w-1; docker wait w-1
docker rename w-1 w-2
docker inspect -f '{{.Name}}' w-2
docker rename w-2 'bad name'
docker rm w-2
docker run $N -d --name k-1 busybox sleep 1000 >/dev/null; docker kill k-1; docker wait k-1
docker run $N -d --name s-1 busybox sleep 1000 >/dev/null; docker stop -t 1 s-1; docker inspect -f '{{.State.ExitCode}}' s-1
docker rm k-1 s-1
docker create $N --name c-1 busybox sh -c 'cat /tmp/before; exit 3' >/dev/null; echo early > $T/e; docker cp $T/e c-1:/tmp/before; docker start -a c-1
docker start -a c-1
docker rm -f c-1
docker run $N --name l-1 busybox sh -c 'for i in 1 2 3 4 5; do echo line $i; done' >/dev/null; docker logs --tail 2 l-1; docker logs -f l-1
docker logs --since 2000000000 l-1; docker rm l-1
docker run $N --name l-2 -l app=web -l b=2 -e 'E=a b' --log-opt labels=app,none --log-opt env-regex='^E$' --log-opt tag=t busybox echo told >/dev/null; docker logs --details l-2; docker rm l-2
docker run $N -d --name f-1 busybox sh -c 'for i in 1 2 3; do echo $i; sleep 0.2; done; exit 5' >/dev/null; docker logs -f f-1; docker wait f-1; docker rm f-1
docker run $N -d --name a-1 busybox sh -c 'sleep 1; echo attached output; exit 6' >/dev/null; docker attach a-1; docker rm a-1
docker run $N -d -i --name i-1 busybox sh >/dev/null; (echo 'echo typed; exit 8'; sleep 1) | docker attach i-1; docker wait i-1; docker rm -f i-1
docker run $N --rm no-such-host.invalid/image:1 true
docker run $N --rm 'Bad:Image:Name' true
docker volume create vol-1; docker volume inspect -f '{{.Name}} {{.Driver}} {{.Scope}}' vol-1; docker volume rm vol-1; docker volume rm vol-1
docker network create net-1 >/dev/null; docker network inspect -f '{{.Name}} {{.Driver}} {{.Scope}}' net-1; docker network create net-1; docker network rm net-1
docker network rm host
docker tag busybox other:1; docker image inspect -f '{{.Os}}/{{.Architecture}} {{json .Config.Cmd}}' other:1; docker rmi other:1 | head -1
docker inspect no-such-thing
docker ps -aq
"""

# Command -> why it is compared without its text, or without its exit code too.
TEXT_DIFFERS = {
    "docker run $N --rm no-such-host.invalid/image:1 true":
        "an Engine without a network words its resolver's failure; ours is libcurl's",
    "docker rm w-1": "Engine 20.10 words this refusal differently from 25.0, whose words are ours",
}
ALL_DIFFERS = {
    "docker exec w-1 no-such-command": "Engine 20.10 says 126, newer ones and we say 127; the text is the same",
}


def normalise(text):
    text = re.sub(r"\b[0-9a-f]{64}\b", "<id>", text)
    text = re.sub(r"\b[0-9a-f]{12}\b", "<short>", text)
    text = re.sub(r'(?m)^time="[^"]*" level=error.*$\n?', "", text)  # the CLI's own race with a refused upload
    text = re.sub(r"(?m)^See 'docker .*$\n?|^Run 'docker .*$\n?|^\s*$\n?", "", text)
    return text.strip()


def play(env):
    """[(command, exit code, stdout, stderr)]"""
    results = []
    with tempfile.TemporaryDirectory(dir="/tmp") as t:
        env = dict(env, N="--network none", T=t)
        for command in SCRIPT.strip().split("\n"):
            r = subprocess.run(["sh", "-c", command], env=env, capture_output=True, timeout=120, stdin=subprocess.DEVNULL)
            results.append((command, r.returncode, *(normalise(x.decode(errors="replace").replace(t, "$T"))
                                                     for x in (r.stdout, r.stderr))))
    return results


def compare(ours, engine):
    wrong = 0
    for (command, *a), (_, *b) in zip(ours, engine):
        if command in TEXT_DIFFERS:
            a, b = a[:1], b[:1]
        if command in ALL_DIFFERS:
            a, b = a[1:], b[1:]
        if a == b:
            continue
        wrong += 1
        print(f"DIFFERS: {command}\n  ours:   {a}\n  engine: {b}")
    print(f"{len(ours)} commands, {len(ours) - wrong} the same, {wrong} differ")
    return wrong


def main():
    missing = [p for p in ("dockerd", "containerd", "runc", "skopeo", "umoci", "docker-registry") if not shutil.which(p)]
    if os.geteuid() != 0 or missing:
        print("skipped: needs root and", ", ".join(missing))
        sys.exit(SKIP)
    with Stack() as s:
        with Engine() as e:
            name = f"{s.registry}/library/busybox:latest"
            subprocess.run(["docker", "pull", "-q", name], env=e.environ, check=True, capture_output=True)
            subprocess.run(["docker", "tag", name, "busybox:latest"], env=e.environ, check=True)
            engine = play(e.environ)
        s.docker("pull", "-q", "busybox", check=0)
        ours = play(s.env())
        sys.exit(compare(ours, engine) > 0)


if __name__ == "__main__":
    main()
