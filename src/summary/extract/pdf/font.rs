//! Fonts: what the codes in a string mean, and how wide they are.

use std::rc::Rc;

use encoding_rs::Encoding;
use hayro_syntax::object::{Array, Dict, Name, Object, Stream};
use hayro_syntax::xref::XRef;

use crate::summary::extract::pdf::cmap::{Meanings, is_meaning};
use crate::summary::extract::pdf::encoding::Base;
use crate::summary::extract::pdf::file::{items, number};
use crate::summary::extract::pdf::glyphs::meaning;
use crate::summary::extract::pdf::widths::{Widths, usual};
use crate::summary::extract::reading::Meter;
use crate::summary::extract::report::Refused;

/// Most fonts that are kept, and about how many bytes they may take.
const FONTS: usize = 32;
const COST: usize = 2 << 20;

/// The fonts that were used last, and how many codes none of them knew.
#[derive(Debug)]
pub(super) struct Fonts<'p> {
    xref: &'p XRef,
    meter: Meter,
    kept: Vec<(u32, Rc<Font>)>,
    pub(super) unknown: u64,
}

impl<'p> Fonts<'p> {
    pub(super) fn new(xref: &'p XRef, meter: &Meter) -> Self {
        Self { xref, meter: meter.clone(), kept: Vec::new(), unknown: 0 }
    }

    /// A font by its name in a dictionary; it is kept where it has a number.
    pub(super) fn find(
        &mut self,
        fonts: &Dict<'p>,
        name: &Name<'_>,
    ) -> Result<Option<Rc<Font>>, Refused> {
        let number = fonts.get_ref(name).map(|to| to.obj_number);
        if let Some(place) = self.kept.iter().position(|(it, _)| Some(*it) == number) {
            let found = self.kept.remove(place);
            let font = Rc::clone(&found.1);
            self.kept.insert(0, found);
            return Ok(Some(font));
        }
        let Some(font) = fonts.get::<Dict<'_>>(name) else { return Ok(None) };
        let font = Rc::new(Font::read(&font, self.xref, &self.meter)?);
        if let Some(number) = number {
            self.kept.insert(0, (number, Rc::clone(&font)));
            self.shrink();
        }
        Ok(Some(font))
    }

    fn shrink(&mut self) {
        let mut cost = 0;
        let fits = self.kept.iter().take(FONTS).take_while(|(_, font)| {
            let fits = cost < COST;
            cost += font.cost();
            fits
        });
        let fits = fits.count();
        self.kept.truncate(fits);
    }
}

/// How the codes of a font are read.
#[derive(Debug)]
enum Codes {
    /// A byte each, and what each means.
    Simple(Vec<String>),
    /// So many bytes each, as the map says, or else two.
    Long(Box<Meanings>),
    /// UTF-16.
    Wide,
    /// A charset of East Asia.
    Charset(&'static Encoding),
}

/// A font.
#[derive(Debug)]
pub(super) struct Font {
    codes: Codes,
    unicode: Meanings,
    widths: Widths,
    /// From the widths' unit to the font's size.
    scale: f64,
    fixed: bool,
    pub(super) bold: bool,
}

/// A code of a string: what it means, how wide it is, and whether it is the space of one byte.
pub(super) struct Glyph<'g> {
    pub(super) text: &'g str,
    pub(super) width: f64,
    pub(super) is_space: bool,
}

