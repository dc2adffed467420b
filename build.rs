//! Tells the program when it was built: it cannot be earlier than that, whatever a device's clock
//! says. `SOURCE_DATE_EPOCH` decides where it is set, so that two builds are equal.

use std::error::Error;
use std::time::{SystemTime, UNIX_EPOCH};

fn main() -> Result<(), Box<dyn Error>> {
    let seconds: u64 = match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(text) => text.parse().map_err(|_| "SOURCE_DATE_EPOCH is no number of seconds")?,
        Err(_) => SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs(),
    };
    println!("cargo:rustc-env=EDGEHOLD_BUILD_TIME={seconds}");
    println!("cargo:rerun-if-env-changed=SOURCE_DATE_EPOCH");
    println!("cargo:rerun-if-changed=build.rs");
    Ok(())
}
