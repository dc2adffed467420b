//! Reading documents: from bytes of any kind to text, in a process that may end without harm.
//!
//! A document comes from anywhere, and what reads it will one day meet one that it was not made
//! for. So it is read by a child: our own program once more, with no environment, a bound on its
//! memory, its time and what it writes, and nothing open but the document and the text. What
//! becomes of the child is an answer for the client, and never of the service.
//!
//! [`extract()`] is the service's side, [`child()`] the other one. Between them: the document as
//! standard input, the text as standard output, and one line of JSON on standard error.
//!
//! The readers hold no document in memory, but for a PDF. Each goes over the file with buffers of
//! some KiB, and whatever a document decides the size of has a bound here, also where the kernel's
//! does not count (an emulator ignores it): the length of a token, the depth of a nesting, the bytes
//! that were inflated, the text that was written. What the library for PDFs inflates by itself (tables
//! and streams of objects, and streams of more than one filter) has the kernel's bound alone.

mod archive;
mod bridge;
mod charset;
mod child;
mod csv;
mod docx;
mod epub;
mod fence;
mod host;
mod html;
mod json_lines;
mod kind;
mod limits;
mod mail;
mod markup;
mod pdf;
mod plain;
mod reading;
mod report;
mod sheet;
mod source;
#[cfg(test)]
mod tests;
mod xml;

pub use crate::summary::extract::charset::charset_of;
pub use crate::summary::extract::child::child;
pub use crate::summary::extract::host::{Program, extract};
pub use crate::summary::extract::kind::{Kind, essence};
pub use crate::summary::extract::limits::Limits;
pub use crate::summary::extract::report::{Refused, Report};
