"""The host's end of the agent in the guest (guest/agent.c): commands go in, their output and status come back."""

import dataclasses
import itertools
import queue
import socket
import struct
import threading
import time

RUN, KILL, OUTPUT, END, HELLO = 1, 2, 3, 4, 5
HEAD = struct.Struct(">III")


class Gone(Exception):
    """The guest does not answer any more: it was cut off, it started anew, or it takes longer than is allowed."""


@dataclasses.dataclass
class Done:
    """What a command came to."""

    status: int
    data: bytes

    @property
    def text(self) -> str:
        return self.data.decode(errors="replace")

    def __iter__(self):
        return iter((self.status, self.text))


class Agent:
    """One thread reads what the guest says and hands it to those who wait for it."""

    def __init__(self, path: str):
        self.numbers = itertools.count(1)
        self.waiting: dict[int, queue.Queue] = {}
        self.lock = threading.Lock()
        self.there = threading.Event()
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        threading.Thread(target=self.listen, daemon=True).start()

    def run(self, line: str, data: bytes = b"", timeout: float = 120) -> Done:
        """Runs the line in the guest's shell, with `data` as what it reads, and waits for its end."""
        end = time.monotonic() + timeout
        if not self.there.wait(timeout):
            raise Gone("the guest's agent never spoke")
        number, answers = next(self.numbers), queue.Queue()
        self.waiting[number] = answers
        try:
            self.send(number, RUN, line.encode() + b"\0" + data)
            return self.collect(line, answers, end)
        except queue.Empty:
            self.send(number, KILL, b"")
            raise Gone(f"no end after {timeout:.0f} s: {line}") from None
        finally:
            self.waiting.pop(number, None)

    def collect(self, line: str, answers: queue.Queue, end: float) -> Done:
        output = b""
        while True:
            kind, data = answers.get(timeout=max(0.001, end - time.monotonic()))
            if kind == OUTPUT:
                output += data
            elif kind == END:
                return Done(int.from_bytes(data, "big"), output)
            else:
                raise Gone(f"the guest went away during: {line}")

    def send(self, number: int, kind: int, data: bytes):
        with self.lock:
            try:
                self.socket.sendall(HEAD.pack(len(data), number, kind) + data)
            except OSError as error:
                raise Gone(f"the guest's port is closed: {error}") from None

    def listen(self):
        try:
            while True:
                length, number, kind = HEAD.unpack(self.exactly(HEAD.size))
                data = self.exactly(length)
                if kind == HELLO:
                    self.there.set()
                    self.drop_all()
                elif number in self.waiting:
                    self.waiting[number].put((kind, data))
        except (OSError, EOFError):
            self.drop_all()

    def exactly(self, length: int) -> bytes:
        parts = bytearray()
        while len(parts) < length:
            part = self.socket.recv(min(65536, length - len(parts)))
            if not part:
                raise EOFError
            parts += part
        return bytes(parts)

    def drop_all(self):
        for answers in list(self.waiting.values()):
            answers.put((HELLO, b""))

    def close(self):
        self.socket.close()
