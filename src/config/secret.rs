//! Keys and tokens: where they are read from, and a type that does not let itself be printed.

use std::fmt;
use std::fs::{File, Metadata};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use zeroize::Zeroizing;

/// Largest file that is taken for a key, in bytes.
const LARGEST_KEY: u64 = 16 * 1024;

/// Text that is never printed: `Debug` and `Display` show `***`. Its memory is wiped on drop.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes text into custody.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Where a key is read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// An environment variable, read once at start.
    Env {
        /// The variable's name.
        name: String,
        /// Its value.
        value: Secret,
    },
    /// A file; re-read when it changes. A systemd credential is one, in `$CREDENTIALS_DIRECTORY`.
    File(PathBuf),
}

/// A key that cannot be read. The message names its source and never its content.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {why}")]
pub struct KeyError {
    path: String,
    why: String,
}

impl KeySource {
    /// Reads the key; white space around it does not count.
    ///
    /// # Errors
    /// Where the file cannot be read, is empty, no text, or larger than 16 KiB.
    pub fn read(&self) -> Result<Secret, KeyError> {
        match self {
            Self::Env { value, .. } => Ok(value.clone()),
            Self::File(path) => read_file(path),
        }
    }
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env { name, .. } => write!(f, "environment variable {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
        }
    }
}

fn read_file(path: &Path) -> Result<Secret, KeyError> {
    let fail = |why: String| KeyError { path: path.display().to_string(), why };
    let file = File::open(path).map_err(|error| fail(error.to_string()))?;
    let mut text = Zeroizing::new(String::new());
    file.take(LARGEST_KEY + 1)
        .read_to_string(&mut text)
        .map_err(|error| fail(error.to_string()))?;
    if text.len() as u64 > LARGEST_KEY {
        return Err(fail(format!("larger than {LARGEST_KEY} bytes: that is no key")));
    }
    match text.trim() {
        "" => Err(fail("it is empty".to_owned())),
        key => Ok(Secret::new(key)),
    }
}

/// A key in use: read when first needed, and again when its file has changed.
#[derive(Debug)]
pub struct Key {
    source: KeySource,
    last: Mutex<Option<(Version, Secret)>>,
}

/// What tells one version of a file from another.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Version {
    inode: u64,
    size: u64,
    seconds: i64,
    nanos: i64,
}

impl Version {
    fn of(metadata: &Metadata) -> Self {
        Self {
            inode: metadata.ino(),
            size: metadata.size(),
            seconds: metadata.mtime(),
            nanos: metadata.mtime_nsec(),
        }
    }
}

impl Key {
    /// A key from this source. Nothing is read yet.
    pub fn new(source: KeySource) -> Self {
        Self { source, last: Mutex::new(None) }
    }

    /// The key as it is now.
    ///
    /// # Errors
    /// See [`KeySource::read`].
    pub fn current(&self) -> Result<Secret, KeyError> {
        let KeySource::File(path) = &self.source else { return self.source.read() };
        let version = std::fs::metadata(path).map(|metadata| Version::of(&metadata)).ok();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(version), Some((known, secret))) = (&version, &*last)
            && version == known
        {
            return Ok(secret.clone());
        }
        let secret = self.source.read()?;
        *last = version.map(|version| (version, secret.clone()));
        Ok(secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print_itself() {
        let secret = Secret::new("sk-canary");
        assert_eq!(format!("{secret} {secret:?}"), "*** ***");
        let source = KeySource::Env { name: "NAME".to_owned(), value: secret };
        assert!(!format!("{source} {source:?}").contains("canary"));
    }

    #[test]
    fn a_changed_file_is_read_again() {
        let path = std::env::temp_dir().join(format!("edgehold-key-{}", std::process::id()));
        let key = Key::new(KeySource::File(path.clone()));
        assert!(key.current().is_err());
        for text in ["first\n", "the second one"] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(key.current().unwrap().expose(), text.trim());
        }
        std::fs::write(&path, " \n").unwrap();
        assert!(key.current().unwrap_err().to_string().contains("empty"));
        std::fs::write(&path, vec![b'x'; 16 * 1024 + 1]).unwrap();
        assert!(key.current().is_err());
        std::fs::remove_file(&path).unwrap();
    }
}
