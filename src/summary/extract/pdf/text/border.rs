//! What stands at the top and at the bottom of every page: its number, the name of the chapter.

use std::collections::VecDeque;

use crate::summary::extract::pdf::line::Line;

/// Lines at each end of a page that may be such.
const LINES: usize = 2;
/// Pages that are remembered: left and right pages have their own.
const PAGES: usize = 3;

/// What stood at the borders of the last pages.
#[derive(Debug, Default)]
pub(super) struct Borders {
    pages: VecDeque<Vec<String>>,
}

impl Borders {
    /// Drops what stood there before, and numbers of pages.
    pub(super) fn drop_from(&mut self, lines: &mut Vec<Line>, body: f64) {
        let mut heights: Vec<f64> =
            lines.iter().filter(|line| line.turn == 0).map(|line| line.height).collect();
        heights.sort_by(f64::total_cmp);
        heights.dedup_by(|first, second| (*first - *second).abs() < 1.0);
        let low = heights.get(LINES.min(heights.len()).saturating_sub(1)).copied();
        let high = heights.iter().rev().nth(LINES.min(heights.len()).saturating_sub(1)).copied();
        let (Some(low), Some(high)) = (low, high) else { return };
        let at_border =
            |line: &Line| line.turn == 0 && (line.height >= high - 1.0 || line.height <= low + 1.0);
        let mut shapes = Vec::new();
        // A page of some lines is all border.
        let numbers = heights.len() > 2 * LINES;
        lines.retain(|line| {
            if !at_border(line) {
                return true;
            }
            // Headings differ by their number: those of this size are the same only in full.
            let large = line.size > 1.1 * body;
            let shape = if large { line.text.clone() } else { shape(&line.text) };
            let known = self.pages.iter().any(|page| page.contains(&shape));
            let number = numbers && is_number(&line.text);
            shapes.push(shape);
            !known && !number
        });
        self.pages.push_front(shapes);
        self.pages.truncate(PAGES);
    }
}

/// The text with every number alike.
fn shape(text: &str) -> String {
    let mut shape = String::new();
    for each in text.chars().take(200) {
        match each {
            _ if each.is_numeric() && shape.ends_with('#') => {}
            _ if each.is_numeric() => shape.push('#'),
            _ => shape.push(each),
        }
    }
    shape
}

/// Whether it is the number of a page: `7`, `- 7 -`, `vii`.
fn is_number(text: &str) -> bool {
    let bare = text.trim_matches(|it: char| !it.is_alphanumeric());
    let digits = bare.len() <= 4 && bare.bytes().all(|it| it.is_ascii_digit());
    let roman = bare.len() <= 6 && bare.bytes().all(|it| matches!(it, b'i' | b'v' | b'x' | b'l'));
    !bare.is_empty() && (digits || roman)
}
