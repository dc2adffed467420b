//! ZIP archives, as documents are: a list of parts, each of which is inflated when it is asked for.
//!
//! It goes over the list once and keeps what is of interest. What a part comes to is counted as it
//! comes, and one that is larger than it declares is broken. An archive within an archive is never
//! opened.

use std::fs::File;
use std::io::{self, Read};

use zip::read::{ArchiveOffset, Config, OwnedZipFileEntry, ZipFileEntry};
use zip::result::ZipError;
use zip::unstable::read::ZipIterable;
use zip::{CompressionMethod, ZipReadOptions};

use crate::summary::extract::bridge::{Place, refusal};
use crate::summary::extract::reading::Meter;
use crate::summary::extract::report::Refused;
use crate::summary::extract::source::{Source, length};

/// Most parts, and most bytes of the list of them, which bounds what is kept of it.
const PARTS: usize = 20_000;
const LIST: u64 = 4 << 20;
/// More than so many times its size nothing grows that is a text.
const RATIO: u64 = 400;
/// Less than this is never too much.
const SMALL: u64 = 4 << 20;

/// A part of an archive.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) name: String,
    entry: OwnedZipFileEntry,
}

impl Part {
    /// Where it begins, which no two parts have in common.
    pub(super) fn at(&self) -> u64 {
        self.entry.header_start()
    }
}

/// An archive that is open.
#[derive(Debug)]
pub(super) struct Archive<'f> {
    file: &'f File,
    parts: Vec<Part>,
    meter: Meter,
}

impl<'f> Archive<'f> {
    /// Reads the list of parts, and keeps those whose name is of interest.
    pub(super) fn open(
        file: &'f File,
        meter: &Meter,
        mut wanted: impl FnMut(&str) -> bool,
    ) -> Result<Self, Refused> {
        let mut archive = Self { file, parts: Vec::new(), meter: meter.clone() };
        // What stands before an archive is never looked for.
        let config = Config { archive_offset: ArchiveOffset::Known(0) };
        let mut list = ZipIterable::try_new(Place::new(file, LIST), config).map_err(refused)?;
        if list.len() > PARTS {
            return Err(Refused::too_large(format!("it has more than {PARTS} parts")));
        }
        for entry in list.files().map_err(refused)? {
            let entry = entry.map_err(refused)?;
            let name = String::from_utf8_lossy(entry.name_raw()).replace('\\', "/");
            if wanted(&name) {
                archive.parts.push(Part { name, entry: entry.into() });
            }
        }
        Ok(archive)
    }

    /// A part by its name.
    pub(super) fn find(&self, name: &str) -> Option<&Part> {
        let same = |part: &&Part| part.name == name;
        // Some writers are free with case.
        let alike = |part: &&Part| part.name.eq_ignore_ascii_case(name);
        self.parts.iter().find(same).or_else(|| self.parts.iter().find(alike))
    }

    /// Gives what is in a part to a reader.
    pub(super) fn read<T>(
        &self,
        part: &Part,
        reader: impl FnOnce(&mut dyn Source) -> Result<T, Refused>,
    ) -> Result<T, Refused> {
        if part.entry.encrypted() {
            return Err(Refused::unreadable("it is encrypted; save a copy without a password"));
        }
        let known = [CompressionMethod::Deflated, CompressionMethod::Stored];
        if !known.contains(&part.entry.compression()) {
            return Err(Refused::unreadable("a part of it is compressed in a way nobody uses"));
        }
        let packed = part.entry.compressed_size().min(length(self.file)?);
        let mut place = Place::new(self.file, u64::MAX);
        let entry: ZipFileEntry<'_> = part.entry.as_ref();
        let content = entry.with_reader(&mut place, ZipReadOptions::new()).map_err(refused)?;
        reader(&mut Content { content, packed, given: 0, meter: self.meter.clone() })
    }
}

/// What is in a part, counted.
struct Content<R> {
    content: R,
    packed: u64,
    given: u64,
    meter: Meter,
}

impl<R: Read> Source for Content<R> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, Refused> {
        let count = loop {
            match self.content.read(into) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read.map_err(|error| refusal(&error, broken_part))?,
            }
        };
        self.given += count as u64;
        self.meter.take(count)?;
        if self.given > SMALL && self.given / RATIO > self.packed {
            return Err(Refused::too_large(format!(
                "a part of it is {RATIO} times as large as what it was packed into"
            )));
        }
        Ok(count)
    }
}

