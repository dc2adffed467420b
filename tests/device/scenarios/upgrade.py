"""A database of an old schema, an upgrade while clients come, and a database of a schema that is yet to come.

Both packages hold the program under test, and differ in their version: what an upgrade does is shown, and not what an older
program was like.

The earlier package is installed by dpkg, and jobs are taken. Their database is put back to the first version of the schema, as
that of an old gateway is: the start brings it up to date, and every job is there. The later package is installed while clients
come all the time: none is refused, and every job is there. A database of a later version than the program knows is left alone:
the service says so, answers chats, takes no jobs, and has every job again once the version is one that it knows.
"""

import pathlib
import sqlite3

from board import UNIT
from callers import Callers
from jobs import hand_in, must_be_there, must_end, put

SOAK = True
SPENDS = True
JOBS = 10
QUEUE = "/var/lib/private/edgehold/queue.db"
OLD, NEW = "0.0.1", "9.0.0"


def scenario(board):
    rig, binary = board.rig, board.rig.binary()
    board.write("/tmp/old.deb", rig.debian_package(binary, OLD).read_bytes())
    board.write("/tmp/new.deb", rig.debian_package(binary, NEW).read_bytes())
    install(board, "/tmp/old.deb", OLD)
    hand_in(board, "held", JOBS, not_before="1d")
    alter(board, first_schema)
    board.must(schema_version(board) >= 2, "the database was not brought to the new schema")
    must_be_there(board, "held", JOBS, "queued")
    upgrade_under_load(board)
    must_be_there(board, "held", JOBS, "queued")
    must_end(board, "run", JOBS)
    downgrade(board)


def install(board, package: str, version: str):
    board.must_run(f"dpkg --force-confold --install {package}", timeout=600)
    board.until_ready()
    there = board.must_run("dpkg-query -W -f '${Version}' edgehold")
    board.must(there == version, f"dpkg has version {there} in the place of {version}")


def upgrade_under_load(board):
    hand_in(board, "run", JOBS)
    with Callers(board) as callers:
        install(board, "/tmp/new.deb", NEW)
    callers.must_be_served()
    board.fact(served_over_the_upgrade=callers.served)


def downgrade(board):
    alter(board, later_schema, starts=False)
    board.must_run(f"systemctl start {UNIT}", timeout=300)
    board.until_ready()
    queue = board.ask("GET", "/status").json()["queue"]
    told = queue["why"] or ""
    board.must("install the newer edgehold again" in told, f"/status does not say that the database is a later one: {queue}")
    board.must("install the newer edgehold again" in board.journal(), "the journal does not say that the database is a later one")
    refused = put(board, "refused-0").status
    board.must(refused == 503, f"a job is answered {refused} while the database is a later one")
    answer = board.ask("POST", "/v1/ask?model=default", "Hello", {"Content-Type": "text/plain"})
    board.must(answer.status == 200, f"no chats while the database is a later one: {answer}")
    alter(board, known_schema)
    must_be_there(board, "held", JOBS, "queued")


def alter(board, change, starts: bool = True):
    """Stops the service, changes its database, and starts it."""
    board.must_run(f"systemctl stop edgehold.socket {UNIT}", timeout=300)
    here = pathlib.Path(board.folder / "altered.db")
    here.write_bytes(board.done(f"cat {QUEUE}", 120, b"").data)
    with sqlite3.connect(here) as database:
        change(database)
    database.close()
    # The file stays the one that it is, with its owner and its mode.
    board.must_run(f"cat >{QUEUE}; rm -f {QUEUE}-wal; systemctl start edgehold.socket", data=here.read_bytes())
    if starts:
        board.must_run(f"systemctl start {UNIT}", timeout=300)
        board.until_ready()


def first_schema(database: sqlite3.Connection):
    for table in ("more", "step"):
        database.execute(f"DROP TABLE IF EXISTS {table}")
    database.execute("PRAGMA user_version = 1")


def later_schema(database: sqlite3.Connection):
    known = database.execute("PRAGMA user_version").fetchone()[0]
    database.execute("CREATE TABLE later(at INTEGER PRIMARY KEY) STRICT")
    database.execute(f"PRAGMA user_version = {known + 1}")


def known_schema(database: sqlite3.Connection):
    later = database.execute("PRAGMA user_version").fetchone()[0]
    database.execute("DROP TABLE later")
    database.execute(f"PRAGMA user_version = {later - 1}")


def schema_version(board) -> int:
    """As the header of the file has it; after a stop, which empties the log."""
    board.must_run(f"systemctl stop edgehold.socket {UNIT}", timeout=300)
    version = board.must_run(f"od -An -j60 -N4 -tu1 {QUEUE}").split()
    board.must_run(f"systemctl start edgehold.socket {UNIT}", timeout=300)
    board.until_ready()
    return int.from_bytes(bytes(map(int, version)), "big")


def sabotage(board):
    """The socket goes with the service and takes along whoever waits there; so that somebody does, the service is slow to go."""
    board.drop_in("zz", "ExecStopPost=/bin/sleep 2")
    board.drop_in("zz", f"PartOf={UNIT}", folder="/run/systemd/system/edgehold.socket.d", section="Unit")
