//! What a page does to show its text.

mod matrix;
mod state;

use std::rc::Rc;

use hayro_syntax::content::{Instruction, UntypedIter};
use hayro_syntax::object::{Array, Dict, Name, Object, Stream};
use hayro_syntax::page::{Page, Resources};

pub(super) use crate::summary::extract::pdf::content::matrix::Matrix;
use crate::summary::extract::pdf::content::state::State;
use crate::summary::extract::pdf::file::{content, items, number};
use crate::summary::extract::pdf::font::{Font, Fonts};
use crate::summary::extract::pdf::line::{Lines, Piece};
use crate::summary::extract::reading::Meter;
use crate::summary::extract::report::Refused;

/// Most states that are saved.
const SAVED: usize = 64;
/// Most forms within one another, and on a page.
const FORMS_DEEP: usize = 8;
const FORMS: usize = 2000;
/// Most bytes of a page, and of a form.
const PAGE: usize = 8 << 20;
const FORM: usize = 2 << 20;

/// Reads a page.
pub(super) struct Reader<'r, 'p> {
    fonts: &'r mut Fonts<'p>,
    lines: &'r mut Lines,
    meter: &'r Meter,
    state: State,
    saved: Vec<State>,
    /// The forms that we are in, by number.
    within: Vec<u32>,
    forms: usize,
    /// The marks that are open, and how many of them say that it is no part of the text.
    marks: Vec<bool>,
    artifacts: usize,
}

impl<'r, 'p> Reader<'r, 'p> {
    pub(super) fn new(fonts: &'r mut Fonts<'p>, lines: &'r mut Lines, meter: &'r Meter) -> Self {
        Self {
            fonts,
            lines,
            meter,
            state: State::default(),
            saved: Vec::new(),
            within: Vec::new(),
            forms: 0,
            marks: Vec::new(),
            artifacts: 0,
        }
    }

    /// Reads all that a page is made of, as if it were one stream. Says whether that was all.
    pub(super) fn page(&mut self, page: &Page<'p>) -> Result<bool, Refused> {
        let mut bytes = Vec::new();
        let contents = page.raw().get::<Object<'_>>("Contents");
        let several = match &contents {
            Some(Object::Array(streams)) => streams.clone(),
            _ => Array::default(),
        };
        let streams = contents.and_then(Object::into_stream).into_iter();
        let several = items(&several, page.xref()).filter_map(Object::into_stream);
        for stream in streams.chain(several) {
            bytes.extend(content(&stream, PAGE.saturating_sub(bytes.len()), self.meter)?);
            if bytes.len() >= PAGE {
                break;
            }
            bytes.push(b'\n');
        }
        self.run(&bytes, page.resources())?;
        Ok(bytes.len() < PAGE)
    }

    fn run(&mut self, bytes: &[u8], resources: &Resources<'p>) -> Result<(), Refused> {
        let mut instructions = UntypedIter::new(bytes);
        while let Some(instruction) = instructions.next() {
            self.operate(&instruction, resources)?;
        }
        Ok(())
    }

    fn operate(
        &mut self,
        instruction: &Instruction<'_, '_>,
        resources: &Resources<'p>,
    ) -> Result<(), Refused> {
        let word: &[u8] = instruction.operator;
        let mut operands = instruction.operands();
        match word {
            b"q" if self.saved.len() < SAVED => self.saved.push(self.state.clone()),
            b"Q" => {
                if let Some(saved) = self.saved.pop() {
                    self.state = saved;
                }
            }
            b"Do" => {
                if let Some(Object::Name(name)) = operands.last() {
                    self.form(name, resources)?;
                }
            }
            b"Tf" => {
                if let (Some(Object::Name(name)), Some(size)) = (operands.next(), operands.next()) {
                    self.state.size = number(size).unwrap_or_default();
                    self.state.font = self.fonts.find(&resources.fonts, name)?;
                }
            }
            b"BMC" | b"BDC" => self.begin_mark(operands.next()),
            b"EMC" => {
                if self.marks.pop() == Some(true) {
                    self.artifacts = self.artifacts.saturating_sub(1);
                }
            }
            b"Tj" => self.show(operands.last()),
            b"TJ" => self.show_all(operands.last()),
            b"'" => {
                self.state.next_line();
                self.show(operands.last());
            }
            b"\"" => {
                self.state.set_spaces(instruction.operands());
                self.state.next_line();
                self.show(operands.last());
            }
            _ => self.state.operate(word, operands),
        }
        Ok(())
    }

