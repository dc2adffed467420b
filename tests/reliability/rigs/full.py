"""full: the disk is full, or the quota is. New jobs are refused, nothing accepted is dropped, and what makes room works."""

import concurrent.futures
import random

import stored
from client import Client, unfinished
from disk import MEBI, Disk
from oracle import Oracle
from service import Service
from upstream import Upstream

BODY = 16_000
SIZES = [500, 3_000, BODY, 60_000, 200_000]
LARGE = [100_000, 300_000]


def run(rig):
    with Upstream() as upstream:
        full_disk(rig, upstream)
        for size in LARGE:
            full_to_the_brim(rig, upstream, f"bodies of {size}", 1, [size])
        full_to_the_brim(rig, upstream, "8 clients and another program", 8, SIZES, make_way)
        full_quota(rig, upstream)
        control(rig, upstream)


def full_disk(rig, upstream):
    """A disk of 6 MiB, filled by jobs, and then by somebody else."""
    oracle = Oracle(1)
    with Disk(rig.folder / "small", 6 * MEBI) as disk:
        with Service(rig.binary, rig.folder / "disk", upstream, database=disk.path / "queue.db") as service:
            service.start()
            with Client(service.address, oracle, upstream) as client:
                filled_by_jobs(rig, client, upstream)
                filled_by_others(rig, client, upstream, disk.path / "hog")
            service.kill()
            service.start()
            with Client(service.address, oracle, upstream) as client:
                oracle.check_shown(client.list())
    rig.must(not oracle.counts["lost"], f"disk: {oracle.counts['lost']} lost")
    rig.blame(oracle, "disk: ")


def filled_by_jobs(rig, client, upstream):
    upstream.gate.clear()
    jobs, refusal = client.fill(BODY)
    rig.must(refusal and refusal.status == 429, f"full disk: {refusal and refusal.status}, not 429")
    rig.must(refusal and refusal.headers.get("Retry-After"), "full disk: a refusal without Retry-After")
    client.oracle.check_shown(client.list())
    cancelled = jobs[-3:]
    for job in cancelled:
        rig.must(client.delete(job) == 200, f"full disk: {job.id} cannot be cancelled")
        rig.must(client.delete(job) == 204, f"full disk: {job.id} cannot be deleted")
    upstream.gate.set()
    client.finish(jobs[:-3])
    job, seconds = client.wait_for_room(BODY)
    if job:
        client.finish([job])
    rig.figure(f"disk of 6 MiB full at {len(jobs)} jobs, all of them done, a new one taken {seconds:.2f} s later")


def filled_by_others(rig, client, upstream, hog):
    upstream.gate.clear()
    jobs = [client.oracle.mint(2000) for _ in range(30)]
    for job in jobs:
        client.create(job)
    fill_up(hog)
    _, refusal = client.fill(BODY)
    rig.must(refusal is not None, "a disk that others have filled: jobs are taken without end")
    rig.must(client.delete(jobs[-1]) == 200, "a disk that others have filled: a job cannot be cancelled")
    rig.must(client.delete(jobs[-1]) == 204, "a disk that others have filled: a job cannot be deleted")
    client.oracle.check_shown(client.list())
    hog.unlink()
    upstream.gate.set()
    client.drain()
    job, seconds = client.wait_for_room(BODY)
    client.finish([it for it in client.oracle.owed() if it is not job])
    rig.figure(f"filled by another program: a new one taken {seconds:.2f} s after that was gone")


def full_to_the_brim(rig, upstream, name, clients, sizes, then=lambda *_: None):
    """Filled by large bodies, or many at once: what is in the log then has to find its place later."""
    oracle = Oracle(4)
    folder = rig.folder / name.replace(" ", "-")
    with Disk(folder, 6 * MEBI) as disk:
        with Service(rig.binary, folder / "service", upstream, {"concurrency": 4}, disk.path / "queue.db") as service:
            service.start()
            upstream.gate.clear()
            with concurrent.futures.ThreadPoolExecutor(clients) as pool:
                choices = [random.Random(f"{rig.seed} {number}") for number in range(clients)]
                handing = [pool.submit(hand_in, service, oracle, upstream, choice, sizes) for choice in choices]
                jobs = sum((it.result() for it in handing), [])
            with Client(service.address, oracle, upstream) as client:
                then(rig, client, jobs, disk.path / "hog")
                upstream.gate.set()
                left = unfinished(client.drain())
                client.finish([] if left else oracle.owed())
    rig.figure(f"filled by {name}: {len(jobs)} jobs, all done or deleted")
    rig.blame(oracle, f"{name}: ")


def make_way(rig, client, jobs, hog):
    """Another program fills what is left; jobs can be taken back all the same."""
    fill_up(hog)
    for job in jobs[::4]:
        rig.must(client.delete(job) == 200, f"full to the brim: {job.id} cannot be cancelled")
        rig.must(client.delete(job) == 204, f"full to the brim: {job.id} cannot be deleted")
    client.oracle.check_shown(client.list())
    hog.unlink()


def hand_in(service, oracle, upstream, choice, sizes):
    """Jobs that are accepted before the third is refused."""
    jobs, refused = [], 0
    with Client(service.address, oracle, upstream) as client:
        while refused < 3:
            job = oracle.mint(choice.choice(sizes))
            if client.create(job).good:
                jobs.append(job)
            else:
                refused += 1
    return jobs


def fill_up(path):
    """Takes all the room that there is, to the last block."""
    with open(path, "wb", buffering=0) as file:
        for size in (65536, 1024):
            try:
                while file.write(bytes(size)):
                    pass
            except OSError:
                continue


def full_quota(rig, upstream):
    """Filled and drained, again and again."""
    rounds = rig.size(100, 1000)
    oracle = Oracle(2)
    slowest = 0.0
    done = 0
    with Service(rig.binary, rig.folder / "quota", upstream, {"quota": "1MiB", "concurrency": 8}) as service:
        service.start()
        with Client(service.address, oracle, upstream) as client:
            for _ in range(rounds):
                upstream.gate.clear()
                jobs, refusal = client.fill(BODY)
                rig.must(refusal and refusal.status == 429, f"full quota: {refusal and refusal.status}, not 429")
                upstream.gate.set()
                client.finish(jobs)
                job, seconds = client.wait_for_room(BODY)
                client.finish([job] if job else [])
                slowest = max(slowest, seconds)
                done += len(jobs)
                if oracle.wrong:
                    break
    rig.figure(f"{rounds} rounds of filling and draining a quota, {done} jobs, {oracle.counts['lost']} dropped")
    rig.figure(f"room again within {slowest:.2f} s")
    rig.blame(oracle, "quota: ")
    oracle.check_upstream(upstream)


def control(rig, upstream):
    """A job that somebody takes out of the file."""
    oracle = Oracle(3)
    with Service(rig.binary, rig.folder / "control", upstream) as service:
        upstream.gate.clear()
        service.start()
        with Client(service.address, oracle) as client:
            jobs = [oracle.mint(100) for _ in range(10)]
            for job in jobs:
                client.create(job)
        service.kill()
        stored.forget(service.database, jobs[4].id)
        service.start()
        with Client(service.address, oracle) as client:
            oracle.check_shown(client.list())
    upstream.gate.set()
    rig.control("a job taken out of the file", oracle.counts["lost"], "lost")
