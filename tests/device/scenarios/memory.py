"""Under the caps that are published nothing is killed and nothing is short, whatever clients and models do.

Two classes of boards: the unit as it is shipped, with 32 MiB, and config/small.toml with 16. Each load of load.py meets a service
that has just started, in a cgroup of its own, and every byte that it gives out is looked at. `memory.events` must show no
`oom_kill` and no `max`. Then there is a mixed load of some hundred requests (`hour` goes on with it): `memory.current` in the
end is within 5 % of what it was after half of them.

The control is a cap that is far too small: the same checks must find it.
"""

import dataclasses
import pathlib
import time

from board import GUEST_IP, GUEST_PORT, HOST_NAME, TOKEN, UNIT, Board
from load import MEBI, Load, Size, configuration

OPTIONS = {}
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent.parent
STATE = "/var/lib/private/edgehold"
LOADS = ("streams", "readers", "writers", "jobs", "document", "pieces", "huge")
BRIEFLY = ("streams", "writers", "jobs", "document", "pieces")  # of the small class, where there is little time
FIELDS = {"Host": HOST_NAME, "Authorization": f"Bearer {TOKEN}"}
TOO_SMALL = "MemoryHigh=infinity\nMemoryMax=4M\nMemorySwapMax=0\n"
PART = 150  # requests of a part of the mixed load
WARM, PARTS = 3, 6  # parts until all that is kept has been used once, and all parts where there is no time to fill
DRIFT = 0.05


@dataclasses.dataclass
class Class:
    """A class of boards: what the unit has besides its file, what the service is told, and how much is asked of it."""

    name: str
    unit: str
    config: str
    size: Size
    loads: tuple[str, ...] = LOADS


