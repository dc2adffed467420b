"""Says whether the aims whose names begin so were missed, as they must be by a build that is slow on purpose."""

import json
import sys


def main():
    file, *beginnings = sys.argv[1:]
    with open(file, encoding="utf-8") as figures:
        aims = json.load(figures)["aims"]
    held = [begin for begin in beginnings if not any(it["what"].startswith(begin) and it["holds"] is False for it in aims)]
    if held:
        sys.exit(f"bench: the control was not noticed by: {', '.join(held)}")
    print(f"bench: the control was noticed by {len(beginnings)} of {len(beginnings)} aims")


main()
