"""One measurement of one gateway each. What comes back is a dict of numbers; an error of any kind is a `Failed`."""

import json
import socket
import subprocess
import threading
import time
import urllib.request

from gateways import FAST, LOCAL, MORTAL_PORTS, PACED, SHORT, SLOW, UPSTREAM_PORT, Failed

CHUNKS = {PACED: 100, SHORT: 3, SLOW: 30, "plain": 32, FAST: 2560}


class Bench:
    """What all measurements need."""

    def __init__(self, tools, folder, quick):
        self.tools, self.folder, self.quick = tools, folder, quick

    def load(self, mode, gateway, model, *options, command=()):
        argv = [f"{self.tools}/load", mode, *gateway.load_options(), "--model", model, *map(str, options)]
        if command:
            argv += ["--", *command]
        done = subprocess.run(argv, capture_output=True, text=True, cwd=self.folder, check=False)
        if done.returncode != 0:
            raise Failed(f"{gateway.name}: {done.stderr.strip()}")
        result = json.loads(done.stdout.splitlines()[-1])
        if result["bad"] or not result["good"]:
            raise Failed(f"{gateway.name}: {result['bad']} of {result['bad'] + result['good']} failed: {result['wrong']}")
        return result

    def scaled(self, count, gateway, least):
        """As much of the load as the gateway's pace allows."""
        return max(least, int(count * gateway.pace / (4 if self.quick else 1)))


def plain(bench, gateway, process):
    """Whole answers: processor time and rate at 100 connections, waits at 1, 16 and 100."""
    found = {}
    bench.load("plain", gateway, "plain", "--connections", 100, "--requests", bench.scaled(5000, gateway, 100))
    for connections, requests, least in [(1, 4000, 40), (16, 12000, 64), (100, 40000, 200)]:
        count = bench.scaled(requests, gateway, least)
        before = process.cpu_us() if process else 0
        result = bench.load("plain", gateway, "plain", "--connections", connections, "--requests", count)
        spent = (process.cpu_us() if process else 0) - before
        found[f"p50_us_{connections}"] = result["total_us"]["p50"]
        found[f"p99_us_{connections}"] = result["total_us"]["p99"]
        if connections == 100:
            found["rate_100"] = result["good"] / result["seconds"]
            if process:
                found["cpu_us"] = spent / result["good"]
    return found


def paced(bench, gateway, process):
    """100 streams of events 10 ms apart: processor time an event, time to the first one."""
    repeat = 1 if gateway.pace < 1 or bench.quick else 2
    options = ["--streams", 100, "--expect", CHUNKS[PACED], "--repeat", repeat, "--ramp-ms", 500]
    bench.load("stream", gateway, SHORT, "--streams", 100, "--expect", CHUNKS[SHORT], "--ramp-ms", 200)
    before = process.cpu_us() if process else 0
    result = bench.load("stream", gateway, PACED, *options)
    spent = (process.cpu_us() if process else 0) - before
    alone = bench.load(
        "stream", gateway, SHORT, "--streams", 1, "--repeat", bench.scaled(400, gateway, 20), "--expect", CHUNKS[SHORT]
    )
    found = {"first_us_100": result["first_us"]["p50"], "first_us_1": alone["first_us"]["p50"]}
    if process:
        found["cpu_us_chunk"] = spent / (result["good"] * CHUNKS[PACED])
    return found


def bursts(bench, gateway, _process):
    """100 streams at a time of 32 events without a pause: streams a second."""
    repeat = bench.scaled(60, gateway, 1)
    result = bench.load("stream", gateway, "plain", "--streams", 100, "--repeat", repeat, "--expect", CHUNKS["plain"])
    return {"streams_rate": result["good"] / result["seconds"]}


def idle_memory(_bench, _gateway, process):
    time.sleep(0.5)
    return {f"idle_{name}": value for name, value in process.memory().items()}


class Watch:
    """Notes the most memory that a process has while something runs."""

    def __init__(self, process, gap=0.05):
        self.process, self.gap, self.most, self.over = process, gap, {"rss": 0, "anon": 0}, threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.over.wait(self.gap):
            now = self.process.memory()
            self.most = {name: max(value, now[name]) for name, value in self.most.items()}

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def slow_streams(bench, gateway, process, streams):
    """So many streams that are all open at once: memory at most, and five seconds after they ended."""
    before = process.memory()
    with Watch(process) as watch:
        bench.load("stream", gateway, SLOW, "--streams", streams, "--expect", CHUNKS[SLOW], "--ramp-ms", 1000)
    time.sleep(5)
    after = process.memory()
    return {
        f"rss_{streams}": watch.most["rss"],
        f"anon_{streams}": watch.most["anon"],
        f"rss_after_{streams}": after["rss"],
        f"kept_{streams}": after["rss"] - before["rss"],
        f"per_stream_{streams}": (watch.most["anon"] - before["anon"]) / streams,
    }


def stalled_readers(bench, gateway, process, readers):
    """Clients that ask for 10 MB as a stream and take nothing of it: memory for each of them."""
    before = process.memory()
    argv = [f"{bench.tools}/load", "stall", *gateway.load_options(), "--model", FAST, "--streams", str(readers)]
    with subprocess.Popen([*argv, "--seconds", "3"], stdout=subprocess.PIPE, text=True) as load:
        load.stdout.readline()
        time.sleep(2)
        held = process.memory()
        result = json.loads(load.stdout.readline())
    if result["bad"]:
        raise Failed(f"{gateway.name}: {result['bad']} stalled streams have no answer")
    return {f"per_reader_{readers}": (held["anon"] - before["anon"]) / readers}


def cold_start(bench, gateway):
    """From the start of the program to its first answer."""
    repeat = 20 if gateway.pace == 1 else 1 if gateway.pace < 0.02 else 3
    result = bench.load("cold", gateway, "plain", "--repeat", repeat, command=gateway.argv)
    return {"cold_us": result["total_us"]["p50"]}


def close_mortal_ports():
    """Ends the providers that are to be dead, and waits until the last of them refuses."""
    try:
        urllib.request.urlopen(f"http://{LOCAL}:{UPSTREAM_PORT}/close").close()
    except OSError:
        pass  # it closes the connection without an answer
    for _ in range(500):
        try:
            socket.create_connection((LOCAL, UPSTREAM_PORT + MORTAL_PORTS)).close()
        except ConnectionRefusedError:
            return
        time.sleep(0.01)
    raise Failed("the upstream did not close its mortal ports")


FAULTS = ["refused", "reset", "status503-", "open"]


def fallbacks(bench, gateway, samples):
    """From a first target that fails to the next one's answer, and that one's answer alone, turn by turn."""
    opener = bench.load("plain", gateway, "open", "--connections", 1, "--requests", 5)
    time.sleep(1)
    close_mortal_ports()
    found = {"opened_us": opener["total_us"]["p50"]}
    alone = bench.load("plain", gateway, "plain", "--connections", 1, "--requests", samples, "--pause-us", 2000)
    found["alone_us"] = alone["total_us"]["p50"]
    for fault in FAULTS:
        model = fault if fault == "open" else fault + "{}"
        result = bench.load("plain", gateway, model, "--connections", 1, "--requests", samples, "--first", 1, "--pause-us", 2000)
        found[fault.strip("-") + "_us"] = result["total_us"]["p50"]
    return found
