//! Pieces of text put together to lines, by where they stand.

use crate::summary::extract::pdf::content::Matrix;

/// Most bytes of a page's text that are held, and most lines.
const TEXT: usize = 512 << 10;
const LINES: usize = 10_000;
/// Parts of the size: what stands so far apart is two words, or two cells.
const WORD: f64 = 0.16;
const CELL: f64 = 1.5;
/// What stands so much higher or lower is another line.
const BASELINE: f64 = 0.4;
/// Where so many of the lines go up, they were not written in the order in which one reads.
const UPWARDS: usize = 3;

/// A string as it stands on the page.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    text: String,
    turn: u8,
    /// Along the line, from its left to its right end; and across it, higher is more.
    left: f64,
    right: f64,
    height: f64,
    size: f64,
    bold: bool,
}

impl Piece {
    pub(super) fn new(
        text: String,
        start: (f64, f64),
        end: (f64, f64),
        matrix: &Matrix,
        bold: bool,
    ) -> Self {
        let along = matrix.a.abs() >= matrix.b.abs();
        let turn = match (along, matrix.a >= 0.0, matrix.b >= 0.0) {
            (true, true, _) => 0,
            (true, false, _) => 2,
            (false, _, true) => 1,
            (false, _, false) => 3,
        };
        let turned = |(x, y): (f64, f64)| match turn {
            0 => (x, y),
            1 => (y, -x),
            2 => (-x, -y),
            _ => (-y, x),
        };
        let ((left, height), (right, _)) = (turned(start), turned(end));
        let size = matrix.c.hypot(matrix.d).max(0.01);
        Self { text, turn, left, right: right.max(left), height, size, bold }
    }

    fn is_sound(&self) -> bool {
        [self.left, self.right, self.height, self.size].iter().all(|number| number.is_finite())
    }
}

/// A line of text.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) turn: u8,
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) height: f64,
    pub(super) size: f64,
    pub(super) bold: bool,
    /// Whether it has cells.
    pub(super) row: bool,
    /// The last piece, which may be drawn twice to look bold.
    last: (f64, usize),
}

impl Line {
    fn new(piece: Piece) -> Self {
        let last = (piece.left, 0);
        Self {
            text: piece.text,
            turn: piece.turn,
            left: piece.left,
            right: piece.right,
            height: piece.height,
            size: piece.size,
            bold: piece.bold,
            row: false,
            last,
        }
    }

    /// Whether a piece goes on with this line.
    fn is_followed_by(&self, piece: &Piece) -> bool {
        let size = self.size.max(piece.size);
        self.turn == piece.turn
            && (self.height - piece.height).abs() < BASELINE * size
            && piece.left > self.right - size
    }

    fn is_drawn_again(&self, piece: &Piece) -> bool {
        let (left, start) = self.last;
        self.turn == piece.turn
            && (left - piece.left).abs() < 0.1 * piece.size
            && (self.height - piece.height).abs() < 0.1 * piece.size
            && self.text.get(start..).is_some_and(|last| last.trim() == piece.text.trim())
    }

    fn add(&mut self, piece: &Piece) {
        let size = self.size.max(piece.size);
        let gap = piece.left - self.right;
        let parted = self.text.ends_with(' ') || piece.text.starts_with(' ');
        if gap > CELL * size && !is_mark(&self.text) && !piece.text.trim().is_empty() {
            self.text.truncate(self.text.trim_end().len());
            self.text.push_str(" | ");
            self.row = true;
        } else if gap > WORD * size && !parted {
            self.text.push(' ');
        }
        self.last = (piece.left, self.text.len());
        self.text.push_str(&piece.text);
        self.bold &= piece.bold || piece.text.trim().is_empty();
        // A raised number does not move the line.
        if piece.size > self.size {
            (self.size, self.height) = (piece.size, piece.height);
        }
        self.right = self.right.max(piece.right);
    }
}

/// Whether it is the mark or the number of what follows: `•`, `3.`, `(a)`, `2.1`.
fn is_mark(text: &str) -> bool {
    let text = text.trim();
    let numbered =
        text.ends_with(['.', ')']) || text.contains('.') && text.ends_with(char::is_numeric);
    let sign = text.chars().count() <= 1 && !text.contains(char::is_alphanumeric);
    sign || text.len() <= 8 && numbered
}

/// The lines of a page.
#[derive(Debug, Default)]
pub(super) struct Lines {
    all: Vec<Line>,
    bytes: usize,
}

impl Lines {
    pub(super) fn put(&mut self, piece: Piece) {
        let full = self.bytes > TEXT || self.all.len() >= LINES;
        if piece.text.is_empty() || full || !piece.is_sound() {
            return;
        }
        self.bytes += piece.text.len();
        match self.all.last_mut() {
            Some(last) if last.is_drawn_again(&piece) => {}
            Some(last) if last.is_followed_by(&piece) => last.add(&piece),
            // Spaces that stand alone begin no line.
            _ if piece.text.trim().is_empty() => {}
            _ => self.all.push(Line::new(piece)),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.iter().all(|line| line.text.trim().is_empty())
    }

    /// The lines in the order in which one reads them.
    pub(super) fn in_order(mut self) -> Vec<Line> {
        let steps = self.all.windows(2).filter(|pair| match pair {
            [first, second] => {
                first.turn == second.turn && second.height > first.height + first.size
            }
            _ => false,
        });
        if self.all.len() > 6 && steps.count() * UPWARDS > self.all.len() {
            self.sort();
        }
        self.all
    }

    /// From above to below, and what stands beside one another to one line.
    fn sort(&mut self) {
        self.all.sort_by(|first, second| {
            let turned = first.turn.cmp(&second.turn);
            turned.then_with(|| second.height.total_cmp(&first.height))
        });
        let mut rows: Vec<Vec<Line>> = Vec::new();
        for line in std::mem::take(&mut self.all) {
            let beside = rows.last().and_then(|row| row.first()).is_some_and(|first| {
                first.turn == line.turn && first.height - line.height < BASELINE * first.size
            });
            match rows.last_mut().filter(|_| beside) {
                Some(row) => row.push(line),
                None => rows.push(vec![line]),
            }
        }
        for mut row in rows {
            row.sort_by(|first, second| first.left.total_cmp(&second.left));
            for line in row {
                self.put(Piece {
                    text: line.text,
                    turn: line.turn,
                    left: line.left,
                    right: line.right,
                    height: line.height,
                    size: line.size,
                    bold: line.bold,
                });
            }
        }
    }
}
