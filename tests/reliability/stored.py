"""Reads the queue's database without the service."""

import sqlite3
from dataclasses import dataclass

# Small bodies stand in the job's row; others in a table of their own, at four times its number and the few after that.
BODIES = 4
PAYLOAD, RESULT = 0, 1


class Unreadable(Exception):
    """The database cannot be read."""


@dataclass
class Stored:
    """What is stored of a job, in the service's own form; None where there is none."""

    payload: bytes | None
    result: bytes | None


def read(path):
    """The jobs in the file, by id."""
    try:
        with Database(path) as database:
            jobs = database.rows("SELECT id, seq, body, result FROM job")
            apart = dict(database.rows("SELECT at, data FROM payload"))
    except sqlite3.Error as error:
        raise Unreadable(f"{path.name}: {error}") from error
    return {
        id: Stored(apart.get(BODIES * seq + PAYLOAD, body), apart.get(BODIES * seq + RESULT, result))
        for id, seq, body, result in jobs
    }


def forget(path, id):
    """Takes a job away behind the service's back."""
    with Database(path) as database:
        database.rows("DELETE FROM job WHERE id = ?", (id,))


class Database:
    """The database of a service that does not run, opened as the service does it."""

    def __init__(self, path):
        self.connection = sqlite3.connect(f"file:{path}?psow=0", uri=True, isolation_level=None)

    def __enter__(self):
        # Before the first read: then no file for shared memory is made.
        self.rows("PRAGMA locking_mode=EXCLUSIVE")
        return self

    def __exit__(self, *_):
        self.connection.close()

    def rows(self, statement, values=()):
        return self.connection.execute(statement, values).fetchall()
