"""The provider behind the service: it counts the calls for each job, and echoes what tells whether it got the right one."""

import collections
import http.server
import itertools
import json
import socket
import struct
import sys
import threading
import time

import prompts
from wire import LOCAL

RESET = "reset"  # a fault: the connection ends without an answer
PATIENCE = 120  # seconds for which a closed gate holds a call at most


class Upstream:
    """An OpenAI-compatible provider on a free port, for the length of a `with`."""

    def __init__(self):
        self.lock = threading.Lock()
        self.changed = threading.Condition(self.lock)
        self.calls = collections.Counter()  # by job
        self.first_calls = []  # jobs in the order in which they came first
        self.altered = []  # prompts that are not what any client sent
        self.answers = collections.defaultdict(set)  # by job: the texts it was answered
        self.serials = itertools.count(1)
        self.gate = threading.Event()
        self.gate.set()
        self.pause = lambda: 0  # seconds before an answer
        self.fault = lambda job: None  # a status, RESET, or None for an answer
        self.answer_bytes = 0

    def __enter__(self):
        self.server = Server((LOCAL, 0), Handler)
        self.server.upstream = self
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.gate.set()
        self.server.shutdown()
        self.server.server_close()

    @property
    def url(self):
        return f"http://{LOCAL}:{self.port}/v1"

    def take(self, prompt):
        """Counts a call. Returns the job it is for, and the text that answers it."""
        job, intact = prompts.read(prompt)
        with self.lock:
            if not intact:
                self.altered.append(prompt[:200])
            self.calls[job] += 1
            if self.calls[job] == 1:
                self.first_calls.append(job)
                self.changed.notify_all()
            return job, prompts.answer(prompt, next(self.serials), self.answer_bytes)

    def note_answer(self, job, text):
        with self.lock:
            self.answers[job].add(text)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        """A service that is killed in the middle of a call is the point of the exercise; all else is news."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        self.reply(200, {"object": "list", "data": [{"id": "fake", "object": "model", "owned_by": "rig"}]})

    def do_POST(self):
        upstream = self.server.upstream
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:
            raise ConnectionResetError("the service died in the middle of a call")
        request = json.loads(body)
        job, text = upstream.take(request["messages"][-1]["content"])
        upstream.gate.wait(PATIENCE)
        time.sleep(upstream.pause())
        fault = upstream.fault(job)
        if fault == RESET:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
        elif fault is not None:
            self.reply(fault, {"error": {"message": "told to fail", "type": "server_error"}})
        else:
            # Known before it is sent: the service may hand it on before this thread runs again.
            upstream.note_answer(job, text)
            self.reply(200, completion(text))

    def reply(self, status, value):
        body = json.dumps(value).encode()
        head = f"HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self.wfile.write(head.encode() + body)

    def log_message(self, *_):
        """The rigs' output is their figures."""


def completion(text):
    return {
        "id": "chatcmpl-rig",
        "object": "chat.completion",
        "created": 1,
        "model": "fake",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
