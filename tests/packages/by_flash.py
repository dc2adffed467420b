"""`scripts/flash`: into a folder and into images, twice, and every way in which it has to refuse."""

from __future__ import annotations

import hashlib
import os
import pathlib
import re
import shutil
import struct

import by_dpkg
from bench import KEY, Bench, difference, files, hold, run, tree

CONFIG = "etc/edgehold/edgehold.toml"
MIB = 1 << 20
LAN = '[server]\nlisten = ["192.168.7.1:11435"]\n\n[[clients]]\nname = "app"\ntoken = { credential = "app" }\n'


def a_folder_gets_what_dpkg_would_install(ours: Bench) -> None:
    flashed, installed = ours.root("flashed"), ours.root("for-dpkg")
    # Where /lib leads to /usr/lib, dpkg's helper names units by it.
    (installed / "lib").unlink()
    (flashed / "lib").unlink()
    ours.flash(flashed, "--deb", ours.deb)
    by_dpkg.dpkg(installed, "-i", ours.deb)
    # dpkg's words of its own state are in another order, and it leaves locks; the package's own files must be equal.
    leave = ("var/lib/dpkg/status", "var/lib/dpkg/lock", "var/lib/dpkg/triggers", "var/lib/dpkg/info/format", "var/lib/dpkg/available")
    one, two = tree(flashed, *leave), tree(installed, *leave)
    hold(one == two, difference(one, two))
    states = [sorted(by_dpkg.dpkg(root, "-s", "edgehold").splitlines()) for root in (flashed, installed)]
    hold(states[0] == states[1], f"{states}")


def dpkg_can_go_on_from_there(ours: Bench) -> None:
    root = ours.root("go-on")
    ours.flash(root, "--deb", ours.deb, "--key", f"openai={ours.key}")
    hold(not by_dpkg.dpkg(root, "--verify", "edgehold"), "dpkg finds it changed")
    by_dpkg.dpkg(root, "-i", ours.deb_next)
    hold((root / "etc/edgehold/keys/openai").read_text() == KEY, "the key is gone")
    ours.flash(root, "--deb", ours.deb)
    hold(f"Version: {ours.version}" in by_dpkg.dpkg(root, "-s", "edgehold"), "not flashed over")
    by_dpkg.dpkg(root, "-P", "edgehold")
    hold(not list(root.rglob("*edgehold*")), "the purge left something")


def every_source_gives_the_same_files(ours: Bench) -> None:
    trees = []
    for option, source in (("--deb", ours.deb), ("--tar", ours.archive), ("--binary", ours.binary)):
        root = ours.root(f"source{option}")
        ours.flash(root, option, source)
        trees.append(tree(root, "var", "usr/share/edgehold", "usr/share/lintian"))
    hold(trees[0] == trees[1], difference(trees[0], trees[1]))
    hold(trees[0] == trees[2], difference(trees[0], trees[2]))


def twice_is_once(ours: Bench) -> None:
    root = ours.root("idempotent")
    words = ("--deb", ours.deb, "--key", f"openai={ours.key}")
    ours.flash(root, *words)
    times = {it: it.lstat().st_mtime_ns for it in root.rglob("*")}
    hold(" 0 changes" in ours.flash(root, *words), "something was changed again")
    hold(times == {it: it.lstat().st_mtime_ns for it in root.rglob("*")}, "something was written again")


def keys_are_roots_alone(ours: Bench) -> None:
    root = ours.root("keys")
    os.chmod(ours.key, 0o644)
    said = ours.flash(root, "--deb", ours.deb, "--key", f"openai={ours.key}")
    os.chmod(ours.key, 0o600)
    hold("others may read" in said and KEY not in said, said)
    found = tree(root)
    hold(found["etc/edgehold/keys"].startswith("40700 0:0"), found["etc/edgehold/keys"])
    hold(found["etc/edgehold/keys/openai"].startswith("100600 0:0"), found["etc/edgehold/keys/openai"])
    hold("others may read" not in ours.flash(root, "--deb", ours.deb, "--key", f"openai={ours.key}"), "a closed key is warned of")
    hold("--key wants" in ours.flash(root, "--deb", ours.deb, "--key", f"../x={ours.key}", fails=True), "a name with a path")


def a_configuration_is_put_or_kept(ours: Bench) -> None:
    root = ours.root("config")
    config = ours.scratch / "mine.toml"
    config.write_text('[memory]\ncap = "16MiB"\n')
    ours.flash(root, "--deb", ours.deb, "--config", config)
    hold((root / CONFIG).read_text() == config.read_text(), "another configuration is there")
    ours.flash(root, "--deb", ours.deb_next)
    hold((root / CONFIG).read_text() == config.read_text(), "the configuration was not kept")


