"""Clients that come all the time, while something is done to the service. Each must get a whole answer."""

import threading

from board import Board

TEXT = {"Content-Type": "text/plain"}


class Callers:
    """Three of them, for the length of a `with`."""

    def __init__(self, board: Board, prompt: str = "Hello"):
        self.board, self.prompt = board, prompt
        self.stop = threading.Event()
        self.served, self.refused = 0, []
        self.lock = threading.Lock()

    def __enter__(self):
        self.threads = [threading.Thread(target=self.call, daemon=True) for _ in range(3)]
        for thread in self.threads:
            thread.start()
        self.board.wait("the first clients to be served", lambda: self.served or self.refused)
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join(300)

    def call(self):
        # A pause each time: what is done to the service wants the board's processor too.
        while not self.stop.wait(0.2):
            try:
                answer = self.board.ask("POST", "/v1/ask?model=default", self.prompt, TEXT)
                outcome = "" if answer.status == 200 else f"{answer.status} {answer.body[:80]!r}"
            except Exception as error:
                outcome = repr(error)
            with self.lock:
                self.served += not outcome
                self.refused += [outcome] if outcome else []

    def must_be_served(self):
        all_of_them = self.served + len(self.refused)
        self.board.must(not self.refused, f"{len(self.refused)} of {all_of_them} requests were refused: {self.refused[:3]}")
        self.board.must(self.served > 0, "no request was made")