def classes(is_soak: bool) -> list[Class]:
    # A model that gets 64 MiB is asked 10,000 times, and a stream of 64 MiB is as much work: it takes an emulated board its time.
    piecemeal = 64 * MEBI if is_soak else 2 * MEBI
    answer = 4 if is_soak else 1
    roomy = '[server]\nlisten = []\nmax_connections = 128\n[memory]\ncap = "32MiB"\n[summaries]\ntime = "20m"\n' + configuration(max_answer=f"{answer}MiB")
    small = Size(streams=12, clients=12, written=12_000, jobs=1_000, document=16 * MEBI, piecemeal=piecemeal // 4, longest_stream=16 * MEBI, is_wide=is_soak, refusals=True)
    return [
        Class("32", "", roomy, Size(piecemeal=piecemeal, longest_stream=16 * answer * MEBI, is_wide=is_soak)),
        Class("16", "MemoryHigh=14M\nMemoryMax=16M\n", small_config(), small, LOADS if is_soak else BRIEFLY),
    ]


def small_config() -> str:
    """The example for small boards, with the models of the loads; it takes as many streams at once as it takes clients."""
    text = (ROOT / "config" / "small.toml").read_text()
    text = text.replace("llama3.2:1b", "small").replace('kind = "ollama"\n', 'kind = "ollama"\nmax_concurrent = 12\n')
    text += '[providers.wide]\nkind = "ollama"\nmax_answer = "8MiB"\n[models.wide]\ntargets = ["wide/small"]\n'
    return text.replace('quota = "32MiB"\n', 'quota = "32MiB"\ntime = "20m"\n')


def scenario(board):
    if getattr(board, "is_too_small", False):
        first = classes(False)[0]
        trial(board, dataclasses.replace(first, unit=TOO_SMALL, loads=("streams",)))
        return
    for kind in classes(board.rig.soak):
        trial(board, kind)
        drift(board, kind)


def sabotage(board):
    board.is_too_small = True


def trial(board: Board, kind: Class):
    settle(board, kind)
    for name in kind.loads:
        renew(board)
        if name == kind.loads[0]:
            board.fact(**{f"idle_rss_{kind.name}": board.process_memory()["VmRSS"]})
            unharmed(board, f"idle, {kind.name} MiB")
        one(board, kind, name)


def settle(board: Board, kind: Class):
    """The board is of this class from here on."""
    text = "\n".join(listening(line) for line in kind.config.splitlines())
    board.write("/etc/edgehold/edgehold.toml", f'{text}\n[[clients]]\nname = "host"\ntoken = {{ credential = "host" }}\n')
    board.drop_in("zz-class", kind.unit)
    limits = board.must_run(f"systemctl show -P MemoryMax -P MemorySwapMax {UNIT}").split()
    board.must(kind.unit == TOO_SMALL or limits == [str(int(kind.name) * MEBI), "0"], f"the unit's limits are {limits}")


def listening(line: str) -> str:
    """The board listens on its LAN too."""
    here = f'listen = ["127.0.0.1:{GUEST_PORT}", "{GUEST_IP}:{GUEST_PORT}"]\nhosts = ["{HOST_NAME}"]'
    return here if line.startswith("listen =") else line


def renew(board: Board):
    """A service that has just started: with nothing kept, in a cgroup of its own, which also pays for the program's pages."""
    board.must_run(f"systemctl stop {UNIT}; rm -rf {STATE}/*; sync; echo 3 >/proc/sys/vm/drop_caches", timeout=300)
    status, text = board.run(f"systemctl start {UNIT}", timeout=300)
    state = board.unit_state()
    board.must(status == 0 and state["ActiveState"] == "active", f"the service does not start: {state} {text[-200:]}")


def one(board: Board, kind: Class, name: str):
    """One load, and what it did to the memory."""
    load = Load(("127.0.0.1", board.port), kind.size, FIELDS)
    full: dict[str, int] = {}
    more = {"at_full": lambda: full.update(board.process_memory())} if name == "streams" else {}
    load.run(name, **more)
    judge(board, kind, name, load)
    if full:
        board.fact(**{f"streams_rss_{kind.name}": full["VmRSS"], f"streams_anon_{kind.name}": full["RssAnon"]})
        board.must(full["VmRSS"] <= 10 * MEBI, f"{kind.size.streams} streams take {full['VmRSS']} bytes")


def judge(board: Board, kind: Class, name: str, load: Load):
    """The memory's own account first: a service that was killed is why a load fell over."""
    what = f"{name}, {kind.name} MiB"
    memory = unharmed(board, what)
    board.fact(**{f"peak_{name}_{kind.name}": memory["peak"], f"high_{name}_{kind.name}": memory["high"]})
    board.must(not load.faults, f"{what}: {'; '.join(load.faults[:3])}")


def unharmed(board: Board, what: str) -> dict[str, int]:
    """The service was not killed, and was never short of memory. Returns its account."""
    state, memory = board.unit_state(), board.memory()
    board.must(memory["oom_kill"] == 0 and memory["max"] == 0, f"{what}: {memory}")
    board.must(state["NRestarts"] == "0" and state["ActiveState"] == "active", f"{what}: the service fell over: {state}")
    return memory


def drift(board: Board, kind: Class, seconds: float = 0, then=lambda: None):
    """A mixed load for so long: what is in use after its first twelfth, and what in the end. `then` is done in between."""
    renew(board)
    parts, begun, first = 0, time.monotonic(), 0
    while parts < PARTS or time.monotonic() - begun < seconds:
        load = Load(("127.0.0.1", board.port), dataclasses.replace(kind.size, requests=PART), FIELDS, seed=parts)
        load.run("mixed")
        judge(board, kind, "mixed", load)
        parts += 1
        if not first and parts >= WARM and time.monotonic() - begun >= seconds / 12:
            first = quiet(board)
            then()
    last = quiet(board)
    board.fact(**{f"mixed_requests_{kind.name}": parts * PART, f"mixed_first_{kind.name}": first, f"mixed_last_{kind.name}": last})
    board.must(last <= first * (1 + DRIFT), f"mixed, {kind.name} MiB: {first} bytes after the first part, {last} in the end")


def quiet(board: Board) -> int:
    """`memory.current` once nothing is under way any more."""
    seen = [board.memory()["current"]]
    while len(seen) < 2 or (len(seen) < 20 and seen[-1] < seen[-2]):
        time.sleep(1)
        seen.append(board.memory()["current"])
    return seen[-1]
