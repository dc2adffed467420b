//! Tags and text: what readers of HTML and of XML tell, and no more of it than a bound.

use crate::summary::extract::report::Refused;

/// Most bytes of a name, of an attribute's value, and most attributes of a tag. What is beyond is
/// left out.
pub(super) const NAME: usize = 64;
pub(super) const VALUE: usize = 1024;
pub(super) const ATTRIBUTES: usize = 48;

/// A start tag.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Tag {
    pub(super) name: String,
    attributes: Vec<(String, String)>,
}

impl Tag {
    pub(super) fn new(name: &str) -> Self {
        Self { name: bounded(name, NAME), attributes: Vec::new() }
    }

    /// Adds an attribute, where there is room for it.
    pub(super) fn add(&mut self, name: &str, value: &str) {
        if self.attributes.len() < ATTRIBUTES {
            self.attributes.push((bounded(name, NAME), bounded(value, VALUE)));
        }
    }

    /// An attribute's value.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str())
    }

    /// An attribute by its name without the prefix of XML's namespaces.
    pub(super) fn local_attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(it, _)| local(it) == name).map(|(_, value)| value.as_str())
    }
}

fn bounded(text: &str, most: usize) -> String {
    text.get(..text.floor_char_boundary(most)).unwrap_or_default().to_owned()
}

/// A name without the prefix of XML's namespaces.
pub(super) fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

/// Who is told what there is. What a handler has no method for is nothing to it.
pub(super) trait Handler {
    fn start(&mut self, tag: &Tag) -> Result<(), Refused>;

    fn end(&mut self, _name: &str) -> Result<(), Refused> {
        Ok(())
    }

    fn text(&mut self, _text: &str) -> Result<(), Refused> {
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Writes down what it is told.
    #[derive(Default)]
    pub(in crate::summary::extract) struct Scribe(pub(in crate::summary::extract) String);

    impl Handler for Scribe {
        fn start(&mut self, tag: &Tag) -> Result<(), Refused> {
            self.0.push_str(&format!("({}", tag.name));
            for (name, value) in &tag.attributes {
                self.0.push_str(&format!(" {name}={value}"));
            }
            self.0.push(')');
            Ok(())
        }

        fn end(&mut self, name: &str) -> Result<(), Refused> {
            self.0.push_str(&format!("(/{name})"));
            Ok(())
        }

        fn text(&mut self, text: &str) -> Result<(), Refused> {
            self.0.push_str(text);
            Ok(())
        }
    }

    #[test]
    fn a_tag_has_bounds() {
        let mut tag = Tag::new(&"ä".repeat(NAME));
        for number in 0..2 * ATTRIBUTES {
            tag.add(&number.to_string(), &"x".repeat(2 * VALUE));
        }
        assert_eq!((tag.name.len(), tag.attributes.len()), (NAME, ATTRIBUTES));
        assert_eq!(tag.attribute("7").map(str::len), Some(VALUE));
    }
}
