//! The sentences of a paragraph: Unicode's rules, and what they do not know: abbreviations, initials
//! and dates of the six languages.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use crate::summary::extractive::language::Language;
use crate::summary::extractive::stops::Stops;
use crate::summary::extractive::words::number;

/// After these a sentence goes on, whatever follows.
const NEVER_LAST: &[&str] = &[
    "adj", "av", "bspw", "bzw", "ca", "cf", "cfr", "dott", "dr", "dra", "eds", "eq", "evtl", "fig",
    "figs", "geb", "ggf", "gov", "hr", "hrn", "ing", "insb", "inkl", "kap", "lt", "messrs", "mgr",
    "mio", "mme", "mlle", "mr", "mrs", "ms", "nº", "núm", "nr", "pag", "pág", "pp", "prof",
    "profa", "rev", "sec", "sept", "sig", "sogen", "sr", "sra", "srta", "ste", "tel", "univ",
    "urspr", "vgl", "vol", "vs", "zit", "zzgl", "abb", "bd", "capt", "comm", "dept", "env", "exmo",
    "gral", "hon", "jg", "pres", "ph", "resp", "sra", "approx", "avv", "ee", "uu", "ff", "frl",
    "incl", "exkl", "mag",
];

/// After these a sentence may end: it goes on unless a function word follows with a capital letter.
const MAY_BE_LAST: &[&str] = &[
    "art", "max", "min", "al", "m", "s", "ex", "mag", "col", "cap", "ref", "abs", "ed", "fr",
    "str", "ch", "sen", "tab", "gen", "dir", "st", "a.m", "apr", "aug", "co", "corp", "dec", "déc",
    "dez", "ecc", "etc", "feb", "fév", "inc", "jan", "janv", "jr", "juil", "jul", "jun", "ltd",
    "mar", "no", "nov", "oct", "okt", "oct", "op", "p", "p.m", "sep", "usw", "ud", "uds", "vd",
    "ltda", "cia", "cie", "bros", "gmbh", "mrd", "std", "uvm", "u.a", "u.s", "e.v",
];

/// What follows a day's number in a German date, and the like.
const AFTER_ORDINAL: &[&str] = &[
    "januar",
    "jänner",
    "februar",
    "märz",
    "april",
    "mai",
    "juni",
    "juli",
    "august",
    "september",
    "oktober",
    "november",
    "dezember",
    "jahrhundert",
    "jahrhunderts",
    "quartal",
    "klasse",
    "stock",
    "etage",
    "mal",
    "platz",
    "lebensjahr",
    "auflage",
    "tag",
    "kapitel",
    "bundesliga",
    "weltkrieg",
];

/// The longest text that is tried as an abbreviation.
const LONGEST: usize = 12;

/// Shows each sentence's place in a text. The spaces around them are with none.
pub(super) fn each_sentence(
    text: &str,
    stops: &Stops,
    language: Option<Language>,
    mut see: impl FnMut(Range<usize>, &str),
) {
    let mut start = 0;
    let mut bounds =
        text.split_sentence_bound_indices().map(|(at, piece)| at + piece.len()).peekable();
    while let Some(end) = bounds.next() {
        let (Some(piece), Some(next)) = (text.get(start..end), text.get(end..)) else { return };
        if bounds.peek().is_some() && goes_on(piece, next, stops, language) {
            continue;
        }
        let trimmed = piece.trim_start_matches(is_margin);
        let from = start + piece.len() - trimmed.len();
        let trimmed = trimmed.trim_end_matches(is_margin);
        if !trimmed.is_empty() {
            see(from..from + trimmed.len(), trimmed);
        }
        start = end;
    }
}

fn is_margin(char: char) -> bool {
    char.is_whitespace() || char == '\u{feff}'
}

/// Whether a sentence does not end where Unicode's rules would have it.
fn goes_on(piece: &str, next: &str, stops: &Stops, language: Option<Language>) -> bool {
    let piece = piece.trim_end();
    if !piece.chars().any(char::is_alphanumeric) || !next.chars().any(char::is_alphanumeric) {
        return true;
    }
    let next = next.trim_start_matches(|char: char| !char.is_alphanumeric());
    let Some(before) = piece.strip_suffix('.') else { return begins_low(next, piece) };
    let last =
        before.rsplit(|char: char| char.is_whitespace() || "([\"'“„«’/".contains(char)).next();
    let last = last.filter(|it| it.len() <= LONGEST).unwrap_or_default();
    if last.is_empty() {
        return false;
    }
    let follows = || next.split(|char: char| !char.is_alphanumeric()).next().unwrap_or_default();
    if last.bytes().all(|byte| byte.is_ascii_digit()) {
        return last.len() <= 2 && is_listed(AFTER_ORDINAL, &follows().to_lowercase());
    }
    let last = last.to_lowercase();
    let is_letter = last.chars().count() == 1 && last.chars().all(char::is_alphabetic);
    let is_initial = is_letter || is_dotted(&last);
    is_listed(NEVER_LAST, &last)
        || ((is_initial || is_listed(MAY_BE_LAST, &last))
            && !stops.has(number(follows()), language.or(Some(Language::English))))
}

