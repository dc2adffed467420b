"""A disk that stands still under the service: python3 tests/systemd/disk.py BINARY, as root.

The file system with the queue is frozen (fsfreeze(8)) while a job is handed in, so that the queue's thread waits for the
kernel. It is no hung thread: the watchdog must be fed, other requests must be served, and the job must be taken once the
disk moves on. Control: held by ptrace(2), the same thread is a hung one, which tests/it/systemd/watchdog.rs sees.
"""

import contextlib
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.request

SIGNS = 5
PATIENCE = 60
WATCHDOG_USEC = 2_000_000
JOB = {"path": "/v1/chat/completions", "body": {"model": "local/x", "messages": [{"role": "user", "content": "x"}]}}


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        with mounted(folder) as state, systemd(folder) as told, service(sys.argv[1], folder, state) as log:
            until(told, "READY=1")
            print(f"frozen disk: {frozen(address_of(log), state, told, log)} signs of life")


def frozen(address, state, told, log):
    """Freezes the disk under a job, and counts signs of life until there are enough."""
    job = threading.Thread(target=hand_in, args=(address, outcome := []))
    run("fsfreeze", "--freeze", state)
    try:
        job.start()
        while "waits for a slow disk" not in log.read_text():
            until(told, "WATCHDOG=1")
            if outcome:
                sys.exit(f"the job ended on a frozen disk: {outcome}")
        for _ in range(SIGNS):
            until(told, "WATCHDOG=1")
        asked = urllib.request.urlopen(f"{address}/healthz", timeout=PATIENCE)
        if asked.status != 200 or not job.is_alive():
            sys.exit(f"/healthz {asked.status}, the job ended on a frozen disk: {outcome}")
    finally:
        run("fsfreeze", "--unfreeze", state)
    job.join(PATIENCE)
    if outcome != [202]:
        sys.exit(f"the job came to {outcome}, not to 202")
    return SIGNS


def hand_in(address, outcome):
    request = urllib.request.Request(
        f"{address}/v1/jobs/one", json.dumps(JOB).encode(), {"Content-Type": "application/json"}, method="PUT"
    )
    try:
        outcome.append(urllib.request.urlopen(request, timeout=2 * PATIENCE).status)
    except OSError as error:
        outcome.append(str(error))


@contextlib.contextmanager
def mounted(folder):
    """A small ext4 of its own."""
    image, at = folder / "disk", folder / "state"
    at.mkdir()
    with open(image, "wb") as file:
        file.truncate(32 << 20)
    run("mkfs.ext4", "-q", image)
    run("mount", "-o", "loop", image, at)
    try:
        yield at
    finally:
        run("umount", at)


@contextlib.contextmanager
def systemd(folder):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(str(folder / "notify"))
        told.settimeout(PATIENCE)
        yield told


@contextlib.contextmanager
def service(binary, folder, state):
    config, log = folder / "edgehold.toml", folder / "log"
    config.write_text(f'[server]\nlisten = ["127.0.0.1:{free_port()}"]\n[providers.local]\nkind = "ollama"\n')
    environment = {
        "STATE_DIRECTORY": str(state),
        "NOTIFY_SOCKET": str(folder / "notify"),
        "WATCHDOG_USEC": str(WATCHDOG_USEC),
    }
    with open(log, "wb") as file:
        process = subprocess.Popen([binary, "serve", "--config", config], env=environment, stdout=file, stderr=file)
    try:
        yield log
    finally:
        process.terminate()
        process.wait(PATIENCE)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def address_of(log):
    return "http://" + re.search(r"listen=(\S+)", log.read_text()).group(1)


def until(told, word):
    """Datagrams until one has this line."""
    while True:
        if word in told.recv(4096).decode().splitlines():
            return


def run(*words):
    subprocess.run([os.fspath(word) for word in words], check=True, timeout=PATIENCE)


if __name__ == "__main__":
    main()
