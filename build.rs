//! Tells the program when it was built: it cannot be earlier than that, whatever a device's clock
//! says. `SOURCE_DATE_EPOCH` decides where it is set, so that two builds are equal.
//!
//! And packs what the program prints but seldom, its manual and completions, into a sixth of their size.

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use std::{env, fs};

use flate2::Compression;
use flate2::write::DeflateEncoder;

const PACKED: [&str; 4] = ["_edgehold", "edgehold.1", "edgehold.bash", "edgehold.fish"];

fn main() -> Result<(), Box<dyn Error>> {
    let seconds: u64 = match env::var("SOURCE_DATE_EPOCH") {
        Ok(text) => text.parse().map_err(|_| "SOURCE_DATE_EPOCH is no number of seconds")?,
        Err(_) => SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs(),
    };
    println!("cargo:rustc-env=EDGEHOLD_BUILD_TIME={seconds}");
    println!("cargo:rerun-if-env-changed=SOURCE_DATE_EPOCH");
    println!("cargo:rerun-if-changed=build.rs");
    let into = env::var("OUT_DIR")?;
    for name in PACKED {
        let from = format!("src/cli/generated/{name}");
        println!("cargo:rerun-if-changed={from}");
        fs::write(Path::new(&into).join(name), packed(&fs::read(from)?)?)?;
    }
    Ok(())
}

fn packed(text: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut packer = DeflateEncoder::new(Vec::new(), Compression::best());
    packer.write_all(text)?;
    packer.finish()
}
