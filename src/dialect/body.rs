//! A client's body: read, and changed in the few places where a provider of the client's own
//! dialect must get another word. All else goes on as it came, known to us or not.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::de::{Error as _, MapAccess, Visitor, value};
use serde::{Deserialize, Deserializer, Serialize, forward_to_deserialize_any};
use serde_json::value::RawValue;

use crate::chat::Error;
use crate::dialect::field::Raw;

/// JSON is UTF-8 (RFC 8259 section 8.1). Looked at once, and not again at every text in it.
pub(super) fn text_of(body: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(body).map_err(|_| Error::invalid("the body is not UTF-8, as JSON must be"))
}

/// Reads the body's object.
///
/// # Errors
/// It is no JSON, or no object.
pub(super) fn object<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Error> {
    serde_json::from_str(text_of(body)?).map_err(|error| not_json(&error))
}

/// A client's body that is no JSON, or no object. A wrong value is not repeated: it can be a prompt.
fn not_json(error: &serde_json::Error) -> Error {
    let text = error.to_string();
    Error::invalid(if text.starts_with("invalid") {
        "the body must be a JSON object".to_owned()
    } else {
        format!("the body is not the JSON that is wanted: {text}")
    })
}

/// SECURITY: a reader that does not look at case (Go's `encoding/json`, behind Ollama and others)
/// would take a later `MODEL` for the model, past everything that was decided by `model`.
fn only_one_model(body: &[u8]) -> Result<(), Error> {
    let is_other = |at: usize| {
        let before = at.checked_sub(1).and_then(|at| body.get(at));
        let word = body.get(at..at + 6).unwrap_or_default();
        before == Some(&b'"') && word.eq_ignore_ascii_case(b"model\"") && word != b"model\""
    };
    // Rarely there, and then most likely within something else: the second look is exact.
    if !memchr::memchr2_iter(b'm', b'M', body).any(is_other) {
        return Ok(());
    }
    match Fields::of(body)?.folded(&["model"]) {
        Some(name) => Err(Error::invalid(format!("{name} is not a field; model is"))),
        None => Ok(()),
    }
}

/// The model's name, and where it stands in the body with its quotes.
pub(super) fn model(body: &[u8], raw: Raw<'_>) -> Result<(String, Range<usize>), Error> {
    let wanted = || Error::invalid_field("model", "model must be a name");
    let raw = raw.ok_or_else(wanted)?;
    let name: String = serde_json::from_str(raw.get()).map_err(|_| wanted())?;
    let name = model_name(name)?;
    only_one_model(body)?;
    Ok((name, span_of(body, raw)))
}

/// What can be a model's name.
///
/// # Errors
/// It is none, too long, or not for a terminal.
pub fn model_name(name: String) -> Result<String, Error> {
    if name.is_empty() || name.len() > 256 || name.chars().any(char::is_control) {
        return Err(Error::invalid_field("model", "model must be a name of 1 to 256 characters"));
    }
    Ok(name)
}

fn span_of(body: &[u8], value: &RawValue) -> Range<usize> {
    // The value borrows from the body, so the difference of the addresses is its index.
    let start = (value.get().as_ptr() as usize).wrapping_sub(body.as_ptr() as usize);
    start..start + value.get().len()
}

/// The body with another model's name in it and every other byte as it was: fields that we do
/// not know still reach a provider of the client's own dialect.
pub(super) fn with_model(body: &[u8], span: &Range<usize>, model: &str) -> Vec<u8> {
    let mut spliced = Vec::with_capacity(body.len() + model.len() + 8);
    spliced.extend_from_slice(body.get(..span.start).unwrap_or_default());
    // Writing text into memory cannot fail.
    serde_json::to_writer(&mut spliced, model).ok();
    spliced.extend_from_slice(body.get(span.end..).unwrap_or_default());
    spliced
}

/// The fields of an object as they were written, in their order.
#[derive(Debug, Default)]
pub(super) struct Fields<'a>(Vec<(Cow<'a, str>, Cow<'a, RawValue>)>);

impl<'a> Fields<'a> {
    pub(super) fn of(body: &'a [u8]) -> Result<Self, Error> {
        object(body)
    }

    /// A name that is one of these but for its case.
    pub(super) fn folded(&self, names: &[&str]) -> Option<&str> {
        let is_folded = |name: &&str| {
            names.iter().any(|known| *known != *name && known.eq_ignore_ascii_case(name))
        };
        self.0.iter().map(|(name, _)| &**name).find(is_folded)
    }

