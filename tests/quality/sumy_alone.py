"""Summarises one file with sumy and nothing else: the process that speed.py holds edgehold's against.

    sumy_alone.py LexRank|TextRank FILE WORDS

It imports less than sumy's own program does, and so is faster and smaller.
"""

import sys

import systems

name, file, words = sys.argv[1:]
with open(file) as opened:
    print(systems.sumy_summary(name, opened.read(), "en", systems.filled(int(words))))
