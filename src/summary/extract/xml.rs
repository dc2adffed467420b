//! XML, as parts of archives are: told tag by tag, with bounds on what has to be held of it.
//!
//! Entities but the five are left as they are written, so that none can grow. What is not
//! well-formed is read up to there.

use std::io::{self, BufRead, Read};

use quick_xml::Reader;
use quick_xml::escape::{resolve_xml_entity, unescape};
use quick_xml::events::{BytesRef, BytesStart, Event};

use crate::summary::extract::archive::Archive;
use crate::summary::extract::bridge::{Characters, refusal};
use crate::summary::extract::charset::{Decoder, of_source};
use crate::summary::extract::markup::{ATTRIBUTES, Handler, Tag};
use crate::summary::extract::report::Refused;
use crate::summary::extract::source::Source;

/// Bytes of a text that are held at once, and most of anything else between `<` and `>`.
const TOKEN: usize = 256 << 10;
/// Most bytes of a name, and most elements within one another, whose names are held.
const NAME: usize = 1 << 10;
const DEPTH: usize = 1000;

/// How much of a part was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// There is no such part.
    Nothing,
    /// It is broken.
    Beginning,
    Whole,
}

/// Reads a part of an archive, where there is one.
pub(super) fn read_part(
    archive: &Archive<'_>,
    name: &str,
    to: &mut dyn Handler,
) -> Result<Extent, Refused> {
    match archive.find(name) {
        Some(part) => archive.read(part, |source| read(source, to)),
        None => Ok(Extent::Nothing),
    }
}

fn read(source: impl Source, to: &mut dyn Handler) -> Result<Extent, Refused> {
    let (encoding, source) = of_source(source)?;
    let text = Characters::new(Decoder::new(source, encoding));
    let mut reader = lenient(Bounded { text, left: TOKEN, is_cut: false });
    let (mut token, mut depth) = (Vec::new(), 0_usize);
    loop {
        token.clear();
        reader.get_mut().left = TOKEN;
        match reader.read_event_into(&mut token) {
            Ok(Event::Start(tag)) => {
                depth += 1;
                if depth > DEPTH || tag.name().as_ref().len() > NAME {
                    return Err(too_deep());
                }
                to.start(&tag_of(&tag))?;
            }
            Ok(Event::Empty(tag)) => {
                to.start(&tag_of(&tag))?;
                to.end(tag.name().as_ref())?;
            }
            Ok(Event::End(tag)) => {
                depth = depth.saturating_sub(1);
                to.end(tag.name().as_ref())?;
            }
            Ok(Event::Text(text)) => to.text(&text)?,
            Ok(Event::CData(text)) => to.text(&text)?,
            Ok(Event::GeneralRef(reference)) => to.text(&meaning(&reference))?,
            // A text that is longer goes on after a cut.
            Ok(Event::Eof) if reader.get_ref().is_cut => {
                let rest = Bounded { is_cut: false, ..reader.into_inner() };
                reader = lenient(rest);
            }
            Ok(Event::Eof) => return Ok(Extent::Whole),
            Ok(Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_)) => {}
            Err(quick_xml::Error::Io(error)) => return Err(refusal(&error, too_deep)),
            Err(_) if reader.get_ref().is_cut => {
                let why = format!("a tag or a comment in its XML has more than {TOKEN} bytes");
                return Err(Refused::TooLarge(why));
            }
            Err(_) => return Ok(Extent::Beginning),
        }
    }
}

/// A reader that takes what is not well-formed, as far as it can be told.
fn lenient<R: BufRead>(text: R) -> Reader<R> {
    let mut reader = Reader::from_reader(text);
    let config = reader.config_mut();
    config.allow_dangling_amp = true;
    config.allow_unmatched_ends = true;
    config.check_end_names = false;
    reader
}

fn too_deep() -> Refused {
    Refused::too_large(format!("its elements are more than {DEPTH} deep, or have endless names"))
}

fn tag_of(tag: &BytesStart<'_>) -> Tag {
    let mut told = Tag::new(tag.name().as_ref());
    for attribute in tag.attributes().with_checks(false).take(ATTRIBUTES).flatten() {
        let value = unescape(&attribute.value);
        told.add(attribute.key.as_ref(), value.as_deref().unwrap_or(&attribute.value));
    }
    told
}

/// What a reference means; what means nothing stays as it was written.
fn meaning(reference: &BytesRef<'_>) -> String {
    match reference.resolve_char_ref() {
        Ok(Some(character)) => character.to_string(),
        _ => resolve_xml_entity(reference)
            .map_or_else(|| format!("&{};", &**reference), ToOwned::to_owned),
    }
}

/// Text that seems to end where so much of it was read, until it is said anew.
struct Bounded<S> {
    text: Characters<S>,
    left: usize,
    is_cut: bool,
}

impl<S: Source> BufRead for Bounded<S> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left == 0 {
            self.is_cut = true;
            return Ok(&[]);
        }
        self.text.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.left = self.left.saturating_sub(count);
        self.text.consume(count);
    }
}

impl<S: Source> Read for Bounded<S> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = Read::read(&mut self.fill_buf()?, into)?;
        self.consume(count);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::extract::markup::tests::Scribe;

    fn told(text: &str) -> Result<(Extent, String), Refused> {
        let mut scribe = Scribe::default();
        let extent = read(text.as_bytes(), &mut scribe)?;
        Ok((extent, scribe.0))
    }

    #[test]
    fn xml_is_read() {
        let table = [
            ("<w:P w:val=\"1&amp;&x;\"/>x", "(w:P w:val=1&amp;&x;)(/w:P)x"),
            ("<a b='&lt;&#65;' c='2'>", "(a b=<A c=2)"),
            ("<![CDATA[a<b>]]c]]]>d", "a<b>]]c]d"),
            ("<!DOCTYPE x [<!ENTITY a \"b\"> <!ENTITY c '&a;&a;'>]>&c;&lt;&#65;", "&c;<A"),
            ("<?xml version='1.0'?><a>&eacute; & b</a></c>", "(a)&eacute; & b(/a)(/c)"),
            ("<script><b/></script><!-- <x> -->", "(script)(b)(/b)(/script)"),
        ];
        for (given, want) in table {
            assert_eq!(told(given), Ok((Extent::Whole, want.to_owned())), "{given}");
        }
        for cut in ["<a>x<b c='", "<a>x<!-- ", "<a>x<![CDATA[", "<a>x<?y"] {
            assert_eq!(told(cut), Ok((Extent::Beginning, "(a)x".to_owned())), "{cut}");
        }
    }

    #[test]
    fn what_is_held_has_a_bound() {
        let long = "x".repeat(2 * TOKEN);
        for given in [
            format!("<{long}>"),
            format!("<!--{long}"),
            format!("<![CDATA[{long}"),
            format!("<!DOCTYPE {long}"),
            format!("<a b='{long}'>"),
            "<a>".repeat(DEPTH + 1),
            format!("<{}>", "x".repeat(2 * NAME)),
        ] {
            assert!(matches!(told(&given), Err(Refused::TooLarge(_))), "{:.10}", given);
        }
        for text in [format!("<a>ä{long}&lt;{long}"), format!("<a>&{long};")] {
            let (extent, got) = told(&format!("{text}<b>")).unwrap();
            let want = text.replace("<a>", "(a)").replace("&lt;", "<");
            assert_eq!((extent, got), (Extent::Whole, want + "(b)"));
        }
        assert!(told(&"<a>x</a>".repeat(100_000)).is_ok());
        assert!(told(&"</a>".repeat(100_000)).is_ok());
    }
}
