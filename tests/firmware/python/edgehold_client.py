"""edgehold from Python with requests: a question in plain text, and durable jobs that survive a restart of this program.

    edgehold_client.py HOST PORT ask TEXT | later KEY TEXT | job ID TEXT | resume

Copy the class into your product. The answer goes to standard output piece by piece, all else to standard error. A token is
taken from $EDGEHOLD_TOKEN. What a job is about is kept in $EDGEHOLD_STATE until its result has been had.
"""

import json
import os
import sys
import time

import requests

ASK = "/v1/ask?model=default"
WAIT = 20  # seconds that one request waits for a job's result
TIMEOUT = (5, 30)  # seconds: to connect, and without a byte
TRIES = 5  # how often in a row something may fail that can come right
ROUNDS = 90  # how many waits a job gets in one call
LONGEST = 30  # seconds that are waited at most between two tries, whatever Retry-After says
PIECE = 512


class Failed(Exception):
    """Why there is no answer. `may_come` says that the same call, with the same id, may still bring it."""

    def __init__(self, why, may_come=False):
        super().__init__(why)
        self.may_come = may_come


class Edgehold:
    """A gateway, and what takes the pieces of its answers: bytes, as a character may be cut between two of them."""

    def __init__(self, host, port, token=None, answer=sys.stdout.buffer.write):
        self.base = f"http://{host}:{port}"
        self.headers = {"Connection": "close"} | ({"Authorization": f"Bearer {token}"} if token else {})
        self.answer = answer
        self.passed = 0  # bytes of this answer that have been passed on

    def ask(self, text):
        """Asks now, and waits as Retry-After says while the gateway is busy, a few times."""
        self.give(text, {})

    def ask_later(self, key, text):
        """The same, for whom the answer may come later. The same key and text are the same job, also after a restart."""
        self.give(text, {"Prefer": f"respond-async, wait={WAIT}", "Idempotency-Key": key})

    def job(self, name, text):
        """A job whose id is known before it is handed over, so that handing it over again is safe."""
        self.passed = 0
        place = f"/v1/jobs/{name}"
        body = json.dumps({"path": ASK, "body": text})
        status, headers = self.patiently("PUT", place, {"Content-Type": "application/json"}, body.encode())
        if headers.get("Location") != place:
            raise Failed(f"{status} for another job than {place}")
        self.collect(place)

    def give(self, text, more):
        self.passed = 0
        headers = {"Content-Type": "text/plain; charset=utf-8"} | more
        status, answered = self.patiently("POST", ASK, headers, text.encode(), self.passed_on, repeatable=bool(more))
        place = answered.get("Location", "")
        if status == 202 and not place.startswith("/v1/jobs/"):
            raise Failed("202 without a job's address")
        if status == 202:
            self.collect(place)
        elif place:
            self.let_go(place)

    def collect(self, place):
        """Waits for the job's result, passes it on, and lets the job go."""
        for _ in range(ROUNDS):
            status, _ = self.patiently("GET", f"{place}/result?wait={WAIT}", {}, None, self.passed_on)
            if status == 200:
                return self.let_go(place)
            time.sleep(1)
        raise Failed("no result yet", may_come=True)

    def let_go(self, place):
        """If this gets lost, the gateway lets the job go when its time is over."""
        try:
            self.exchange("DELETE", place, {}, None, None)
        except (requests.RequestException, Failed):
            pass

    def patiently(self, method, path, headers, body, sink=None, repeatable=True):
        """Tries until there is a 200 or 202; returns it with its headers."""
        why = ""
        for attempt in range(TRIES):
            wait = 1
            try:
                status, answered, text = self.exchange(method, path, headers, body, sink)
                if status in (200, 202):
                    return status, answered
                why = f"{status}: {text}"
                # A job may have ended with either.
                if status not in (429, 503) or answered.get("X-Edgehold-Job") == "failed":
                    raise Failed(why)
                wait = self.seconds(answered)
            except requests.exceptions.InvalidSchema as problem:
                raise Failed(f"no HTTP: {problem}") from problem
            except requests.RequestException as problem:
                why = str(problem)
                # An answer that was cut is another one the next time, unless it is a job's.
                if self.passed and not repeatable:
                    raise Failed(f"cut after {self.passed} bytes, which are to be thrown away") from problem
            if attempt + 1 < TRIES:
                time.sleep(wait)
        raise Failed(why, may_come=True)

    @staticmethod
    def seconds(headers):
        text = headers.get("Retry-After", "")
        return min(max(int(text), 1), LONGEST) if text.isdigit() else 1

    def exchange(self, method, path, headers, body, sink):
        """One request: status, headers and, where there is no sink for it, the text."""
        everything = self.headers | headers
        with requests.request(
            method, self.base + path, headers=everything, data=body, timeout=TIMEOUT, stream=True, allow_redirects=False
        ) as response:
            if "Content-Length" not in response.headers and response.status_code != 204:
                raise Failed("an answer without its length")
            if response.status_code == 200 and sink:
                sink(response)
                return 200, response.headers, ""
            return response.status_code, response.headers, response.text.strip()

    def passed_on(self, response):
        """Passes the body on, without what has been passed on already."""
        if int(response.headers["Content-Length"]) < self.passed:
            raise Failed("another answer than before")
        skip = self.passed
        for piece in response.iter_content(PIECE):
            fresh = piece[skip:]
            skip -= len(piece) - len(fresh)
            if fresh:
                self.answer(fresh)
                self.passed += len(fresh)


class Memory:
    """A small file that knows which job is under way."""

    def __init__(self, path):
        self.path = path

    def keep(self, name, text):
        """Complete on the disk, or not there at all."""
        with open(f"{self.path}.new", "w") as file:
            json.dump({"id": name, "text": text}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(f"{self.path}.new", self.path)

    def kept(self):
        with open(self.path) as file:
            found = json.load(file)
        return found["id"], found["text"]

    def forget(self):
        os.remove(self.path)


def run(gateway, memory, verb, words):
    if verb == "ask" and len(words) == 1:
        return gateway.ask(*words)
    if verb == "later" and len(words) == 2:
        return gateway.ask_later(*words)
    if verb == "job" and len(words) == 2:
        memory.keep(*words)
    elif verb != "resume" or words:
        sys.exit(__doc__)
    try:
        gateway.job(*memory.kept())
    except Failed as failed:
        if not failed.may_come:
            memory.forget()
        raise
    sys.stdout.flush()
    memory.forget()


def main(words):
    if len(words) < 3:
        sys.exit(__doc__)
    gateway = Edgehold(words[0], words[1], os.environ.get("EDGEHOLD_TOKEN"))
    try:
        run(gateway, Memory(os.environ.get("EDGEHOLD_STATE", "edgehold-job.json")), words[2], words[3:])
    except Failed as failed:
        print(f"failed: {failed}", file=sys.stderr)
        return 1
    print("ok", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
