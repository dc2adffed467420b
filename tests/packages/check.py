"""Runs every check of packages; see `run` beside this file."""

from __future__ import annotations

import argparse
import pathlib
import sys
import tempfile

import bench
import by_archive
import by_bill
import by_container
import by_dpkg
import by_flash
import by_release
import contents

PARTS = (contents, by_dpkg, by_archive, by_flash, by_container, by_bill, by_release)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("binary", type=pathlib.Path)
    parser.add_argument("target", choices=bench.TARGETS)
    parser.add_argument("--only", default="", metavar="WORD")
    options = parser.parse_args()
    failed = ran = 0
    with tempfile.TemporaryDirectory(prefix="edgehold-packages-") as scratch:
        ours = bench.Bench(options.binary.resolve(), options.target, pathlib.Path(scratch))
        for check in (check for part in PARTS for check in part.CHECKS):
            words = check.__name__.replace("_", " ")
            if options.only not in words:
                continue
            ran += 1
            ours.begin(check.__name__)
            try:
                check(ours)
                print(f"ok      {words}", flush=True)
            except bench.Failed as error:
                failed += 1
                print(f"FAILED  {words}: {error}", flush=True)
        print(f"deb {ours.architecture} {ours.deb.stat().st_size} bytes")
        print(f"tar {ours.architecture} {ours.archive.stat().st_size} bytes")
    print(f"{ran - failed} of {ran} checks of packages hold")
    return 0 if ran and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
