"""The two kinds of boards."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Arch:
    """What differs between them."""

    name: str
    target: str
    debian: str
    kernel_package: str
    emulator: str
    machine: tuple[str, ...]
    memory: int  # MiB
    zig: str


ARCHES = {
    "aarch64": Arch(
        name="aarch64",
        target="aarch64-unknown-linux-musl",
        debian="arm64",
        kernel_package="linux-image-arm64",
        emulator="qemu-system-aarch64",
        machine=("-M", "virt", "-cpu", "cortex-a53"),
        memory=256,
        zig="aarch64-linux-musl",
    ),
    "armv7": Arch(
        name="armv7",
        target="armv7-unknown-linux-musleabihf",
        debian="armhf",
        kernel_package="linux-image-armmp",
        emulator="qemu-system-arm",
        machine=("-M", "virt,highmem=off", "-cpu", "cortex-a15"),
        memory=128,
        zig="arm-linux-musleabihf",
    ),
}
