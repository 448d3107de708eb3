"""The backend's end of docs/agent-protocol.md by hand: a listener, WebSocket frames, records. Standard library only."""
import base64
import hashlib
import os
import socket
import struct

FRAMES = dict(HELLO=1, WELCOME=2, START=3, SHUTDOWN=4, EXEC=5, STARTED=6, STDIN=7, STDOUT=8, STDERR=9, END=10, EXIT=11, SIGNAL=12,
              RESIZE=13, ARCHIVE_GET=14, ARCHIVE_PUT=15, ARCHIVE_STAT=16, TOP=17, STATS=18, PROBE=19, TUNNEL_OPEN=20, CREDIT=23, PING=24, PONG=25,
              ERROR=26, RESULT=27, CLOSE=28)
NAMES = {v: k for k, v in FRAMES.items()}
TAGS = dict(VERSION=1, CONTAINER_ID=2, INSTANCE=3, SESSION=4, RECEIVED=5, STATE=6, OFFSET=7, OLDEST=8, RUN=9, CODE=10, SIGNAL_NO=11,
            PID=13, ARG=14, ENV=15, CWD=16, USER=17, TTY=18, STDIN_OPEN=19, ROWS=20, COLS=21, PATH=22, MESSAGE=23,
            WARM_SECONDS=34, EXIT_KNOWN=39, CONSUMED=49, PORT=50)
NUMBERS = {"VERSION", "RECEIVED", "STATE", "OFFSET", "OLDEST", "RUN", "CODE", "SIGNAL_NO", "PID", "TTY", "STDIN_OPEN", "ROWS", "COLS",
           "WARM_SECONDS", "EXIT_KNOWN", "CONSUMED", "PORT"}
TAG_NAMES = {v: k for k, v in TAGS.items()}


def records(*items):
    out = b""
    for name, value in items:
        data = struct.pack(">Q", value) if isinstance(value, int) else value if isinstance(value, bytes) else value.encode()
        out += struct.pack(">HI", TAGS[name], len(data)) + data
    return out


def parse(payload):
    found, at = {}, 0
    while at < len(payload):
        tag, n = struct.unpack_from(">HI", payload, at)
        data = payload[at + 6:at + 6 + n]
        at += 6 + n
        name = TAG_NAMES.get(tag, tag)
        found[name] = struct.unpack(">Q", data)[0] if name in NUMBERS else data.decode(errors="replace")
    return found


class Closed(Exception):
    pass