def a_bad_configuration_is_refused_before_anything_is_written(ours: Bench) -> None:
    root = ours.root("bad-config")
    config = ours.scratch / "bad.toml"
    config.write_text('[memory]\ncap = "much"\n')
    before = tree(root)
    said = ours.flash(root, "--deb", ours.deb, "--config", config, fails=True)
    hold("memory.cap" in said and tree(root) == before, said)
    config.write_text(LAN)
    said = ours.flash(root, "--deb", ours.deb, "--config", config, fails=True)
    hold("clients[0].token" in said and tree(root) == before, said)
    # --check-with takes that binary's word.
    yes = ours.scratch / "yes"
    shutil.copy(shutil.which("true") or "", yes)
    ours.flash(root, "--deb", ours.deb, "--config", config, "--check-with", yes)


def the_lan_is_let_in_where_the_configuration_says_so(ours: Bench) -> None:
    root = ours.root("lan")
    config = ours.scratch / "lan.toml"
    config.write_text(LAN)
    words = ("--deb", ours.deb, "--config", config, "--key", f"app={ours.key}", "--lan")
    said = ours.flash(root, *words, "192.168.7.2:11435", fails=True)
    hold("does not listen on 192.168.7.2:11435" in said, said)
    hold("--lan wants IP:PORT" in ours.flash(root, *words, "gateway.lan", fails=True), "a name")
    ours.flash(root, *words, "192.168.7.1:11435")
    text = (root / "etc/systemd/system/edgehold.socket.d/lan.conf").read_text()
    streams = re.findall(r"^ListenStream=(.*)$", text, re.M)
    hold(streams == ["", "192.168.7.1:11435"], f"{streams}")


def links_lead_inside_of_the_root(ours: Bench) -> None:
    root = ours.root("links")
    (root / "data/units").mkdir(parents=True)
    (root / "etc/systemd").mkdir()
    (root / "etc/systemd/system").symlink_to("/data/units")
    (root / "etc/edgehold").symlink_to("../../../../data")
    ours.flash(root, "--deb", ours.deb)
    hold((root / "data/units/sockets.target.wants/edgehold.socket").is_symlink(), "not behind the link")
    hold((root / "data/edgehold.toml").is_file() and not pathlib.Path("/data/units").exists(), "outside of the root")


def an_image_gets_the_same_as_a_folder(ours: Bench) -> None:
    root = ours.root("for-image")
    image = ext4(ours.scratch / "plain.img", root)
    words = ("--deb", ours.deb, "--key", f"openai={ours.key}")
    ours.flash(image, *words)
    ours.flash(root, *words)
    prove_image(image, 0, root, ours.scratch / "read-back")
    before = hashlib.sha256(image.read_bytes()).hexdigest()
    hold(" 0 changes" in ours.flash(image, *words), "something was changed again")
    hold(before == hashlib.sha256(image.read_bytes()).hexdigest(), "the second time changed bytes")
    ours.flash(image, "--deb", ours.deb_next)
    ours.flash(root, "--deb", ours.deb_next)
    prove_image(image, 0, root, ours.scratch / "read-next")


def ext4(image: pathlib.Path, root: pathlib.Path, size: int = 32 * MIB) -> pathlib.Path:
    with image.open("wb") as file:
        file.truncate(size)
    run("mke2fs", "-q", "-t", "ext4", "-d", root, image)
    return image


def prove_image(image: pathlib.Path, offset: int, root: pathlib.Path, scratch: pathlib.Path) -> None:
    """The image has what the folder has, and its file system is sound."""
    where = f"{image}?offset={offset}"
    run("e2fsck", "-fn", where)
    scratch.mkdir()
    run("debugfs", "-R", f"rdump / {scratch}", where)
    shutil.rmtree(scratch / "lost+found")
    one, two = tree(root), tree(scratch)
    hold(one == two, difference(one, two))


def a_partition_is_found_in_both_kinds_of_table(ours: Bench) -> None:
    for table, kind in (("gpt", "linux"), ("dos", "83")):
        disk, root = partitioned(ours, table, kind), ours.scratch / f"root-{table}"
        ours.flash(disk, "--tar", ours.archive)
        ours.flash(root, "--tar", ours.archive)
        prove_image(disk, 6 * MIB, root, ours.scratch / f"read-{table}")
        hold("no partition 5" in ours.flash(disk, "--tar", ours.archive, "--partition", 5, fails=True), "partition 5")
        hold("no ext4" in ours.flash(disk, "--tar", ours.archive, "--partition", 1, fails=True), "partition 1")


def partitioned(ours: Bench, table: str, kind: str) -> pathlib.Path:
    """A disk as boards have it: a small partition for the boot loader, and the root."""
    root = ours.root(f"root-{table}")
    disk = ours.scratch / f"{table}.img"
    with disk.open("wb") as file:
        file.truncate(40 * MIB)
    plan = ours.scratch / "plan"
    plan.write_text(f"label: {table}\nstart=1MiB,size=5MiB\nstart=6MiB,size=32MiB,type={kind}\n")
    run("sh", "-c", f"/sbin/sfdisk -q {disk} <{plan}")
    part = ext4(ours.scratch / "part.img", root)
    run("dd", f"if={part}", f"of={disk}", "bs=1M", "seek=6", "conv=notrunc,sparse", "status=none")
    return disk


