"""Disks that can be small, broken or cut off: files under loop devices with ext4 on them."""

import os
import pathlib
import signal
import struct
import subprocess
import time

MEBI = 1 << 20


def root(*argv, check=True):
    """Runs a command that needs root. Returns its output, or None where it failed and may."""
    done = subprocess.run([str(word) for word in argv], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        if check:
            raise OSError(f"{' '.join(map(str, argv))}: {done.stderr.strip()}")
        return None
    return done.stdout.strip()


class Disk:
    """An ext4 on a file, mounted at `folder/mnt` for the length of a `with`."""

    def __init__(self, folder, size=64 * MEBI, options="defaults", name="disk"):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.image = self.folder / f"{name}.img"
        self.mount_point = self.folder / "mnt"
        self.size, self.options, self.device = size, options, None

    def __enter__(self):
        with open(self.image, "wb") as image:
            image.truncate(self.size)
        self.device = attach(self.image)
        root("mkfs.ext4", "-q", "-F", self.device)
        self.mount()
        return self

    def __exit__(self, *_):
        self.unmount()
        root("losetup", "-d", self.device, check=False)

    def mount(self):
        self.mount_point.mkdir(exist_ok=True)
        root("mount", "-o", self.options, self.device, self.mount_point)

    def unmount(self):
        if root("umount", self.mount_point, check=False) is None:
            root("umount", "-l", self.mount_point, check=False)

    @property
    def path(self):
        return self.mount_point

    @property
    def sysfs(self):
        return pathlib.Path("/sys/fs/ext4") / pathlib.Path(self.device).name

    def bytes_written(self):
        """Bytes that the device itself has been given to write, the file system's own among them."""
        stat = pathlib.Path("/sys/block", pathlib.Path(self.device).name, "stat").read_text().split()
        return int(stat[6]) * 512


class LoggedDisk(Disk):
    """A disk that keeps a log of every write and flush, in their order, so that it can be cut off at any of them."""

    def __init__(self, folder, size):
        super().__init__(folder, size)
        self.raw, self.log = self.folder / "raw.img", self.folder / "log.img"

    def __enter__(self):
        for path, size in ((self.raw, self.size), (self.log, 4 << 30), (self.image, 0)):
            with open(path, "wb") as file:
                file.truncate(size)
        self.daemon = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, start_new_session=True)
        wait_until(lambda: self.image.stat().st_size == self.size, "the exported disk")
        self.device = attach(self.image)
        root("mkfs.ext4", "-q", "-F", self.device)
        self.mount()
        self.log_file = os.open(self.log, os.O_RDONLY)
        return self

    def __exit__(self, *_):
        super().__exit__()
        os.close(self.log_file)
        self.daemon.send_signal(signal.SIGTERM)
        self.daemon.wait()

    def command(self):
        return [
            "qemu-storage-daemon",
            "--blockdev", f"driver=file,node-name=raw,filename={self.raw}",
            "--blockdev", f"driver=file,node-name=log,filename={self.log}",
            "--blockdev", "driver=blklogwrites,node-name=both,file=raw,log=log,log-append=off,log-super-update-interval=1",
            "--export", f"type=fuse,id=out,node-name=both,mountpoint={self.image},writable=on",
        ]  # fmt: skip

    def entries(self):
        """How many entries the log has now: the number is in its header."""
        return struct.unpack("<Q", os.pread(self.log_file, 8, 16))[0]


def attach(image):
    return root("losetup", "--show", "-f", image)


def wait_until(done, what, patience=15):
    end = time.monotonic() + patience
    while not done():
        if time.monotonic() > end:
            raise TimeoutError(f"{what} did not come within {patience} s")
        time.sleep(0.02)
