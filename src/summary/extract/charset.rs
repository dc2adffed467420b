//! From bytes to characters: which charset, and decoding as the bytes come.

use std::fs::File;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};

use crate::summary::extract::report::{Notes, Refused};
use crate::summary::extract::source::{Rewound, Source, Stretch, fill, head};

/// Bytes that are read at once.
const CHUNK: usize = 16 << 10;
/// Bytes that a charset is guessed from.
const SAMPLE: usize = 64 << 10;
/// So many well-formed characters to a bad byte make a damaged UTF-8 of it, and no other charset.
const WELL_FORMED: u64 = 10;

/// The charset that a media type names: `text/plain; charset=utf-8`.
pub fn charset_of(media_type: &str) -> Option<&str> {
    media_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"');
        (name.trim().eq_ignore_ascii_case("charset") && !value.is_empty()).then_some(value)
    })
}

/// The charset that was declared. One that nobody knows is noted.
pub(super) fn declared(label: Option<&str>, notes: &mut Notes) -> Option<&'static Encoding> {
    let label = label?;
    let known = Encoding::for_label(label.as_bytes());
    if known.is_none() {
        notes.add(&format!("the charset {label} is not known; it was guessed instead"));
    }
    known
}

/// The charset of a whole file: what its mark says, else UTF-8 where it is that, else a guess.
pub(super) fn of_file(file: &File) -> Result<&'static Encoding, Refused> {
    let sample = head(&mut Stretch::whole(file), SAMPLE)?;
    if let Some(marked) = marked(&sample) {
        return Ok(marked);
    }
    let survey = Survey::of(&mut Stretch::whole(file))?;
    if survey.is_utf8() {
        return Ok(UTF_8);
    }
    // What tells charsets apart begins where ASCII ends.
    let start = survey.first_high.unwrap_or(0).saturating_sub(256);
    let sample = head(&mut Stretch::from(file, start), SAMPLE)?;
    Ok(guess(&sample))
}

/// The charset of a source that can be read once only, and the source as it was.
pub(super) fn of_source<S: Source>(
    mut source: S,
) -> Result<(&'static Encoding, Rewound<S>), Refused> {
    let sample = head(&mut source, CHUNK)?;
    let encoding = match marked(&sample) {
        Some(marked) => marked,
        None if Survey::of(&mut sample.as_slice())?.is_utf8() => UTF_8,
        None => guess(&sample),
    };
    Ok((encoding, Rewound::new(sample, source)))
}

/// What a byte order mark says, or the zeros of UTF-16 that has none.
fn marked(sample: &[u8]) -> Option<&'static Encoding> {
    if let Some((encoding, _)) = Encoding::for_bom(sample) {
        return Some(encoding);
    }
    match sample {
        [0, first, 0, second, ..] if *first != 0 && *second != 0 => Some(UTF_16BE),
        [first, 0, second, 0, ..] if *first != 0 && *second != 0 => Some(UTF_16LE),
        _ => None,
    }
}

fn guess(sample: &[u8]) -> &'static Encoding {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    detector.feed(sample, true);
    detector.guess(None, Utf8Detection::Deny)
}

/// How far a source is UTF-8.
#[derive(Debug, Default)]
struct Survey {
    first_high: Option<u64>,
    good: u64,
    bad: u64,
}

impl Survey {
    fn of(source: &mut impl Source) -> Result<Self, Refused> {
        let mut survey = Self::default();
        let mut bytes = vec![0; CHUNK];
        let (mut at, mut kept) = (0, 0);
        while let Some(free) = bytes.get_mut(kept..) {
            let read = fill(source, free)?;
            let filled = bytes.get(..kept + read).unwrap_or_default();
            let left = survey.look(filled, at, read == 0);
            if read == 0 {
                break;
            }
            at += (filled.len() - left) as u64;
            let from = filled.len() - left;
            bytes.copy_within(from..from + left, 0);
            kept = left;
        }
        Ok(survey)
    }

