"""Attach over a WebSocket: the bytes of the command, in binary messages, never framed."""
import base64
import os
import socket
import struct
import unittest

from harness import Stack, main


class WebSocket:
    def __init__(self, s, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(s.socket)
        self.sock.sendall((f"GET {path} HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                           "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
                           + base64.b64encode(os.urandom(16)).decode() + "\r\n\r\n").encode())
        self.file = self.sock.makefile("rb")
        self.status = int(self.file.readline().split()[1])
        while self.file.readline() not in (b"\r\n", b""):
            pass

    def send(self, data, opcode=2):
        mask = os.urandom(4)
        n = len(data)
        head = bytes([0x80 | opcode])
        head += bytes([0x80 | n]) if n < 126 else bytes([0x80 | 126]) + struct.pack(">H", n) if n < 65536 else \
            bytes([0x80 | 127]) + struct.pack(">Q", n)
        key = int.from_bytes((mask * (n // 4 + 1))[:n], "big")
        self.sock.sendall(head + mask + (int.from_bytes(data, "big") ^ key).to_bytes(n, "big"))

    def message(self):
        """(opcode, payload); the opcode is None when the connection ended."""
        head = self.file.read(2)
        if len(head) < 2:
            return None, b""
        n = head[1] & 0x7f
        if n == 126:
            n = struct.unpack(">H", self.file.read(2))[0]
        elif n == 127:
            n = struct.unpack(">Q", self.file.read(8))[0]
        return head[0] & 0x0f, self.file.read(n)

    def read_all(self):
        """Everything until the close frame, and the opcodes that brought it."""
        data, opcodes = b"", set()
        while True:
            opcode, payload = self.message()
            if opcode in (8, None):
                return data, opcodes
            opcodes.add(opcode)
            data += payload

    def close(self):
        self.file.close()
        self.sock.close()


class AttachWs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.s = Stack().__enter__()
        cls.s.docker("pull", "busybox", check=0)

    @classmethod
    def tearDownClass(cls):
        cls.s.__exit__(None, None, None)

    def create(self, name, command, **config):
        status, answer = self.s.api("POST", f"/containers/create?name={name}",
                                    {"Image": "busybox", "Cmd": ["sh", "-c", command], **config})
        self.assertEqual(status, 201, answer)

    def test_output_comes_unframed_and_ends_with_a_close(self):
        self.create("out", "echo one; echo two >&2; exit 3")
        ws = WebSocket(self.s, "/v1.44/containers/out/attach/ws?stream=1&stdout=1&stderr=1")
        self.assertEqual(ws.status, 101)
        self.s.api("POST", "/containers/out/start")
        data, opcodes = ws.read_all()
        ws.close()
        self.assertEqual(sorted(data.splitlines()), [b"one", b"two"])
        self.assertEqual(opcodes, {2})

    def test_streams_are_chosen(self):
        self.create("chosen", "echo one; echo two >&2")
        ws = WebSocket(self.s, "/v1.44/containers/chosen/attach/ws?stream=1&stderr=1")
        self.s.api("POST", "/containers/chosen/start")
        self.assertEqual(ws.read_all()[0], b"two\n")
        ws.close()

    def test_older_versions_attach_all_streams(self):
        self.create("older", "read x; echo got $x", OpenStdin=True)
        ws = WebSocket(self.s, "/v1.30/containers/older/attach/ws?stream=1")
        self.s.api("POST", "/containers/older/start")
        ws.send(b"that\n", opcode=1)
        self.assertEqual(ws.read_all()[0], b"got that\n")
        ws.close()

    def test_a_megabyte_goes_in_and_out_and_closing_ends_stdin(self):
        self.create("sum", "wc -c", OpenStdin=True, StdinOnce=True)
        ws = WebSocket(self.s, "/v1.44/containers/sum/attach/ws?stream=1&stdin=1&stdout=1")
        self.s.api("POST", "/containers/sum/start")
        for i in range(16):
            ws.send(bytes([i]) * 65536)
        ws.send(struct.pack(">H", 1000), opcode=8)
        ws.close()
        self.s.api("POST", "/containers/sum/wait")
        self.assertEqual(self.s.docker("logs", "sum").stdout.strip(), b"1048576")

    def test_logs_bring_what_was_written_before(self):
        self.create("logs", "echo before")
        self.s.api("POST", "/containers/logs/start")
        self.s.api("POST", "/containers/logs/wait")
        ws = WebSocket(self.s, "/v1.44/containers/logs/attach/ws?logs=1&stdout=1")
        self.assertEqual(ws.read_all()[0], b"before\n")
        ws.close()

    def test_detach_keys_end_the_attachment_and_not_the_command(self):
        self.create("tty", "cat", Tty=True, OpenStdin=True)
        self.s.api("POST", "/containers/tty/start")
        ws = WebSocket(self.s, "/v1.44/containers/tty/attach/ws?stream=1&stdin=1&stdout=1&detachKeys=ctrl-a")
        ws.send(b"x\x01")
        self.assertIn(ws.read_all()[0], (b"", b"x"))
        ws.close()
        self.assertTrue(self.s.api("GET", "/containers/tty/json")[1]["State"]["Running"])
        self.s.api("DELETE", "/containers/tty?force=1")

    def test_refusals_are_plain_answers(self):
        self.assertEqual(WebSocket(self.s, "/containers/nobody/attach/ws").status, 404)
        self.create("refusing", "true")
        self.assertEqual(WebSocket(self.s, "/containers/refusing/attach/ws?detachKeys=ctrl-5").status, 400)
        status, answer = self.s.api("GET", "/containers/refusing/attach/ws?stream=1")
        self.assertEqual(status, 400)
        self.assertIn("WebSocket", answer["message"])


if __name__ == "__main__":
    main()
