//! Which of six languages a text is in, by its function words.

use crate::summary::extractive::stops::Stops;
use crate::summary::extractive::words::each_word;

/// A language whose function words, abbreviations and turns of phrase are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    /// English.
    English,
    /// German.
    German,
    /// French.
    French,
    /// Spanish.
    Spanish,
    /// Italian.
    Italian,
    /// Portuguese.
    Portuguese,
}

/// Words of a sample that are enough to judge by: some 20 KiB of text.
const SAMPLE_WORDS: u32 = 4000;

/// Of a hundred words, how many must be function words of the language: a text has 40 to 50, one in
/// a kindred language up to 25.
const LEAST_PERCENT: u64 = 25;

/// A word that one language alone has counts this often, and is shared out among those that have it.
const WHOLE: u32 = 12;

impl Language {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::English, Self::German, Self::French, Self::Spanish, Self::Italian, Self::Portuguese];

    /// Its code in ISO 639-1.
    pub const fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
            Self::French => "fr",
            Self::Spanish => "es",
            Self::Italian => "it",
            Self::Portuguese => "pt",
        }
    }

    /// Its name in English.
    pub const fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::German => "German",
            Self::French => "French",
            Self::Spanish => "Spanish",
            Self::Italian => "Italian",
            Self::Portuguese => "Portuguese",
        }
    }

    /// The language of a tag such as `de`, `de-AT`, `ger`, `German` or `Deutsch`.
    pub fn from_tag(tag: &str) -> Option<Self> {
        let first = tag.trim().split(['-', '_', '.']).next().unwrap_or_default().to_lowercase();
        Self::ALL.into_iter().find(|it| {
            *it.code() == first || it.name().to_lowercase() == first || it.own().contains(&&*first)
        })
    }

    /// What it calls itself, and its codes of three letters.
    const fn own(self) -> &'static [&'static str] {
        match self {
            Self::English => &["eng"],
            Self::German => &["deutsch", "deu", "ger"],
            Self::French => &["français", "francais", "fra", "fre"],
            Self::Spanish => &["español", "espanol", "castellano", "spa"],
            Self::Italian => &["italiano", "ita"],
            Self::Portuguese => &["português", "portugues", "por"],
        }
    }
}

/// The language of a text, if it is one of the six.
pub fn detect(sample: &str) -> Option<Language> {
    let stops = Stops::new();
    let mut words = 0_u32;
    let mut found = [Found::default(); Language::ALL.len()];
    each_word(sample, |word| {
        if words == SAMPLE_WORDS || (word.digits > 0 && !word.is_pair) {
            return;
        }
        words += 1;
        let set = stops.languages(word.whole);
        let Some(share) = WHOLE.checked_div(set.count_ones()) else { return };
        for (bit, found) in found.iter_mut().enumerate().filter(|(bit, _)| set >> bit & 1 == 1) {
            debug_assert!(bit < Language::ALL.len());
            found.words += 1;
            found.shares += share;
        }
    });
    let best = found.iter().zip(Language::ALL).max_by_key(|(found, _)| (found.shares, found.words));
    let (best, language) = best?;
    let is_enough = u64::from(best.words) * 100 >= u64::from(words) * LEAST_PERCENT;
    (best.words > 0 && is_enough).then_some(language)
}

/// What speaks for one language.
#[derive(Debug, Clone, Copy, Default)]
struct Found {
    words: u32,
    shares: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags() {
        for (tag, code) in [
            ("de", "de"),
            ("de-AT", "de"),
            ("German", "de"),
            ("Deutsch", "de"),
            ("en_GB.UTF-8", "en"),
            ("Français", "fr"),
            ("ES", "es"),
            ("italiano", "it"),
            (" pt-BR ", "pt"),
        ] {
            assert_eq!(Language::from_tag(tag).map(Language::code), Some(code), "{tag}");
        }
        assert!(["", "nl", "den", "klingon"].iter().all(|tag| Language::from_tag(tag).is_none()));
    }

    #[test]
    fn texts() {
        for (code, text) in [
            ("en", "The pump was replaced in May, and since then it has run without a fault."),
            ("de", "Die Pumpe wurde im Mai ersetzt, und seitdem läuft sie ohne eine Störung."),
            ("fr", "La pompe a été remplacée en mai, et depuis elle fonctionne sans panne."),
            ("es", "La bomba se cambió en mayo, y desde entonces funciona sin ninguna avería."),
            ("it", "La pompa è stata sostituita in maggio e da allora funziona senza guasti."),
            ("pt", "A bomba foi trocada em maio, e desde então ela funciona sem nenhuma falha."),
        ] {
            assert_eq!(detect(text).map(Language::code), Some(code), "{text}");
        }
    }

    #[test]
    fn others_are_none() {
        for text in [
            "",
            "42",
            "Насос был заменён в мае, и с тех пор он работает без сбоев.",
            "ポンプは五月に交換され、それ以来故障なく動いている。",
            "تم استبدال المضخة في مايو ومنذ ذلك الحين تعمل دون أعطال.",
            "De pomp werd in mei vervangen en sindsdien draait hij zonder een storing te hebben.",
            "Pumpen byttes i maj, och sedan dess har den gått utan något fel eller annat bekymmer.",
            "Pompa została wymieniona w maju i od tego czasu działa bez żadnej awarii.",
            "Pompa a fost înlocuită în luna mai, iar de atunci funcționează fără nicio defecțiune.",
        ] {
            assert_eq!(detect(text).map(Language::code), None, "{text}");
        }
    }
}
