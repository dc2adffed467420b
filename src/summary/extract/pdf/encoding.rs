//! What the codes of simple fonts mean, and what strings say that are no text of a page.

/// The encodings that have names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Base {
    Standard,
    Windows,
    Mac,
    Symbol,
    /// Marks and arrows, which are the marks of lists as a rule.
    Marks,
}

impl Base {
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "StandardEncoding" => Some(Self::Standard),
            "WinAnsiEncoding" | "PDFDocEncoding" => Some(Self::Windows),
            "MacRomanEncoding" => Some(Self::Mac),
            _ => None,
        }
    }

    /// What a code means.
    pub(super) fn character(self, code: u8) -> Option<char> {
        let decoded = |encoding: &'static encoding_rs::Encoding| {
            encoding.decode_without_bom_handling(&[code]).0.chars().next()
        };
        let found = match self {
            Self::Windows => decoded(encoding_rs::WINDOWS_1252),
            Self::Mac => decoded(encoding_rs::MACINTOSH),
            Self::Standard => match code {
                0x27 => Some('’'),
                0x60 => Some('‘'),
                0x20..0x7f => Some(char::from(code)),
                _ => UPPER.iter().find(|(it, _)| *it == code).map(|(_, meant)| *meant),
            },
            Self::Marks => (code > 0x20).then_some('•'),
            Self::Symbol => match code {
                b'A'..=b'Z' => GREEK.chars().nth(usize::from(code - b'A')),
                b'a'..=b'z' => SMALL_GREEK.chars().nth(usize::from(code - b'a')),
                0xb7 => Some('•'),
                0x20..0x7f => Some(char::from(code)),
                _ => None,
            },
        };
        found.filter(|it| !it.is_control())
    }
}

const GREEK: &str = "ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ";
const SMALL_GREEK: &str = "αβχδεφγηιϕκλμνοπθρστυϖωξψζ";

/// The upper half of the standard encoding.
#[rustfmt::skip]
const UPPER: [(u8, char); 55] = [
    (0xa1, '¡'), (0xa2, '¢'), (0xa3, '£'), (0xa4, '⁄'), (0xa5, '¥'), (0xa6, 'ƒ'), (0xa7, '§'),
    (0xa8, '¤'), (0xa9, '\''), (0xaa, '“'), (0xab, '«'), (0xac, '‹'), (0xad, '›'), (0xae, 'ﬁ'),
    (0xaf, 'ﬂ'), (0xb1, '–'), (0xb2, '†'), (0xb3, '‡'), (0xb4, '·'), (0xb6, '¶'), (0xb7, '•'),
    (0xb8, '‚'), (0xb9, '„'), (0xba, '”'), (0xbb, '»'), (0xbc, '…'), (0xbd, '‰'), (0xbf, '¿'),
    (0xc1, '`'), (0xc2, '´'), (0xc3, 'ˆ'), (0xc4, '˜'), (0xc5, '¯'), (0xc6, '˘'), (0xc7, '˙'),
    (0xc8, '¨'), (0xca, '˚'), (0xcb, '¸'), (0xcd, '˝'), (0xce, '˛'), (0xcf, 'ˇ'), (0xd0, '—'),
    (0xe1, 'Æ'), (0xe3, 'ª'), (0xe8, 'Ł'), (0xe9, 'Ø'), (0xea, 'Œ'), (0xeb, 'º'), (0xf1, 'æ'),
    (0xf5, 'ı'), (0xf8, 'ł'), (0xf9, 'ø'), (0xfa, 'œ'), (0xfb, 'ß'), (0x7f, ' '),
];

/// What a string says that is no text of a page: UTF-16 or UTF-8 with a mark, or bytes.
pub(super) fn text_string(bytes: &[u8]) -> String {
    match bytes {
        [0xfe, 0xff, rest @ ..] => wide(rest),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        _ => bytes.iter().filter_map(|code| Base::Windows.character(*code)).collect(),
    }
}

fn wide(bytes: &[u8]) -> String {
    encoding_rs::UTF_16BE.decode_without_bom_handling(bytes).0.into_owned()
}
