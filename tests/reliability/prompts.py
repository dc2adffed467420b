"""What the rigs ask: a prompt says which job it belongs to and carries a digest of the rest, and the answer echoes both."""

import hashlib
import json
import random
import re

LETTERS = "abcdefghijklmnopqrstuvwxyz      "
ECHO = re.compile(r"^done (\S+) ([0-9a-f]{16}) (\d+) ")


def prompt(job, size, rng=random):
    """A prompt of about `size` bytes."""
    filler = "".join(rng.choices(LETTERS, k=max(size - len(job) - 22, 1)))
    return f"job {job} {digest(job, filler)} {filler}"


def read(text):
    """The job that a prompt names, and whether the prompt is whole."""
    words = text.split(" ", 3)
    if len(words) != 4 or words[0] != "job":
        return text[:64], False
    _, job, told, filler = words
    return job, told == digest(job, filler)


def answer(text, serial, size):
    """What the provider answers: the prompt's job and digest, and the number of the call."""
    job, told = (text.split(" ", 3) + ["-"] * 4)[1:3]
    return f"done {job} {told} {serial} ".ljust(size, "+")


def answers(result, text):
    """Whether the bytes of a result are an answer to this prompt."""
    found = ECHO.match(answer_text(result) or "")
    return bool(found) and [found[1], found[2]] == text.split(" ", 3)[1:3]


def answer_text(result):
    """The text in the bytes of a result; None where there is none."""
    try:
        return json.loads(result)["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError):
        return None


def digest(job, filler):
    return hashlib.sha256(f"{job}:{filler}".encode()).hexdigest()[:16]