    /// A name that is not all lower case and ASCII, as every name of an Ollama's fields is.
    pub(super) fn unusual(&self) -> Option<&str> {
        let is_unusual =
            |name: &&str| name.chars().any(|c| !c.is_ascii() || c.is_ascii_uppercase());
        self.0.iter().map(|(name, _)| &**name).find(is_unusual)
    }

    pub(super) fn get(&self, name: &str) -> Option<&RawValue> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    /// Takes a field out.
    pub(super) fn take(&mut self, name: &str) -> Option<Cow<'a, RawValue>> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.remove(at).1)
    }

    /// Sets a field, in its old place if it was there.
    pub(super) fn set(&mut self, name: &'a str, value: &impl Serialize) {
        // What is set is text, a number, a truth or another object of ours.
        let Ok(value) = serde_json::value::to_raw_value(value) else { return };
        let value = Cow::Owned(value);
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((Cow::Borrowed(name), value)),
        }
    }

    pub(super) fn rename(&mut self, from: &str, to: &'a str) {
        if let Some((name, _)) = self.0.iter_mut().find(|(known, _)| known == from) {
            *name = Cow::Borrowed(to);
        }
    }

    pub(super) fn write(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

impl Serialize for Fields<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut fields = Vec::new();
                while let Some(Name(name)) = map.next_key()? {
                    let value: &RawValue = map.next_value()?;
                    fields.push((name, Cow::Borrowed(value)));
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// The names of a type's fields, as serde reads them.
fn names_of<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    let mut names: &'static [&'static str] = &[];
    // It ends as soon as it has told the names.
    T::deserialize(Names(&mut names)).ok();
    names
}

struct Names<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Names<'_> {
    type Error = value::Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, value::Error> {
        *self.0 = fields;
        self.deserialize_any(visitor)
    }

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, value::Error> {
        Err(value::Error::custom("only the names are wanted"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// The fields of a body that a request's type does not know: at most sixteen, for a log line.
pub(super) fn unknown_fields<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Vec<String> {
    let fields = Fields::of(body).unwrap_or_default();
    let known = names_of::<T>();
    let others = fields.0.iter().filter(|(name, _)| !known.contains(&&**name));
    others.map(|(name, _)| name.chars().take(64).collect()).take(16).collect()
}

/// Borrowed where nothing in it was escaped.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_keep_their_order_and_their_bytes() {
        let body = br#"{"b": [1.50, "\u0041"], "a": {"z":1,"y":2}, "c":null}"#;
        let mut fields = Fields::of(body).unwrap();
        assert_eq!(fields.get("a").map(RawValue::get), Some(r#"{"z":1,"y":2}"#));
        fields.set("a", &7);
        fields.set("d", &"new");
        fields.rename("b", "bee");
        assert!(fields.take("c").is_some());
        let written = String::from_utf8(fields.write()).unwrap();
        assert_eq!(written, r#"{"bee":[1.50, "\u0041"],"a":7,"d":"new"}"#);
        assert!(Fields::of(b"[]").is_err());
    }

    #[test]
    fn a_type_tells_its_fields() {
        #[derive(Deserialize)]
        #[expect(dead_code, reason = "only its names are asked for")]
        struct Body {
            model: String,
            r#type: u32,
        }
        assert_eq!(names_of::<Body>(), ["model", "type"]);
        let body = br#"{"model":"m","new":1,"type":2,"n\u0065w2":{"model":3}}"#;
        assert_eq!(unknown_fields::<Body>(body), ["new", "new2"]);
        assert_eq!(unknown_fields::<Body>(b"no JSON"), [""; 0]);
    }

    #[test]
    fn only_the_models_name_changes() {
        #[derive(Deserialize)]
        struct Body<'a> {
            #[serde(borrow)]
            model: Raw<'a>,
        }
        let body =
            r#" {"a":{"model":"no"},"model" : "m\u00e9" ,"input":"i","x":[1,2.50,"\u0041"]}"#;
        let fields: Body<'_> = object(body.as_bytes()).unwrap();
        let (name, span) = model(body.as_bytes(), fields.model).unwrap();
        assert_eq!(name, "m\u{e9}");
        let spliced = with_model(body.as_bytes(), &span, "new \"one\"");
        let want = body.replace(r#""m\u00e9""#, r#""new \"one\"""#);
        assert_eq!(String::from_utf8(spliced).unwrap(), want);
    }
}
