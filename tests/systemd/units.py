"""The rules for the units of systemd/, and for each a change that breaks it. Prints the exposure score."""

import pathlib
import re
import subprocess
import sys
import tempfile

HOME = pathlib.Path(__file__).resolve().parent.parent.parent
UNITS = HOME / "systemd"
SERVICE, SOCKET, PRESET = "edgehold.service", "edgehold.socket", "90-edgehold.preset"
PROGRAM = "/usr/bin/edgehold"

# The exposure that systemd-analyze may show, in tenths.
THRESHOLD = 13

SECONDS = {"ms": 0.001, "s": 1, "min": 60, "m": 60, "h": 3600}
BYTES = {"K": 1 << 10, "M": 1 << 20, "KiB": 1 << 10, "MiB": 1 << 20}

# A unit, what is replaced in it, by what, and a word of the complaint. Each must be noticed.
BREACHES = [
    (SERVICE, "ProtectHome=yes", "ProtectHme=yes", "verify"),
    (SOCKET, "Backlog=1024", "Backlog=many", "verify"),
    (SERVICE, "SystemCallFilter=", "#", "exposure"),
    (SERVICE, "CapabilityBoundingSet=\n", "", "exposure"),
    (SERVICE, "PrivateDevices=yes\nDevicePolicy=closed\nPrivateUsers=yes\n", "", "exposure"),
    (SERVICE, "DynamicUser=yes\n", "", "exposure"),
    (SERVICE, "MemoryMax=32M", "MemoryMax=48M", "MemoryMax"),
    (SERVICE, "MemoryHigh=28M", "MemoryHigh=16M", "MemoryHigh"),
    (SERVICE, "MemoryHigh=28M", "MemoryHigh=40M", "MemoryHigh"),
    (SERVICE, "MemorySwapMax=0\n", "", "MemorySwapMax"),
    (SERVICE, "TimeoutStopSec=20s", "TimeoutStopSec=10s", "TimeoutStopSec"),
    (SERVICE, "TimeoutStartSec=4min", "TimeoutStartSec=90s", "TimeoutStartSec"),
    (SERVICE, "AF_UNIX AF_NETLINK", "AF_UNIX", "AF_NETLINK"),
    (SERVICE, "prlimit64 prctl", "prctl", "prlimit64"),
    (SERVICE, "StartLimitIntervalSec=0\n", "", "StartLimitIntervalSec"),
    (SERVICE, "Restart=always", "Restart=on-failure", "Restart"),
    (SERVICE, "LimitCORE=0\n", "", "LimitCORE"),
    (SERVICE, " --hold-back", "", "--hold-back"),
    (SERVICE, "LoadCredential=keys:", "LoadCredential=key:", "LoadCredential"),
    (SOCKET, "11435", "11434", "ListenStream"),
    (SOCKET, "TriggerLimitIntervalSec=0\n", "", "TriggerLimitIntervalSec"),
    (PRESET, "enable edgehold.socket\n", "", "preset"),
    (SOCKET + ".d-lan.conf", "ListenStream=\n", "", "d-lan.conf"),
]


def main():
    texts = {path.name: path.read_text() for path in UNITS.iterdir() if path.is_file()}
    found = list(complaints(texts))
    missed = [] if found else list(missed_breaches(texts))
    for complaint in found + missed:
        print(complaint, file=sys.stderr)
    if found or missed:
        sys.exit(1)
    print(f"exposure {exposure(texts)[0]:.1f}")


def missed_breaches(texts):
    for name, old, new, word in BREACHES:
        if old not in texts[name]:
            yield f"control: {name} has no {old!r}"
            continue
        broken = {**texts, name: texts[name].replace(old, new)}
        found = list(complaints(broken))
        if not any(word in complaint for complaint in found):
            yield f"control: {name}: {old!r} became {new!r}, and {word} was not complained about: {found}"


def complaints(texts):
    """What is wrong with these units, in words."""
    yield from told_by_systemd(texts)
    score, passes = exposure(texts)
    if not passes:
        yield f"exposure {score} is more than {THRESHOLD / 10}"
    service, socket, config = keys(texts[SERVICE]), keys(texts[SOCKET]), defaults()
    yield from of_memory(service, config["memory.cap"])
    yield from of_times(service, config["server.grace"])
    yield from of_sandbox(service)
    yield from of_addresses(texts, socket, config["server.listen"])
    wanted = {
        "Type": "notify",
        "NotifyAccess": "main",
        "Restart": "always",
        "StartLimitIntervalSec": "0",
        "ExecStartPre": f"{PROGRAM} check --hold-back",
        "ExecStart": f"{PROGRAM} serve",
        "RuntimeDirectoryPreserve": "restart",
        "StateDirectoryMode": "0700",
        "LimitCORE": "0",
    }
    for key, value in wanted.items():
        if service.get(key) != [value]:
            yield f"{SERVICE}: {key} is {service.get(key)}, not {value}"
    if socket.get("TriggerLimitIntervalSec") != ["0"]:
        yield f"{SOCKET}: TriggerLimitIntervalSec= would end it for good"


