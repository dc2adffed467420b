//! The tokens of HTML, as browsers read it, and told as they come: text in pieces, and of tags no
//! more than their bounds.

use std::io::{self, Read};

use html5gum::{Emitter, Error, IoReader, State, Tokenizer};

use crate::summary::extract::bridge::{Characters, refusal};
use crate::summary::extract::charset::Decoder;
use crate::summary::extract::markup::{ATTRIBUTES, Handler, NAME, Tag, VALUE};
use crate::summary::extract::report::Refused;
use crate::summary::extract::source::Source;

/// Bytes of text that are handed on at once.
const TEXT: usize = 2048;
/// Bytes that the library is given at once.
const CHUNK: usize = 4 << 10;
/// Most letters after a `<` or `</` that the library is given: it gathers them.
const LETTERS: usize = 2 * NAME;

/// How the text is to be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::summary::extract) enum Language {
    Html,
    /// HTML that was written as XML: `<script/>` is all of it.
    Xhtml,
}

/// Reads a text, and gives its source back.
pub(super) fn read<S: Source>(
    text: Decoder<S>,
    language: Language,
    to: &mut dyn Handler,
) -> Result<Decoder<S>, Refused> {
    let mut characters = Characters::new(text);
    tell(&mut characters, Teller::new(language, to))?;
    Ok(characters.into_decoder())
}

/// The library's code is made once, for any source and any handler.
fn tell(text: &mut dyn Read, teller: Teller<'_>) -> Result<(), Refused> {
    let reader = IoReader::new_with_buffer_size::<CHUNK>(ShortNames { text, letters: 0 });
    // All that it yields is the end.
    match Tokenizer::new_with_emitter(reader, teller).next() {
        None => Ok(()),
        Some(Ok(refused)) => Err(refused),
        Some(Err(error)) => Err(refusal(&error, || Refused::Failed(error.to_string()))),
    }
}

/// Text in which no name is long.
struct ShortNames<'t> {
    text: &'t mut dyn Read,
    /// Letters after `<` or `</`, and one for these.
    letters: usize,
}

impl Read for ShortNames<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.text.read(into)?;
            let mut kept = 0;
            for at in 0..read {
                let Some(byte) = into.get(at).copied() else { break };
                self.letters = match byte {
                    b'<' => 1,
                    b'/' if self.letters == 1 => 1,
                    _ if byte.is_ascii_alphabetic() && self.letters > 0 => self.letters + 1,
                    _ => 0,
                };
                if let Some(place) = into.get_mut(kept).filter(|_| self.letters <= LETTERS) {
                    *place = byte;
                    kept += 1;
                }
            }
            if kept > 0 || read == 0 {
                return Ok(kept);
            }
        }
    }
}

/// Tells a handler what the tokenizer finds.
struct Teller<'h> {
    to: &'h mut dyn Handler,
    language: Language,
    text: Vec<u8>,
    name: Vec<u8>,
    attributes: Vec<(Vec<u8>, Vec<u8>)>,
    is_end: bool,
    is_closed: bool,
    /// The last start tag, and whether what follows it is no text.
    last: Vec<u8>,
    is_silent: bool,
    /// How deep we are in drawings and formulas, whose tags are those of XML.
    foreign: u32,
    refused: Option<Refused>,
}

impl<'h> Teller<'h> {
    fn new(language: Language, to: &'h mut dyn Handler) -> Self {
        Self {
            to,
            language,
            text: Vec::with_capacity(TEXT),
            name: Vec::new(),
            attributes: Vec::new(),
            is_end: false,
            is_closed: false,
            last: Vec::new(),
            is_silent: false,
            foreign: 0,
            refused: None,
        }
    }

    fn is_xml(&self) -> bool {
        self.language == Language::Xhtml || self.foreign > 0
    }

    fn keep(&mut self, told: Result<(), Refused>) {
        self.refused = self.refused.take().or_else(|| told.err());
    }

    /// Hands the text on. What may be the beginning of a character waits for its end.
    fn flush(&mut self, all: bool) {
        let whole = match std::str::from_utf8(&self.text) {
            Err(error) if !all && error.error_len().is_none() => error.valid_up_to(),
            _ => self.text.len(),
        };
        let rest = self.text.split_off(whole);
        if !self.text.is_empty() {
            let told = self.to.text(&String::from_utf8_lossy(&self.text));
            self.keep(told);
        }
        self.text = rest;
    }

