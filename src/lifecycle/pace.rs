//! Starts that fail one after the other are held back, the longer the more of them there were: a
//! service that is always restarted would else fill the journal and wear the flash that it is on.
//!
//! How many there were is kept in systemd's runtime directory, which is memory. Newer systemds can do
//! the same by `RestartSteps=`; those that gateways have cannot.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Failed starts after which the next one has to wait.
const FREE: u32 = 3;

/// The first wait, doubled with each further failure up to the longest.
const FIRST: Duration = Duration::from_secs(4);
const LONGEST: Duration = Duration::from_mins(2);

/// The count of starts since the last that went well.
#[derive(Debug, Clone, Default)]
pub struct Pace(Option<PathBuf>);

impl Pace {
    /// How long a service has to run for its start to have gone well.
    pub const WELL: Duration = Duration::from_mins(1);

    /// Counts in the first of these folders (`$RUNTIME_DIRECTORY`); without one nothing is counted.
    pub fn new(folders: Option<&str>) -> Self {
        let first = folders.and_then(|folders| folders.split(':').next());
        Self(first.filter(|it| !it.is_empty()).map(|folder| Path::new(folder).join("starts")))
    }

    /// How many starts in a row have not gone well.
    pub fn failures(&self) -> u32 {
        let text = self.0.as_ref().and_then(|path| fs::read_to_string(path).ok());
        text.and_then(|text| text.trim().parse().ok()).unwrap_or_default()
    }

    /// How long the next start has to wait.
    pub fn wait(&self) -> Duration {
        wait_after(self.failures())
    }

    /// A start begins: a failure, until it has gone well.
    pub fn begin(&self) {
        if let Some(path) = &self.0 {
            // Who cannot count does not hold back.
            fs::write(path, format!("{}\n", self.failures().saturating_add(1))).ok();
        }
    }

    /// The start has gone well, or somebody has come to see to it.
    pub fn forget(&self) {
        if let Some(path) = &self.0 {
            fs::remove_file(path).ok();
        }
    }
}

fn wait_after(failures: u32) -> Duration {
    let Some(doublings) = failures.checked_sub(FREE) else { return Duration::ZERO };
    FIRST.saturating_mul(1 << doublings.min(16)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_grows_up_to_a_limit() {
        let waits: Vec<u64> = (0..12).map(|failures| wait_after(failures).as_secs()).collect();
        assert_eq!(waits, [0, 0, 0, 4, 8, 16, 32, 64, 120, 120, 120, 120]);
        assert_eq!(wait_after(u32::MAX), LONGEST);
    }

    #[test]
    fn starts_are_counted_until_one_goes_well() {
        let folder = std::env::temp_dir().join(format!("edgehold-pace-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let pace = Pace::new(Some(&format!("{}:/elsewhere", folder.display())));
        for count in 0..5 {
            assert_eq!(pace.failures(), count);
            pace.begin();
        }
        assert_eq!(pace.wait(), Duration::from_secs(16));
        pace.forget();
        assert_eq!((pace.failures(), pace.wait()), (0, Duration::ZERO));
        // What is no number counts as none.
        fs::write(folder.join("starts"), "many").unwrap();
        assert_eq!(pace.failures(), 0);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn without_a_folder_nothing_is_held_back() {
        for folders in [None, Some(""), Some("/no/such/folder")] {
            let pace = Pace::new(folders);
            pace.begin();
            assert_eq!(pace.failures(), 0, "{folders:?}");
            pace.forget();
        }
    }
}