fn refused(error: ZipError) -> Refused {
    match error {
        ZipError::Io(error) => refusal(&error, broken),
        _ => broken(),
    }
}

fn broken() -> Refused {
    Refused::unreadable("its archive is broken or cut off")
}

fn broken_part() -> Refused {
    Refused::unreadable("a compressed part of it is broken or cut")
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::{Cursor, Write};

    use zip::write::{SimpleFileOptions, ZipWriter};

    use super::*;
    use crate::summary::extract::source::head;
    use crate::summary::extract::tests::file_of;

    /// An archive of these parts.
    pub(in crate::summary::extract) fn archive_of(parts: &[(&str, &str)]) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in parts {
            let method = match *name {
                "mimetype" => CompressionMethod::Stored,
                _ => CompressionMethod::Deflated,
            };
            let options = SimpleFileOptions::default().compression_method(method);
            writer.start_file(*name, options).unwrap();
            writer.write_all(content.as_bytes()).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn content(bytes: &[u8], name: &str) -> Result<Vec<u8>, Refused> {
        let file = file_of(bytes);
        let archive = Archive::open(&file, &Meter::new(1 << 20), |_| true)?;
        let part = archive.find(name).ok_or_else(broken)?;
        archive.read(part, |mut source| head(&mut source, 1 << 21))
    }

    #[test]
    fn parts_are_found_and_read() {
        let long = "text ".repeat(10_000);
        let bytes = archive_of(&[("mimetype", "a/b"), ("Word/x.xml", &long), ("empty", "")]);
        assert_eq!(content(&bytes, "mimetype").unwrap(), b"a/b");
        assert_eq!(content(&bytes, "word/x.xml").unwrap(), long.as_bytes());
        assert_eq!(content(&bytes, "empty").unwrap(), b"");
        let commented = [&bytes[..bytes.len() - 2], &[5, 0], b"hello"].concat();
        assert_eq!(content(&commented, "mimetype").unwrap(), b"a/b");
    }

    #[test]
    fn broken_archives_are_refused() {
        let bytes = archive_of(&[("a", &"text ".repeat(1000)), ("b", "x")]);
        for cut in [0, 10, 40, bytes.len() - 1, bytes.len() - 30] {
            assert!(content(&bytes[..cut], "a").is_err(), "{cut}");
        }
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0xff;
            content(&changed, "a").ok();
        }
        let mut encrypted = bytes.clone();
        let list = bytes.windows(4).position(|it| it == b"PK\x01\x02").unwrap();
        encrypted[list + 8] |= 1;
        assert!(content(&encrypted, "a").unwrap_err().to_string().contains("encrypted"));
        let mut foreign = bytes.clone();
        foreign[list + 10] = 12;
        assert!(content(&foreign, "a").unwrap_err().to_string().contains("nobody uses"));
        for (field, value) in [(16, 1), (20, 9), (24, 9), (42, 9)] {
            let mut lying = bytes.clone();
            lying[list + field] = value;
            assert!(content(&lying, "a").is_err(), "{field}");
        }
    }

    #[test]
    fn bombs_are_noticed() {
        let names: Vec<String> = (0..=PARTS).map(|number| number.to_string()).collect();
        let many: Vec<_> = names.iter().map(|name| (name.as_str(), "")).collect();
        let more = content(&archive_of(&many), "1").unwrap_err().to_string();
        assert_eq!(more, "it has more than 20000 parts");
        let long: Vec<_> =
            (0..80).map(|number| format!("{number}{}", "x".repeat(60_000))).collect();
        let long: Vec<_> = long.iter().map(|name| (name.as_str(), "")).collect();
        let more = content(&archive_of(&long), "1").unwrap_err().to_string();
        assert_eq!(more, "the list of its parts is too long");
        let zeros = archive_of(&[("a", &"\0".repeat(8 << 20))]);
        let file = file_of(&zeros);
        let archive = Archive::open(&file, &Meter::new(1 << 30), |_| true).unwrap();
        let part = archive.find("a").unwrap();
        let ratio = archive.read(part, |mut source| head(&mut source, 16 << 20)).unwrap_err();
        assert!(ratio.to_string().contains("400 times"));
    }

    #[test]
    fn what_all_parts_come_to_has_a_bound() {
        let bytes = archive_of(&[("mimetype", &"x".repeat((1 << 20) + 1))]);
        assert!(matches!(content(&bytes, "mimetype"), Err(Refused::TooLarge(_))));
    }
}
