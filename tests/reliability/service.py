"""The service under test: a real process, started and killed many times on the same port and files."""

import os
import pathlib
import signal
import subprocess
import time

from wire import Broken, Connection, own_address

PATIENCE = 10  # seconds in which it has to get ready


class Died(Exception):
    """The process ended by itself, or did not get ready; says what its log says."""


class Service:
    """The binary with a configuration of its own in `folder`; the queue's database may be elsewhere."""

    def __init__(self, binary, folder, upstream, queue=None, database=None, environment=None):
        self.binary, self.folder = binary, pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.database = pathlib.Path(database or self.folder / "state" / "queue.db")
        self.database.parent.mkdir(parents=True, exist_ok=True)
        self.environment = environment or {}
        self.log = self.folder / "service.log"
        self.address = own_address()
        self.process = None
        self.config = self.folder / "edgehold.toml"
        self.config.write_text(self.configuration(upstream.url, queue or {}))

    def configuration(self, url, queue):
        more = "".join(f"{key} = {value!r}\n" for key, value in queue.items())
        host, port = self.address
        # A job's attempts are what is counted: within one, nothing is tried twice.
        return f"""
[server]
listen = ["{host}:{port}"]
grace = "1s"
[routing]
retries = 0
[providers.fake]
kind = "openai"
base_url = "{url}"
locality = "local"
[models.default]
targets = ["fake/fake"]
[queue]
path = "{self.database}"
{more}"""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def spawn(self, wrap=()):
        """Starts it, and does not wait. `wrap` is a command that runs it and becomes its tracer or parent."""
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [*wrap, self.binary, "serve", "--config", self.config],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | self.environment,
                start_new_session=True,
            )

    def start(self, wrap=()):
        """Starts it and waits until it is ready. Returns the seconds that took."""
        began = time.monotonic()
        self.spawn(wrap)
        self.wait_until_ready()
        return time.monotonic() - began

    def wait_until_ready(self, patience=PATIENCE):
        end = time.monotonic() + patience
        while time.monotonic() < end:
            if not self.alive:
                raise Died(f"it ended with {self.process.returncode}: {self.last_words()}")
            if self.answers():
                return
            time.sleep(0.002)
        raise Died(f"not ready within {patience} s: {self.last_words()}")

    def answers(self):
        try:
            with Connection(self.address, 5) as connection:
                return connection.ask("GET", "/readyz").status == 200
        except Broken:
            return False

    @property
    def alive(self):
        return self.process is not None and self.process.poll() is None

    def ends_within(self, patience):
        """Whether it ends by itself."""
        try:
            self.process.wait(patience)
            return True
        except subprocess.TimeoutExpired:
            return False

    def kill(self):
        self.end(signal.SIGKILL)

    def stop(self):
        """Stops it as an init system does: asks, and kills what does not go."""
        self.end(signal.SIGTERM)

    def end(self, how):
        if self.process is None:
            return
        if self.alive:
            self.process.send_signal(how)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def last_words(self, lines=6):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def memory(self):
        """Resident bytes: now, and the most there ever were."""
        fields = dict(line.split(":", 1) for line in self.proc("status").splitlines() if ":" in line)
        return tuple(int(fields[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM"))

    def bytes_written(self):
        """Bytes that it has caused to be written to a block device."""
        return int(self.proc("io").split("\nwrite_bytes: ")[1].split()[0])

    def proc(self, name):
        return pathlib.Path(f"/proc/{self.process.pid}/{name}").read_text()