    fn start(&mut self, name: &str) -> Option<State> {
        let mut tag = Tag::new(name);
        for (name, value) in self.attributes.drain(..) {
            tag.add(&String::from_utf8_lossy(&name), &String::from_utf8_lossy(&value));
        }
        let told = self.to.start(&tag);
        self.keep(told);
        self.last.clone_from(&self.name);
        let is_foreign = matches!(name, "svg" | "math");
        if self.is_closed && (self.is_xml() || is_foreign) {
            let told = self.to.end(name);
            self.keep(told);
            return None;
        }
        self.foreign += u32::from(is_foreign);
        let state = content_of(name);
        self.is_silent = matches!(state, Some(State::ScriptData | State::RawText));
        state
    }

    fn end(&mut self, name: &str) {
        if matches!(name, "svg" | "math") {
            self.foreign = self.foreign.saturating_sub(1);
        }
        self.is_silent = false;
        if !name.is_empty() {
            let told = self.to.end(name);
            self.keep(told);
        }
    }

    fn value(&mut self) -> Option<&mut (Vec<u8>, Vec<u8>)> {
        self.attributes.last_mut().filter(|_| !self.is_end)
    }
}

/// What the content of an element is, where it is no markup.
fn content_of(name: &str) -> Option<State> {
    match name {
        "script" => Some(State::ScriptData),
        "style" | "iframe" | "noembed" | "noframes" => Some(State::RawText),
        "title" | "textarea" | "xmp" => Some(State::RcData),
        _ => None,
    }
}

fn push_bounded(to: &mut Vec<u8>, bytes: &[u8], most: usize) {
    to.extend(bytes.iter().take(most.saturating_sub(to.len())));
}

impl Emitter for Teller<'_> {
    type Token = Refused;

    fn pop_token(&mut self) -> Option<Refused> {
        self.refused.take()
    }

    fn emit_string(&mut self, text: &[u8]) {
        if !self.is_silent {
            self.text.extend_from_slice(text);
            if self.text.len() >= TEXT {
                self.flush(false);
            }
        }
    }

    fn emit_eof(&mut self) {
        self.flush(true);
    }

    fn init_start_tag(&mut self) {
        self.name.clear();
        self.attributes.clear();
        (self.is_end, self.is_closed) = (false, false);
    }

    fn init_end_tag(&mut self) {
        self.init_start_tag();
        self.is_end = true;
    }

    fn push_tag_name(&mut self, name: &[u8]) {
        push_bounded(&mut self.name, name, LETTERS);
    }

    fn init_attribute(&mut self) {
        // One more than counts takes what is left over.
        if self.attributes.len() <= ATTRIBUTES {
            self.attributes.push((Vec::new(), Vec::new()));
        } else if let Some(last) = self.value() {
            last.0.clear();
            last.1.clear();
        }
    }

    fn push_attribute_name(&mut self, name: &[u8]) {
        if let Some((into, _)) = self.value() {
            push_bounded(into, name, NAME);
        }
    }

    fn push_attribute_value(&mut self, value: &[u8]) {
        if let Some((_, into)) = self.value() {
            push_bounded(into, value, VALUE);
        }
    }

    fn set_self_closing(&mut self) {
        self.is_closed = true;
    }

    fn emit_current_tag(&mut self) -> Option<State> {
        self.flush(true);
        let name = String::from_utf8_lossy(&self.name).into_owned();
        if self.is_end {
            self.end(&name);
            return None;
        }
        self.start(&name)
    }

    fn current_is_appropriate_end_tag_token(&mut self) -> bool {
        self.is_end && !self.last.is_empty() && self.last == self.name
    }

    fn adjusted_current_node_present_but_not_in_html_namespace(&mut self) -> bool {
        self.is_xml()
    }

    fn set_last_start_tag(&mut self, name: Option<&[u8]>) {
        self.last = name.unwrap_or_default().to_vec();
    }

    fn should_emit_errors(&mut self) -> bool {
        false
    }

    // Neither faults nor comments nor document types are told.
    fn emit_error(&mut self, _: Error) {}
    fn init_comment(&mut self) {}
    fn push_comment(&mut self, _: &[u8]) {}
    fn emit_current_comment(&mut self) {}
    fn init_doctype(&mut self) {}
    fn push_doctype_name(&mut self, _: &[u8]) {}
    fn set_doctype_public_identifier(&mut self, _: &[u8]) {}
    fn set_doctype_system_identifier(&mut self, _: &[u8]) {}
    fn push_doctype_public_identifier(&mut self, _: &[u8]) {}
    fn push_doctype_system_identifier(&mut self, _: &[u8]) {}
    fn set_force_quirks(&mut self) {}
    fn emit_current_doctype(&mut self) {}
}

