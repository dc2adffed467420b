"""The text that the fake providers answer: numbers of 15 digits and a space, so that every byte says where it belongs."""

BLOCK = 16


def numbers(total, at=0):
    """`total` bytes of it, from byte `at` on."""
    first, last = at // BLOCK, (at + total + BLOCK - 1) // BLOCK
    text = b"".join(b"%015d " % number for number in range(first, last))
    return text[at - first * BLOCK :][:total]


class Follower:
    """Compares such a text with what it should be, piece by piece, and holds none of it."""

    def __init__(self):
        self.at, self.is_right = 0, True

    def take(self, piece):
        self.is_right = self.is_right and piece == numbers(len(piece), self.at)
        self.at += len(piece)
