//! A JSON object on every line: each is a paragraph of `key: value` and `key.sub: value`.

use std::fmt::{self, Write};
use std::fs::File;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};

use crate::summary::extract::plain::open;
use crate::summary::extract::reading::Reading;
use crate::summary::extract::report::Refused;

/// Most bytes of a line. It is held until it is known to be JSON.
const LINE: usize = 1 << 20;
/// Most bytes of what it comes to: names stand before every value.
const RECORD: usize = 4 * LINE;

pub(super) fn read(
    charset: Option<&str>,
    document: &File,
    reading: &mut Reading,
) -> Result<(), Refused> {
    let mut text = open(charset, document, reading)?;
    let mut lines = Lines::default();
    while let Some(piece) = text.next()? {
        let mut parts = piece.split('\n');
        lines.take(parts.next().unwrap_or_default());
        for part in parts {
            lines.end(reading)?;
            lines.take(part);
        }
    }
    lines.end(reading)?;
    text.report(&mut reading.notes);
    lines.report(reading)
}

/// The line that is being read, and how the others were.
#[derive(Debug, Default)]
struct Lines {
    line: String,
    too_long: bool,
    number: u64,
    good: u64,
    /// Lines that are no JSON, and lines that are too long: how many, and the first.
    bad: (u64, u64),
    long: (u64, u64),
}

impl Lines {
    fn take(&mut self, part: &str) {
        if self.line.len() + part.len() > LINE {
            self.too_long = true;
        } else {
            self.line.push_str(part);
        }
    }

    fn end(&mut self, reading: &mut Reading) -> Result<(), Refused> {
        self.number += 1;
        let number = self.number;
        if std::mem::take(&mut self.too_long) {
            count(&mut self.long, number);
        } else if !self.line.trim().is_empty() {
            match flattened(&self.line) {
                Some(record) => {
                    self.good += 1;
                    reading.sheet.put(&record)?;
                    reading.sheet.paragraph();
                }
                None => count(&mut self.bad, number),
            }
        }
        self.line.clear();
        Ok(())
    }

    fn report(&self, reading: &mut Reading) -> Result<(), Refused> {
        if self.good == 0 && self.bad.0 + self.long.0 > 0 {
            return Err(Refused::unreadable("no line of it is JSON that can be read"));
        }
        for ((lines, first), what) in
            [(self.bad, "no JSON".to_owned()), (self.long, format!("longer than {LINE} bytes"))]
        {
            match lines {
                0 => {}
                1 => reading.notes.add(&format!("line {first} is {what}")),
                _ => reading.notes.add(&format!("{lines} lines are {what}, first line {first}")),
            }
        }
        Ok(())
    }
}

fn count(counter: &mut (u64, u64), number: u64) {
    if counter.0 == 0 {
        counter.1 = number;
    }
    counter.0 += 1;
}

/// A record as text; nothing where it is no JSON.
fn flattened(line: &str) -> Option<String> {
    let mut record = Record::default();
    let mut reader = serde_json::Deserializer::from_str(line);
    Value(&mut record).deserialize(&mut reader).ok()?;
    reader.end().ok()?;
    Some(record.text)
}

/// The text of a record, and the name of what comes next.
#[derive(Debug, Default)]
struct Record {
    text: String,
    name: String,
    /// The name of the last value, for lists of them.
    last: Option<String>,
}

impl Record {
    fn add<E: Error>(&mut self, value: &str) -> Result<(), E> {
        if value.trim().is_empty() {
            return Ok(());
        }
        if self.text.len() + self.name.len() + value.len() > RECORD {
            return Err(E::custom("it comes to too much"));
        }
        if self.last.as_ref() == Some(&self.name) {
            self.text.push_str(", ");
        } else {
            if !self.text.is_empty() {
                self.text.push('\n');
            }
            if !self.name.is_empty() {
                self.text.push_str(&self.name);
                self.text.push_str(": ");
            }
            self.last = Some(self.name.clone());
        }
        self.text.push_str(value);
        Ok(())
    }
}

/// A value that is written as it is read.
struct Value<'r>(&'r mut Record);

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.0.add(if value { "true" } else { "false" })
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.0.add(&value.to_string())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.0.add(&value.to_string())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.0.add(&value.to_string())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.0.add(value)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Value(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let outer = self.0.name.len();
        while let Some(name) = fields.next_key::<String>()? {
            let dot = if outer > 0 { "." } else { "" };
            write!(self.0.name, "{dot}{name}").map_err(A::Error::custom)?;
            fields.next_value_seed(Value(self.0))?;
            self.0.name.truncate(outer);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::extract::kind::Kind;
    use crate::summary::extract::tests::{notes_of, refusal, text_of};

    #[test]
    fn objects_are_flattened() {
        let table = [
            (r#"{"a":1,"b":{"c":"x","d":null},"e":[1,2.5,true]}"#, "a: 1\nb.c: x\ne: 1, 2.5, true"),
            (r#"{"m":[{"role":"user","text":"hi"}]}"#, "m.role: user\nm.text: hi"),
            (r#""just text""#, "just text"),
            (r#"{"a":"","b":" "}"#, ""),
            (r#"{"a":"two\nlines"}"#, "a: two\nlines"),
        ];
        for (given, want) in table {
            assert_eq!(flattened(given).as_deref(), Some(want), "{given}");
        }
        let deep = "[".repeat(100_000);
        for bad in ["{", "{} {}", "nul", deep.as_str(), "{\"a\" 1}"] {
            assert_eq!(flattened(bad), None);
        }
    }

    #[test]
    fn bad_lines_are_counted() {
        let long =
            format!("{{\"a\":1}}\nnot\n\n[\n{{\"b\":\"{}\"}}\n{{\"c\":2}}", "x".repeat(LINE));
        assert_eq!(text_of(Kind::JsonLines, long.as_bytes()), "a: 1\n\nc: 2\n");
        let want = ["2 lines are no JSON, first line 2", "line 5 is longer than 1048576 bytes"];
        assert_eq!(notes_of(Kind::JsonLines, long.as_bytes()), want);
        assert_eq!(refusal(Kind::JsonLines, b"a\nb"), "no line of it is JSON that can be read");
    }

    #[test]
    fn names_do_not_multiply() {
        let name = "n".repeat(300_000);
        let bomb = format!("{{\"{name}\":[{}{{}}]}}", "{\"x\":1,\"y\":2},".repeat(40_000));
        assert!(flattened(&bomb).is_none());
    }
}