#[cfg(test)]
mod tests {
    use encoding_rs::UTF_8;

    use super::*;
    use crate::summary::extract::markup::tests::Scribe;

    /// Gives so many bytes at a time.
    struct Slow<'b>(&'b [u8], usize);

    impl Source for Slow<'_> {
        fn read(&mut self, into: &mut [u8]) -> Result<usize, Refused> {
            let most = into.len().min(self.1);
            Source::read(&mut self.0, &mut into[..most])
        }
    }

    fn told(language: Language, text: &str) -> String {
        // However it comes it is the same.
        let [first, second] = [1, 1 << 20].map(|most| {
            let mut scribe = Scribe::default();
            let text = Decoder::new(Slow(text.as_bytes(), most), UTF_8);
            read(text, language, &mut scribe).map(|_| scribe.0).unwrap()
        });
        assert_eq!(first, second);
        first
    }

    #[test]
    fn html_is_read() {
        let table = [
            ("<P Class=a id='b c' hidden>x</P >", "(p class=a id=b c hidden=)x(/p)"),
            ("a < b && c <3", "a < b && c <3"),
            ("<a href=x?a&amp;b>&eacute;&#233;&#xE9;&copy 1&nope;", "(a href=x?a&b)ééé© 1&nope;"),
            ("<script>if (a<b) '</scr' </div></SCRIPT >y", "(script)(/script)y"),
            ("x<!-- <b> -- > --->y<!>z<!doctype html [x]>w", "xyzw"),
            ("<br/><img src=a/>b", "(br)(img src=a/)b"),
            ("<p", ""),
            ("<?php x ?>y</>z", "yz"),
            ("<style/>a</style>b", "(style)(/style)b"),
            ("<svg><style/><![CDATA[x]]></svg>b", "(svg)(style)(/style)x(/svg)b"),
            ("<title>a<b>&lt;</title>c", "(title)a<b><(/title)c"),
            ("&#0;&#x110000;&#150;", "\u{fffd}\u{fffd}–"),
            ("<p a=b/c d>", "(p a=b/c d=)"),
            ("<![CDATA[a]]>b", "b"),
            ("&lt", "<"),
        ];
        for (given, want) in table {
            assert_eq!(told(Language::Html, given), want, "{given}");
        }
        assert_eq!(
            told(Language::Xhtml, "<title/><script src='a'/>b<![CDATA[<c>]]>"),
            "(title)(/title)(script src=a)(/script)b<c>"
        );
        let long = "ä&auml;".repeat(10_000);
        assert_eq!(told(Language::Html, &long), "ä".repeat(20_000));
    }

    #[test]
    fn no_token_is_held_whole() {
        let long = "x".repeat(1 << 20);
        let attributes = "a=b ".repeat(10_000);
        let tag = told(Language::Html, &format!("<p {attributes}{long}='{long}'>"));
        assert_eq!(tag.matches("a=b").count(), ATTRIBUTES);
        let tag = told(Language::Html, &format!("<p {long}='{long}'>"));
        assert_eq!(tag.len(), "(p =)".len() + NAME + VALUE);
        assert_eq!(told(Language::Html, &format!("<{long}>")).len(), "()".len() + NAME);
        assert_eq!(told(Language::Html, &format!("<!--{long}")), "");
        let script = format!("<script><!--<script></{long}<{long}");
        assert_eq!(told(Language::Html, &script), "(script)");
    }
}
