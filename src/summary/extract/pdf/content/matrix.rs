//! Where a place is that was named in other units.

use hayro_syntax::object::Object;

use crate::summary::extract::pdf::file::number;

/// `x' = ax + cy + e`, `y' = bx + dy + f`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::summary::extract::pdf) struct Matrix {
    pub(in crate::summary::extract::pdf) a: f64,
    pub(in crate::summary::extract::pdf) b: f64,
    pub(in crate::summary::extract::pdf) c: f64,
    pub(in crate::summary::extract::pdf) d: f64,
    pub(in crate::summary::extract::pdf) e: f64,
    pub(in crate::summary::extract::pdf) f: f64,
}

impl Default for Matrix {
    fn default() -> Self {
        Self { a: 1.0, b: 0.0, c: 0.0, d: 1.0, e: 0.0, f: 0.0 }
    }
}

impl Matrix {
    /// A matrix from its six numbers.
    pub(super) fn of<'o, 'p: 'o>(operands: impl Iterator<Item = &'o Object<'p>>) -> Option<Self> {
        let mut numbers = operands.filter_map(number);
        let mut next = || numbers.next().filter(|number| number.is_finite());
        Some(Self { a: next()?, b: next()?, c: next()?, d: next()?, e: next()?, f: next()? })
    }

    pub(super) fn moved(x: f64, y: f64) -> Self {
        Self { e: x, f: y, ..Self::default() }
    }

    /// First this one, then the other.
    pub(super) fn then(&self, other: &Self) -> Self {
        Self {
            a: self.a * other.a + self.b * other.c,
            b: self.a * other.b + self.b * other.d,
            c: self.c * other.a + self.d * other.c,
            d: self.c * other.b + self.d * other.d,
            e: self.e * other.a + self.f * other.c + other.e,
            f: self.e * other.b + self.f * other.d + other.f,
        }
    }
}
