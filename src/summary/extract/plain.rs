//! Plain text and Markdown: decoded and cleaned, and otherwise as they are.

use std::fs::File;

use crate::summary::extract::charset::{Decoder, declared, of_file};
use crate::summary::extract::kind::Kind;
use crate::summary::extract::reading::Reading;
use crate::summary::extract::report::Refused;
use crate::summary::extract::source::Stretch;

pub(super) fn read(
    kind: Kind,
    charset: Option<&str>,
    document: &File,
    reading: &mut Reading,
) -> Result<(), Refused> {
    let mut text = open(charset, document, reading)?;
    let mut first = true;
    while let Some(piece) = text.next()? {
        if std::mem::take(&mut first) && kind == Kind::Markdown {
            reading.call(heading(piece).unwrap_or_default());
        }
        reading.sheet.put(piece)?;
    }
    text.report(&mut reading.notes);
    Ok(())
}

/// The document's characters.
pub(super) fn open<'f>(
    charset: Option<&str>,
    document: &'f File,
    reading: &mut Reading,
) -> Result<Decoder<Stretch<'f>>, Refused> {
    let encoding = match declared(charset, &mut reading.notes) {
        Some(declared) => declared,
        None => of_file(document)?,
    };
    Ok(Decoder::new(Stretch::whole(document), encoding))
}

/// The first heading of a Markdown text.
fn heading(text: &str) -> Option<&str> {
    text.lines().find_map(|line| line.strip_prefix("# "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::extract::tests::{refusal, text_of, title_of};

    #[test]
    fn text_stays_as_it_is() {
        let log = "12:00 first\n12:01   second\n\n12:02 third\n";
        assert_eq!(text_of(Kind::Text, log.as_bytes()), log);
        assert_eq!(
            text_of(Kind::Text, b"caf\xe9 cr\xe8me, d\xe9j\xe0 vu"),
            "café crème, déjà vu\n"
        );
        let page = b"intro\n# Its name\n\nText.\n";
        assert_eq!(text_of(Kind::Markdown, page).as_bytes(), page);
        assert_eq!(title_of(Kind::Markdown, page).as_deref(), Some("Its name"));
        assert_eq!(refusal(Kind::Text, b" \n\t\n"), "there is no text in it");
    }
}
