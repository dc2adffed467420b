//! Where bytes come from: a file, a stretch of one, or what decodes another source.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;

use crate::summary::extract::report::Refused;

/// Bytes, one after the other.
pub(super) trait Source {
    /// Reads some bytes; none at the end.
    fn read(&mut self, into: &mut [u8]) -> Result<usize, Refused>;
}

impl Source for Box<dyn Source + '_> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, Refused> {
        self.as_mut().read(into)
    }
}

impl Source for &mut dyn Source {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, Refused> {
        (**self).read(into)
    }
}

impl Source for &[u8] {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, Refused> {
        Read::read(self, into).map_err(|error| broken_disk(&error))
    }
}

/// A stretch of a file. It keeps its own place, so that several may read the same file.
#[derive(Debug, Clone)]
pub(super) struct Stretch<'f> {
    file: &'f File,
    at: u64,
    end: u64,
}

impl<'f> Stretch<'f> {
    pub(super) fn new(file: &'f File, start: u64, end: u64) -> Self {
        Self { file, at: start, end }
    }

    pub(super) fn whole(file: &'f File) -> Self {
        Self::new(file, 0, u64::MAX)
    }

    /// From a place to the file's end.
    pub(super) fn from(file: &'f File, start: u64) -> Self {
        Self::new(file, start, u64::MAX)
    }
}

impl Source for Stretch<'_> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, Refused> {
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let most = left.min(into.len());
        let Some(into) = into.get_mut(..most) else { return Ok(0) };
        loop {
            match self.file.read_at(into, self.at) {
                Ok(count) => {
                    self.at = self.at.saturating_add(count as u64);
                    return Ok(count);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(broken_disk(&error)),
            }
        }
    }
}

/// Fills the buffer as far as there are bytes; returns how many.
pub(super) fn fill(source: &mut impl Source, into: &mut [u8]) -> Result<usize, Refused> {
    let mut filled = 0;
    while let Some(rest) = into.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match source.read(rest)? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}

/// The first bytes of a source, so many at most.
pub(super) fn head(source: &mut impl Source, most: usize) -> Result<Vec<u8>, Refused> {
    let mut bytes = vec![0; most];
    let filled = fill(source, &mut bytes)?;
    bytes.truncate(filled);
    Ok(bytes)
}

/// The file's length.
pub(super) fn length(mut file: &File) -> Result<u64, Refused> {
    file.seek(SeekFrom::End(0)).map_err(|error| broken_disk(&error))
}

/// A source with what was read of it put back before it.
#[derive(Debug)]
pub(super) struct Rewound<S> {
    first: Vec<u8>,
    at: usize,
    rest: S,
}

impl<S: Source> Rewound<S> {
    pub(super) fn new(first: Vec<u8>, rest: S) -> Self {
        Self { first, at: 0, rest }
    }
}

impl<S: Source> Source for Rewound<S> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, Refused> {
        let mut left = self.first.get(self.at..).unwrap_or_default();
        if left.is_empty() {
            return self.rest.read(into);
        }
        let count = Source::read(&mut left, into)?;
        self.at += count;
        Ok(count)
    }
}

fn broken_disk(error: &std::io::Error) -> Refused {
    Refused::Failed(format!("the document cannot be read from the disk: {error}"))
}
