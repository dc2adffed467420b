"""The network goes, lies, and comes back.

The cable is pulled: requests are served by the Ollama in the board. That one stops too: requests are taken as jobs, with 202. The
cable is put in: the cloud has done every job within five seconds of the board's own clock. A captive portal is in the place of
the cloud, in three kinds: nothing that it says is taken for an answer, and the jobs wait until the cloud is there.
"""

from jobs import hand_in

TEXT = {"Content-Type": "text/plain"}
JOBS, FEW = 20, 3
BOUND = 5  # seconds by the board's clock from the cable to the last answer
PORTALS = ("portal-page", "portal-redirect", "portal-certificate")


def scenario(board):
    served_alone(board)
    queued(board, "away", JOBS)
    comes_back(board)
    for portal in PORTALS:
        not_believed(board, portal)
    board.must(board.cloud.wrong_keys == 0, "the cloud saw another key than its own")


def served_alone(board):
    board.link(up=False)
    answer = board.ask("POST", "/v1/ask?model=default", "Hello", TEXT, inside=True)
    served = answer.status == 200 and answer.headers["x-edgehold-target"] == "local/small"
    board.must(served, f"not served with the cable pulled: {answer}")


def queued(board, name: str, jobs: int):
    """With the Ollama stopped as well nobody can answer: every request is taken as a job."""
    board.must_run("systemctl stop device-ollama")
    hand_in(board, name, jobs, inside=True)
    board.must(not ended(board, name), "a job has ended while nothing can be reached")


def comes_back(board):
    began = now(board)
    board.link(up=True)
    board.wait("the jobs to end", lambda: len(ended(board, "away")) == JOBS)
    # It is told in whole seconds: the last one ended within the second that follows.
    took = max(job["ended_at"] for job in ended(board, "away")) + 1 - began
    board.must(took <= BOUND, f"the jobs took {took:.1f} s of the board's clock from the cable on")
    all_are_the_clouds(board, "away")
    board.fact(jobs=JOBS, seconds_at_most=round(took, 1))


def not_believed(board, portal: str):
    """Jobs wait behind a portal; they are done once the cloud itself is there."""
    board.cloud.mode = portal
    board.link(up=False)
    queued(board, portal, FEW)
    board.link(up=True)
    board.wait("the portal to be noticed", lambda: board.ask("GET", "/status").json()["connectivity"] == "captive" or ended(board, portal))
    answer = board.ask("POST", "/v1/ask?model=default", "Hello", TEXT)
    board.must(answer.status == 503, f"behind a captive portal a request got {answer}")
    board.must(not ended(board, portal), f"a job has ended behind a {portal}")
    board.cloud.mode = "right"
    board.link(up=False)
    board.link(up=True)
    board.wait("the jobs to end", lambda: len(ended(board, portal)) == FEW)
    all_are_the_clouds(board, portal)


def all_are_the_clouds(board, name: str):
    for job in ended(board, name):
        answer = board.ask("GET", f"/v1/jobs/{job['id']}/result")
        told = f"The cloud heard: Say {job['id']}"
        right = answer.status == 200 and answer.json()["choices"][0]["message"]["content"] == told
        board.must(right and job["state"] == "succeeded", f"{job['id']} has another answer than the cloud's: {answer}")


def ended(board, name: str) -> list[dict]:
    """The jobs of this name that have ended, as the service on the board tells them."""
    listed = board.ask("GET", "/v1/jobs?limit=100", inside=True).json()["jobs"]
    return [job for job in listed if job["id"].startswith(f"{name}-") and job["state"] not in ("queued", "running")]


def now(board) -> float:
    return float(board.must_run("date +%s.%N"))


def sabotage(board):
    """The cable stays in: then the cloud answers where nobody should."""
    board.link = lambda up: None
