"""The .tar.xz and its install.sh, under dash and under busybox with busybox's own tools; systemd is a stand-in that keeps a log."""

from __future__ import annotations

import pathlib
import re
import shutil

from bench import Bench, difference, files, hold, run, tree

CONFIG = "etc/edgehold/edgehold.toml"
SHELLS = ("dash", "busybox")
# Links, and the record by which install.sh removes: the package has these otherwise.
OTHERWISE = ("etc/systemd", "usr/share/edgehold", "usr/share/lintian")


def unpacked(ours: Bench, name: str) -> pathlib.Path:
    folder = ours.scratch / name
    folder.mkdir()
    run("sh", "-c", f"busybox unxz -c {ours.archive} | busybox tar x -C {folder}")
    return next(folder.iterdir())


def install(shell: str, source: pathlib.Path, *words: object, fails: bool = False, env: dict[str, str] | None = None) -> str:
    command = ["busybox", "sh"] if shell == "busybox" else [shell]
    return run(*command, source / "install.sh", *words, fails=fails, env=env)


def an_archive_installs_what_the_package_does(ours: Bench) -> None:
    source = unpacked(ours, "archive")
    package = ours.scratch / "package-tree"
    run("dpkg-deb", "-x", ours.deb, package)
    for shell in SHELLS:
        root = ours.scratch / f"by-{shell}"
        root.mkdir()
        install(shell, source, env={"DESTDIR": str(root)})
        one, two = tree(package, *OTHERWISE), tree(root, *OTHERWISE)
        hold(one == two, difference(one, two))
        for wanting in ("multi-user.target.wants/edgehold.service", "sockets.target.wants/edgehold.socket"):
            link = root / "etc/systemd/system" / wanting
            hold(link.is_symlink() and (root / str(link.readlink()).lstrip("/")).is_file(), f"{wanting} leads nowhere")


def installed_twice_it_is_the_same_and_keeps_the_configuration(ours: Bench) -> None:
    source = unpacked(ours, "twice")
    root = ours.scratch / "twice-root"
    root.mkdir()
    install("dash", source, "--root", root)
    (root / CONFIG).write_text("# the owner's\n")
    (root / "usr/share/doc/edgehold/of-an-older-version").touch()
    with (root / "usr/share/edgehold/files").open("a") as record:
        record.write("usr/share/doc/edgehold/of-an-older-version\n")
    (root / "etc/systemd/system/multi-user.target.wants/edgehold.service").unlink()
    before = tree(root, "usr/share/doc/edgehold/of-an-older-version", "usr/share/edgehold/files")
    install("busybox", source, "--root", root)
    after = tree(root, "usr/share/edgehold/files")
    hold(before == after, difference(before, after))
    hold("of-an-older" not in (root / "usr/share/edgehold/files").read_text(), "the record is an old one")


def uninstalled_it_leaves_configuration_and_state(ours: Bench) -> None:
    for shell in SHELLS:
        root = ours.scratch / f"uninstalled-{shell}"
        (root / "var/lib/private/edgehold").mkdir(parents=True)
        (root / "var/lib/private/edgehold/queue.db").touch()
        install(shell, unpacked(ours, f"away-{shell}"), "--root", root)
        (root / "etc/edgehold/keys/openai").touch()
        # By the copy that was installed: the archive may be gone by then.
        install(shell, root / "usr/share/edgehold", "--root", root, "--uninstall")
        hold(files(root) == {CONFIG, "etc/edgehold/keys/openai", "var/lib/private/edgehold/queue.db"}, f"left: {sorted(files(root))}")
        hold(not (root / "usr").exists(), "empty folders are left")
        install(shell, next((ours.scratch / f"away-{shell}").iterdir()), "--root", root, "--purge")
        hold(not files(root), f"left after a purge: {sorted(files(root))}")


def it_leaves_a_package_of_dpkg_alone(ours: Bench) -> None:
    root = ours.root("dpkgs")
    ours.flash(root, "--deb", ours.deb)
    before = tree(root)
    said = install("dash", unpacked(ours, "beside-dpkg"), "--root", root, fails=True)
    hold("dpkg has a package" in said and tree(root) == before, said)


