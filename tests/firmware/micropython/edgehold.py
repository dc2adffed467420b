# edgehold from MicroPython: a question in plain text, and durable jobs, through one bytearray of 512 bytes.
#
# Copy the class into your product; it needs `socket`, `json` and `time` only, and runs on CPython as it stands. From a
# command line, with a token in $EDGEHOLD_TOKEN; the answer goes to standard output, all else to standard error:
#
#     micropython edgehold.py HOST PORT ask TEXT | later KEY TEXT | job ID TEXT

import json
import socket
import sys
import time

ASK = "/v1/ask?model=default"
WAIT = 20  # seconds that one request waits for a job's result
TIMEOUT = 30  # seconds without a byte after which a connection is given up; more than WAIT
TRIES = 5  # how often in a row something may fail that can come right
ROUNDS = 90  # how many waits a job gets in one call
LONGEST = 30  # seconds that are waited at most between two tries, whatever Retry-After says
LINE = 256  # bytes of a header that are looked at


class Failed(Exception):
    """There is no answer, and the reason is its text. A job may still be done: call again with the same id."""


class Broken(Exception):
    """The connection ended early: the same request may be sent again."""


class Edgehold:
    def __init__(self, host, port, token=None, answer=None):
        self.host, self.port, self.token = host, port, token
        # Gets the pieces of an answer as they come: bytes, as a character may be cut between two of them.
        self.answer = answer or sys.stdout.buffer.write
        self.buffer = bytearray(512)
        self.passed = 0  # bytes of this answer that have been passed on

    def ask(self, text):
        """Asks now, and waits as Retry-After says while the gateway is busy, a few times."""
        self._give(text, "")

    def ask_later(self, key, text):
        """The same, for whom the answer may come later. The same key and text are the same job, after a reset too."""
        self._give(text, "Prefer: respond-async, wait=%d\r\nIdempotency-Key: %s\r\n" % (WAIT, key))

    def job(self, name, text):
        """A job whose id is known before it is handed over, so that handing it over again is safe."""
        self.passed = 0
        place = "/v1/jobs/" + name
        body = json.dumps({"path": ASK, "body": text}).encode()
        self._patiently("PUT " + place, "Content-Type: application/json\r\n", body)
        if self.place != place:
            raise Failed("an answer for another job")
        self._collect(place)

    def _give(self, text, more):
        self.passed = 0
        head = "Content-Type: text/plain; charset=utf-8\r\n" + more
        status = self._patiently("POST " + ASK, head, text.encode(), True, more != "")
        if status == 202:
            if not self.place.startswith("/v1/jobs/"):
                raise Failed("202 without a job's address")
            self._collect(self.place)
        elif self.place:
            self._let_go(self.place)

    def _collect(self, place):
        """Waits for the job's result, passes it on, and lets the job go."""
        for _ in range(ROUNDS):
            if self._patiently("GET %s/result?wait=%d" % (place, WAIT), "", b"", True) == 200:
                return self._let_go(place)
            time.sleep(1)
        raise Failed("no result yet")

    def _let_go(self, place):
        try:
            self._exchange("DELETE " + place, "", b"", False)
        except (OSError, Broken, Failed):
            pass  # the gateway lets the job go when its time is over

    def _patiently(self, start, more, body, wanted=False, repeatable=True):
        """Tries until there is a 200 or 202."""
        why = ""
        for attempt in range(TRIES):
            if attempt:
                time.sleep(wait)
            wait = 1
            try:
                status = self._exchange(start, more, body, wanted)
                if status in (200, 202):
                    return status
                why = "%d: %s" % (status, self.trouble)
                if status not in (429, 503) or self.is_final:
                    raise Failed(why)
                wait = min(max(self.retry_after, 1), LONGEST)
            except (OSError, Broken) as problem:
                why = "no connection, or a broken one: %s" % (problem,)
                # An answer that was cut is another one the next time, unless it is a job's.
                if self.passed and not repeatable:
                    raise Failed("cut after %d bytes, which are to be thrown away" % self.passed)
        raise Failed(why)

    def _exchange(self, start, more, body, wanted):
        address = socket.getaddrinfo(self.host, self.port, 0, socket.SOCK_STREAM)[0]
        connection = socket.socket(address[0], address[1], address[2])
        try:
            connection.settimeout(TIMEOUT)
            connection.connect(address[-1])
            # A socket of MicroPython is a stream itself.
            stream = connection if hasattr(connection, "readinto") else connection.makefile("rb")
            self._send(connection, start, more, body)
            status = self._read_head(stream)
            self._read_body(stream, status, wanted)
            return status
        finally:
            connection.close()

    def _send(self, connection, start, more, body):
        head = "%s HTTP/1.1\r\nHost: %s:%s\r\nConnection: close\r\n%s" % (start, self.host, self.port, more)
        if self.token:
            head += "Authorization: Bearer %s\r\n" % self.token
        if more:
            head += "Content-Length: %d\r\n" % len(body)
        connection.sendall((head + "\r\n").encode())
        connection.sendall(body)

    def _read_line(self, stream):
        """A line of the head without its end; of a long one the beginning."""
        line = stream.readline(LINE)
        last = line
        while last and last[-1:] != b"\n":
            last = stream.readline(LINE)
        if not last:
            raise Broken("in the head")
        return line.strip()

    def _read_head(self, stream):
        self.length, self.retry_after, self.place, self.is_final = -1, 0, "", False
        line = self._read_line(stream)
        if not line.startswith(b"HTTP/1.1 ") or not line[9:12].isdigit():
            raise Failed("what answers is no edgehold")
        status = int(line[9:12])
        while True:
            line = self._read_line(stream)
            if not line:
                break
            name, _, value = line.partition(b":")
            self._take_header(name.lower(), value.strip())
        if status == 204:
            self.length = 0
        if self.length < 0:
            raise Failed("an answer without its length")
        return status

    def _take_header(self, name, value):
        if name == b"content-length" and value.isdigit():
            self.length = int(value)
        elif name == b"retry-after" and value.isdigit():
            self.retry_after = int(value)
        elif name == b"x-edgehold-job":
            self.is_final = value == b"failed"  # it is what the job ended with
        elif name == b"location":
            self.place = value.decode()

    def _read_body(self, stream, status, wanted):
        """Passes an answer on, without what has been passed on already; of an error it keeps the beginning."""
        keep = wanted and status == 200
        if keep and self.length < self.passed:
            raise Failed("another answer than before")
        view = memoryview(self.buffer)
        skip = self.passed if keep else 0
        self.trouble, at = "", 0
        while at < self.length:
            count = stream.readinto(view[: min(self.length - at, len(view))])
            if not count:
                raise Broken("after %d of %d bytes" % (at, self.length))
            old = min(max(skip - at, 0), count)
            if keep and count > old:
                self.answer(view[old:count])
                self.passed += count - old
            elif status >= 300 and at == 0:
                self.trouble = bytes(view[:count]).decode("utf-8", "replace") if count < len(view) else "a long text"
            at += count


def main(words):
    import os

    gateway = Edgehold(words[0], int(words[1]), os.getenv("EDGEHOLD_TOKEN"))
    known = {"ask": gateway.ask, "later": gateway.ask_later, "job": gateway.job}
    try:
        known[words[2]](*words[3:])
    except Failed as failed:
        sys.stderr.write("failed: %s\n" % failed)
        return 1
    sys.stderr.write("ok\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
