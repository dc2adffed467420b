"""A board without a clock, and a clock that jumps.

The board boots in 1970 (systemd moves that to the time of its own making). The certificate of the cloud is valid from the day on
which our program was built: a request reaches it. One that becomes valid ten years later is refused: the floor of the clock
is no blindness. Then the clock jumps ten years forward, and twenty back, with jobs waiting and a request under way: nothing
expires, nothing becomes due, nothing hangs.
"""

import contextlib
import datetime
import threading

from board import UNIT
from cloud import Cloud
from jobs import hand_in, must_be_there, must_end
from rig import CLOUD_ROOT

SOAK = True
OPTIONS = {"clock": "1970-01-01"}
TEXT = {"Content-Type": "text/plain"}
JOBS = 5
TEN_YEARS = 3652 * 86400


def scenario(board):
    floor = board.ask("GET", "/status").json()["clock"]["floor"]
    now = int(board.must_run("date +%s"))
    board.must(now < floor, f"the board's clock ({now}) is not behind the program's floor ({floor})")
    reaches(board, floor + getattr(board, "late", 0))
    refuses(board, floor + TEN_YEARS)
    board.fact(behind_the_floor_days=(floor - now) // 86400)
    board.configure(board.config)
    for jump in ("+10 years", "-20 years"):
        jumps(board, jump)


def reaches(board, valid_from: int):
    with another_cloud(board, "valid", valid_from) as cloud:
        answer = board.ask("POST", "/v1/ask?model=cloud/big", "Hello", TEXT)
        board.must(answer.status == 200, f"the cloud's certificate is not taken: {answer}")
        board.must(sum(cloud.calls.values()) == 1, f"the cloud was called {sum(cloud.calls.values())} times")


def refuses(board, valid_from: int):
    with another_cloud(board, "too-late", valid_from) as cloud:
        answer = board.ask("POST", "/v1/ask?model=cloud/big", "Hello", TEXT)
        board.must(answer.status == 503 and not cloud.calls, f"a certificate that is not valid yet is taken: {answer}")


@contextlib.contextmanager
def another_cloud(board, name: str, valid_from: int):
    """A cloud whose certificate is valid from then on; the board is configured for it."""
    stamp = datetime.datetime.fromtimestamp(valid_from, datetime.timezone.utc).strftime("%Y%m%d%H%M%SZ")
    with Cloud(board.folder / name, not_before=stamp) as cloud:
        board.write(CLOUD_ROOT, cloud.root.read_bytes())
        board.configure(board.config.replace(f":{board.cloud.port}/", f":{cloud.port}/"))
        yield cloud
    board.write(CLOUD_ROOT, board.cloud.root.read_bytes())


def jumps(board, jump: str):
    name = "later" if jump.startswith("+") else "earlier"
    hand_in(board, name, JOBS, not_before="1d", ttl="2d")
    hand_in(board, f"{name}-soon", JOBS, not_before="3s")
    slow: list = []
    under_way = threading.Thread(target=lambda: slow.append(board.ask("POST", "/v1/ask?model=local/small", "slow 20 200", TEXT)))
    under_way.start()
    board.wait("the slow request to be under way", lambda: running(board))
    board.must_run(f"date -s '{jump}'")
    under_way.join(300)
    board.must(slow and slow[0].status == 200, f"a request over the jump came to {slow}")
    answer = board.ask("POST", "/v1/ask?model=local/small", "Hello", TEXT)
    board.must(answer.status == 200, f"after the jump: {answer}")
    must_end(board, f"{name}-soon", JOBS)
    board.restart()
    must_be_there(board, name, JOBS, "queued")
    board.must(int(board.unit_state(UNIT)["NRestarts"]) == 0, "the service fell over")


def running(board) -> bool:
    """Whether the stand-in for Ollama has a chat under way."""
    head = {"Host": "127.0.0.1", "Connection": "close"}
    return board.ask_inside("GET", "/counts", b"", head, 120, port=11434).json()["running"] == 1


def sabotage(board):
    """The cloud's certificate is valid ten years later only: then it must not be reached."""
    board.late = TEN_YEARS