def an_image_that_was_not_unmounted_is_mended_first(ours: Bench) -> None:
    root = ours.root("dirty")
    image = ext4(ours.scratch / "dirty.img", root)
    run("debugfs", "-w", "-R", "set_super_value state 0", image)
    ours.flash(image, "--deb", ours.deb)
    ours.flash(root, "--deb", ours.deb)
    prove_image(image, 0, root, ours.scratch / "read-dirty")


def what_cannot_be_flashed_is_refused(ours: Bench) -> None:
    root = ours.root("refusing")
    deb = ("--deb", ours.deb)
    noise = ours.scratch / "noise"
    noise.write_bytes(bytes(range(256)) * 4096)
    hold("no disk image" in ours.flash(noise, *deb, fails=True), "noise")
    hold("does not exist" in ours.flash(ours.scratch / "nowhere", *deb, fails=True), "nothing")
    empty = ours.scratch / "empty"
    empty.mkdir()
    hold("no root of a system" in ours.flash(empty, *deb, fails=True), "an empty folder")
    before = tree(root)
    hold("is no .deb" in ours.flash(root, "--deb", noise, fails=True), "noise as a package")
    hold("cannot be unpacked" in ours.flash(root, "--tar", noise, fails=True), "noise as an archive")
    hold("no program" in ours.flash(root, "--binary", noise, fails=True), "noise as a binary")
    hold(tree(root) == before, "something was written")
    ours.flash(root, *deb)
    hold("flash a --deb" in ours.flash(root, "--tar", ours.archive, fails=True), "an archive over a package")


def another_machine_is_refused(ours: Bench) -> None:
    root = ours.root("mips", machine=ours.other_machine())
    before = tree(root)
    for where in (root, ext4(ours.scratch / "mips.img", root)):
        said = ours.flash(where, "--deb", ours.deb, fails=True)
        hold(f"for {ours.machine}, and /usr/lib/systemd/systemd for MIPS" in said, said)
    hold(tree(root) == before, "something was written")


def no_room_is_seen_before_anything_is_written(ours: Bench) -> None:
    root = ours.root("small")
    image = ext4(ours.scratch / "small.img", root, 4 * MIB)
    before = image.read_bytes()
    said = ours.flash(image, "--deb", ours.deb, fails=True)
    hold("no room" in said and image.read_bytes() == before, said)


def a_read_only_root_is_refused(ours: Bench) -> None:
    root = ours.root("read-only")
    script = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
    flash = pathlib.Path(__file__).resolve().parents[2] / "scripts/flash"
    said = run("unshare", "-m", "sh", "-c", script, root, flash, root, "--deb", ours.deb, fails=True)
    hold("read-only" in said and "edgehold" not in " ".join(files(root)), said)


def a_broken_file_system_is_refused(ours: Bench) -> None:
    root = ours.root("whole")
    image = ext4(ours.scratch / "broken.img", root)
    with image.open("r+b") as file:
        # An incompatible feature that nobody knows.
        file.seek(1024 + 0x60)
        file.write(b"\xff\xff\xff\xff")
    hold("cannot be read: " in ours.flash(image, "--deb", ours.deb, fails=True), "an unknown kind of file system")
    # A file whose head of extents is nonsense: e2fsck leaves that to people.
    image = ext4(ours.scratch / "damaged.img", root)
    for request in ("set_inode_field /usr/lib/systemd/systemd block[0] 0x12345678", "set_super_value state 0"):
        run("debugfs", "-w", "-R", request, image)
    hold("is damaged; mend it" in ours.flash(image, "--deb", ours.deb, fails=True), "a damaged file system")


def a_broken_table_is_refused(ours: Bench) -> None:
    disk = ours.scratch / "broken.img"
    header = b"EFI PART" + bytes(64) + struct.pack("<QII", 2, 1 << 30, 7)
    disk.write_bytes(bytes(512) + header.ljust(512, b"\0") + bytes(MIB))
    hold("makes no sense" in ours.flash(disk, "--deb", ours.deb, fails=True), "a table of a billion entries")


CHECKS = (
    a_folder_gets_what_dpkg_would_install,
    dpkg_can_go_on_from_there,
    every_source_gives_the_same_files,
    twice_is_once,
    keys_are_roots_alone,
    a_configuration_is_put_or_kept,
    a_bad_configuration_is_refused_before_anything_is_written,
    the_lan_is_let_in_where_the_configuration_says_so,
    links_lead_inside_of_the_root,
    an_image_gets_the_same_as_a_folder,
    a_partition_is_found_in_both_kinds_of_table,
    an_image_that_was_not_unmounted_is_mended_first,
    what_cannot_be_flashed_is_refused,
    another_machine_is_refused,
    no_room_is_seen_before_anything_is_written,
    a_read_only_root_is_refused,
    a_broken_table_is_refused,
    a_broken_file_system_is_refused,
)
