//! What codes mean: the `ToUnicode` of a font.

use hayro_cmap::{BfString, CMap};
use hayro_syntax::object::Stream;

use crate::summary::extract::pdf::file::content;
use crate::summary::extract::reading::Meter;
use crate::summary::extract::report::Refused;

/// Most bytes of a map.
const MAP: usize = 1 << 20;
/// An entry takes some 64 bytes of memory, and is written as `<0003><0020>`.
const GROWTH: usize = 5;

/// What codes mean.
#[derive(Debug, Default)]
pub(super) struct Meanings {
    map: Option<CMap>,
    cost: usize,
}

impl Meanings {
    /// Those that a stream says; none where it is broken.
    pub(super) fn read(stream: &Stream<'_>, meter: &Meter) -> Result<Self, Refused> {
        let bytes = content(stream, MAP, meter)?;
        Ok(Self::of(&bytes))
    }

    fn of(bytes: &[u8]) -> Self {
        // Another map that it builds upon is taken to be empty.
        let map = CMap::parse(bytes, |_| Some(&[]));
        Self { map, cost: bytes.len().saturating_mul(GROWTH) }
    }

    /// What a code means.
    pub(super) fn text(&self, code: u32, into: &mut String) -> bool {
        match self.map.as_ref().and_then(|map| map.lookup_bf_string(code)) {
            Some(BfString::Char(meant)) if is_meaning(meant) => into.push(meant),
            Some(BfString::String(meant)) => into.push_str(&meant),
            _ => return false,
        }
        true
    }

    /// The number of the glyph that a code of so many bytes shows.
    pub(super) fn glyph(&self, code: u32, length: u8) -> Option<u32> {
        self.map.as_ref()?.lookup_cid_code(code, length)
    }

    /// About how many bytes of memory it takes.
    pub(super) fn cost(&self) -> usize {
        self.cost
    }
}

/// Whether somebody knows what a character is: writers put 0 or private ones where they do not.
pub(super) fn is_meaning(it: char) -> bool {
    !it.is_control() && it != '\u{fffd}' && !('\u{e000}'..='\u{f8ff}').contains(&it)
        || matches!(it, '\t' | '\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_meanings() {
        let map =
            b"/CIDInit /ProcSet findresource begin 1 begincodespacerange <00> <7f> <8000> <ffff>
            endcodespacerange 2 beginbfchar <01> <0041> <02> <00660069> endbfchar
            3 beginbfrange <10> <12> <0061> <20> <21> [<0078> <0079007a>] <8000> <8fff> <4e00>
            endbfrange 1 begincidrange <05> <07> 9 endcidrange";
        let map = Meanings::of(map);
        let text = |code| {
            let mut text = String::new();
            map.text(code, &mut text).then_some(text)
        };
        let table = [(1, "A"), (2, "fi"), (0x12, "c"), (0x20, "x"), (0x21, "yz"), (0x8001, "丁")];
        for (code, want) in table {
            assert_eq!(text(code).as_deref(), Some(want), "{code}");
        }
        assert_eq!(text(3), None);
        assert_eq!((map.glyph(6, 1), map.glyph(6, 2)), (Some(10), None));
        let bomb = b"beginbfrange <00000000> <ffffffff> <0041> <0> [ <0041>";
        assert!(!Meanings::of(bomb).text(1, &mut String::new()));
    }
}