def of_memory(service, cap):
    sizes = {key: [size(value) for value in service.get(key, [])] for key in ("MemoryMax", "MemoryHigh")}
    if sizes["MemoryMax"] != [size(cap)]:
        yield f"MemoryMax={service.get('MemoryMax')} is not memory.cap, {cap}"
    if not all(0.8 * size(cap) <= high < size(cap) for high in sizes["MemoryHigh"] or [0]):
        yield f"MemoryHigh={service.get('MemoryHigh')} is not somewhat less than memory.cap, {cap}"
    if service.get("MemorySwapMax") != ["0"]:
        yield "MemorySwapMax is not 0"


def of_times(service, grace):
    closing = seconds_of_code("src/app.rs", "CLOSING")
    if time(service["TimeoutStopSec"][0]) < time(grace) + closing + 2:
        yield f"TimeoutStopSec={service['TimeoutStopSec']} is too short for server.grace {grace} and the database"
    hold_back = seconds_of_code("src/lifecycle/pace.rs", "LONGEST")
    if time(service["TimeoutStartSec"][0]) < hold_back + 60:
        yield f"TimeoutStartSec={service['TimeoutStartSec']} is too short for a hold-back of {hold_back} s"


def of_sandbox(service):
    families = " ".join(service.get("RestrictAddressFamilies", [])).split()
    for family in ("AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK"):
        if family not in families:
            yield f"RestrictAddressFamilies has no {family}"
    for call in ("prlimit64", "prctl"):
        if call not in " ".join(service.get("SystemCallFilter", [""])[-1:]).split():
            yield f"SystemCallFilter does not end with {call}: the reader of documents needs it"
    prefix = re.search(r'const KEYS: &str = "(\w+)"', code("src/config/check/providers.rs")).group(1)
    if service.get("LoadCredential") != [f"{prefix}:/etc/edgehold/keys"]:
        yield f"LoadCredential={service.get('LoadCredential')} is not what the configuration looks for, {prefix}"


def of_addresses(texts, socket, listen):
    addresses = re.findall(r'"([^"]+)"', listen)
    if socket.get("ListenStream") != addresses:
        yield f"ListenStream={socket.get('ListenStream')} is not server.listen, {addresses}"
    enabled = re.findall(r"^enable (\S+)$", texts[PRESET], re.MULTILINE)
    if enabled != [SERVICE, SOCKET]:
        yield f"the preset enables {enabled}"
    drop_in = keys(texts[f"{SOCKET}.d-lan.conf"]).get("ListenStream", [])
    if drop_in[:1] != [""]:
        yield f"{SOCKET}.d-lan.conf does not forget the address of the unit, which is part of its own"


def told_by_systemd(texts):
    """What systemd-analyze verify says: of the units as they are, and with the drop-ins."""
    for with_drop_ins in (False, True):
        with tempfile.TemporaryDirectory() as scratch:
            folder = pathlib.Path(scratch)
            for name in (SERVICE, SOCKET):
                # The program is not installed here; another one that can be run stands for it.
                (folder / name).write_text(texts[name].replace(PROGRAM, "/usr/bin/env"))
                if with_drop_ins:
                    (folder / f"{name}.d").mkdir()
                    (folder / f"{name}.d" / "lan.conf").write_text(texts[f"{name}.d-lan.conf"])
            for name in (SERVICE, SOCKET):
                said = analyze("verify", "--man=no", "--recursive-errors=no", str(folder / name))
                if said.returncode or "edgehold" in said.stdout:
                    yield f"verify {name}: {said.stdout.strip()}"


def exposure(texts):
    """The score, and whether systemd-analyze lets it pass."""
    with tempfile.TemporaryDirectory() as scratch:
        unit = pathlib.Path(scratch) / SERVICE
        unit.write_text(texts[SERVICE])
        said = analyze("security", "--offline=yes", f"--threshold={THRESHOLD}", "--no-pager", str(unit))
    score = re.search(r"exposure level for \S+: ([\d.]+)", said.stdout)
    if not score:
        sys.exit(f"systemd-analyze security says no score: {said.stdout}")
    return float(score.group(1)), said.returncode == 0


def analyze(*words):
    return subprocess.run(
        ["systemd-analyze", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120
    )


def keys(text):
    """Every key of a unit with its values, in order."""
    found = {}
    for line in text.splitlines():
        if "=" in line and not line.startswith("#"):
            key, value = line.split("=", 1)
            found.setdefault(key, []).append(value)
    return found


def defaults():
    """The keys of the reference configuration, which the code's own tests hold to its defaults."""
    table, found = "", {}
    for line in code("config/edgehold.toml").splitlines():
        if line.startswith("["):
            table = line.strip("[]")
        elif " = " in line and not line.startswith("#"):
            key, value = line.split(" = ", 1)
            found[f"{table}.{key}"] = value.strip('"')
    return found


def code(path):
    return (HOME / path).read_text()


def seconds_of_code(path, name):
    found = re.search(rf"const {name}: Duration = Duration::from_(\w+)\((\d+)\)", code(path))
    return int(found.group(2)) * {"secs": 1, "mins": 60}[found.group(1)]


def time(text):
    number, unit = re.fullmatch(r"(\d+)([a-z]*)", text).groups()
    return int(number) * SECONDS[unit or "s"]


def size(text):
    number, unit = re.fullmatch(r"(\d+)([A-Za-z]*)", text).groups()
    return int(number) * BYTES[unit]


if __name__ == "__main__":
    main()
