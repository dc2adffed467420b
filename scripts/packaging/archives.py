"""Writes the packages: the .tar.xz with install.sh, and the .deb, both of them byte for byte the same from the same files.

A .deb is an `ar` of three members, two of them tar archives. Written here it needs no tool of Debian's, and depends on
no version of one.
"""

from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile

from payload import CONFIG, PARTS, REPOSITORY, Entry, Tree, Wrong, add_folders

# Level 6 takes 9 MiB to unpack and 9 would take 65, which a small device does not have. Code is in words of four bytes.
LZMA = "--lzma2=preset=6e,lc=2,lp=2,pb=2,nice=273"
# What turns addresses of calls into absolute ones first: 8 and 4 % less. dpkg knows both from Debian 12 on, busybox none.
BRANCHES = {"arm64": ["--arm64"], "armhf": ["--armthumb"]}
SCRIPTS = ("postinst", "prerm", "postrm")


def tar_xz(tree: Tree, name: str, time: int) -> bytes:
    """The archive for systems without dpkg: what is to be installed lies under root/."""
    files: Tree = {name: Entry(0o755), f"{name}/root": Entry(0o755)}
    files |= {f"{name}/root/{path}": entry for path, entry in tree.items()}
    files[f"{name}/install.sh"] = Entry(0o755, (PARTS / "install.sh").read_bytes())
    for document in ("README.md", "LICENSE-APACHE", "LICENSE-MIT"):
        files[f"{name}/{document}"] = Entry(0o644, (REPOSITORY / document).read_bytes())
    return _xz(_tar(files, "", time))


def deb(tree: Tree, version: str, architecture: str, time: int) -> bytes:
    """The package for Debian and what descends from it."""
    files = dict(tree)
    files["usr/share/lintian/overrides/edgehold"] = Entry(0o644, (PARTS / "debian" / "lintian-overrides").read_bytes())
    add_folders(files)
    members = {
        "debian-binary": b"2.0\n",
        "control.tar.xz": _xz(_tar(_control(files, version, architecture), "./", time)),
        "data.tar.xz": _xz(_tar(files, "./", time), architecture),
    }
    return b"!<arch>\n" + b"".join(_member(name, data, time) for name, data in members.items())


def _xz(data: bytes, architecture: str = "all") -> bytes:
    """By the program, since Python has no name for AArch64's filter. CRC32 is the check that every reader knows."""
    words = ["xz", "--format=xz", "--check=crc32", "--threads=1", "--stdout", *BRANCHES.get(architecture, []), LZMA]
    try:
        return subprocess.run(words, input=data, capture_output=True, check=True).stdout
    except FileNotFoundError:
        raise Wrong("xz is not installed (xz-utils 5.4 or later)") from None
    except subprocess.CalledProcessError as error:
        raise Wrong(f"xz 5.4 or later is needed: {error.stderr.decode().strip()}") from None


def _control(tree: Tree, version: str, architecture: str) -> Tree:
    words = {"@VERSION@": version, "@ARCHITECTURE@": architecture, "@SIZE@": str(_installed_size(tree))}
    control = (PARTS / "debian" / "control").read_text()
    for word, value in words.items():
        control = control.replace(word, value)
    sums = [(path, hashlib.md5(it.data, usedforsecurity=False)) for path, it in sorted(tree.items()) if it.data is not None]
    files: Tree = {
        "control": Entry(0o644, control.encode()),
        "conffiles": Entry(0o644, f"/{CONFIG}\n".encode()),
        "md5sums": Entry(0o644, "".join(f"{it.hexdigest()}  {path}\n" for path, it in sums if path != CONFIG).encode()),
    }
    for script in SCRIPTS:
        files[script] = Entry(0o755, (PARTS / "debian" / script).read_bytes())
    return files


def _installed_size(tree: Tree) -> int:
    """In KiB as Debian counts them: each file rounded up, and one for a folder."""
    return sum(1 if it.data is None else (len(it.data) + 1023) // 1024 for it in tree.values())


def _tar(tree: Tree, front: str, time: int) -> bytes:
    """All of it root's, in the order of the names, and of one time."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        if front:
            archive.addfile(_head(front.rstrip("/"), Entry(0o755), time))
        for path, entry in sorted(tree.items()):
            archive.addfile(_head(front + path, entry, time), io.BytesIO(entry.data or b""))
    return out.getvalue()


def _head(name: str, entry: Entry, time: int) -> tarfile.TarInfo:
    head = tarfile.TarInfo(name)
    head.mode, head.mtime = entry.mode, time
    head.uname = head.gname = "root"
    if entry.data is None:
        head.type = tarfile.DIRTYPE
    else:
        head.size = len(entry.data)
    return head


def _member(name: str, data: bytes, time: int) -> bytes:
    head = f"{name:<16}{time:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n"
    return head.encode() + data + b"\n" * (len(data) % 2)
