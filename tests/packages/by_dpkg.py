"""The .deb under a real dpkg, in roots of its own: installation, upgrade, removal, purge, and what the scripts tell systemd."""

from __future__ import annotations

import os
import pathlib
import shutil

from bench import NEXT, Bench, files, hold, run

CONFIG = "etc/edgehold/edgehold.toml"
KEY = "etc/edgehold/keys/openai"
JOBS = "var/lib/private/edgehold/queue.db"
LINKS = {
    "etc/systemd/system/multi-user.target.wants/edgehold.service",
    "etc/systemd/system/sockets.target.wants/edgehold.socket",
}
DPKGS_OWN = ("var/lib/dpkg", "var/log")


def dpkg(root: pathlib.Path, *words: object, fails: bool = False) -> str:
    # The scripts run here, and are told where the root is: the programs in it are another machine's.
    return run("dpkg", f"--root={root}", "--force-architecture", "--force-script-chrootless", "--log=/dev/null", *words, fails=fails)


def installed(ours: Bench, name: str) -> pathlib.Path:
    """A root with the package, a changed configuration, a key and jobs."""
    root = ours.root(name)
    dpkg(root, "-i", ours.deb)
    with (root / CONFIG).open("a") as config:
        config.write("# the owner's\n")
    (root / KEY).write_text("a key")
    (root / JOBS).parent.mkdir(parents=True, mode=0o700)
    (root / JOBS).write_text("jobs")
    (root / "var/lib/edgehold").symlink_to("private/edgehold")
    return root


def dpkg_installs_and_enables_it(ours: Bench) -> None:
    root = ours.root("installed")
    dpkg(root, "-i", ours.deb)
    hold("install ok installed" in dpkg(root, "-s", "edgehold"), "not installed")
    for link in LINKS:
        target = os.readlink(root / link)
        hold((root / target.lstrip("/")).is_file(), f"{link} leads to {target}, where nothing is")
    hold((root / "etc/edgehold/keys").stat().st_mode & 0o777 == 0o700, "the folder of keys is open")


def dpkg_refuses_it_on_another_machine(ours: Bench) -> None:
    root = ours.root("foreign")
    (root / "var/lib/dpkg/arch").write_text("mips\n")
    if ours.architecture == run("dpkg", "--print-architecture").strip():
        return
    said = run("dpkg", f"--root={root}", "--force-script-chrootless", "--log=/dev/null", "-i", ours.deb, fails=True)
    hold("does not match system" in said, said)


def dpkg_notices_a_changed_byte(ours: Bench) -> None:
    root = ours.root("changed")
    dpkg(root, "-i", ours.deb)
    hold(not dpkg(root, "--verify", "edgehold"), "a fresh installation is not as it was packed")
    with (root / "usr/bin/edgehold").open("r+b") as binary:
        binary.seek(5000)
        byte = binary.read(1)
        binary.seek(5000)
        binary.write(bytes([byte[0] ^ 1]))
    hold("/usr/bin/edgehold" in dpkg(root, "--verify", "edgehold"), "the change was not noticed")


def an_upgrade_keeps_what_is_the_owners(ours: Bench) -> None:
    root = installed(ours, "upgraded")
    service = "etc/systemd/system/multi-user.target.wants/edgehold.service"
    # As `systemctl disable` does it.
    (root / service).unlink()
    dpkg(root, "-i", ours.deb_next)
    hold(f"Version: {NEXT}" in dpkg(root, "-s", "edgehold"), "not the new version")
    hold((root / CONFIG).read_text().endswith("# the owner's\n"), "the configuration is another one")
    hold((root / KEY).read_text() == "a key" and (root / JOBS).read_text() == "jobs", "the key or the jobs are gone")
    hold(not (root / service).exists() and not (root / service).is_symlink(), "a disabled service was enabled")


def a_removal_leaves_configuration_keys_and_jobs(ours: Bench) -> None:
    root = installed(ours, "removed")
    dpkg(root, "-r", "edgehold")
    left = {name for name in files(root, *DPKGS_OWN) if "edgehold" in name}
    hold(left == {CONFIG, KEY, JOBS, "var/lib/edgehold"}, f"left: {sorted(left)}")


def a_purge_leaves_nothing(ours: Bench) -> None:
    root = installed(ours, "purged")
    dpkg(root, "-P", "edgehold")
    left = [str(it.relative_to(root)) for it in root.rglob("*edgehold*")]
    hold(not left, f"left: {left}")


def it_takes_over_from_an_archive(ours: Bench) -> None:
    root = ours.root("taken-over")
    ours.flash(root, "--tar", ours.archive)
    hold((root / "usr/share/edgehold/files").exists(), "the archive left no record")
    dpkg(root, "-i", "--force-confnew", ours.deb)
    hold(not (root / "usr/share/edgehold").exists(), "two think that it is theirs")


def the_scripts_start_it_and_never_stop_it_for_an_upgrade(ours: Bench) -> None:
    scripts = ours.scratch / "scripts"
    run("dpkg-deb", "-e", ours.deb, scripts)
    expected = {
        ("postinst", "configure", ""): ["systemctl --system daemon-reload", "invoke start edgehold.socket", "invoke start edgehold.service"],
        ("prerm", "upgrade", NEXT): [],
        ("postrm", "upgrade", NEXT): [],
        ("postinst", "configure", "0.0.9"): ["systemctl --system daemon-reload", "invoke start edgehold.socket", "invoke restart edgehold.service"],
        ("prerm", "remove"): ["invoke stop edgehold.socket edgehold.service"],
        ("postrm", "remove"): ["systemctl --system daemon-reload"],
    }
    for (script, *words), calls in expected.items():
        told = told_systemd(scripts / script, words, ours.scratch / "fakes", runs=True)
        hold(told == calls, f"{script} {words} told systemd {told}")
        hold(told_systemd(scripts / script, words, ours.scratch / "fakes", runs=False) == [], f"{script} told a systemd that does not run")


def told_systemd(script: pathlib.Path, words: list[str], fakes: pathlib.Path, runs: bool) -> list[str]:
    """Runs a maintainer script as on a system where systemd runs, or not, and returns what it asked for."""
    shutil.rmtree(fakes, ignore_errors=True)
    fakes.mkdir()
    log = fakes / "log"
    log.touch()
    for name, line in {"systemctl": 'systemctl "$@"', "deb-systemd-invoke": 'invoke "$@"', "deb-systemd-helper": ""}.items():
        (fakes / name).write_text(f"#!/bin/sh\n[ -z '{line}' ] || echo {line} >>{log}\n")
        (fakes / name).chmod(0o755)
    # A /run of its own, and nothing of this system's to remove.
    prepare = "mount -t tmpfs none /run && mount -t tmpfs none /var/lib && mount -t tmpfs none /usr/share && "
    prepare += "mkdir -p /run/systemd/system && " if runs else ""
    run("unshare", "-m", "sh", "-c", f'{prepare}exec sh "$0" "$@"', script, *words, env={"PATH": f"{fakes}:{os.environ['PATH']}", "DPKG_ROOT": ""})
    return log.read_text().splitlines()


CHECKS = (
    dpkg_installs_and_enables_it,
    dpkg_refuses_it_on_another_machine,
    dpkg_notices_a_changed_byte,
    an_upgrade_keeps_what_is_the_owners,
    a_removal_leaves_configuration_keys_and_jobs,
    a_purge_leaves_nothing,
    it_takes_over_from_an_archive,
    the_scripts_start_it_and_never_stop_it_for_an_upgrade,
)
