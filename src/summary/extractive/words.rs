//! Words of a text, as numbers: lower-cased, and cut down to what their forms have in common.
//!
//! A word is a run of letters and digits. Scripts that part no words give a term for each pair of
//! neighbours instead.

/// The longest beginning of a word that is told apart.
const LONGEST: usize = 24;

/// How many letters of a word are its stem at most: longer ones differ by ending, mostly.
const STEM: usize = 7;

/// The least that is left of a word whose ending goes.
const LEAST: usize = 4;

/// One word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Word {
    /// Its stem.
    pub(super) stem: u32,
    /// The whole of it, lower-cased.
    pub(super) whole: u32,
    /// How many letters and digits.
    pub(super) length: u32,
    /// How many of them are digits.
    pub(super) digits: u32,
    /// Whether it begins with a capital letter.
    pub(super) is_capital: bool,
    /// Whether it is one of a script that parts no words.
    pub(super) is_pair: bool,
}

/// Shows every word of a text, in order.
pub(super) fn each_word(text: &str, mut see: impl FnMut(Word)) {
    let mut run = Run::default();
    let mut before = None;
    for char in text.chars() {
        if char.is_ascii() {
            before = None;
            match char.is_ascii_alphanumeric() {
                true => run.add_ascii(char),
                false => run.finish(&mut see),
            }
        } else if is_unparted(char) {
            run.finish(&mut see);
            see(pair(before, char));
            before = Some(char);
        } else {
            before = None;
            match char.is_alphanumeric() {
                true => run.add(char),
                false => run.finish(&mut see),
            }
        }
    }
    run.finish(&mut see);
}

/// The number of a word that is written in lower case.
pub(super) fn number(word: &str) -> u32 {
    let mut number = 0;
    each_word(word, |word| number = word.whole);
    number
}

/// The number of a phrase: its words' numbers, one after the other.
pub(super) fn joined(numbers: impl IntoIterator<Item = u32>) -> u32 {
    numbers.into_iter().fold(BASIS, |sum, number| (sum.rotate_left(5) ^ number).wrapping_mul(PRIME))
}

const BASIS: u32 = 0x811c_9dc5;
const PRIME: u32 = 0x0100_0193;

/// The word that is being read, and the number of each of its beginnings.
#[derive(Debug)]
struct Run {
    numbers: [u32; LONGEST],
    letters: [char; LONGEST],
    length: usize,
    sum: u32,
    digits: u32,
    is_capital: bool,
}

impl Default for Run {
    fn default() -> Self {
        Self {
            numbers: [0; LONGEST],
            letters: [' '; LONGEST],
            length: 0,
            sum: BASIS,
            digits: 0,
            is_capital: false,
        }
    }
}

impl Run {
    #[inline]
    fn add_ascii(&mut self, char: char) {
        self.digits += u32::from(char.is_ascii_digit());
        self.is_capital |= self.length == 0 && char.is_ascii_uppercase();
        self.push(char.to_ascii_lowercase());
    }

    fn add(&mut self, char: char) {
        self.digits += u32::from(char.is_numeric());
        self.is_capital |= self.length == 0 && char.is_uppercase();
        char.to_lowercase().for_each(|char| self.push(char));
    }

    #[inline]
    fn push(&mut self, char: char) {
        self.sum = (self.sum ^ u32::from(char)).wrapping_mul(PRIME);
        let place = self.numbers.get_mut(self.length).zip(self.letters.get_mut(self.length));
        if let Some((number, letter)) = place {
            (*number, *letter) = (self.sum, char);
        }
        self.length += 1;
    }

    #[inline]
    fn finish(&mut self, see: &mut impl FnMut(Word)) {
        if self.length == 0 {
            return;
        }
        see(Word {
            stem: self.stem(),
            whole: self.sum,
            length: u32::try_from(self.length).unwrap_or(u32::MAX),
            digits: self.digits,
            is_capital: self.is_capital,
            is_pair: false,
        });
        (self.length, self.sum, self.digits, self.is_capital) = (0, BASIS, 0, false);
    }

