"""The disk of a virtual board: Debian for ARM from its packages, a kernel with an initramfs, and our own package in it.

Nothing of the other architecture is run to make it. What does not change from run to run is kept in the cache under the
hash of this recipe; each run puts the package that it tests into a copy.
"""

import fcntl
import hashlib
import pathlib
import re
import shutil
import subprocess
import zlib

from arch import Arch

SUITE = "bookworm"
PACKAGES = """base-files base-passwd bash busybox-static coreutils dash dbus diffutils dpkg e2fsprogs findutils gawk grep gzip
hostname init-system-helpers iproute2 kmod libc-bin libc6 libnss-systemd login mount passwd perl-base procps sed systemd
systemd-sysv tar udev util-linux xz-utils""".split()
# What the kernel has as modules, and the board needs before and after its root is there.
MODULES = "crc32c_generic virtio_mmio virtio_blk virtio_net virtio_console virtio-rng ext4".split()
# Left out of the image: nothing of it is used on the board.
USELESS = """usr/share/doc usr/share/man usr/share/locale usr/share/info usr/share/zoneinfo usr/share/i18n usr/lib/modules
usr/lib/udev/hwdb.d usr/lib/udev/hwdb.bin boot var/cache var/lib/apt usr/share/perl usr/share/bash-completion
usr/lib/systemd/system-generators""".split()
# A board of this kind has no screen, nobody who logs in, and only devices that the kernel itself finds.
MASKED = """getty.target e2scrub_reap.service e2scrub_all.timer fstrim.timer dpkg-db-backup.timer systemd-binfmt.service
systemd-hwdb-update.service systemd-udev-trigger.service systemd-update-utmp.service systemd-update-utmp-runlevel.service systemd-logind.service
dev-hugepages.mount sys-kernel-debug.mount sys-kernel-tracing.mount proc-sys-fs-binfmt_misc.automount systemd-pstore.service
modprobe@.service systemd-firstboot.service systemd-sysusers.service ldconfig.service systemd-ask-password-wall.path
systemd-ask-password-console.path systemd-tmpfiles-clean.timer systemd-udevd.service systemd-udevd-control.socket
systemd-udevd-kernel.socket systemd-modules-load.service systemd-user-sessions.service systemd-remount-fs.service
kmod-static-nodes.service dev-mqueue.mount sys-fs-fuse-connections.mount systemd-journal-flush.service
systemd-random-seed.service""".split()
ACCOUNTS = {"messagebus": 100, "systemd-network": 101, "systemd-resolve": 102}
GROUPS = {**ACCOUNTS, "systemd-journal": 110, "kvm": 111, "render": 112, "input": 113, "sgx": 114}

INIT = """#!/bin/busybox sh
# Loads the drivers, mounts the disks and hands over to systemd.
/bin/busybox mkdir -p /dev /proc /root
/bin/busybox mount -t devtmpfs none /dev
/bin/busybox mount -t proc none /proc
for module in $(/bin/busybox cat /modules/order); do
    /bin/busybox insmod /modules/$module || echo "no driver: $module"
done
/bin/busybox mount -t ext4 -o rw,noatime /dev/vda /root
/bin/busybox mount -t ext4 -o rw,noatime /dev/vdb /root/var/lib
/bin/busybox umount /proc
exec /bin/busybox switch_root /root /usr/lib/systemd/systemd
"""

NETWORK = """# The board's address, as QEMU's user network wants it.
[Unit]
DefaultDependencies=no
After=local-fs.target
Before=network-pre.target network.target network-online.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/ip link set lo up
ExecStart=/bin/ip link set eth0 up
ExecStart=/bin/ip address add 10.0.2.15/24 dev eth0
ExecStart=/bin/ip route add default via 10.0.2.2
[Install]
WantedBy=sysinit.target
"""