    /// Counts what is in these bytes. Returns how many at their end are the start of a character.
    fn look(&mut self, bytes: &[u8], at: u64, last: bool) -> usize {
        if bytes.is_ascii() {
            return 0;
        }
        if self.first_high.is_none() {
            let place = bytes.iter().position(|byte| !byte.is_ascii()).unwrap_or_default();
            self.first_high = Some(at + place as u64);
        }
        for chunk in bytes.utf8_chunks() {
            self.good += chunk.valid().bytes().filter(|byte| *byte >= 0xc0).count() as u64;
            let bad = chunk.invalid();
            let at_end = bad.as_ptr_range().end == bytes.as_ptr_range().end;
            if at_end && !last && !bad.is_empty() && bad.len() < 4 {
                return bad.len();
            }
            // A character that the end of a sample cuts is no fault.
            if !(at_end && last) {
                self.bad += bad.len() as u64;
            }
        }
        0
    }

    fn is_utf8(&self) -> bool {
        self.bad == 0 || self.good / WELL_FORMED >= self.bad
    }
}

/// Decodes a source as it is read.
pub(super) struct Decoder<S> {
    source: S,
    encoding: &'static Encoding,
    decoder: encoding_rs::Decoder,
    raw: Vec<u8>,
    start: usize,
    end: usize,
    at_end: bool,
    /// Whether the last byte was decoded: the decoder must not be asked again.
    finished: bool,
    text: String,
    bad: u64,
}

impl<S: Source> Decoder<S> {
    pub(super) fn new(source: S, encoding: &'static Encoding) -> Self {
        Self {
            source,
            encoding,
            decoder: encoding.new_decoder(),
            raw: vec![0; CHUNK],
            start: 0,
            end: 0,
            at_end: false,
            finished: false,
            text: String::with_capacity(2 * CHUNK),
            bad: 0,
        }
    }

    /// The piece that was read last.
    pub(super) fn piece(&self) -> &str {
        &self.text
    }

    /// The next piece of text; nothing at the end.
    pub(super) fn next(&mut self) -> Result<Option<&str>, Refused> {
        self.text.clear();
        while self.text.is_empty() && !self.finished {
            if self.start == self.end && !self.at_end {
                self.end = self.source.read(&mut self.raw)?;
                self.start = 0;
                self.at_end = self.end == 0;
            }
            self.decode();
        }
        Ok(Some(self.text.as_str()).filter(|text| !text.is_empty()))
    }

    /// Decodes what is there, as far as there is room for it.
    fn decode(&mut self) {
        loop {
            let bytes = self.raw.get(self.start..self.end).unwrap_or_default();
            let (result, read) = self.decoder.decode_to_string_without_replacement(
                bytes,
                &mut self.text,
                self.at_end,
            );
            self.start += read;
            match result {
                DecoderResult::InputEmpty => {
                    self.finished = self.at_end;
                    return;
                }
                DecoderResult::OutputFull => return,
                DecoderResult::Malformed(bytes, _) => {
                    self.bad += u64::from(bytes);
                    self.text.push(char::REPLACEMENT_CHARACTER);
                    if self.text.len() > CHUNK {
                        return;
                    }
                }
            }
        }
    }

