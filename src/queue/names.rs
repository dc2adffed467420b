//! Names: of jobs, whose they are, of their files, and what tells one request from another.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use ring::digest::{SHA256, digest};

use crate::random;

/// A job's name: 1 to 64 letters, digits, `_` or `-`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(Arc<str>);

/// The text is no job's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a job's id is 1 to 64 letters, digits, _ or -")]
pub struct NotAnId;

impl FromStr for JobId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let fits = (1..=64).contains(&text.len()) && text.bytes().all(plain);
        if fits { Ok(Self(Arc::from(text))) } else { Err(NotAnId) }
    }
}

impl JobId {
    /// The id of the job that a client made under this key: the same key, the same job.
    pub fn of_key(key: &str) -> Self {
        let digest = digest(&SHA256, key.as_bytes());
        Self(Arc::from(format!("key-{}", hex(digest.as_ref().get(..16).unwrap_or_default()))))
    }

    /// The id, as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A job among those of all clients. Two clients may use one id and never see each other's job.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct JobKey {
    /// The client's name; empty where clients have none.
    pub owner: Arc<str>,
    /// The job's id.
    pub id: JobId,
}

/// The name of a job's file: 32 hexadecimal digits. It is made here, and never of what a client says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileName(Arc<str>);

/// What the files of jobs are called before their names: others in their folder are left alone.
const FILE: &str = "job-";

impl FileName {
    /// One that no other file has.
    pub fn fresh() -> Self {
        Self(Arc::from(random::name()))
    }

    /// Where the file of this name is: in the folder of all of them.
    pub fn path_in(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{FILE}{}", self.0))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The name that is stored so; `None` where it was altered.
    pub(super) fn of_text(text: &str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f');
        (text.len() == 32 && text.bytes().all(plain)).then(|| Self(Arc::from(text)))
    }

    /// The name of a file that is found; `None` where it is no job's.
    pub(super) fn of_file(found: &OsStr) -> Option<Self> {
        Self::of_text(found.to_str()?.strip_prefix(FILE)?)
    }
}

/// A digest of what was asked: the same job again, or another under its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 16]);

impl Fingerprint {
    /// Of some parts, told apart by their lengths.
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut context = ring::digest::Context::new(&SHA256);
        for part in parts {
            context.update(&(part.len() as u64).to_le_bytes());
            context.update(part);
        }
        let mut short = [0; 16];
        for (to, from) in short.iter_mut().zip(context.finish().as_ref()) {
            *to = *from;
        }
        Self(short)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_plain() {
        for good in ["a", "A-Z_0-9", &"x".repeat(64)] {
            assert_eq!(good.parse::<JobId>().unwrap().as_str(), good);
        }
        for bad in ["", "a b", "a/b", "ä", "a.b", "%41", &"x".repeat(65)] {
            assert_eq!(bad.parse::<JobId>(), Err(NotAnId), "{bad}");
        }
        let derived = JobId::of_key("order 66");
        assert_eq!(derived, JobId::of_key("order 66"));
        assert_ne!(derived, JobId::of_key("order 67"));
        assert!(derived.as_str().parse::<JobId>().is_ok());
    }

    #[test]
    fn a_file_has_a_name_of_its_own() {
        let (one, other) = (FileName::fresh(), FileName::fresh());
        assert_ne!(one, other);
        let path = one.path_in(Path::new("/documents"));
        assert_eq!(path.parent(), Some(Path::new("/documents")));
        assert_eq!(path.file_name().and_then(FileName::of_file), Some(one));
        let digits = "0123456789abcdef".repeat(2);
        assert!(FileName::of_file(format!("job-{digits}").as_ref()).is_some());
        for other in
            ["", "job-", "job-x", &digits, &format!("job-{digits}0"), &format!("tmp-{digits}")]
        {
            assert_eq!(FileName::of_file(other.as_ref()), None, "{other}");
        }
        assert_eq!(FileName::of_text(&digits.to_uppercase()), None);
    }

    #[test]
    fn parts_are_told_apart() {
        assert_eq!(Fingerprint::of(&[b"a", b"b"]), Fingerprint::of(&[b"a", b"b"]));
        assert_ne!(Fingerprint::of(&[b"ab", b""]), Fingerprint::of(&[b"a", b"b"]));
    }
}
