//! The state of what shows text: where it goes on, how large it is, how far things stand apart.

use std::rc::Rc;

use hayro_syntax::content::OperandIterator;

use crate::summary::extract::pdf::content::matrix::Matrix;
use crate::summary::extract::pdf::file::number;
use crate::summary::extract::pdf::font::Font;

/// What `q` saves and `Q` brings back, and the place of text.
#[derive(Debug, Clone)]
pub(super) struct State {
    page: Matrix,
    text: Matrix,
    line: Matrix,
    pub(super) font: Option<Rc<Font>>,
    pub(super) size: f64,
    pub(super) char_space: f64,
    pub(super) word_space: f64,
    pub(super) stretch: f64,
    leading: f64,
    rise: f64,
}

impl Default for State {
    fn default() -> Self {
        Self {
            page: Matrix::default(),
            text: Matrix::default(),
            line: Matrix::default(),
            font: None,
            size: 0.0,
            char_space: 0.0,
            word_space: 0.0,
            stretch: 1.0,
            leading: 0.0,
            rise: 0.0,
        }
    }
}

impl State {
    /// Does what a word says. What it does not know has nothing to do with text.
    pub(super) fn operate(&mut self, word: &[u8], mut operands: OperandIterator<'_, '_>) {
        let mut next = || operands.next().and_then(number).unwrap_or_default();
        match word {
            b"cm" => {
                if let Some(matrix) = Matrix::of(operands) {
                    self.transform(&matrix);
                }
            }
            b"BT" => (self.text, self.line) = (Matrix::default(), Matrix::default()),
            b"Tc" => self.char_space = next(),
            b"Tw" => self.word_space = next(),
            b"Tz" => self.stretch = next() / 100.0,
            b"TL" => self.leading = next(),
            b"Ts" => self.rise = next(),
            b"Td" => self.go(next(), next()),
            b"TD" => {
                let (along, down) = (next(), next());
                self.leading = -down;
                self.go(along, down);
            }
            b"Tm" => {
                if let Some(matrix) = Matrix::of(operands) {
                    (self.text, self.line) = (matrix, matrix);
                }
            }
            b"T*" => self.next_line(),
            _ => {}
        }
    }

    pub(super) fn transform(&mut self, matrix: &Matrix) {
        self.page = matrix.then(&self.page);
    }

    /// To a place as seen from the line's beginning.
    fn go(&mut self, x: f64, y: f64) {
        self.line = Matrix::moved(x, y).then(&self.line);
        self.text = self.line;
    }

    pub(super) fn next_line(&mut self) {
        self.go(0.0, -self.leading);
    }

    pub(super) fn set_spaces(&mut self, mut operands: OperandIterator<'_, '_>) {
        let mut next = || operands.next().and_then(number).unwrap_or_default();
        (self.word_space, self.char_space) = (next(), next());
    }

    /// Moves on by what stands between the strings of a `TJ`.
    pub(super) fn shift(&mut self, thousandths: f64) {
        self.advance(-thousandths / 1000.0 * self.size * self.stretch);
    }

    pub(super) fn advance(&mut self, x: f64) {
        self.text = Matrix::moved(x, 0.0).then(&self.text);
    }

    /// Where text goes on, on the page.
    pub(super) fn place(&self) -> (f64, f64) {
        self.place_after(0.0)
    }

    pub(super) fn place_after(&self, x: f64) -> (f64, f64) {
        let place = Matrix::moved(x, self.rise).then(&self.text).then(&self.page);
        (place.e, place.f)
    }

    /// How a glyph is turned and how large it is.
    pub(super) fn glyph_matrix(&self) -> Matrix {
        let size = self.size;
        let glyph = Matrix { a: size * self.stretch, b: 0.0, c: 0.0, d: size, e: 0.0, f: 0.0 };
        glyph.then(&self.text).then(&self.page)
    }
}
