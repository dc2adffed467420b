"""A client of the job API that takes notes for the oracle."""

import json
import time

from wire import Broken, Connection

ROOM = (429, 503)  # "not now": nothing was accepted, and nothing is wrong


class Closed(Broken):
    """The list was answered "not now"."""


class Client:
    """What one device does, over one connection at a time. Not to be shared between threads."""

    def __init__(self, address, oracle, upstream=None, clock=time.monotonic):
        self.connection = Connection(address)
        self.oracle, self.upstream, self.clock = oracle, upstream, clock

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def create(self, job):
        """Hands a job in, for the first time or again. Returns the answer."""
        known = job.accepted is not None
        job.issued = job.issued if job.issued is not None else self.clock()
        answer = self.connection.ask(*self.request(job))
        if answer.good:
            self.learn(job, answer)
            if known and not answer.replayed:
                self.oracle.count("duplicates")
                self.oracle.blame(f"{job.id} was made a second time")
        elif answer.status in ROOM:
            self.oracle.count("refused")
        else:
            self.oracle.blame(f"create of {job.name}: {answer.status} {answer.body!r}")
        return answer

    def request(self, job):
        """Method, path, body and headers of its create."""
        match job.manner:
            case "put":
                return "PUT", f"/v1/jobs/{job.name}", job.body()
            case "post":
                return "POST", "/v1/jobs", job.body(), {"Idempotency-Key": job.name}
            case "prefer":
                headers = {"Idempotency-Key": job.name, "Prefer": "respond-async"}
                return "POST", "/v1/chat/completions", json.dumps(job.chat()).encode(), headers

    def learn(self, job, answer):
        """The job is accepted from here on, even if the rest of the answer never came: its head says where it is."""
        id = answer.headers["Location"].rsplit("/", 1)[1]
        if job.id not in (None, id):
            self.oracle.count("duplicates")
            self.oracle.blame(f"{job.id} is also {id}")
        job.id = id
        self.oracle.accept(job, self.clock())

    def create_other(self, job):
        """Another body under the name of a job that is there: it must be refused."""
        method, path, body, *headers = self.request(job)
        answer = self.connection.ask(method, path, body.replace(b"job ", b"jab ", 1), *headers)
        self.oracle.count("other bodies")
        if answer.status != 422:
            self.oracle.blame(f"another body for {job.id}: {answer.status}, not 422")

    def look(self, job):
        """The job object; None where there is no such job."""
        answer = self.connection.ask("GET", f"/v1/jobs/{job.id}")
        if answer.status == 404:
            return None
        if answer.status != 200:
            self.oracle.blame(f"GET of {job.id}: {answer.status} {answer.body!r}")
            return None
        return answer.json() if answer.body is not None else {}

    def read_result(self, job, wait=None):
        """Reads the result, if there is one, and compares it with what is known. Returns the status."""
        query = f"?wait={wait}" if wait else ""
        answer = self.connection.ask("GET", f"/v1/jobs/{job.id}/result{query}")
        if answer.status == 200 and answer.body is not None:
            self.oracle.check_result(job, answer.body, self.upstream, self.clock())
        elif answer.status == 404 and job.owed:
            self.oracle.count("lost")
            self.oracle.blame(f"{job.id} was accepted, and its result is 404")
        return answer.status

    def delete(self, job):
        """Acknowledges a finished job, which ends it for good, or cancels one that is not. Returns the status."""
        # From here on it may be gone, whatever the answer is; only one that says "cancelled" brings it back.
        was_owed = job.owed
        job.deleting = job.deleting if job.deleting is not None else self.clock()
        answer = self.connection.ask("DELETE", f"/v1/jobs/{job.id}")
        if answer.status == 404 and was_owed:
            self.oracle.count("lost")
            self.oracle.blame(f"{job.id} was accepted, and its DELETE is 404")
        if answer.status in (204, 404):
            job.deleted = True
            self.oracle.count("deleted")
        elif answer.status == 200:
            job.cancelled, job.deleting = True, None
            self.oracle.count("cancelled")
        elif answer.status != 503:
            self.oracle.blame(f"DELETE of {job.id}: {answer.status} {answer.body!r}")
        return answer.status

    def list(self, page=100, state=None):
        """All jobs, by id, in the order in which the service lists them."""
        shown, after = {}, ""
        while after is not None:
            wanted = f"&state={state}" if state else ""
            answer = self.connection.ask("GET", f"/v1/jobs?limit={page}{wanted}" + (f"&after={after}" if after else ""))
            if answer.status == 503:
                raise Closed(f"the list: {answer.body!r}")
            if answer.status != 200 or answer.body is None:
                raise Broken(f"the list: {answer.status} {answer.body!r}")
            found = answer.json()
            shown |= {job["id"]: job for job in found["jobs"]}
            after = found["next"]
        return shown

    def chat(self, text="hello"):
        """A chat that nobody queues. Returns the answer."""
        body = {"model": "default", "messages": [{"role": "user", "content": text}]}
        return self.connection.ask("POST", "/v1/chat/completions", json.dumps(body).encode())

    def fill(self, size, patience=500):
        """Hands jobs in until one is refused. Returns the jobs that were accepted, and the refusal."""
        jobs = []
        while len(jobs) < patience:
            job = self.oracle.mint(size)
            answer = self.create(job)
            if not answer.good:
                return jobs, answer
            jobs.append(job)
        return jobs, None

    def finish(self, jobs):
        """Waits for the result of each job, reads it, and acknowledges it."""
        for job in jobs:
            if self.await_result(job):
                self.delete(job)

    def await_result(self, job, patience=60):
        """Waits for a result and reads it. Returns whether there was one in time."""
        end = time.monotonic() + patience
        status = 202
        while status == 202 and time.monotonic() < end:
            status = self.read_result(job, wait=20)
        if status != 200:
            self.oracle.blame(f"{job.id} has no result but {status} within {patience} s")
        return status == 200

    def wait_for_room(self, size, patience=90):
        """Tries until a job is accepted. Returns the job and the seconds that took; None where it never was."""
        began = time.monotonic()
        job = self.oracle.mint(size)
        while not self.create(job).good:
            if time.monotonic() - began > patience:
                self.oracle.blame(f"no job is taken again within {patience} s: {self.status()}")
                return None, patience
            time.sleep(0.01)
        return job, time.monotonic() - began

    def status(self):
        """What /status says of the queue."""
        return self.connection.ask("GET", "/status").json()["queue"]

    def wait_for(self, what, done, patience=60):
        """Waits until `done` of the list; blames the service when it never comes to that. Returns the list."""
        end = time.monotonic() + patience
        shown = {}
        while True:
            try:
                shown = self.list()
                if done(shown):
                    return shown
            except Closed as closed:
                what = f"{what} ({closed})" if time.monotonic() > end else what
            if time.monotonic() > end:
                self.oracle.blame(f"{what} did not come within {patience} s")
                return shown
            time.sleep(0.05)

    def settled(self, patience=20):
        """The list once nothing is queued or running, or else as it is then."""
        end = time.monotonic() + patience
        return self.wait_for("a list", lambda shown: not unfinished(shown) or time.monotonic() > end, patience + 20)

    def drain(self, patience=60):
        """Waits until nothing is queued or running."""
        return self.wait_for("the end of all jobs", lambda shown: not unfinished(shown), patience)


def unfinished(shown):
    return [id for id, job in shown.items() if job["state"] in ("queued", "running")]
