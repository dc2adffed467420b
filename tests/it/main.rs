//! The black-box suite: the real binary on real sockets, between a raw client and scripted
//! providers that misbehave as real ones do.
//!
//! `EDGEHOLD_BIN` names another binary than the one just built, `EDGEHOLD_RUNNER` an emulator to
//! run it under (`qemu-aarch64-static`).

mod support;