def live_system(ours: Bench, name: str) -> pathlib.Path:
    """A system to change the root into: busybox, a systemctl that keeps a log, and the unpacked archive."""
    root = ours.scratch / name
    for folder in ("bin", "lib", "run/systemd/system", "tmp", "dev", "var/lib"):
        (root / folder).mkdir(parents=True)
    (root / "dev/null").touch()
    shutil.copy(shutil.which("busybox") or "", root / "bin/busybox")
    for library in re.findall(r"(/\S+) \(", run("ldd", root / "bin/busybox")):
        (root / library.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, root / library.lstrip("/"))
    run("chroot", root, "/bin/busybox", "--install", "-s", "/bin")
    (root / "bin/systemctl").write_text('#!/bin/sh\necho "$@" >>/log\n')
    (root / "bin/systemctl").chmod(0o755)
    shutil.move(unpacked(ours, f"{name}-archive"), root / "archive")
    return root


def let_run(ours: Bench, root: pathlib.Path) -> None:
    """The archive's binary, which may be another machine's, becomes one that this machine can run."""
    if not ours.runner:
        return
    binary = root / "archive/root/usr/bin/edgehold"
    shutil.move(binary, root / "bin/real")
    shutil.copy(ours.runner[0], root / "bin/emulator")
    binary.write_text('#!/bin/sh\nexec /bin/emulator /bin/real "$@"\n')
    binary.chmod(0o755)


def live(root: pathlib.Path, script: str, *words: str, fails: bool = False) -> tuple[str, list[str]]:
    (root / "log").write_text("")
    said = run("chroot", root, "/bin/sh", script, *words, fails=fails, env={"PATH": "/usr/sbin:/sbin:/usr/bin:/bin", "DESTDIR": ""})
    return said, (root / "log").read_text().splitlines()


def on_a_running_system_it_starts_the_socket_first(ours: Bench) -> None:
    root = live_system(ours, "live")
    let_run(ours, root)
    enabled = [f"{word} {unit}" for unit in ("edgehold.socket", "edgehold.service") for word in ("is-enabled --quiet", "start")]
    _, told = live(root, "/archive/install.sh")
    hold(told == ["daemon-reload", *enabled], f"told systemd {told}")
    _, told = live(root, "/archive/install.sh")
    hold(told == ["daemon-reload", *enabled, "try-restart edgehold.service"], f"told systemd {told}")
    _, told = live(root, "/archive/install.sh", "--no-start")
    hold(told == ["daemon-reload"], f"told systemd {told}")
    _, told = live(root, "/usr/share/edgehold/install.sh", "--uninstall")
    hold(told == ["stop edgehold.socket edgehold.service", "daemon-reload"], f"told systemd {told}")


def it_refuses_a_configuration_that_does_not_fit(ours: Bench) -> None:
    root = live_system(ours, "misfit")
    let_run(ours, root)
    (root / "etc/edgehold/keys").mkdir(parents=True)
    (root / CONFIG).write_text("[server]\nlisten = 7\n")
    before = tree(root, "log")
    said, told = live(root, "/archive/install.sh", fails=True)
    hold("nothing was changed" in said and "listen" in said and not told, said)
    hold(tree(root, "log") == before, difference(before, tree(root, "log")))


def it_refuses_another_machine(ours: Bench) -> None:
    root = live_system(ours, "elsewhere")
    (root / "archive/root/usr/bin/edgehold").write_bytes(ours.other_machine())
    said, told = live(root, "/archive/install.sh", fails=True)
    hold("not for this machine" in said and not told and not (root / "usr").exists(), said)


CHECKS = (
    an_archive_installs_what_the_package_does,
    installed_twice_it_is_the_same_and_keeps_the_configuration,
    uninstalled_it_leaves_configuration_and_state,
    it_leaves_a_package_of_dpkg_alone,
    on_a_running_system_it_starts_the_socket_first,
    it_refuses_a_configuration_that_does_not_fit,
    it_refuses_another_machine,
)
