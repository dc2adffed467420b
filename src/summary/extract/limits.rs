//! How large things may be.

use std::time::Duration;

/// Most bytes of text that are written.
const TEXT: u64 = 64 << 20;
/// Most pages of a PDF.
const PAGES: u32 = 5_000;
/// Most bytes that all compressed parts of a document may come to.
const INFLATED: u64 = 256 << 20;
/// Most that may stand within one another: messages, forms, elements.
const NESTING: u32 = 100;
/// A child that waits for a slow disk is not ended for it at once.
const WALL_PER_CPU: u32 = 4;

/// What a document may cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of memory that the child may take.
    pub memory: u64,
    /// Processor time; the kernel counts whole seconds.
    pub cpu: Duration,
    /// Time by the clock.
    pub wall: Duration,
    /// Most bytes of text.
    pub text: u64,
    /// Most pages.
    pub pages: u32,
    /// Most bytes that compressed parts may come to.
    pub inflated: u64,
    /// Most that may stand within one another.
    pub nesting: u32,
}

impl Limits {
    /// So much memory and processor time, and for the rest what does for a book.
    pub fn new(memory: u64, cpu: Duration) -> Self {
        Self {
            memory,
            cpu,
            wall: cpu.saturating_mul(WALL_PER_CPU),
            text: TEXT,
            pages: PAGES,
            inflated: INFLATED,
            nesting: NESTING,
        }
    }

    /// Sets one by its name.
    pub(super) fn set(&mut self, name: &str, value: &str) -> Option<()> {
        match name {
            "memory" => self.memory = value.parse().ok()?,
            "cpu_ms" => self.cpu = Duration::from_millis(value.parse().ok()?),
            "text" => self.text = value.parse().ok()?,
            "pages" => self.pages = value.parse().ok()?,
            "inflated" => self.inflated = value.parse().ok()?,
            "nesting" => self.nesting = value.parse().ok()?,
            _ => return None,
        }
        Some(())
    }

    /// Whole seconds of processor time, at least one.
    pub(super) fn cpu_seconds(&self) -> u64 {
        self.cpu.as_secs().max(1)
    }
}
