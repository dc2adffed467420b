"""The scenarios of one kind of board, one after the other. Each one's outcome is a line of JSON on standard output."""

import argparse
import importlib
import json
import pathlib
import signal
import sys
import time
import traceback

from agent import Gone
from arch import ARCHES
from board import Board, Broken
from qmp import Refused
from rig import Rig

HERE = pathlib.Path(__file__).resolve().parent
# The order in which they run; those that a board of its own is not made for share one.
ORDER = "boot link memory power uninstall watchdog upgrade clock disk hour".split()
LAST_WORDS = "journalctl -b --no-pager -o short-monotonic -n 40 -u edgehold.service -u edgehold.socket; journalctl -b --no-pager -n 10; systemctl --failed --no-legend"
PATIENCE, NIGHT = 900, 4 * 3600  # seconds for a scenario: a bound, and no condition


def run(options: argparse.Namespace) -> int:
    arch = ARCHES[options.arch]
    folder = options.folder / arch.name
    folder.mkdir()
    if options.deb_dir:
        package = ("--deb", newest(options.deb_dir, arch.debian))
    else:
        package = ("--binary", options.binary_dir / f"edgehold-{arch.target}")
    with Rig(arch, options.qemu_parts, package, folder, options.cache, options.soak) as rig:
        return Lane(rig, options.soak).run(chosen(options))


def newest(folder: pathlib.Path, debian: str) -> pathlib.Path:
    found = sorted(folder.glob(f"edgehold_*_{debian}.deb"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise SystemExit(f"no package for {debian} in {folder}")
    return found[-1]


def chosen(options: argparse.Namespace) -> list:
    """The scenarios that were asked for, or all that the run is for, as modules in their order."""
    known = [path.stem for path in (HERE / "scenarios").glob("*.py")]
    names = [name for name in ORDER if name in known] + sorted(set(known) - set(ORDER))
    modules = [importlib.import_module(f"scenarios.{name}") for name in names if not options.scenarios or name in options.scenarios]
    return modules if options.scenarios or options.soak else [module for module in modules if not getattr(module, "SOAK", False)]


class Lane:
    """Runs the scenarios and keeps the board that they share."""

    def __init__(self, rig: Rig, soak: bool):
        self.rig, self.soak = rig, soak
        self.shared: Board | None = None

    def run(self, modules: list) -> int:
        signal.signal(signal.SIGALRM, too_long)
        try:
            failed = 0
            for module in modules:
                failed += not self.one(module, False)
                if hasattr(module, "sabotage"):
                    failed += not self.one(module, True)
            return 1 if failed else 0
        finally:
            self.drop()

    def one(self, module, is_control: bool) -> bool:
        """Runs the scenario; for a control, sabotages it first and wants it to fail."""
        name, began = module.__name__.rpartition(".")[2], time.monotonic()
        event = {"ok": True, "control": is_control, "scenario": name, "arch": self.rig.arch.name, "facts": {}}
        board = None
        signal.alarm(NIGHT if self.soak else PATIENCE)
        try:
            board = self.board_for(module)
            board.facts = event["facts"]
            if is_control:
                self.control(module, board, event)
            else:
                module.scenario(board)
        except (Broken, Gone, Refused) as error:
            event |= {"ok": False, "why": str(error), "log": last_words(board)}
        except Exception as error:
            event |= {"ok": False, "why": f"{type(error).__name__}: {error}", "log": traceback.format_exc() + last_words(board)}
        finally:
            signal.alarm(0)
        is_spent = is_control or getattr(module, "SPENDS", False)
        if not event["ok"] or is_spent or board is not self.shared:
            self.end(board)
        print(json.dumps(event | {"seconds": round(time.monotonic() - began, 1)}), flush=True)
        return event["ok"]

    def control(self, module, board: Board, event: dict):
        module.sabotage(board)
        try:
            module.scenario(board)
        except Broken as error:
            event["facts"] = {"noticed": str(error)[:160].replace("\n", " ")}
            return
        raise Broken("what was broken on purpose was not noticed")

    def board_for(self, module) -> Board:
        options = getattr(module, "OPTIONS", None)
        if options is not None:
            return started(self.rig.board(**options))
        if self.shared is None:
            self.shared = started(self.rig.board())
        else:
            self.shared.fresh()
        return self.shared

    def end(self, board: Board | None):
        if board is self.shared:
            self.drop()
        elif board is not None:
            board.close()

    def drop(self):
        if self.shared is not None:
            self.shared.close()
            self.shared = None


def started(board: Board) -> Board:
    try:
        board.boot()
        board.until_ready()
    except BaseException:
        print(last_words(board), file=sys.stderr)
        board.close()
        raise
    return board


def last_words(board: Board | None) -> str:
    """What the board says of itself, where it still does."""
    if board is None:
        return ""
    words = ["console:", board.console(20)]
    try:
        if board.agent and board.agent.there.is_set():
            words += ["journal:", board.run(LAST_WORDS, 60).text]
    except (Gone, OSError):
        words.append("its agent does not answer")
    return "\n".join(words)


def too_long(*_):
    raise TimeoutError("the scenario did not end in its time")