class Connection:
    """One WebSocket with an agent, after the upgrade. Numbered frames are counted and confirmed."""

    def __init__(self, sock, token):
        self.sock, self.data, self.received = sock, b"", 0
        sock.settimeout(30)
        head = self._until(b"\r\n\r\n").decode()
        self.head = {k.lower(): v for k, v in (line.split(": ", 1) for line in head.split("\r\n")[1:] if line)}
        if self.head.get("authorization") != f"Bearer {token}":
            sock.sendall(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
            raise Closed("wrong token")
        accept = base64.b64encode(hashlib.sha1((self.head["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode())
                                  .digest()).decode()
        sock.sendall(f"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n".encode())

    def _until(self, mark):
        while mark not in self.data:
            self._more()
        head, self.data = self.data.split(mark, 1)
        return head

    def _more(self):
        piece = self.sock.recv(65536)
        if not piece:
            raise Closed("the agent closed the connection")
        self.data += piece

    def _take(self, n):
        while len(self.data) < n:
            self._more()
        out, self.data = self.data[:n], self.data[n:]
        return out

    def message(self):
        first, second = self._take(2)
        n = second & 127
        if n == 126:
            n, = struct.unpack(">H", self._take(2))
        elif n == 127:
            n, = struct.unpack(">Q", self._take(8))
        key = self._take(4) if second & 128 else b"\0\0\0\0"
        data = bytes(b ^ key[i % 4] for i, b in enumerate(self._take(n)))
        if first & 15 == 8:
            raise Closed(struct.unpack(">H", data[:2])[0] if len(data) >= 2 else None)
        return data

    def send_raw(self, data):
        head = bytes([0x82, len(data)]) if len(data) < 126 else struct.pack(">BBH", 0x82, 126, len(data))
        self.sock.sendall(head + data)

    def send(self, kind, stream=0, payload=b""):
        self.send_raw(struct.pack(">BBHI", FRAMES[kind], 0, 0, stream) + payload)

    def frame(self):
        """The next frame that is not of the link: (kind, stream, payload)."""
        while True:
            data = self.message()
            kind, _, _, stream = struct.unpack_from(">BBHI", data)
            name, payload = NAMES.get(kind, kind), data[8:]
            if name == "PING":
                self.send("PONG")
            elif name not in ("PONG", "CREDIT"):
                if not (name == "HELLO" or (stream == 1 and name in ("STDOUT", "STDERR"))):
                    self.received += 1
                return name, stream, payload

    def until(self, *kinds):
        """Frames up to the first of these kinds; main output is confirmed as it comes."""
        out = []
        while True:
            kind, stream, payload = self.frame()
            out.append((kind, stream, payload))
            if kind in kinds:
                return out
            if kind in ("STDOUT", "STDERR") and stream == 1:
                end = struct.unpack_from(">Q", payload)[0] + len(payload) - 8
                self.send("CREDIT", 1, records(("CONSUMED", end), ("RECEIVED", self.received)))

    def close(self):
        self.sock.close()


class AgentEnd(Connection):
    """The agent's end of a connection to a real backend; Closed(status) when it is not let in."""

    def __init__(self, port, container, token, host="127.0.0.1"):
        self.sock, self.data, self.received = socket.create_connection((host, port), 30), b"", 0
        self.sock.sendall(f"GET /agent/v1 HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
                          f"Authorization: Bearer {token}\r\nX-Sockerless-Container: {container}\r\n\r\n".encode())
        status = int(self._until(b"\r\n\r\n").split()[1])
        if status != 101:
            self.sock.close()
            raise Closed(status)

    def send_raw(self, data):
        """Masked, as clients have to; the mask of zeros leaves the data as it is."""
        n = len(data)
        head = bytes([0x82, 0x80 | n]) if n < 126 else struct.pack(">BBH", 0x82, 0xFE, n) if n < 65536 else struct.pack(">BBQ", 0x82, 0xFF, n)
        self.sock.sendall(head + b"\0\0\0\0" + data)

    def hello(self, container, instance="i1", state=0, **more):
        self.send("HELLO", 0, records(("VERSION", 1), ("CONTAINER_ID", container), ("INSTANCE", instance), ("RECEIVED", 0),
                                      ("STATE", state), *more.items()))


class Backend:
    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(30)
        self.connections = []
        self.port = self.listener.getsockname()[1]
        self.token, self.container, self.session = "t" * 64, os.urandom(32).hex(), os.urandom(8).hex()

    def accept(self):
        sock = self.listener.accept()[0]
        self.connections.append(sock)
        return Connection(sock, self.token)

    def greet(self, offset=0, received=None, **extra):
        """A connection after HELLO and WELCOME; (connection, what HELLO said)."""
        c, hello = self.hear()
        self.welcome(c, offset, received, **extra)
        return c, hello

    def hear(self):
        """A connection that has said HELLO; (connection, what it said)."""
        c = self.accept()
        kind, _, payload = c.frame()
        assert kind == "HELLO", kind
        return c, parse(payload)

    def welcome(self, c, offset=0, received=None, **extra):
        c.send("WELCOME", 0, records(("VERSION", 1), ("SESSION", self.session), ("RECEIVED", received or 0), ("OFFSET", offset),
                                     *extra.items()))

    def close(self):
        self.listener.close()


def start(argv, run=1, **more):
    env = [("ENV", "PATH=/usr/sbin:/usr/bin:/sbin:/bin")] + [("ENV", e) for e in more.pop("env", [])]
    return records(("RUN", run), *(("ARG", a) for a in argv), *env, *more.items())


def output(frames, kind="STDOUT"):
    """The bytes of main output, checked to be without gap or repeat."""
    out, at = b"", None
    for name, stream, payload in frames:
        if stream == 1 and name in ("STDOUT", "STDERR"):
            offset, = struct.unpack_from(">Q", payload)
            assert at is None or offset == at, f"offset {offset} after {at}"
            at = offset + len(payload) - 8
            if name == kind:
                out += payload[8:]
    return out
