//! The text of a document, on the disk: read a window at a time, in another thread.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::chat::Error;
use crate::summary::disk::{self, SharedFile};

/// What to say where that cannot be done.
pub(super) const UNREADABLE: &str = "the document's text cannot be read";

/// A text that lies in a file.
#[derive(Debug, Clone)]
pub(super) struct Text {
    file: SharedFile,
    /// How long it is, in bytes.
    pub(super) bytes: u64,
}

impl Text {
    pub(super) fn new(file: SharedFile, bytes: u64) -> Self {
        Self { file, bytes }
    }

    /// At most `most` bytes from `at` on: whole characters.
    pub(super) async fn window(&self, at: u64, most: u64) -> Result<String, Error> {
        let length = self.bytes.saturating_sub(at).min(most);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let file = self.file.clone();
        let read = disk::small(move || {
            let mut bytes = vec![0; length];
            file.read_exact_at(&mut bytes, at).map(|()| bytes)
        });
        Ok(whole_characters(read.await.map_err(disk::failed(UNREADABLE))?))
    }

    /// Its checksum (CRC-32C), by which it is known again.
    pub(super) async fn checksum(&self) -> Result<u32, Error> {
        let (file, length) = (self.file.clone(), self.bytes);
        let read = disk::whole(move || checksum(&file, length));
        read.await.map_err(disk::failed(UNREADABLE))
    }

    /// Its file, for who reads all of it at once.
    pub(super) fn file(&self) -> io::Result<File> {
        self.file.try_clone()
    }
}

/// The checksum (CRC-32C) of a file's first bytes.
///
/// # Errors
/// It is shorter, or cannot be read.
pub fn checksum(file: &File, length: u64) -> io::Result<u32> {
    let mut buffer = [0; 16 * 1024];
    let (mut at, mut crc) = (0, 0);
    while at < length {
        let wanted = usize::try_from(length - at).unwrap_or(usize::MAX).min(buffer.len());
        let count = file.read_at(buffer.get_mut(..wanted).unwrap_or_default(), at)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        crc = crc32c::crc32c_append(crc, buffer.get(..count).unwrap_or_default());
        at += count as u64;
    }
    Ok(crc)
}

/// Without the beginning of a character at its end.
fn whole_characters(bytes: Vec<u8>) -> String {
    match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let mut bytes = error.into_bytes();
            bytes.truncate(valid);
            String::from_utf8(bytes).unwrap_or_default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_stay_whole() {
        let text = "a語";
        for end in 0..=text.len() {
            let read = whole_characters(text.as_bytes()[..end].to_vec());
            assert!(text.starts_with(&read) && read.len() + 2 >= end, "{end}");
        }
    }
}