    /// Notes how much of it was not in its charset.
    pub(super) fn report(&self, notes: &mut Notes) {
        if self.bad > 0 {
            let name = self.encoding.name().to_ascii_lowercase();
            let (bytes, are) = if self.bad == 1 { ("byte", "is") } else { ("bytes", "are") };
            notes.add(&format!("{} {bytes} {are} not in the charset {name}", self.bad));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const GERMAN: &str = "Die Übergröße der Möbel läßt sich nicht ändern, sagte er und ging über die \
                          Brücke nach Hause. Später schrieb er einen langen Brief an die Behörde.";
    const RUSSIAN: &str = "Широкая электрификация южных губерний даст мощный толчок подъёму \
                           сельского хозяйства. Все люди рождаются свободными и равными.";
    const JAPANESE: &str = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。\
                            何でも薄暗いじめじめした所でニャーニャー泣いていた事だけは記憶している。";

    fn decoded(bytes: &[u8], encoding: &'static Encoding) -> (String, Vec<String>) {
        let mut decoder = Decoder::new(bytes, encoding);
        let mut text = String::new();
        while let Some(piece) = decoder.next().unwrap() {
            text.push_str(piece);
        }
        let mut notes = Notes::default();
        decoder.report(&mut notes);
        (text, notes.into_list())
    }

    fn utf16(text: &str, mark: bool, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        let mark = mark.then_some(0xfeff_u16);
        mark.into_iter().chain(text.encode_utf16()).flat_map(bytes).collect()
    }

    #[test]
    fn charsets_are_found() {
        let encoded = |name: &str, text: &str| {
            Encoding::for_label(name.as_bytes()).unwrap().encode(text).0.into_owned()
        };
        let table = [
            (GERMAN.as_bytes().to_vec(), GERMAN),
            (encoded("windows-1252", GERMAN), GERMAN),
            (encoded("koi8-r", RUSSIAN), RUSSIAN),
            (encoded("shift_jis", JAPANESE), JAPANESE),
            (utf16(GERMAN, true, u16::to_le_bytes), GERMAN),
            (utf16(GERMAN, true, u16::to_be_bytes), GERMAN),
            (utf16(GERMAN, false, u16::to_le_bytes), GERMAN),
            ([b"\xef\xbb\xbf".as_slice(), GERMAN.as_bytes()].concat(), GERMAN),
        ];
        for (bytes, want) in table {
            let mut file = tempfile();
            file.write_all(&bytes).unwrap();
            let encoding = of_file(&file).unwrap();
            assert_eq!(decoded(&bytes, encoding).0, want, "{}", encoding.name());
            let (again, mut source) = of_source(bytes.as_slice()).unwrap();
            assert_eq!(encoding, again);
            assert_eq!(head(&mut source, 1 << 20).unwrap(), bytes);
        }
    }

    fn tempfile() -> File {
        let path = std::env::temp_dir().join(format!(
            "edgehold-charset-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        ));
        let file =
            File::options().read(true).write(true).create(true).truncate(true).open(&path).unwrap();
        std::fs::remove_file(path).unwrap();
        file
    }

    #[test]
    fn a_late_umlaut_and_damage_are_found() {
        let long = [vec![b'a'; 200_000], b" \xe4\xf6\xfc\xdf gr\xfc\xdfe".to_vec()].concat();
        let mut file = tempfile();
        file.write_all(&long).unwrap();
        assert_eq!(of_file(&file).unwrap().name(), "windows-1252");
        let damaged = [GERMAN.repeat(20).as_bytes(), b"\xff\xfe\x80"].concat();
        let (encoding, _) = of_source(damaged.as_slice()).unwrap();
        assert_eq!(encoding, UTF_8);
        let (text, notes) = decoded(&damaged, encoding);
        assert!(text.ends_with('\u{fffd}'));
        assert_eq!(notes, ["3 bytes are not in the charset utf-8"]);
        for odd in [b"\xff\xfea\0b".as_slice(), b"\xff\xfe\0\xd8", b"\xff\xfe"] {
            let mut decoder = Decoder::new(odd, UTF_16LE);
            while decoder.next().unwrap().is_some() {}
            assert_eq!(decoder.next().unwrap(), None);
        }
        // Characters across the borders of what is read at once.
        let split = "€".repeat(CHUNK);
        assert!(Survey::of(&mut split.as_bytes()).unwrap().is_utf8());
        assert_eq!(decoded(split.as_bytes(), UTF_8).0, split);
    }

    #[test]
    fn a_media_type_names_its_charset() {
        let table = [
            ("text/plain; charset=\"UTF-8\"", Some("UTF-8")),
            ("text/plain;x=y; Charset = koi8-r", Some("koi8-r")),
            ("text/plain", None),
            ("text/plain; charset=", None),
        ];
        for (given, want) in table {
            assert_eq!(charset_of(given), want);
        }
        let mut notes = Notes::default();
        assert_eq!(declared(Some("latin-9000"), &mut notes), None);
        assert_eq!(
            notes.into_list(),
            ["the charset latin-9000 is not known; it was guessed instead"]
        );
    }
}
