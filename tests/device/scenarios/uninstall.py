"""The package is removed: its processes are gone, and of its files nothing is left but configuration, keys and jobs. A purge takes
these as well. What is left is found by comparing the board's files with those of the image before the package was put in.
"""

from jobs import put

SPENDS = True
KEPT = ("/etc/edgehold", "/var/lib/edgehold", "/var/lib/private/edgehold", "/etc/systemd/system/edgehold.socket.d")
# What the system writes as it runs, and the harness's own.
OTHERS = (
    "/var/log/", "/var/tmp/", "/tmp/", "/var/lib/systemd/", "/var/cache/", "/var/lib/dpkg/",
    "/var/lib/dbus/", "/etc/mtab", "/etc/.pwd.lock", "/etc/edgehold/cloud.pem",
)
INSTALLED = "/usr/share/edgehold/install.sh"


def scenario(board):
    answer = put(board, "kept", not_before="1d")
    board.must(answer.status == 202, f"a job is not taken: {answer}")
    board.must("/usr/bin/edgehold" in left(board), "the list of what is left does not see the binary")
    is_package = board.run("dpkg -s edgehold").status == 0
    remove(board, "dpkg --remove edgehold" if is_package else f"sh {INSTALLED} --uninstall")
    stray = [path for path in left(board) if not path.startswith(KEPT)]
    board.must(not stray, f"the package left behind {len(stray)} files: {' '.join(stray[:8])}")
    board.must_run("test -s /var/lib/private/edgehold/queue.db")
    if is_package:
        # The harness's own file would keep its folder there.
        remove(board, "rm -f /etc/edgehold/cloud.pem; dpkg --purge edgehold")
        stray = [path for path in left(board) if not path.startswith("/etc/systemd/system/edgehold.socket.d")]
        board.must(not stray, f"the purge left behind {len(stray)} files: {' '.join(stray[:8])}")
    board.fact(kept="configuration, keys, jobs")


def remove(board, line: str):
    board.must_run(line, timeout=300)
    board.must(board.run("pgrep -x edgehold").status != 0, "the service still runs")
    board.must(board.run("systemctl cat edgehold.service edgehold.socket").status != 0, "systemd still knows the units")


def left(board) -> list[str]:
    """The files and links, and the folders of our name, that were not there before the package was."""
    listed = board.must_run("find / /var/lib -xdev '(' ! -type d -o -name '*edgehold*' ')' 2>/dev/null", timeout=300).splitlines()
    return sorted(path for path in set(listed) - board.rig.before if not path.startswith(OTHERS))
