//! What a book says of itself: where its list is, which chapters it has, whether it is locked.

use std::collections::HashMap;

use crate::summary::extract::markup::{Handler, Tag, local};
use crate::summary::extract::report::Refused;

/// Most chapters, and most bytes of a title.
const CHAPTERS: usize = 5000;
const TITLE: usize = 400;

/// Where the list of the book's parts is.
#[derive(Debug, Default)]
pub(super) struct Container {
    pub(super) path: String,
}

impl Handler for Container {
    fn start(&mut self, tag: &Tag) -> Result<(), Refused> {
        if local(&tag.name) == "rootfile" && self.path.is_empty() {
            self.path = tag.attribute("full-path").unwrap_or_default().to_owned();
        }
        Ok(())
    }
}

/// Whether more is locked than fonts, which only are made hard to copy.
#[derive(Debug, Default)]
pub(super) struct Encryption {
    pub(super) is_strong: bool,
}

impl Handler for Encryption {
    fn start(&mut self, tag: &Tag) -> Result<(), Refused> {
        if local(&tag.name) == "EncryptionMethod" {
            let algorithm = tag.attribute("Algorithm").unwrap_or_default();
            self.is_strong |=
                !algorithm.contains("idpf.org") && !algorithm.contains("ns.adobe.com");
        }
        Ok(())
    }
}

/// The list of a book's parts, and the order of those that are read.
#[derive(Debug, Default)]
pub(super) struct Package {
    pub(super) title: String,
    in_title: bool,
    places: HashMap<String, String>,
    order: Vec<String>,
}

impl Package {
    /// Where the chapters are, in their order.
    pub(super) fn chapters(&self) -> impl Iterator<Item = &str> {
        self.order.iter().filter_map(|id| self.places.get(id)).map(String::as_str)
    }
}

impl Handler for Package {
    fn start(&mut self, tag: &Tag) -> Result<(), Refused> {
        let attribute = |name| tag.attribute(name).unwrap_or_default().to_owned();
        match local(&tag.name) {
            "title" => self.in_title = self.title.is_empty(),
            "item" => {
                let kind = attribute("media-type");
                let page = kind.contains("html") || kind == "application/xml";
                if page && self.places.len() < CHAPTERS {
                    self.places.insert(attribute("id"), attribute("href"));
                }
            }
            "itemref" if self.order.len() < CHAPTERS => self.order.push(attribute("idref")),
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, _name: &str) -> Result<(), Refused> {
        self.in_title = false;
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), Refused> {
        if self.in_title && self.title.len() < TITLE {
            self.title.push_str(text);
        }
        Ok(())
    }
}

/// Where a part is, that is named from another one's place: `../a%20b.html#c` and the like.
pub(super) fn resolved(from: &str, place: &str) -> String {
    let place = place.split('#').next().unwrap_or_default();
    let place = percent_encoding::percent_decode_str(place).decode_utf8_lossy();
    let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut steps: Vec<&str> = folder.split('/').filter(|step| !step.is_empty()).collect();
    for step in place.split('/') {
        match step {
            "" | "." => {}
            ".." => {
                steps.pop();
            }
            step => steps.push(step),
        }
    }
    steps.join("/")
}
