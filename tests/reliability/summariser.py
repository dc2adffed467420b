"""The service with an Ollama for its model, and documents for its jobs."""

import time

import stored
from service import Service
from wire import Connection

TEND = 5  # seconds after which the service does its chores


class Summariser(Service):
    def configuration(self, url, queue):
        host, port = self.address
        more = "".join(f"{key} = {value!r}\n" for key, value in queue.items())
        return f"""
[server]
listen = ["{host}:{port}"]
grace = "1s"
[routing]
retries = 0
[providers.fake]
kind = "ollama"
base_url = "{url}"
[models.default]
targets = ["fake/tiny"]
[queue]
path = "{self.database}"
{more}"""

    @property
    def documents(self):
        """Files in the folder for documents."""
        return list(self.database.with_name("documents").iterdir())

    def steps(self):
        """How many steps are kept in the database. The service must not run."""
        with stored.Database(self.database) as database:
            return database.rows("SELECT count(*) FROM step")[0][0]

    def left_over(self, patience=60):
        """Stops it, and says what is left of jobs that have all ended. Steps go some at a time, and also in a later life."""
        end = time.monotonic() + patience
        self.stop()
        while self.steps() and time.monotonic() < end:
            self.start()
            time.sleep(TEND + 1)
            self.stop()
        return [file.name for file in self.documents] + [f"{self.steps()} steps"] * (self.steps() > 0)

    def hand_in(self, key, text):
        """Hands a document in as a job, for the first time or again. Returns the answer."""
        headers = {"Content-Type": "text/plain", "Prefer": "respond-async", "Idempotency-Key": key}
        with Connection(self.address) as connection:
            return connection.ask("POST", "/v1/summaries?model=default", text.encode(), headers)

    def job(self, location):
        with Connection(self.address) as connection:
            return connection.ask("GET", location).json()

    def await_end(self, location, patience):
        """The job once it has ended, or as it is when nobody waits any longer."""
        end = time.monotonic() + patience
        while True:
            job = self.job(location)
            if job["state"] not in ("queued", "running") or time.monotonic() > end:
                return job
            time.sleep(0.02)
