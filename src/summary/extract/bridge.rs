//! Between our sources and the readers that libraries take: both ways, and a refusal stays one.

use std::fs::File;
use std::io::{self, BufRead, Read, Seek, SeekFrom};

use crate::summary::extract::charset::Decoder;
use crate::summary::extract::report::Refused;
use crate::summary::extract::source::{Source, Stretch, length};

/// What a library's error means: our own refusal, which went through it, or what it stands for.
pub(super) fn refusal(error: &io::Error, else_refused: impl FnOnce() -> Refused) -> Refused {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Refused>());
    inner.cloned().unwrap_or_else(else_refused)
}

/// A file at a place of its own, of which only so many bytes may be read.
#[derive(Debug)]
pub(super) struct Place<'f> {
    file: &'f File,
    at: u64,
    left: u64,
}

impl<'f> Place<'f> {
    pub(super) fn new(file: &'f File, most: u64) -> Self {
        Self { file, at: 0, left: most }
    }
}

impl Read for Place<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = Stretch::from(self.file, self.at).read(into).map_err(io::Error::other)?;
        self.at += count as u64;
        let Some(left) = self.left.checked_sub(count as u64) else {
            return Err(io::Error::other(Refused::too_large("the list of its parts is too long")));
        };
        self.left = left;
        Ok(count)
    }
}

impl Seek for Place<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => {
                length(self.file).map_err(io::Error::other)?.checked_add_signed(by)
            }
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

/// Decoded text, as bytes of UTF-8.
pub(super) struct Characters<S> {
    decoder: Decoder<S>,
    at: usize,
}

impl<S: Source> Characters<S> {
    pub(super) fn new(decoder: Decoder<S>) -> Self {
        Self { decoder, at: 0 }
    }

    pub(super) fn into_decoder(self) -> Decoder<S> {
        self.decoder
    }
}

impl<S: Source> BufRead for Characters<S> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at >= self.decoder.piece().len() {
            self.at = 0;
            self.decoder.next().map_err(io::Error::other)?;
        }
        Ok(self.decoder.piece().as_bytes().get(self.at..).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        self.at += count;
    }
}

impl<S: Source> Read for Characters<S> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = Read::read(&mut self.fill_buf()?, into)?;
        self.consume(count);
        Ok(count)
    }
}
