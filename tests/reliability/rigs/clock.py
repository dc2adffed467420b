"""clock: the time of day jumps by ten years, between two starts and under way. No job expires, and none is stuck.

libfaketime moves the clock for the one process; where it cannot be loaded, there is nothing to run. The job's own time of
acceptance shows whether the clock did move.
"""

import datetime
import glob
import os
import time

from client import Client, unfinished
from oracle import Oracle
from service import Service
from upstream import Upstream

LIBRARY = "/usr/lib/*/faketime/libfaketimeMT.so.1"
YEAR = 365 * 86400
JUMPS = (0, 10, -10, 0, 10, -20)  # years


def run(rig):
    oracle = Oracle(rig.seed)
    clock = rig.folder / "clock"
    preload = {"LD_PRELOAD": glob.glob(LIBRARY)[0], "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1"}
    # The monotonic clock is what a jump never moves.
    preload |= {"DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    lives = []
    with Upstream() as upstream, Service(rig.binary, rig.folder / "run", upstream, environment=preload) as service:
        for restart in (True, False):
            # What went wrong once would be waited for again and again.
            for years in () if oracle.wrong else JUMPS:
                jump(clock, years)
                if restart or not service.alive:
                    service.stop()
                    service.start()
                    lives.append(service.process.pid)
                with Client(service.address, oracle, upstream) as client:
                    look(rig, client, oracle, upstream, years)
        with Client(service.address, oracle, upstream) as client:
            finish(client, oracle, upstream)
            control(rig, client, upstream)
    forget_shared_memory(lives)
    rig.figure(f"{2 * len(JUMPS)} jumps of up to 30 years, half of them under way")
    rig.figure(f"{oracle.counts['accepted']} accepted, {oracle.counts['lost']} lost, {oracle.counts['expired']} expired")
    rig.blame(oracle)


def forget_shared_memory(lives):
    """The library leaves some behind where a process does not end of its own accord."""
    for life in lives:
        for path in glob.glob(f"/dev/shm/*faketime_*_{life}"):
            os.unlink(path)


def jump(clock, years):
    clock.write_text(f"{years * YEAR:+d}")


def look(rig, client, oracle, upstream, years):
    """Some jobs end now and some wait on; nothing that was there before is gone."""
    upstream.gate.set()
    done = [oracle.mint(200) for _ in range(5)]
    for job in done:
        client.create(job)
        client.await_result(job)
    upstream.gate.clear()
    for _ in range(5):
        client.create(oracle.mint(200))
    shown = client.list()
    oracle.check_shown(shown)
    expired = [id for id, job in shown.items() if job["state"] == "expired"]
    oracle.count("expired", len(expired))
    rig.must(not expired, f"{expired} expired by a jump of {years} years")
    moved = accepted_at(shown[done[0].id]["accepted_at"]) - time.time()
    rig.must(abs(moved - years * YEAR) < 86400, f"the clock of the process moved by {moved / YEAR:.1f} years, not {years}")


def accepted_at(value):
    """A time of day in seconds, whether it was written as a number or for people."""
    return value if isinstance(value, (int, float)) else datetime.datetime.fromisoformat(value.replace("Z", "+00:00")).timestamp()


def finish(client, oracle, upstream):
    """All that waits is done in the end."""
    upstream.gate.set()
    for job in oracle.owed():
        client.await_result(job)


def control(rig, client, upstream):
    """A job whose time does pass: others are before it, and their answers do not come."""
    upstream.gate.clear()
    *others, late = [client.oracle.mint(100) for _ in range(5)]
    for job in others:
        client.create(job)
    answer = client.connection.ask("PUT", f"/v1/jobs/{late.id}", late.body().replace(b'{"path"', b'{"ttl": 1, "path"'))
    rig.must(answer.status == 202, f"a job with a second to live: {answer.status} {answer.body!r}")
    shown = client.wait_for("the expiry", lambda shown: late.id not in unfinished(shown), 30)
    rig.control("a job with one second to live", int(shown[late.id]["state"] == "expired"), "expired")
    upstream.gate.set()
