"""What the scenarios of one architecture share: the image with our package in it, the fake cloud, and boards."""

import pathlib
import shutil
import subprocess

import image
from arch import Arch
from board import GUEST_IP, GUEST_PORT, HOST_NAME, TOKEN, Board, Image
from cloud import KEY, Cloud
from tools import Qemu, compile_guest

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "scripts"
FLASH, PACKAGE = SCRIPTS / "flash", SCRIPTS / "package"
CLOUD_ROOT = "/etc/edgehold/cloud.pem"

CONFIG = """# What the virtual board runs with: the Ollama on it first, then the cloud; other devices on the LAN may ask.
[server]
listen = ["127.0.0.1:PORT", "ADDRESS:PORT"]
hosts = ["HOST"]
[providers.local]
kind = "ollama"
[providers.cloud]
kind = "openai"
base_url = "https://10.0.2.2:CLOUD/v1"
locality = "cloud"
api_key = { credential = "cloud" }
ca_file = "CA"
[models.default]
targets = ["local/small", "cloud/big"]
[[clients]]
name = "host"
token = { credential = "host" }
"""


class Rig:
    """Makes boards of one architecture, with a fresh copy of the same image each."""

    def __init__(self, arch: Arch, qemu: Qemu, package: tuple, folder: pathlib.Path, cache: pathlib.Path, soak=False):
        self.arch, self.qemu, self.package, self.folder, self.cache = arch, qemu, package, folder, cache
        self.soak = soak
        self.boards = 0
        self.cloud = Cloud(folder / "cloud")

    def __enter__(self):
        self.cloud.__enter__()
        self.config = self.configuration()
        self.image = self.make_image()
        return self

    def __exit__(self, *_):
        self.cloud.__exit__(*_)

    def configuration(self) -> str:
        words = {"ADDRESS": GUEST_IP, "PORT": str(GUEST_PORT), "HOST": HOST_NAME, "CLOUD": str(self.cloud.port), "CA": CLOUD_ROOT}
        text = CONFIG
        for name, value in words.items():
            text = text.replace(name, value)
        return text

    def make_image(self) -> Image:
        image.base(self.arch, self.cache, self.folder)
        root = self.folder / "root"
        image.fill(root, *(compile_guest(name, self.arch, self.cache) for name in ("agent", "ollama")))
        self.before = listing(root)
        self.install(root)
        image.disks(root, self.folder)
        shutil.rmtree(root)
        return Image(self.arch, self.folder / "kernel", self.folder / "initramfs", self.folder / "root.img", self.folder / "state.img")

    def install(self, root: pathlib.Path):
        """Our package, as an integrator puts it into a device's root."""
        config = self.write("edgehold.toml", self.config)
        keys = {"cloud": self.write("cloud.key", KEY), "host": self.write("host.key", TOKEN)}
        words = [str(FLASH), str(root), *map(str, self.package), "--config", str(config), "--lan", f"{GUEST_IP}:{GUEST_PORT}"]
        words += [f"--key={name}={path}" for name, path in keys.items()]
        done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            raise RuntimeError(f"scripts/flash: {done.stdout.strip()}")
        shutil.copy(self.cloud.root, root / CLOUD_ROOT.lstrip("/"))

    def binary(self) -> pathlib.Path:
        """The program of the package."""
        kind, path = self.package
        if kind == "--binary":
            return path
        folder = self.folder / "unpacked"
        subprocess.run(["dpkg-deb", "-x", str(path), str(folder)], check=True)
        return folder / "usr/bin/edgehold"

    def debian_package(self, binary: pathlib.Path, version: str) -> pathlib.Path:
        """A package of the program, with this version."""
        out = self.folder / f"packages-{version}"
        words = [str(PACKAGE), self.arch.target, str(binary), "--out", str(out), "--version", version]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
        return out / f"edgehold_{version}_{self.arch.debian}.deb"

    def write(self, name: str, text: str) -> pathlib.Path:
        path = self.folder / name
        path.touch(0o600)
        path.write_text(text)
        return path

    def board(self, **options) -> Board:
        """A board that was never switched on."""
        self.boards += 1
        board = Board(self.image, self.qemu, self.folder / f"board{self.boards}", **options)
        board.cloud, board.config, board.rig = self.cloud, self.config, self
        return board


def listing(root: pathlib.Path) -> set[str]:
    """The files and links of a root, and what folders have our name."""
    paths = (path for path in root.rglob("*") if path.is_symlink() or not path.is_dir() or "edgehold" in path.name)
    return {f"/{path.relative_to(root)}" for path in paths}
