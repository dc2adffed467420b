//! A PDF in memory: its objects, pages and streams are what a library makes of them.

use std::fs::File;
use std::io::Read;

use flate2::read::ZlibDecoder;
use hayro_syntax::object::{Array, MaybeRef, Null, Object, Stream};
use hayro_syntax::xref::XRef;
use hayro_syntax::{Filter, LoadPdfError, Pdf};

use crate::summary::extract::limits::Limits;
use crate::summary::extract::reading::Meter;
use crate::summary::extract::report::Refused;
use crate::summary::extract::source::{Stretch, head, length};

/// Bytes that are inflated at once.
const PIECE: usize = 16 << 10;

/// Reads where its objects and its pages are.
pub(super) fn open(document: &File, limits: &Limits) -> Result<Pdf, Refused> {
    let (length, memory) = (length(document)?, limits.memory);
    let Some(bytes) = usize::try_from(length).ok().filter(|_| length <= memory) else {
        return Err(Refused::TooLarge(format!(
            "a PDF is held in memory while it is read, and this one has {length} bytes where \
             [summaries] memory allows {memory}"
        )));
    };
    let bytes = head(&mut Stretch::whole(document), bytes)?;
    Pdf::new(bytes).map_err(|error| match error {
        LoadPdfError::Decryption(_) => Refused::unreadable(
            "it is encrypted; save a copy without a password, for example by printing it to a PDF",
        ),
        LoadPdfError::Invalid => Refused::unreadable("no pages can be found in it"),
    })
}

/// The items of a list: references are followed.
pub(super) fn items<'p>(list: &Array<'p>, xref: &'p XRef) -> impl Iterator<Item = Object<'p>> {
    list.raw_iter().map(|item| match item {
        MaybeRef::Ref(to) => xref.get(to.into()).unwrap_or(Object::Null(Null)),
        MaybeRef::NotRef(object) => object,
    })
}

/// A number.
pub(super) fn number(object: &Object<'_>) -> Option<f64> {
    match object {
        Object::Number(number) => Some(number.as_f64()),
        _ => None,
    }
}

/// The first bytes of what is in a stream, so many at most; none where it is an image or the like.
pub(super) fn content(stream: &Stream<'_>, most: usize, meter: &Meter) -> Result<Vec<u8>, Refused> {
    let (filters, dict) = (stream.filters(), stream.dict());
    let plain = !dict.contains_key("DecodeParms") && !dict.contains_key("DP");
    if plain && filters.as_slice() == [Filter::FlateDecode] {
        // Nearly all are of this form, and so nearly none is inflated beyond its bound.
        let packed = stream.raw_data();
        return first(ZlibDecoder::new(packed.as_ref()), most, meter);
    }
    let Ok(bytes) = stream.decoded_data() else { return Ok(Vec::new()) };
    if !filters.is_empty() {
        meter.take(bytes.len())?;
    }
    Ok(bytes.get(..most).unwrap_or(&bytes).to_vec())
}

/// What is inflated before it breaks off counts: many a writer forgets the end.
fn first(mut packed: impl Read, most: usize, meter: &Meter) -> Result<Vec<u8>, Refused> {
    let (mut bytes, mut piece) = (Vec::new(), [0; PIECE]);
    while bytes.len() < most {
        let wanted = PIECE.min(most - bytes.len());
        let count = match packed.read(piece.get_mut(..wanted).unwrap_or_default()) {
            Ok(0) | Err(_) => break,
            Ok(count) => count,
        };
        meter.take(count)?;
        bytes.extend_from_slice(piece.get(..count).unwrap_or_default());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::summary::extract::tests::file_of;

    #[test]
    fn what_is_larger_than_the_memory_is_refused() {
        let limits = Limits::new(99, Duration::from_secs(1));
        let refused = open(&file_of(&[b' '; 100]), &limits).err().map(|it| it.to_string());
        assert!(refused.unwrap().contains("100 bytes where [summaries] memory allows 99"));
        assert!(matches!(open(&file_of(&[b' '; 99]), &limits), Err(Refused::Unreadable(_))));
    }
}
