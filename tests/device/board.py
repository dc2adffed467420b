"""A virtual board: QEMU with Debian for ARM, our service in it, and all that can happen to it.

Every wait ends when the guest has come far enough, when QEMU is gone, or at a limit that no working board comes near.
"""

import ctypes
import dataclasses
import http.client
import json
import pathlib
import shutil
import signal
import socket
import subprocess
import time

from agent import Agent, Done, Gone
from arch import Arch
from qmp import Monitor
from tools import Qemu

LIMIT = 300  # seconds of this machine for anything that the guest has to come to
GUEST_IP, GUEST_PORT = "10.0.2.15", 11435
HOST_NAME = f"gateway.lan:{GUEST_PORT}"
TOKEN = "a-token-of-the-board"
UNIT = "edgehold.service"
DROP_IN = f"/run/systemd/system/{UNIT}.d"


class Broken(Exception):
    """What must hold did not."""


@dataclasses.dataclass
class Image:
    """What a board is started from. The disks are copied, and stay as they are."""

    arch: Arch
    kernel: pathlib.Path
    initramfs: pathlib.Path
    root: pathlib.Path
    state: pathlib.Path


@dataclasses.dataclass
class Answer:
    """An answer of the service."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self):
        return json.loads(self.body)


class Board:
    """One board with its two disks in `folder`. It keeps them over `cut` and `shutdown`, as a board does.

    `clock` is what QEMU's -rtc takes for `base`; `filters` are block drivers that are laid over the file of the state's disk at
    the next boot, the lowest first, each a dictionary as -blockdev takes it, without `file` and `node-name`.
    """

    def __init__(self, image: Image, qemu: Qemu, folder: pathlib.Path, clock: str = "utc"):
        self.image, self.arch, self.qemu, self.folder = image, image.arch, qemu, folder
        self.clock = clock
        self.filters: list[dict] = []
        self.process: subprocess.Popen | None = None
        self.agent: Agent | None = None
        self.monitor: Monitor | None = None
        self.boots = 0
        self.facts: dict[str, object] = {}
        self.port = free_port()
        folder.mkdir(parents=True)
        for name in ("root", "state"):
            copy_sparse(getattr(image, name), folder / f"{name}.img")

    # Its life

    def boot(self):
        """Switches it on and waits until its agent speaks, which is early in the boot."""
        for name in ("agent", "qmp"):
            (self.folder / name).unlink(missing_ok=True)
        self.boots += 1
        with open(self.folder / "qemu.log", "ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.qemu.environment(), preexec_fn=end_with_parent
            )
        self.wait("QEMU's sockets", lambda: (self.folder / "agent").exists() and (self.folder / "qmp").exists(), 60)
        self.agent = Agent(str(self.folder / "agent"))
        self.monitor = Monitor(str(self.folder / "qmp"))
        self.wait("the guest's agent", self.agent.there.is_set)

    def until_ready(self, unit: str = UNIT):
        """Waits until the unit is active, which a notifying service is when it says READY."""
        self.wait(f"{unit} to be active", lambda: self.unit_state(unit)["ActiveState"] == "active")

    def cut(self):
        """The power is gone: nothing that QEMU still held is written."""
        self.end(signal.SIGKILL)

    def shutdown(self):
        """Powers it off in order."""
        try:
            self.run("systemctl poweroff", timeout=60)
        except Gone:
            pass  # it went before it could answer
        self.wait_gone()
        self.end(signal.SIGKILL)

    def wait_gone(self):
        try:
            self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            raise Broken(f"the board did not power off within {LIMIT} s: {self.console(5)}") from None

    def end(self, how: int):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
        if self.process:
            self.process.wait(60)
        for part in (self.agent, self.monitor):
            if part:
                part.close()
        self.process = self.agent = self.monitor = None

    def close(self):
        """The end of the board: power off, disks away."""
        self.end(signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    # What is done in it

    def run(self, line: str, timeout: float = 120, data: bytes = b"") -> Done:
        """Runs the line in the guest's shell as root: (status, text). Works without network and without disks."""
        return self.agent.run(line, data, timeout)

    def must_run(self, line: str, timeout: float = 120, data: bytes = b"") -> str:
        """The same for what has to succeed: its text."""
        return self.done(line, timeout, data).text

    def done(self, line: str, timeout: float, data: bytes) -> Done:
        done = self.run(line, timeout, data)
        if done.status:
            raise Broken(f"{line}: status {done.status}: {done.text.strip()[-500:]}")
        return done

    def write(self, path: str, data: bytes | str):
        """Writes a file in the guest, whole or not at all."""
        data = data.encode() if isinstance(data, str) else data
        self.must_run(f"cat >{path}.new && mv {path}.new {path}", data=data)

    def configure(self, text: str):
        """Another configuration, from a restart on."""
        self.write("/etc/edgehold/edgehold.toml", text)
        self.restart()

    def restart(self, unit: str = UNIT):
        self.must_run(f"systemctl restart {unit}", timeout=LIMIT)
        self.until_ready(unit)

    def drop_in(self, name: str, text: str, folder: str = DROP_IN, section: str = "Service"):
        """Adds these lines to the unit of this folder, from its next start on; to the service's own until `fresh`."""
        self.must_run(f"mkdir -p {folder}")
        self.write(f"{folder}/{name}.conf", f"[{section}]\n{text}\n")
        self.must_run("systemctl daemon-reload")

    def fresh(self):
        """As after the first boot: cable in, cloud right, an empty state, the first configuration, no drop-ins of a scenario."""
        self.cloud.mode = "right"
        self.link(True)
        self.slow(0)
        self.write("/etc/edgehold/edgehold.toml", self.config)
        self.must_run(f"systemctl stop {UNIT}; rm -rf {DROP_IN} /var/lib/private/edgehold/*; systemctl daemon-reload", LIMIT)
        self.must_run(f"systemctl reset-failed; systemctl start device-ollama {UNIT}", LIMIT)
        self.until_ready()

    def ask(self, method: str, path: str, body=None, headers=None, inside: bool = False, timeout: float = 120) -> Answer:
        """One request to the service, from the host over the LAN, or `inside` from the board itself.

        A body that is neither bytes nor text goes as JSON.
        """
        head = {"Host": HOST_NAME, "Authorization": f"Bearer {TOKEN}", "Connection": "close", **(headers or {})}
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
            head.setdefault("Content-Type", "application/json")
        body = body.encode() if isinstance(body, str) else body
        if inside:
            return self.ask_inside(method, path, body or b"", head, timeout)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body, head)
            answer = connection.getresponse()
            return Answer(answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def ask_inside(self, method: str, path: str, body: bytes, head: dict[str, str], timeout: float, port: int = GUEST_PORT) -> Answer:
        lines = [f"{method} {path} HTTP/1.1", *(f"{key}: {value}" for key, value in head.items()), f"Content-Length: {len(body)}"]
        request = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
        # The shell's own client keeps its end open while it reads.
        client = f"exec bash -c 'exec 3<>/dev/tcp/127.0.0.1/{port} && cat >&3 && exec cat <&3'"
        return parse(self.done(client, timeout, request).data)

    # What is known of it

    def unit_state(self, unit: str = UNIT) -> dict[str, str]:
        """ActiveState, SubState, StatusText, MainPID, NRestarts and Result of the unit."""
        names = "ActiveState,SubState,StatusText,MainPID,NRestarts,Result"
        text = self.must_run(f"systemctl show -p {names} {unit}")
        return dict(line.split("=", 1) for line in text.splitlines())

    def memory(self, unit: str = UNIT) -> dict[str, int]:
        """The unit's memory as its cgroup counts it: `current`, `peak`, and each of `memory.events`."""
        folder = f"/sys/fs/cgroup/system.slice/{unit}"
        current, peak, *events = self.must_run(f"cd {folder} && cat memory.current memory.peak memory.events").split()
        counts = dict(zip(events[::2], map(int, events[1::2])))
        return {"current": int(current), "peak": int(peak), **counts}

    def process_memory(self, unit: str = UNIT) -> dict[str, int]:
        """VmRSS, RssAnon, VmHWM and the like of the unit's main process, in bytes."""
        text = self.must_run(f"cat /proc/$(systemctl show -P MainPID {unit})/status")
        fields = [line.split() for line in text.splitlines()]
        return {words[0].rstrip(":"): int(words[1]) * 1024 for words in fields if words[-1:] == ["kB"]}

    def uptime(self) -> float:
        """Seconds by the guest's own clock since its boot."""
        return float(self.must_run("cat /proc/uptime").split()[0])

    def journal(self, unit: str = UNIT) -> str:
        """All that the unit has said since the boot."""
        return self.must_run(f"journalctl -b --no-pager -o short-monotonic -u {unit}")

    def console(self, lines: int = 40) -> str:
        path = self.folder / f"console-{self.boots}.log"
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else ""

    # What happens to it

    def link(self, up: bool):
        """Puts the network cable in, or pulls it: the guest sees the carrier go."""
        self.monitor.do("set_link", name="net0", up=up)

    def slow(self, writes_per_second: int):
        """So many writes a second reach the state's disk; 0 is as fast as it goes."""
        self.monitor.do("qom-set", path="/objects/pace", property="limits", value={"iops-write": writes_per_second})

    # Waiting

    def wait(self, what: str, ask, limit: float = LIMIT, pause: float = 0.1):
        """Asks until there is an answer, and returns it."""
        end = time.monotonic() + limit
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise Broken(f"the board ended while waiting for {what}: {self.console(8)}")
            answer = ask()
            if answer:
                return answer
            time.sleep(pause)
        raise Broken(f"waited {limit} s for {what}")

    def must(self, held, what: str):
        """Says what must hold; ends the scenario where it does not."""
        if not held:
            raise Broken(what)

    def fact(self, **facts):
        """Keeps figures for the report."""
        self.facts.update(facts)

    # How QEMU is called

    def command(self) -> list[str]:
        words = [self.qemu.program(self.arch.emulator), *self.qemu.arguments(), *self.arch.machine, "-smp", "1", "-m", str(self.arch.memory)]
        # The guest's clock counts its instructions, 500 million a second, and real time only while it idles: how busy this
        # machine is does not make the board look slow.
        words += ["-icount", "shift=1,sleep=on"]
        words += ["-nodefaults", "-display", "none", "-no-reboot", "-rtc", f"base={self.clock}"]
        words += ["-kernel", str(self.image.kernel), "-initrd", str(self.image.initramfs), "-append", KERNEL_LINE]
        words += ["-serial", f"file:{self.folder}/console-{self.boots}.log"]
        words += ["-qmp", f"unix:{self.folder}/qmp,server=on,wait=off"]
        words += ["-chardev", f"socket,id=agent,path={self.folder}/agent,server=on,wait=off"]
        words += ["-device", "virtio-serial-device", "-device", "virtserialport,chardev=agent,name=agent"]
        words += ["-netdev", f"user,id=lan,hostfwd=tcp:127.0.0.1:{self.port}-{GUEST_IP}:{GUEST_PORT}"]
        words += ["-device", "virtio-net-device,netdev=lan,id=net0", "-device", "virtio-rng-device"]
        for node in self.blocks():
            words += ["-blockdev", json.dumps(node)]
        # The last one given is the first that the guest finds.
        words[words.index("-blockdev") : words.index("-blockdev")] = ["-object", "throttle-group,id=pace"]
        return [*words, "-device", "virtio-blk-device,drive=state", "-device", "virtio-blk-device,drive=root"]

    def blocks(self) -> list[dict]:
        """The disks: the root, and the state with its filters and, above them, the throttle."""
        root = {"driver": "file", "node-name": "root", "filename": f"{self.folder}/root.img", "cache": {"no-flush": True}}
        below = {"driver": "file", "node-name": "state-file", "filename": f"{self.folder}/state.img"}
        nodes = [root, below]
        for number, options in enumerate(self.filters):
            nodes.append({**options, "node-name": f"filter{number}", "file": nodes[-1]["node-name"]})
        return [*nodes, {"driver": "throttle", "node-name": "state", "throttle-group": "pace", "file": nodes[-1]["node-name"]}]


KERNEL_LINE = (
    "console=ttyAMA0 net.ifnames=0 systemd.unified_cgroup_hierarchy=1 cgroup_enable=memory systemd.show_status=0 quiet loglevel=4 "
    "panic=-1 audit=0 mitigations=off"
)


def parse(raw: bytes) -> Answer:
    """An answer as it stands on the wire, of a connection that was closed after it."""
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    if not first.startswith("HTTP/1.1 "):
        raise Broken(f"no answer: {first[:80]!r}")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if headers.get("transfer-encoding") == "chunked":
        body = dechunk(body)
    return Answer(int(first.split()[1]), headers, body)


def dechunk(rest: bytes) -> bytes:
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        body, rest = body + rest[:length], rest[length + 2 :]
        if length == 0:
            break
    return body


def end_with_parent():
    """QEMU is not to outlive a harness that was killed."""
    set_death_signal = 1
    ctypes.CDLL(None).prctl(set_death_signal, signal.SIGKILL)


def copy_sparse(source: pathlib.Path, to: pathlib.Path):
    subprocess.run(["cp", "--sparse=always", "--reflink=auto", str(source), str(to)], check=True)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]