impl Font {
    fn read<'p>(font: &Dict<'p>, xref: &'p XRef, meter: &Meter) -> Result<Self, Refused> {
        let unicode = font.get::<Stream<'_>>("ToUnicode");
        let unicode = unicode.map(|map| Meanings::read(&map, meter)).transpose()?;
        let unicode = unicode.unwrap_or_default();
        let name = word(font, "BaseFont").to_ascii_lowercase();
        let bold = ["bold", "black", "heavy", "semibold"].iter().any(|it| name.contains(it));
        let fixed = name.contains("courier") || name.contains("mono");
        if word(font, "Subtype") == "Type0" {
            let descendants = font.get::<Array<'_>>("DescendantFonts").unwrap_or_default();
            let descendant = items(&descendants, xref).next().and_then(Object::into_dict);
            let codes = long_codes(font, meter)?;
            let widths = Widths::composite(&descendant.unwrap_or_default(), xref);
            return Ok(Self { codes, unicode, widths, scale: 0.001, fixed, bold });
        }
        let widths = Widths::simple(font, xref);
        let codes = Codes::Simple(simple_codes(font, xref, &name));
        Ok(Self { codes, unicode, widths, scale: scale_of(font, xref), fixed, bold })
    }

    /// Tells of each code in a string. Returns how many have no meaning.
    pub(super) fn read_string(&self, string: &[u8], mut each: impl FnMut(Glyph<'_>)) -> u64 {
        if let Codes::Charset(encoding) = self.codes {
            let text = encoding.decode_without_bom_handling(string).0;
            let mut utf8 = [0; 4];
            for character in text.chars() {
                let width = if character.is_ascii() { 0.5 } else { 1.0 };
                let text = character.encode_utf8(&mut utf8);
                each(Glyph { text, width, is_space: character == ' ' });
            }
            return 0;
        }
        let (mut rest, mut unknown, mut text) = (string, 0, String::new());
        while !rest.is_empty() {
            let (code, glyph, after) = self.next(rest);
            let is_space = after.len() + 1 == rest.len() && rest.starts_with(b" ");
            rest = after;
            text.clear();
            if !self.meaning(code, &mut text) {
                unknown += 1;
            }
            let width = self.widths.of(glyph).map_or_else(
                || f64::from(usual(text.chars().next().unwrap_or('n'), self.fixed)) * 0.001,
                |width| f64::from(width) * self.scale,
            );
            each(Glyph { text: &text, width, is_space });
        }
        unknown
    }

    /// The next code of a string, the number of its glyph, and the rest.
    fn next<'s>(&self, string: &'s [u8]) -> (u32, u32, &'s [u8]) {
        let first = |length: u8| {
            let (code, rest) = string.split_at_checked(length.into()).unwrap_or((string, &[]));
            (code.iter().fold(0, |sum: u32, byte| sum << 8 | u32::from(*byte)), rest)
        };
        if let Codes::Long(map) = &self.codes {
            let mut known = (1..=4).filter_map(|length| {
                let (code, rest) = first(length);
                Some((code, map.glyph(code, length)?, rest))
            });
            if let Some(found) = known.next() {
                return found;
            }
        }
        let (code, rest) = first(if matches!(self.codes, Codes::Simple(_)) { 1 } else { 2 });
        (code, code, rest)
    }

    /// What a code means: as the font's map says, else as its encoding does.
    fn meaning(&self, code: u32, text: &mut String) -> bool {
        if self.unicode.text(code, text) {
            return true;
        }
        match &self.codes {
            Codes::Simple(meanings) => {
                let meant = usize::try_from(code).ok().and_then(|code| meanings.get(code));
                text.push_str(meant.map_or("", String::as_str));
            }
            Codes::Wide => text.extend(char::from_u32(code).filter(|it| is_meaning(*it))),
            Codes::Long(_) | Codes::Charset(_) => {}
        }
        !text.is_empty()
    }

    fn cost(&self) -> usize {
        // Strings of a letter take some 32 bytes each.
        let codes = match &self.codes {
            Codes::Simple(meanings) => meanings.len() * 56,
            Codes::Long(map) => map.cost(),
            Codes::Wide | Codes::Charset(_) => 0,
        };
        codes + self.unicode.cost() + self.widths.cost() + size_of::<Self>()
    }
}

/// The name that something has in a dictionary.
fn word(dict: &Dict<'_>, key: &str) -> String {
    dict.get::<Name<'_>>(key).map(|name| name.as_str().to_owned()).unwrap_or_default()
}

/// Fonts whose glyphs are drawn by the document itself have a unit of their own.
fn scale_of<'p>(font: &Dict<'p>, xref: &'p XRef) -> f64 {
    if word(font, "Subtype") != "Type3" {
        return 0.001;
    }
    let matrix = font.get::<Array<'_>>("FontMatrix").unwrap_or_default();
    let scale = items(&matrix, xref).next().as_ref().and_then(number);
    scale.filter(|scale| scale.is_finite()).unwrap_or(0.001).abs()
}

/// What each byte means in a simple font.
fn simple_codes<'p>(font: &Dict<'p>, xref: &'p XRef, name: &str) -> Vec<String> {
    let encoding = font.get::<Dict<'_>>("Encoding").unwrap_or_default();
    let named = Base::named(&word(font, "Encoding"));
    let base = match named.or_else(|| Base::named(&word(&encoding, "BaseEncoding"))) {
        Some(base) => base,
        None if name.contains("symbol") => Base::Symbol,
        None if name.contains("dingbats") || name.contains("wingdings") => Base::Marks,
        None if word(font, "Subtype") == "TrueType" => Base::Windows,
        None => Base::Standard,
    };
    let mut codes: Vec<String> = (0..=u8::MAX)
        .map(|code| base.character(code).map(String::from).unwrap_or_default())
        .collect();
    let mut code = 0;
    let differences = encoding.get::<Array<'_>>("Differences").unwrap_or_default();
    for difference in items(&differences, xref) {
        match difference {
            Object::Number(next) => code = usize::try_from(next.as_i64()).unwrap_or(usize::MAX),
            Object::Name(name) => {
                if let Some(place) = codes.get_mut(code) {
                    *place = meaning(name.as_str()).unwrap_or_default();
                }
                code = code.saturating_add(1);
            }
            _ => {}
        }
    }
    codes
}

/// How long codes are read: the encodings that have names, or the document's own.
fn long_codes(font: &Dict<'_>, meter: &Meter) -> Result<Codes, Refused> {
    if let Some(own) = font.get::<Stream<'_>>("Encoding") {
        return Ok(Codes::Long(Box::new(Meanings::read(&own, meter)?)));
    }
    let name = word(font, "Encoding");
    let charset = [
        ("RKSJ", encoding_rs::SHIFT_JIS),
        ("GBK", encoding_rs::GBK),
        ("GB-EUC", encoding_rs::GBK),
        ("B5", encoding_rs::BIG5),
        ("KSC", encoding_rs::EUC_KR),
        ("EUC-", encoding_rs::EUC_JP),
    ];
    Ok(match charset.into_iter().find(|(part, _)| name.contains(part)) {
        _ if name.contains("UCS2") || name.contains("UTF16") => Codes::Wide,
        Some((_, charset)) => Codes::Charset(charset),
        None => Codes::Long(Box::default()),
    })
}
