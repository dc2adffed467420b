//! Tables of records: each record is a paragraph, `name: value; name: value`.

use std::collections::HashMap;
use std::fs::File;

use csv_core::{ReadFieldResult, Reader, ReaderBuilder};

use crate::summary::extract::plain::open;
use crate::summary::extract::reading::Reading;
use crate::summary::extract::report::Refused;

/// What may part two fields, the likelier first.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// Characters that the delimiter is guessed from.
const SAMPLE: usize = 16 << 10;
/// Most bytes of the first record, whose fields may be names, and of one name.
const FIRST: usize = 64 << 10;
const NAME: usize = 100;
/// Bytes of a field that are held.
const PIECE: usize = 4 << 10;

pub(super) fn read(
    charset: Option<&str>,
    document: &File,
    reading: &mut Reading,
) -> Result<(), Refused> {
    let sample = open(charset, document, reading)?.next()?.unwrap_or_default().to_owned();
    let (mut fields, mut table) = (Fields::new(guess(&sample)), Table::new());
    let mut text = open(charset, document, reading)?;
    while let Some(piece) = text.next()? {
        fields.feed(piece, &mut table, reading)?;
    }
    fields.feed("", &mut table, reading)?;
    table.end_record(reading)?;
    text.report(&mut reading.notes);
    Ok(())
}

/// The delimiter that parts the first records into the same number of fields.
fn guess(sample: &str) -> u8 {
    let sample = sample.get(..sample.floor_char_boundary(SAMPLE)).unwrap_or_default();
    let score = |delimiter: u8| {
        let mut counts: HashMap<usize, usize> = HashMap::new();
        let (mut fields, mut quoted) = (0, false);
        for each in sample.bytes() {
            match each {
                b'"' => quoted = !quoted,
                b'\n' if !quoted => *counts.entry(std::mem::take(&mut fields)).or_default() += 1,
                _ if each == delimiter && !quoted => fields += 1,
                _ => {}
            }
        }
        *counts.entry(fields).or_default() += 1;
        let used = counts.into_iter().filter(|(fields, _)| *fields > 0);
        used.map(|(_, records)| records).max().unwrap_or_default()
    };
    let best = DELIMITERS.into_iter().rev().max_by_key(|delimiter| score(*delimiter));
    best.unwrap_or(b',')
}

/// Fields as they are parsed, in pieces.
struct Fields {
    parser: Reader,
    piece: [u8; PIECE],
    held: usize,
}

impl Fields {
    fn new(delimiter: u8) -> Self {
        let parser = ReaderBuilder::new().delimiter(delimiter).build();
        Self { parser, piece: [0; PIECE], held: 0 }
    }

    /// Parses some more; nothing is the end.
    fn feed(&mut self, text: &str, to: &mut Table, reading: &mut Reading) -> Result<(), Refused> {
        let mut rest = text.as_bytes();
        loop {
            let room = self.piece.get_mut(self.held..).unwrap_or_default();
            let (result, read, written) = self.parser.read_field(rest, room);
            rest = rest.get(read..).unwrap_or_default();
            self.held += written;
            self.hand_on(to, reading)?;
            match result {
                ReadFieldResult::Field { record_end: true } => to.end_record(reading)?,
                ReadFieldResult::Field { record_end: false } => to.end_field(),
                ReadFieldResult::InputEmpty | ReadFieldResult::End => return Ok(()),
                ReadFieldResult::OutputFull => {}
            }
            if rest.is_empty() && !text.is_empty() {
                return Ok(());
            }
        }
    }

    /// Hands on the whole characters; what a piece ends with may be the beginning of one.
    fn hand_on(&mut self, to: &mut Table, reading: &mut Reading) -> Result<(), Refused> {
        let held = self.piece.get(..self.held).unwrap_or_default();
        let whole = held.utf8_chunks().next().map(|chunk| chunk.valid()).unwrap_or_default();
        to.put(whole, reading)?;
        let whole = whole.len();
        self.piece.copy_within(whole..self.held, 0);
        self.held -= whole;
        Ok(())
    }
}

/// A table as it is read. No record but the first is held.
#[derive(Debug)]
struct Table {
    /// The first record, until it is known whether it is one of names.
    first: Option<Vec<String>>,
    held: usize,
    names: Vec<String>,
    column: usize,
    /// Whether this field has anything in it, and whether this record has.
    in_field: bool,
    in_record: bool,
}

impl Table {
    fn new() -> Self {
        Self {
            first: Some(vec![String::new()]),
            held: 0,
            names: Vec::new(),
            column: 0,
            in_field: false,
            in_record: false,
        }
    }

