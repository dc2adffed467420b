"""wear: how many bytes a job writes to the disk, from its create to the deletion of its result."""

from client import Client
from disk import MEBI, Disk
from oracle import Oracle
from service import Service
from upstream import Upstream

BODY = RESULT = 1024
MOST = 36_000  # bytes a job


def run(rig):
    jobs = rig.size(1000, 20_000)
    own, device = measure(rig, "run", jobs, BODY)
    rig.figure(f"{jobs} jobs of 1 KiB with results of 1 KiB: {own / jobs / 1000:.1f} KB a job written by the service")
    rig.figure(f"{device / jobs / 1000:.1f} KB a job that the disk was given, with the file system's journal")
    rig.must(own <= MOST * jobs, f"{own / jobs:.0f} bytes a job, more than {MOST}")
    large, _ = measure(rig, "control", 100, 32 * BODY)
    rig.control("bodies of 32 KiB", max(0, large // 100 - MOST), "bytes a job too many")


def measure(rig, name, jobs, size):
    """Bytes written by the service, and to the disk, for so many jobs."""
    oracle = Oracle(rig.seed)
    with Upstream() as upstream, Disk(rig.folder / name, 64 * MEBI) as disk:
        upstream.answer_bytes = RESULT - 200  # the rest is the answer's form
        with Service(rig.binary, rig.folder / f"{name}-service", upstream, database=disk.path / "queue.db") as service:
            service.start()
            before = service.bytes_written(), disk.bytes_written()
            with Client(service.address, oracle, upstream) as client:
                for _ in range(jobs):
                    job = oracle.mint(size)
                    client.create(job)
                    client.finish([job])
            after = service.bytes_written(), disk.bytes_written()
    rig.blame(oracle, f"{name}: ")
    return after[0] - before[0], after[1] - before[1]
