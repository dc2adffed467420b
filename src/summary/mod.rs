//! Summaries of documents of any length, made by a small model in bounded memory.
//!
//! ```text
//! a document -> spool (the disk, within a quota) -> extract (another process: text)
//!            -> chunk -> map (notes of each piece, by dispatch) -> reduce (fewer notes, one text)
//!            -> Summary, with the coverage that says of how much of the document it is
//! ```
//!
//! - **Nothing is held.** The document, its text and the notes lie in files without names; what is in
//!   memory is a window of the text for each call that is under way, and where each step stands.
//! - **Nothing is cut in silence.** A piece is as long as its model takes by what is known of it. What
//!   the model says that it has read is compared with what it was given; where that is less, the piece
//!   is done again in halves.
//! - **The document is data.** It stands between two marks that it cannot know, and the model is told
//!   so (`prompt`).
//! - **A step that is done stays done.** A job's steps are kept ([`Keep`]); after a power cut it goes
//!   on with the next piece.
//! - **Coverage never lies.** A piece that no target would do is named in it, and so is what of the
//!   document is no text.
//! - Where a name's last target is `builtin/extractive`, it stands in for every call that fails:
//!   sentences of the document itself ([`extractive`]).

pub mod disk;
pub mod extract;
pub mod extractive;

mod caller;
mod chunk;
mod course;
mod extracts;
mod keep;
mod ledger;
mod make;
mod map;
mod outcome;
mod progress;
mod prompt;
mod read;
mod reduce;
mod spool;
mod step;
mod text;
mod tidy;
mod wish;

pub use keep::{Keep, Kept, Nothing};
pub use make::{Order, Summaries};
pub use outcome::{Coverage, Method, Summary};
pub use progress::{Progress, Stage};
pub use read::{Content, Document};
pub use spool::{Arrived, Arriving, Passing, Share, Spool};
pub use text::checksum;
pub use wish::{Length, OPTIONS, Style, Wish};