/// After an ellipsis or a quoted question, a small letter goes on.
fn begins_low(next: &str, piece: &str) -> bool {
    let is_open = piece.ends_with(['…', '"', '”', '“', '»', '’', ')', '?', '!']);
    is_open && next.chars().next().is_some_and(char::is_lowercase)
}

/// Whether it is several letters with dots between: `e.g`, `d.h`, `U.S`.
fn is_dotted(word: &str) -> bool {
    word.contains('.') && word.split('.').all(|part| part.chars().count() <= 2)
}

fn is_listed(list: &[&str], word: &str) -> bool {
    list.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str, language: Language) -> Vec<String> {
        let mut all = Vec::new();
        each_sentence(text, &Stops::new(), Some(language), |at, sentence| {
            assert_eq!(text.get(at), Some(sentence));
            all.push(sentence.to_owned());
        });
        all
    }

    /// Sentences are parted by `/` here.
    const TABLE: &[(Language, &str)] = &[
        (Language::English, "Dr. Smith met Mr. J. R. Jones at 3.30 p.m. on Monday. / He was late."),
        (Language::English, "The U.S. Senate voted. / It passed by 51 to 49."),
        (
            Language::English,
            "See Fig. 3 and No. 7, e.g. the lid. / Costs rose 3.5 % (cf. Sec. 2). / Why?",
        ),
        (Language::English, "\"Is it done?\" she asked. / \"Yes.\" / They left."),
        (Language::English, "Visit https://example.com/a.b?c=d. / Then write to a.b@example.com!"),
        (Language::English, "It ran on … and on. / Acme Inc. / The end came soon after."),
        (Language::English, "Smith et al. Report it so. / (It is true.) / We agree."),
        (
            Language::German,
            "Am 3. Oktober kam Dr. Huber, z. B. mit Frau Prof. Maier. / Das war 2020. / Gut.",
        ),
        (Language::German, "Das gilt bzw. galt, d. h. bis Nr. 5. / „Wirklich?“ fragte er. / Ja."),
        (
            Language::German,
            "Der Umsatz stieg um 3,5 Mio. Euro usw. / Die Kosten (vgl. Abb. 2) sanken.",
        ),
        (
            Language::French,
            "M. Dupont et Mme. Durand, p. ex. ceux de l'art. 5, sont venus. / C'est fini.",
        ),
        (Language::French, "« Est-ce vrai ? » demanda-t-il. / Oui, à 3,5 %. / Fin."),
        (
            Language::Spanish,
            "El Sr. Pérez y la Sra. Gómez pagaron 3.500 euros. / ¿Por qué? / ¡Nadie lo sabe!",
        ),
        (Language::Spanish, "Vive en EE. UU. desde 2010, p. ej. en Miami. / Es todo."),
        (
            Language::Italian,
            "Il dott. Rossi e il sig. Bianchi (cfr. pag. 4) sono arrivati. / È tardi, ecc. / La fine.",
        ),
        (
            Language::Portuguese,
            "O Sr. Silva e a Sra. Costa pagaram R$ 3,50 cada. / A Profa. Lima veio. / Fim.",
        ),
    ];

    #[test]
    fn six_languages() {
        for (language, text) in TABLE {
            let want: Vec<&str> = text.split(" / ").collect();
            let joined = want.join(" ");
            assert_eq!(split(&joined, *language), want);
        }
    }

    #[test]
    fn other_scripts_and_none() {
        assert_eq!(split("東京は大きい。人が多い。", Language::English).len(), 2);
        assert_eq!(split("Это так. Но не всё!", Language::English).len(), 2);
        assert_eq!(split("هذا صحيح. هل تعلم؟ نعم.", Language::English).len(), 3);
        assert_eq!(split("no end at all", Language::English), ["no end at all"]);
        assert!(split(" \u{feff} ", Language::English).is_empty());
    }
}
