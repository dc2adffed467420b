//! How wide glyphs are, in thousandths of the font's size.

use hayro_syntax::object::{Array, Dict, Number, Object};
use hayro_syntax::xref::XRef;

use crate::summary::extract::pdf::file::{items, number};

/// Most widths that a font has here.
const WIDTHS: usize = 20_000;

/// The widths of a font's glyphs.
#[derive(Debug, Default)]
pub(super) struct Widths {
    /// Codes that follow one another and have the same width.
    ranges: Vec<(u32, u32, f32)>,
    otherwise: Option<f32>,
}

impl Widths {
    /// Those of a simple font.
    pub(super) fn simple<'p>(font: &Dict<'p>, xref: &'p XRef) -> Self {
        let first = font.get::<u32>("FirstChar").unwrap_or_default();
        let list = font.get::<Array<'_>>("Widths").unwrap_or_default();
        let mut widths = Self::default();
        for (code, width) in (first..=u32::MAX).zip(items(&list, xref).take(256)) {
            widths.put(code, code, &width);
        }
        let missing = font.get::<Dict<'_>>("FontDescriptor").and_then(|it| it.get("MissingWidth"));
        widths.otherwise = missing.filter(|_| !widths.ranges.is_empty());
        widths
    }

    /// Those of a font with long codes: `[1 [500 600] 7 9 1000]`.
    pub(super) fn composite<'p>(font: &Dict<'p>, xref: &'p XRef) -> Self {
        let standard = font.get::<f32>("DW").unwrap_or(1000.0);
        let mut widths = Self { ranges: Vec::new(), otherwise: Some(standard) };
        let list = font.get::<Array<'_>>("W").unwrap_or_default();
        let mut list = items(&list, xref);
        while let (Some(first), Some(second)) = (list.next(), list.next()) {
            let Some(first) = first.into_number().and_then(code) else { break };
            if let Object::Array(each) = second {
                for (number, width) in (first..=u32::MAX).zip(items(&each, xref)) {
                    widths.put(number, number, &width);
                }
                continue;
            }
            let last = second.into_number().and_then(code);
            let (Some(last), Some(width)) = (last, list.next()) else { break };
            widths.put(first, last, &width);
        }
        widths.ranges.sort_unstable_by_key(|(first, ..)| *first);
        widths
    }

    fn put(&mut self, first: u32, last: u32, width: &Object<'_>) {
        let Some(width) = narrow(width) else { return };
        if let Some((_, end, same)) = self.ranges.last_mut()
            && *same == width
            && end.checked_add(1) == Some(first)
        {
            *end = last;
        } else if self.ranges.len() < WIDTHS {
            self.ranges.push((first, last, width));
        }
    }

    /// The width of a code, where the font says it.
    pub(super) fn of(&self, code: u32) -> Option<f32> {
        let after = self.ranges.partition_point(|(first, ..)| *first <= code);
        let range = after.checked_sub(1).and_then(|place| self.ranges.get(place));
        let found = range.filter(|(_, last, _)| code <= *last).map(|(.., width)| *width);
        found.or(self.otherwise)
    }

    pub(super) fn cost(&self) -> usize {
        self.ranges.capacity() * size_of::<(u32, u32, f32)>()
    }
}

fn code(number: Number) -> Option<u32> {
    u32::try_from(number.as_i64()).ok()
}

#[expect(clippy::cast_possible_truncation, reason = "a width needs no more than six digits")]
fn narrow(object: &Object<'_>) -> Option<f32> {
    number(object).map(|number| number as f32)
}

/// About how wide a character is in a font that does not say it, because every viewer knows it.
pub(super) fn usual(character: char, fixed: bool) -> f32 {
    match character {
        _ if fixed => 600.0,
        'i' | 'j' | 'l' | '\'' | '|' => 222.0,
        ' ' | 'f' | 't' | 'I' | '.' | ',' | ':' | ';' | '!' | '/' | '[' | ']' => 278.0,
        '(' | ')' | 'r' | '-' | '`' => 333.0,
        'c' | 'k' | 's' | 'v' | 'x' | 'y' | 'z' | 'J' => 500.0,
        'm' | 'M' => 833.0,
        'w' | 'A' | 'B' | 'E' | 'K' | 'P' | 'S' | 'V' | 'X' | 'Y' | '&' => 680.0,
        'C' | 'D' | 'G' | 'H' | 'N' | 'O' | 'Q' | 'R' | 'U' => 740.0,
        'W' | '%' | '@' => 930.0,
        _ => 556.0,
    }
}
