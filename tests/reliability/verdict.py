"""What a rig found: figures for people, and whether every promise held and every control failed as it must."""

import pathlib
import random
from dataclasses import dataclass, field


@dataclass
class Rig:
    """What a rig is given: the binary, a folder of its own, and how much it is to do."""

    binary: str
    folder: pathlib.Path
    seed: int
    soak: bool
    figures: list = field(default_factory=list)
    faults: list = field(default_factory=list)

    def __post_init__(self):
        self.rng = random.Random(self.seed)

    def size(self, push, soak):
        """How often something is done: for every push, or at night."""
        return soak if self.soak else push

    def figure(self, text):
        self.figures.append(text)

    def must(self, held, what):
        """A promise that has to hold."""
        if not held:
            self.faults.append(what)

    def blame(self, oracle, where=""):
        """Takes over what an oracle found wrong."""
        for what in oracle.wrong[:10]:
            self.faults.append(f"{where}{what}")
        if len(oracle.wrong) > 10:
            self.faults.append(f"{where}... and {len(oracle.wrong) - 10} more")

    def control(self, what, seen, unit, noticed=None):
        """The same with something broken on purpose: what it does not see, the rig would never see."""
        noticed = seen if noticed is None else noticed
        self.figure(f"control, {what}: {seen} {unit}" + (", as it must" if noticed else ""))
        self.must(noticed, f"control, {what}: {seen} {unit}, so this rig proves nothing")