    fn begin_mark(&mut self, tag: Option<&Object<'_>>) {
        let artifact = matches!(tag, Some(Object::Name(name)) if name.as_ref() == b"Artifact");
        if self.marks.len() < SAVED {
            self.marks.push(artifact);
            self.artifacts += usize::from(artifact);
        }
    }

    fn show_all(&mut self, operand: Option<&Object<'_>>) {
        let Some(Object::Array(each)) = operand else { return };
        for each in each.iter::<Object<'_>>() {
            match number(&each) {
                Some(number) => self.state.shift(number),
                None => self.show(Some(&each)),
            }
        }
    }

    fn show(&mut self, operand: Option<&Object<'_>>) {
        let (Some(Object::String(string)), Some(font)) = (operand, self.state.font.clone()) else {
            return;
        };
        let piece = self.piece(string, &font);
        if self.artifacts == 0 {
            self.lines.put(piece);
        }
    }

    /// A string as it stands on the page. The place where text goes on is moved behind it.
    fn piece(&mut self, string: &[u8], font: &Rc<Font>) -> Piece {
        let start = self.state.place();
        let (mut text, mut advance, mut last) = (String::new(), 0.0, 0.0);
        let state = &self.state;
        let unknown = font.read_string(string, |glyph| {
            text.push_str(glyph.text);
            let space = if glyph.is_space { state.word_space } else { 0.0 };
            advance += (glyph.width * state.size + state.char_space + space) * state.stretch;
            last = state.char_space * state.stretch;
        });
        self.fonts.unknown += unknown;
        // What parts two glyphs is no part of the last one.
        let end = self.state.place_after(advance - last);
        self.state.advance(advance);
        let matrix = self.state.glyph_matrix();
        Piece::new(text, start, end, &matrix, font.bold)
    }

    /// A form is a stream that is shown as if it stood here.
    fn form(&mut self, name: &Name<'_>, resources: &Resources<'p>) -> Result<(), Refused> {
        let forms = &resources.x_objects;
        let number = forms.get_ref(name).map(|to| to.obj_number).unwrap_or_default();
        self.forms += 1;
        if self.within.len() >= FORMS_DEEP || self.forms > FORMS || self.within.contains(&number) {
            return Ok(());
        }
        let Some(form) = forms.get::<Stream<'_>>(name) else { return Ok(()) };
        if form.dict().get::<Name<'_>>("Subtype").as_deref() != Some(b"Form") {
            return Ok(());
        }
        self.within.push(number);
        let (state, saved) = (self.state.clone(), std::mem::take(&mut self.saved));
        self.run_form(&form, resources)?;
        (self.state, self.saved) = (state, saved);
        self.within.pop();
        Ok(())
    }

    fn run_form(&mut self, form: &Stream<'p>, outer: &Resources<'p>) -> Result<(), Refused> {
        let dict = form.dict();
        let matrix: Vec<_> = dict.get::<Array<'_>>("Matrix").unwrap_or_default().iter().collect();
        if let Some(matrix) = Matrix::of(matrix.iter()) {
            self.state.transform(&matrix);
        }
        let bytes = content(form, FORM, self.meter)?;
        match dict.get::<Dict<'_>>("Resources") {
            Some(own) => self.run(&bytes, &Resources::new(own)),
            None => self.run(&bytes, outer),
        }
    }
}