    fn stem(&self) -> u32 {
        if self.digits > 0 || self.length <= LEAST {
            return self.sum;
        }
        let kept = self.without_ending().min(STEM);
        self.numbers.get(kept - 1).copied().unwrap_or(self.sum)
    }

    /// How many letters stand before the endings that plurals and cases have in the six languages.
    fn without_ending(&self) -> usize {
        let mut kept = self.length.min(LONGEST);
        for ending in ['s', 'n', 'e'] {
            let last = kept.checked_sub(1).and_then(|at| self.letters.get(at));
            if kept > LEAST && last == Some(&ending) {
                kept -= 1;
            }
        }
        kept
    }
}

fn pair(before: Option<char>, char: char) -> Word {
    let first = before.map_or(0, u32::from);
    let number = joined([first, u32::from(char)]);
    Word { stem: number, whole: number, length: 1, digits: 0, is_capital: false, is_pair: true }
}

/// Whether a letter is of a script that writes its words without spaces.
pub(super) fn is_unparted(char: char) -> bool {
    matches!(u32::from(char),
        0x0e00..=0x0eff     // Thai, Lao
        | 0x1000..=0x109f   // Burmese
        | 0x1780..=0x17ff   // Khmer
        | 0x3040..=0x30ff   // Kana
        | 0x3400..=0x4dbf | 0x4e00..=0x9fff | 0xf900..=0xfaff | 0x2_0000..=0x3_ffff)
}

/// How many words a reader would count: what stands between spaces, and two letters are one where
/// none are written.
pub(super) fn count(text: &str) -> usize {
    let mut counter = Counter::default();
    text.chars().for_each(|char| counter.push(char));
    counter.words()
}

/// A word that has more letters counts as several: it is none that anybody would read.
const LONGEST_READ: usize = 32;

/// The mark of what is left out.
pub(super) const ELLIPSIS: char = '…';

/// Counts words as they come.
#[derive(Debug, Default)]
pub(super) struct Counter {
    parted: usize,
    unparted: usize,
    run: usize,
}

impl Counter {
    /// Sees another letter.
    pub(super) fn push(&mut self, char: char) {
        if char == ELLIPSIS {
            // It belongs to what stands before.
        } else if is_unparted(char) || char.is_whitespace() {
            self.unparted += usize::from(!char.is_whitespace());
            self.run = 0;
        } else {
            self.parted += usize::from(self.run.is_multiple_of(LONGEST_READ));
            self.run += 1;
        }
    }

    /// How many words so far.
    pub(super) fn words(&self) -> usize {
        self.parted + self.unparted.div_ceil(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stem(word: &str) -> u32 {
        let mut stem = 0;
        each_word(word, |word| stem = word.stem);
        stem
    }

    #[test]
    fn forms_of_a_word_meet() {
        for (one, other) in [
            ("sensor", "Sensors"),
            ("Batterie", "Batterien"),
            ("failure", "FAILURES"),
            ("Straße", "Straßen"),
            ("configuration", "configured"),
            ("município", "municípios"),
        ] {
            assert_eq!(stem(one), stem(other), "{one} {other}");
        }
        for (one, other) in [("sensor", "sender"), ("cost", "coast"), ("2024", "2025")] {
            assert_ne!(stem(one), stem(other), "{one} {other}");
        }
    }

    #[test]
    fn words_and_pairs() {
        let mut seen = Vec::new();
        each_word("Dr. Müller's 3.5 kW, 東京都", |word| seen.push((word.length, word.digits)));
        assert_eq!(seen, [(2, 0), (6, 0), (1, 0), (1, 1), (1, 1), (2, 0), (1, 0), (1, 0), (1, 0)]);
        assert_eq!(number("müller"), number("MÜLLER"));
    }

    #[test]
    fn counts_as_a_reader_does() {
        for (text, words) in
            [("", 0), ("well-known, isn't it?", 3), ("3.5 % — or so", 5), ("東京都は", 2)]
        {
            assert_eq!(count(text), words, "{text}");
        }
    }
}
