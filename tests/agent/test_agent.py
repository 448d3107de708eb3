"""The agent alone, in a process namespace of its own: its end of the protocol, as process 1 of a workload."""
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

BUILD = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 and os.path.isdir(sys.argv[1]) else "build"
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from wire import Backend, Closed, output, parse, records, start  # noqa: E402

AGENT = f"{BUILD}/cmd/sockerless-agent"


class Agent(unittest.TestCase):
    def setUp(self):
        self.backend = Backend()
        self.processes = []
        self.dir = tempfile.mkdtemp(prefix="skl-agent-")
        os.chmod(self.dir, 0o777)

    def tearDown(self):
        for p in self.processes:
            if p.poll() is None:
                p.kill()
            p.communicate()
        self.backend.close()
        for connection in self.backend.connections:
            connection.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def run_agent(self, *prefix, options=(), **env):
        b = self.backend
        p = subprocess.Popen(["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", *prefix, AGENT, "--callback",
                              f"http://127.0.0.1:{b.port}/agent/v1", *options, "--", "true"],
                             env={"PATH": os.environ["PATH"], "SOCKERLESS_CONTAINER_ID": b.container,
                                  "SOCKERLESS_AGENT_TOKEN": b.token, "SOCKERLESS_WARM_SECONDS": "0", **env},
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.processes.append(p)
        return p

    def run_function(self, *options, **env):
        """An agent as a function's container has it; (process, request)."""
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        p = self.run_agent("env", "SOCKERLESS_AGENT_BIND=127.0.0.1", options=("--http-port", str(port), *options), **env)

        def request(method="GET", token=None, run=None):
            c = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            headers = {"X-Sockerless-Run": str(run)} if run else {}
            if token:
                headers["Authorization"] = "Bearer " + token
            c.request(method, "/api/function" if method == "POST" else "/", b"" if method == "POST" else None, headers)
            answer = c.getresponse()
            answer.text = answer.read()
            c.close()
            return answer

        for _ in range(500):
            try:
                self.assertTrue(request().headers["X-Sockerless-Agent"])
                return p, request
            except ConnectionRefusedError:
                time.sleep(0.02)
        raise AssertionError("the agent does not listen")

    def ran(self, c, argv, run=1, **more):
        """Starts a command; (frames up to its EXIT, what EXIT said)."""
        c.send("START", 1, start(argv, run, **more))
        frames = c.until("EXIT", "ERROR")
        return frames, parse(frames[-1][2])

    def test_a_command_runs_and_its_code_is_the_agents(self):
        p = self.run_agent()
        c, hello = self.backend.greet()
        self.assertEqual((hello["CONTAINER_ID"], hello["STATE"]), (self.backend.container, 0))
        frames, end = self.ran(c, ["sh", "-c", "echo out; echo err >&2; echo $A; env | grep -c SOCKERLESS; exit 42"], env=["A=b c"])
        self.assertEqual(output(frames), b"out\nb c\n0\n")
        self.assertEqual(output(frames, "STDERR"), b"err\n")
        self.assertEqual((end["CODE"], end["RUN"]), (42, 1))
        c.send("CREDIT", 1, records(("CONSUMED", end["OFFSET"]), ("RECEIVED", c.received)))
        with self.assertRaises(Closed) as closed:
            c.until("HELLO")
        self.assertEqual(closed.exception.args[0], 1000)
        self.assertEqual(p.wait(30), 42)

    def test_a_function_is_begun_by_the_authenticated_post_alone(self):
        p, request = self.run_function("--http-hold", "30", "--http-stay", SOCKERLESS_WARM_SECONDS="0")
        token = self.backend.token
        self.assertEqual(request("POST", "f" * 64, 1).status, 401)
        self.assertEqual(request("POST", token).status, 400)  # which run?
        self.assertIsNone(request().headers["X-Sockerless-State"])  # strangers learn nothing
        self.assertEqual(request(token=token).headers["X-Sockerless-State"], "waiting")
        self.assertEqual(self.backend.connections, [])
        answers = []
        posts = [threading.Thread(target=lambda: answers.append(request("POST", token, 1))) for _ in range(3)]
        for t in posts:
            t.start()
        c, _ = self.backend.greet()
        frames, end = self.ran(c, ["sh", "-c", "echo once; exit 7"])
        self.assertEqual(output(frames), b"once\n")
        c.send("CREDIT", 1, records(("CONSUMED", end["OFFSET"]), ("RECEIVED", c.received)))
        for t in posts:
            t.join(30)
        self.assertEqual([(a.status, json.loads(a.text)) for a in answers],
                         [(200, {"run": 1, "state": "ended", "exitCode": 7})] * 3)
        with self.assertRaises(Closed):
            c.until("HELLO")
        # The platform would start an ended process again: this one stays, and tells its code to who asks.
        ended = request(token=token)
        self.assertEqual((ended.headers["X-Sockerless-State"], ended.headers["X-Sockerless-Exit-Code"]), ("ended", "7"))
        self.assertEqual(request("POST", token, 2).status, 409)
        self.assertIsNone(p.poll())
        children = subprocess.check_output(["pgrep", "-P", str(p.pid)], text=True).split()
        os.kill(int(children[0]), signal.SIGTERM)
        self.assertEqual(p.wait(30), 7)

    def test_a_long_function_answers_early_or_keeps_the_request_open(self):
        _, request = self.run_function("--http-hold", "1")
        early = []
        t = threading.Thread(target=lambda: early.append(request("POST", self.backend.token, 3)))
        t.start()
        c, _ = self.backend.greet()
        c.send("START", 1, start(["sleep", "100"], 3))
        c.until("STARTED")
        t.join(30)
        self.assertEqual((early[0].status, json.loads(early[0].text)), (202, {"run": 3, "state": "running"}))
        c.close()

    def test_an_open_request_ends_with_the_workload(self):
        p, request = self.run_function(SOCKERLESS_WARM_SECONDS="0")
        held = []
        t = threading.Thread(target=lambda: held.append(request("POST", self.backend.token, 1).text))
        t.start()
        c, _ = self.backend.greet()
        _, end = self.ran(c, ["sh", "-c", "exit 5"])
        c.send("CREDIT", 1, records(("CONSUMED", end["OFFSET"]), ("RECEIVED", c.received)))
        t.join(30)
        self.assertEqual(json.loads(held[0]), {"run": 1, "state": "ended", "exitCode": 5})
        self.assertEqual(p.wait(30), 5)

    def test_what_cannot_run_says_why(self):
        self.run_agent(SOCKERLESS_WARM_SECONDS="60")
        c, _ = self.backend.greet()
        for argv, code in ((["no-such-command"], 127), (["/etc"], 126)):
            frames, end = self.ran(c, argv)
            self.assertEqual((frames[-1][0], end["CODE"]), ("ERROR", code), end)
            self.assertTrue(end["MESSAGE"])

    def test_a_warm_agent_starts_again_and_keeps_files(self):
        self.run_agent(SOCKERLESS_WARM_SECONDS="60")
        c, _ = self.backend.greet()
        path = os.path.join(self.dir, "runs")
        for run in range(1, 6):
            frames, end = self.ran(c, ["sh", "-c", f"echo x >> {path}; wc -l < {path}"], run, WARM_SECONDS=60)
            self.assertEqual((end["CODE"], end["RUN"]), (0, run))
            self.assertIn(f"{run}\n".encode(), output(frames))

    def test_stdin_signals_and_users(self):
        self.run_agent(SOCKERLESS_WARM_SECONDS="60")
        c, _ = self.backend.greet()
        c.send("START", 1, start(["sh", "-c", "cat; id -un"], USER="nobody", STDIN_OPEN=1, WARM_SECONDS=60))
        c.until("STARTED")
        c.send("STDIN", 1, b"typed\n")
        c.send("END", 1)
        frames = c.until("EXIT")
        self.assertEqual(output(frames), b"typed\nnobody\n")
        c.send("START", 1, start(["sh", "-c", "trap 'echo got it; exit 7' TERM; echo ready; while :; do sleep 0.05; done"], 2,
                                 WARM_SECONDS=60))
        frames = c.until("STDOUT")
        c.send("SIGNAL", 1, records(("SIGNAL_NO", 15)))
        frames += c.until("EXIT")
        self.assertIn(b"got it", output(frames))
        self.assertEqual(parse(frames[-1][2])["CODE"], 7)
        frames, end = self.ran(c, ["true"], 3, USER="nobody-like-that", WARM_SECONDS=60)
        self.assertIn("unable to find user", end["MESSAGE"])

    def test_a_terminal_has_the_size_it_was_given(self):
        self.run_agent(SOCKERLESS_WARM_SECONDS="60")
        c, _ = self.backend.greet()
        c.send("START", 1, start(["sh", "-c", "stty size; read x; stty size; tty"], TTY=1, STDIN_OPEN=1, ROWS=33, COLS=99, WARM_SECONDS=60))
        frames = c.until("STDOUT")
        c.send("RESIZE", 1, records(("ROWS", 44), ("COLS", 111)))
        c.send("STDIN", 1, b"\n")
        frames += c.until("EXIT")
        text = output(frames).decode()
        self.assertIn("33 99\r\n", text)
        self.assertIn("44 111\r\n", text)
        self.assertIn("/dev/", text)

    def test_tunnels_lead_to_published_ports_alone(self):
        self.run_agent()
        c, _ = self.backend.greet()
        with socket.create_server(("127.0.0.1", 0)) as published, socket.create_server(("127.0.0.1", 0)) as private:
            port = published.getsockname()[1]
            c.send("START", 1, start(["sleep", "100"], 1) + records(("PORT", 9), ("PORT", port)))
            c.until("STARTED")
            c.send("TUNNEL_OPEN", 2, records(("PORT", private.getsockname()[1])))
            self.assertEqual(parse(c.until("RESULT", "ERROR")[-1][2])["CODE"], 403)
            c.send("TUNNEL_OPEN", 3, records(("PORT", port)))
            self.assertEqual(c.until("RESULT", "ERROR")[-1][0], "RESULT")
            published.accept()[0].close()
            private.settimeout(0)
            with self.assertRaises(BlockingIOError):
                private.accept()

    def test_output_goes_on_where_a_lost_connection_left_it(self):
        self.run_agent()
        c, _ = self.backend.greet()
        c.send("START", 1, start(["sh", "-c", "seq 1 60000"]))
        frames, cuts, at, received, end = [], 0, 0, 0, None
        while end is None or at < end["OFFSET"]:  # EXIT may overtake output that is sent again
            kind, stream, payload = c.frame()
            received = c.received
            if kind == "EXIT":
                end = parse(payload)
            if kind != "STDOUT":
                continue
            frames.append((kind, stream, payload))
            at = int.from_bytes(payload[:8], "big") + len(payload) - 8
            if cuts == 3:
                c.send("CREDIT", 1, records(("CONSUMED", at), ("RECEIVED", received)))
            elif at > (cuts + 1) * 60_000:  # nothing was confirmed: all that is kept comes from here again
                cuts += 1
                c.close()
                c, hello = self.backend.greet(offset=at, received=received)
                c.received = received
                self.assertEqual(hello["SESSION"], self.backend.session)
                self.assertLessEqual(hello["OLDEST"], at)
        self.assertEqual(cuts, 3)
        self.assertEqual(output(frames), b"".join(b"%d\n" % i for i in range(1, 60001)))
        self.assertEqual(end["CODE"], 0)

    def test_an_exit_is_kept_until_it_is_delivered(self):
        p = self.run_agent()
        c, _ = self.backend.greet()
        go = os.path.join(self.dir, "go")
        c.send("START", 1, start(["sh", "-c", f"until [ -e {go} ]; do sleep 0.02; done; exit 9"]))
        c.until("STARTED")
        received = c.received
        c.close()
        open(go, "w").close()
        c, hello = self.backend.greet(received=received)
        c.received = received
        if hello["STATE"] == 2:
            self.assertEqual(hello["CODE"], 9)
        end = parse(c.until("EXIT")[-1][2])
        self.assertEqual(end["CODE"], 9)
        c.send("CREDIT", 1, records(("CONSUMED", end["OFFSET"]), ("RECEIVED", c.received)))
        self.assertEqual(p.wait(30), 9)

    def test_an_exit_between_hello_and_welcome_is_told_to_a_new_backend(self):
        p = self.run_agent()
        c, _ = self.backend.greet()
        go = os.path.join(self.dir, "go")
        c.send("START", 1, start(["sh", "-c", f"until [ -e {go} ]; do sleep 0.02; done; exit 9"]))
        c.until("STARTED")
        c.close()
        c, hello = self.backend.hear()
        self.assertEqual(hello["STATE"], 1)
        open(go, "w").close()
        pid = hello["PID"]
        init = subprocess.check_output(["pgrep", "-P", str(p.pid)], text=True).split()[0]
        while os.path.exists(f"/proc/{init}/root/proc/{pid}"):
            time.sleep(0.02)
        self.backend.session = "another"
        self.backend.welcome(c)
        end = parse(c.until("EXIT")[-1][2])
        self.assertEqual((end["RUN"], end["CODE"]), (1, 9))
        self.assertEqual(c.received, 1)  # the first of the new numbering
        c.send("CREDIT", 0, records(("RECEIVED", 1)))
        self.assertEqual(p.wait(30), 9)

    def test_an_exit_that_hello_told_is_not_taken_for_known(self):
        p = self.run_agent()
        c, _ = self.backend.greet()
        c.send("START", 1, start(["sh", "-c", "exit 9"]))
        c.until("EXIT")
        c.close()
        for session in ("another", "a third"):  # both may have died before they recorded what HELLO told
            c, hello = self.backend.hear()
            self.assertEqual((hello["STATE"], hello["CODE"]), (2, 9))
            self.backend.session = session
            self.backend.welcome(c)
            self.assertEqual(parse(c.until("EXIT")[-1][2])["CODE"], 9)
            if session == "another":
                c.close()
        c.send("CREDIT", 0, records(("RECEIVED", 1)))
        self.assertEqual(p.wait(30), 9)

    def test_nothing_in_a_pipe_is_lost_when_the_time_for_it_is_over(self):
        p = self.run_agent()
        c, _ = self.backend.greet()
        end, write, written = (os.path.join(self.dir, name) for name in ("end", "write", "written"))
        wait = "until [ -e %s ]; do sleep 0.02; done; "
        c.send("START", 1, start(["sh", "-c", f"({wait % write} echo late; touch {written}; sleep 1000) & {wait % end} exit 4"]))
        c.until("STARTED")

        def children(pid):
            with open(f"/proc/{pid}/task/{pid}/children") as f:
                return f.read().split()

        agent = int(children(p.pid)[0])
        command = children(agent)[0]
        open(end, "w").close()
        while command in children(agent):  # once it is reaped, what it left behind has two seconds for its output
            time.sleep(0.01)
        os.kill(agent, signal.SIGSTOP)
        try:
            open(write, "w").close()
            while not os.path.exists(written):
                time.sleep(0.01)
            time.sleep(2.1)
        finally:
            os.kill(agent, signal.SIGCONT)
        frames = c.until("EXIT")
        self.assertEqual(output(frames), b"late\n")
        self.assertEqual(parse(frames[-1][2])["CODE"], 4)

    def test_the_platforms_sigterm_reaches_the_command(self):
        p = self.run_agent(SOCKERLESS_WARM_SECONDS="60")
        c, hello = self.backend.greet()
        c.send("START", 1, start(["sh", "-c", "trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done"], WARM_SECONDS=60))
        c.until("STDOUT")
        with open(f"/proc/{p.pid}/task/{p.pid}/children") as f:
            os.kill(int(f.read().split()[0]), signal.SIGTERM)
        end = parse(c.until("EXIT")[-1][2])
        self.assertEqual(end["CODE"], 5)
        c.send("CREDIT", 1, records(("CONSUMED", end["OFFSET"]), ("RECEIVED", c.received)))
        self.assertEqual(p.wait(30), 5)

    def test_without_start_it_ends_with_125(self):
        p = self.run_agent(SOCKERLESS_START_TIMEOUT="1")
        c, _ = self.backend.greet()
        self.assertEqual(p.wait(30), 125)
        self.assertIn(b"did not start", p.communicate()[1])
        c.close()

    def test_orphans_are_reaped(self):
        self.run_agent(SOCKERLESS_WARM_SECONDS="60")
        c, _ = self.backend.greet()
        script = ("for i in 1 2 3 4 5; do (true & sleep 0.01 &) ; done; sleep 0.3; "
                  "for s in /proc/[0-9]*/stat; do read l < $s && echo \"$l\"; done | grep -c ') Z ' ; true")
        frames, end = self.ran(c, ["sh", "-c", script], WARM_SECONDS=60)
        self.assertEqual(output(frames), b"0\n")

    def test_a_backend_that_talks_nonsense_is_left_and_dialled_again(self):
        self.run_agent(SOCKERLESS_WARM_SECONDS="60")
        for nonsense in (b"", b"x", b"\xff" * 8, b"\x05\x00\x01\x00" + bytes(4)):
            c, _ = self.backend.greet()
            c.send_raw(nonsense)
            try:
                c.until("HELLO")
            except (Closed, ConnectionResetError):
                pass
            c.close()
        c, _ = self.backend.greet()
        self.assertEqual(self.ran(c, ["true"], WARM_SECONDS=60)[1]["CODE"], 0)


if __name__ == "__main__":
    if os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("setpriv"):
        print("skipped: needs root, for a process namespace of its own")
        sys.exit(77)
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])