    fn put(&mut self, text: &str, reading: &mut Reading) -> Result<(), Refused> {
        if let Some(first) = &mut self.first {
            if self.held < FIRST {
                self.held += text.len();
                if let Some(field) = first.last_mut() {
                    field.push_str(text);
                }
                return Ok(());
            }
            // No names are as long as this.
            self.show_first(reading)?;
        }
        self.show(text, reading)
    }

    /// Writes a piece of a field; its name comes before the first.
    fn show(&mut self, text: &str, reading: &mut Reading) -> Result<(), Refused> {
        if !self.in_field {
            if text.trim_start().is_empty() {
                return Ok(());
            }
            if self.in_record {
                reading.sheet.flow("; ")?;
            }
            if let Some(name) = self.names.get(self.column) {
                reading.sheet.flow(name)?;
                reading.sheet.flow(": ")?;
            }
            (self.in_field, self.in_record) = (true, true);
        }
        reading.sheet.flow(text)
    }

    fn end_field(&mut self) {
        self.in_field = false;
        self.column += 1;
        if let Some(first) = &mut self.first {
            self.held += size_of::<String>();
            if self.held < FIRST {
                first.push(String::new());
            }
        }
    }

    fn end_record(&mut self, reading: &mut Reading) -> Result<(), Refused> {
        match self.first.take() {
            // Empty lines before the first record.
            Some(first) if first.iter().all(|field| field.trim().is_empty()) => {
                self.first = Some(vec![String::new()]);
            }
            Some(first) if are_names(&first) => self.names = first,
            Some(first) => {
                self.first = Some(first);
                self.show_first(reading)?;
            }
            None => {}
        }
        (self.column, self.in_field, self.in_record, self.held) = (0, false, false, 0);
        reading.sheet.paragraph();
        Ok(())
    }

    /// Writes the first record as one like the others.
    fn show_first(&mut self, reading: &mut Reading) -> Result<(), Refused> {
        for (index, field) in self.first.take().unwrap_or_default().into_iter().enumerate() {
            (self.column, self.in_field) = (index, false);
            self.show(&field, reading)?;
        }
        Ok(())
    }
}

/// Whether fields look like names of columns: short, none twice, none a number.
fn are_names(fields: &[String]) -> bool {
    let short = |field: &String| field.len() <= NAME && !field.trim().is_empty();
    let number = |field: &String| {
        field.chars().any(|it| it.is_ascii_digit())
            && field.chars().all(|it| !it.is_alphabetic() || it == 'e' || it == 'E')
    };
    let once = |(index, field): (usize, &String)| fields.iter().take(index).all(|it| it != field);
    fields.len() > 1
        && fields.len() <= 1000
        && fields.iter().all(|field| short(field) && !number(field))
        && fields.iter().enumerate().all(once)
}

#[cfg(test)]
mod tests {
    use crate::summary::extract::kind::Kind;
    use crate::summary::extract::tests::text_of;

    #[test]
    fn records_are_paragraphs() {
        let table: [(&str, &str); 8] = [
            ("name,age\nAnn,5\nBob,\n", "name: Ann; age: 5\n\nname: Bob\n"),
            ("a;b\r\n\"x;y\";\"say \"\"hi\"\"\"\r\n", "a: x;y; b: say \"hi\"\n"),
            ("x\ty\n1\t2\n", "x: 1; y: 2\n"),
            ("one|two\n\n3|4", "one: 3; two: 4\n"),
            ("1,2\n3,4\n", "1; 2\n\n3; 4\n"),
            ("k,v\na,\"two\nlines\"\n", "k: a; v: two lines\n"),
            ("k,v\na,b,c\n", "k: a; v: b; c\n"),
            ("k,v\na,\"never closed\n1,2", "k: a; v: never closed 1,2\n"),
        ];
        for (given, want) in table {
            assert_eq!(text_of(Kind::Csv, given.as_bytes()), want, "{given:?}");
        }
    }

    #[test]
    fn a_field_has_no_bound() {
        let long = format!("a,b\nx,\"{}\"\n", "word ".repeat(200_000));
        let text = text_of(Kind::Csv, long.as_bytes());
        assert!(text.starts_with("a: x; b: word word"));
        assert_eq!(text.len(), 1_000_000 + 9);
        let first = format!("{}\n1,2\n", "n,".repeat(100_000));
        assert!(text_of(Kind::Csv, first.as_bytes()).ends_with("n; n; n\n\n1; 2\n"));
    }
}