AGENT = """# Runs what the host asks for, over a port of its own that needs no network.
[Unit]
DefaultDependencies=no
After=systemd-remount-fs.service
[Service]
ExecStart=/bin/sh -c 'exec /usr/libexec/device/agent /dev/vport*p1'
OOMScoreAdjust=-1000
Restart=always
[Install]
WantedBy=sysinit.target
"""

OLLAMA = """# The stand-in for the Ollama on the device.
[Unit]
After=network.target
[Service]
ExecStart=/usr/libexec/device/ollama
Restart=always
[Install]
WantedBy=multi-user.target
"""


def base(arch: Arch, cache: pathlib.Path, to: pathlib.Path):
    """Puts a copy of the recipe's `root`, `kernel` and `initramfs` into the folder; they are made on first use."""
    recipe = pathlib.Path(__file__).read_bytes()
    folder = cache / f"device-{arch.debian}-{hashlib.sha256(recipe).hexdigest()[:16]}"
    # Another run may have another recipe, and would take this one away while it is copied.
    with open(cache / f"device-{arch.debian}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            for old in cache.glob(f"device-{arch.debian}-*"):
                shutil.rmtree(old)
            making = folder.with_suffix(".making")
            make_base(arch, making)
            making.rename(folder)
        subprocess.run(["cp", "-a", "--reflink=auto", f"{folder}/.", str(to)], check=True)


def make_base(arch: Arch, folder: pathlib.Path):
    root = folder / "root"
    root.mkdir(parents=True)
    unpack(arch, root)
    (folder / "initramfs").write_bytes(initramfs(root))
    shutil.copy(next((root / "boot").glob("vmlinuz-*")), folder / "kernel")
    strip(root)
    settle(root)


def unpack(arch: Arch, root: pathlib.Path):
    """Extracts the packages. No program of them is run, so nothing is configured either."""
    include = ",".join([*PACKAGES, arch.kernel_package])
    say = ["mmdebstrap", "--quiet", "--variant=extract", f"--architectures={arch.debian}", f"--include={include}"]
    say += ["--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr", SUITE, str(root), f"deb {mirror()} {SUITE} main"]
    done = subprocess.run(say, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise RuntimeError(f"mmdebstrap: {done.stdout[-2000:]}")


def mirror() -> str:
    """Where this machine's own apt gets Debian from."""
    words = ["apt-get", "indextargets", "--format", "$(SITE)", f"Codename: {SUITE}", "Created-By: Packages"]
    sites = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    if not sites:
        raise RuntimeError(f"apt has no source for Debian {SUITE}; add one to its configuration")
    return next((site for site in sites if "debian" in site), sites[0])


def initramfs(root: pathlib.Path) -> bytes:
    """A compressed cpio archive with busybox, the modules in the order of their needs, and INIT."""
    order = modules(root)
    files = {"init": INIT.encode(), "bin/busybox": (root / "bin/busybox").read_bytes()}
    files["modules/order"] = "\n".join(path.name for path in order).encode()
    files |= {f"modules/{path.name}": path.read_bytes() for path in order}
    return zlib.compress(archive(files), 6, 31)


def modules(root: pathlib.Path) -> list[pathlib.Path]:
    """The modules with all that they depend on, those first that others need."""
    known = {path.stem.replace("-", "_"): path for path in (root / "usr/lib/modules").rglob("*.ko")}
    order: list[pathlib.Path] = []

    def add(name: str):
        path = known.get(name.replace("-", "_"))
        if path is None or path in order:  # built into the kernel, or there already
            return
        needs = re.search(rb"\0depends=([^\0]*)\0", path.read_bytes())
        for need in needs[1].decode().split(",") if needs else []:
            add(need)
        order.append(path)

    for name in MODULES:
        add(name)
    return order


def archive(files: dict[str, bytes]) -> bytes:
    """The files as a cpio archive of the kind that the kernel unpacks ("newc")."""
    folders = sorted({str(parent) for name in files for parent in pathlib.PurePath(name).parents} - {"."})
    entries = [(name, 0o040755, b"") for name in folders] + [(name, 0o100755, data) for name, data in files.items()]
    out = bytearray()
    for number, (name, mode, data) in enumerate([*entries, ("TRAILER!!!", 0, b"")], 1):
        title = name.encode() + b"\0"
        fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(title), 0)
        out += b"070701" + b"".join(b"%08X" % field for field in fields) + title
        out += b"\0" * (-len(out) % 4) + data
        out += b"\0" * (-len(out) % 4)
    return bytes(out)


def strip(root: pathlib.Path):
    for name in USELESS:
        path = root / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    for name in ("boot", "var/cache", "usr/lib/modules"):
        (root / name).mkdir()


def settle(root: pathlib.Path):
    """What the packages' own scripts would have set."""
    master = root / "usr/share/base-passwd"
    accounts = [f"{name}:x:{number}:{number}::/:/usr/sbin/nologin" for name, number in ACCOUNTS.items()]
    groups = [f"{name}:x:{number}:" for name, number in GROUPS.items()]
    etc = root / "etc"
    (etc / "passwd").write_text((master / "passwd.master").read_text().replace("root:*", "root:x") + "\n".join(accounts) + "\n")
    (etc / "group").write_text((master / "group.master").read_text() + "\n".join(groups) + "\n")
    (etc / "shadow").write_text("root:*:19000:0:99999:7:::\n")
    (etc / "nsswitch.conf").write_text("passwd: files systemd\ngroup: files systemd\nshadow: files\nhosts: files dns\n")
    (etc / "hosts").write_text("127.0.0.1 localhost\n10.0.2.2 cloud.test\n")
    (etc / "hostname").write_text("board\n")
    (etc / "fstab").write_text("")
    (etc / "machine-id").write_text("0123456789abcdef0123456789abcdef\n")
    (etc / "resolv.conf").write_text("nameserver 10.0.2.3\n")
    (etc / ".updated").touch()
    (root / "var/.updated").touch()
    link(root / "usr/bin/sh", "dash")
    shutil.rmtree(root / "var/run")
    link(root / "var/run", "/run")
    link(root / "usr/bin/awk", "gawk")
    link(etc / "systemd/system/default.target", "/usr/lib/systemd/system/multi-user.target")
    link(root / "etc/systemd/system/dbus.service", "/usr/lib/systemd/system/dbus.service")
    for unit in MASKED:
        link(etc / "systemd/system" / unit, "/dev/null")


def link(path: pathlib.Path, to: str):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(to)


def fill(root: pathlib.Path, agent: pathlib.Path, ollama: pathlib.Path):
    """Puts the guest's own tools into a copy of the root."""
    tools = root / "usr/libexec/device"
    tools.mkdir(parents=True)
    units = {"device-network": (NETWORK, "sysinit"), "device-agent": (AGENT, "sysinit"), "device-ollama": (OLLAMA, "multi-user")}
    for name, path in (("agent", agent), ("ollama", ollama)):
        shutil.copy(path, tools / name)
        (tools / name).chmod(0o755)
    system = root / "etc/systemd/system"
    for name, (text, target) in units.items():
        (system / f"{name}.service").write_text(text)
        link(system / f"{target}.target.wants" / f"{name}.service", f"../{name}.service")


def disks(root: pathlib.Path, folder: pathlib.Path):
    """Makes `root.img` and `state.img`, which is the board's /var/lib on a disk of its own. Sparse: they take what is in them."""
    state = folder / "lib"
    (root / "var/lib").rename(state)
    (root / "var/lib").mkdir()
    make_disk(folder / "root.img", root, 512)
    make_disk(folder / "state.img", state, 256)


def make_disk(image: pathlib.Path, content: pathlib.Path, mib: int):
    image.unlink(missing_ok=True)
    with open(image, "wb") as file:
        file.truncate(mib << 20)
    words = ["mke2fs", "-q", "-t", "ext4", "-m", "0", "-E", "lazy_itable_init=1,lazy_journal_init=1", "-d", str(content), str(image)]
    subprocess.run(words, check=True)
