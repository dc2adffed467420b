"""What is in the packages, to the mode of each file; and that Debian's own checker finds nothing."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import tarfile

from bench import REPOSITORY, Bench, Failed, hold, run, tree

MOST_BYTES = 2 << 20
DOCUMENTS = "README.md changelog.gz copyright examples/cloud.toml examples/edgehold.toml examples/firmware.toml examples/lan.toml examples/openai-compatible.toml examples/small.toml"
# Where it is, and its mode; every other file is 644, and every other folder 755.
SPECIAL = {"etc/edgehold/keys": "40700", "usr/bin/edgehold": "100755"}
FILES = {
    "etc/edgehold/edgehold.toml",
    "usr/bin/edgehold",
    "usr/lib/systemd/system-preset/90-edgehold.preset",
    "usr/lib/systemd/system/edgehold.service",
    "usr/lib/systemd/system/edgehold.socket",
    "usr/share/bash-completion/completions/edgehold",
    "usr/share/fish/vendor_completions.d/edgehold.fish",
    "usr/share/man/man1/edgehold.1.gz",
    "usr/share/zsh/vendor-completions/_edgehold",
    *(f"usr/share/doc/edgehold/{it}" for it in DOCUMENTS.split()),
}
OVERRIDES = "usr/share/lintian/overrides/edgehold"
DROP_INS = "usr/share/doc/edgehold/examples/systemd/"


def the_package_has_these_files_with_these_modes(ours: Bench) -> None:
    prove_contents(unpacked(ours, ours.deb, "contents"), {OVERRIDES})


def prove_contents(root: pathlib.Path, more: set[str]) -> None:
    found = tree(root)
    names = {name for name, what in found.items() if not what.startswith("4")}
    names -= {name for name in names if name.startswith(DROP_INS) and name.endswith(".conf")}
    hold(names == FILES | more, f"files too many or too few: {sorted(names ^ (FILES | more))}")
    for name, what in found.items():
        mode, owner, _ = what.split(" ")
        wanted = SPECIAL.get(name, "40755" if mode.startswith("4") else "100644")
        hold((mode, owner) == (wanted, "0:0"), f"{name} has mode {mode} and owner {owner}, not {wanted} and 0:0")


def unpacked(ours: Bench, deb: pathlib.Path, name: str) -> pathlib.Path:
    root = ours.scratch / name
    run("dpkg-deb", "-x", deb, root)
    root.chmod(0o755)
    return root


def a_folder_of_keys_that_others_can_read_is_noticed(ours: Bench) -> None:
    root = unpacked(ours, ours.deb, "open")
    (root / "etc/edgehold/keys").chmod(0o755)
    try:
        prove_contents(root, {OVERRIDES})
    except Failed:
        return
    raise Failed("the check of modes let it pass")


def only_the_configuration_is_a_conffile(ours: Bench) -> None:
    hold(run("dpkg-deb", "-I", ours.deb, "conffiles") == "/etc/edgehold/edgehold.toml\n", "conffiles")
    # Whatever an example in it says must be right when its marks are taken away.
    text = (unpacked(ours, ours.deb, "config") / "etc/edgehold/edgehold.toml").read_text()
    whole = ours.scratch / "whole.toml"
    whole.write_text(re.sub(r"^#(?=\S)", "", text, flags=re.M))
    hold(whole.read_text().count("\n[") > 2, "there is no example in the configuration")
    run(*ours.runner, ours.binary, "check", "--config", whole, env={"CREDENTIALS_DIRECTORY": str(ours.scratch)})


def lintian_finds_nothing(ours: Bench) -> None:
    said = run("lintian", "--allow-root", "--fail-on", "error,warning", ours.deb)
    hold("W:" not in said and "E:" not in said, said)


def lintian_finds_a_fault(ours: Bench) -> None:
    folder = ours.scratch / "faulty"
    run("dpkg-deb", "-R", ours.deb, folder)
    (folder / "usr/share/doc/edgehold/copyright").unlink()
    run("dpkg-deb", "-Zgzip", "-b", folder, ours.scratch / "faulty.deb")
    said = run("lintian", "--allow-root", "--fail-on", "error,warning", ours.scratch / "faulty.deb", fails=True)
    hold("no-copyright-file" in said, said)


def the_same_again_in_other_surroundings(ours: Bench) -> None:
    before = os.umask(0o077)
    try:
        ours.pack(ours.scratch / "again", env={"TZ": "Pacific/Chatham", "LC_ALL": "C"})
    finally:
        os.umask(before)
    one, two = tree(ours.made), tree(ours.scratch / "again")
    # The mode of the packages themselves is the umask's; what is in them is not.
    same = {it for it in one if one[it].split()[-1] == two.get(it, "").split()[-1]}
    hold(one.keys() == two.keys() == same, f"other bytes: {sorted(set(one) - same)}")
    hold(one["container/" + ours.platform + "/usr/bin"] == two["container/" + ours.platform + "/usr/bin"], "the image's modes")
    shutil.rmtree(ours.scratch / "again")


def the_archive_belongs_to_root_and_begins_with_its_folder(ours: Bench) -> None:
    with tarfile.open(ours.archive) as archive:
        members = archive.getmembers()
    top = ours.archive.name.removesuffix(".tar.xz")
    hold(members[0].name == top and all(it.name.startswith(top) for it in members), "members outside of the folder")
    hold(all((it.uid, it.gid) == (0, 0) for it in members), "members of others")
    hold([it.name for it in members] == sorted(it.name for it in members), "the order")
    time = int(os.environ.get("SOURCE_DATE_EPOCH") or run("git", "-C", REPOSITORY, "log", "-1", "--format=%ct"))
    hold({it.mtime for it in members} == {time}, "the time is not that of the source")


def the_package_is_small(ours: Bench) -> None:
    size = ours.deb.stat().st_size
    hold(size < MOST_BYTES, f"{size} bytes, and {MOST_BYTES} is the limit")


def a_binary_for_another_machine_is_not_packed(ours: Bench) -> None:
    wrong = ours.scratch / "wrong"
    wrong.write_bytes(ours.other_machine())
    said = run(REPOSITORY / "scripts/package", ours.target, wrong, "--out", ours.scratch / "wrong-out", fails=True)
    hold("is for MIPS" in said, said)


def a_changed_byte_fails_the_sums(ours: Bench) -> None:
    folder = ours.scratch / "sums"
    folder.mkdir()
    copy = pathlib.Path(shutil.copy(ours.deb, folder))
    run(REPOSITORY / "scripts/release", "--sums", folder)
    run("sha256sum", "--strict", "-c", "SHA256SUMS", cwd=folder)
    data = bytearray(copy.read_bytes())
    data[len(data) // 2] ^= 1
    copy.write_bytes(data)
    hold("FAILED" in run("sha256sum", "--strict", "-c", "SHA256SUMS", cwd=folder, fails=True), "the change was not noticed")


CHECKS = (
    the_package_has_these_files_with_these_modes,
    a_folder_of_keys_that_others_can_read_is_noticed,
    only_the_configuration_is_a_conffile,
    lintian_finds_nothing,
    lintian_finds_a_fault,
    the_same_again_in_other_surroundings,
    the_archive_belongs_to_root_and_begins_with_its_folder,
    the_package_is_small,
    a_binary_for_another_machine_is_not_packed,
    a_changed_byte_fails_the_sums,
)
