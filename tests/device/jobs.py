"""Jobs that a scenario hands in and holds the service to."""

from board import Board


def hand_in(board: Board, name: str, count: int, inside: bool = False, **more):
    """Hands in `count` jobs; each must be taken. `more` goes into each, such as not_before="1d"."""
    for number in range(count):
        answer = put(board, f"{name}-{number}", inside, **more)
        board.must(answer.status == 202, f"job {name}-{number} is not taken: {answer}")


def put(board: Board, identity: str, inside: bool = False, timeout: float = 120, size: int = 0, **more):
    """One job; its prompt is its name, and as many bytes more."""
    body = {"model": "default", "messages": [{"role": "user", "content": f"Say {identity}" + " x" * (size // 2)}]}
    return board.ask("PUT", f"/v1/jobs/{identity}", {"path": "/v1/chat/completions", "body": body, **more}, inside=inside, timeout=timeout)


def states(board: Board, name: str) -> dict[str, str]:
    """The state of each job of this name that there is."""
    found, after = {}, ""
    while after is not None:
        page = board.ask("GET", f"/v1/jobs?limit=100{after}").json()
        found |= {job["id"]: job["state"] for job in page["jobs"] if job["id"].rpartition("-")[0] == name}
        after = f"&after={page['next']}" if page.get("next") else None
    return found


def must_be_there(board: Board, name: str, count: int, *allowed: str):
    """Every job that was taken is there, in one of these states."""
    found = states(board, name)
    board.must(len(found) == count, f"of {count} accepted jobs {len(found)} are there: {found}")
    wrong = {identity: state for identity, state in found.items() if state not in allowed}
    board.must(not wrong, f"accepted jobs are not as they must be: {wrong}")


def must_end(board: Board, name: str, count: int):
    """Every job is done in the end."""
    board.wait(f"the jobs {name} to end", lambda: set(states(board, name).values()) <= {"succeeded", "failed", "expired", "cancelled", "corrupt"})
    must_be_there(board, name, count, "succeeded")
