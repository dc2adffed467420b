//! What a document's parts say of it: which styles are headings, and what it is called.

use std::collections::{HashMap, HashSet};

use crate::summary::extract::markup::{Handler, Tag, local};
use crate::summary::extract::report::Refused;

/// Most styles that are known.
const STYLES: usize = 1000;
/// Most bytes of a title.
const TITLE: usize = 400;

/// The level of each style that is a heading, and those that are lists.
#[derive(Debug, Default)]
pub(super) struct Styles {
    levels: HashMap<String, u8>,
    lists: HashSet<String>,
    current: Option<String>,
}

impl Styles {
    /// The level of a paragraph in this style, where it is a heading.
    pub(super) fn level(&self, style: &str) -> Option<u8> {
        self.levels.get(style).copied().or_else(|| level_of(style))
    }

    /// Whether a paragraph in this style is an item of a list.
    pub(super) fn is_item(&self, style: &str) -> bool {
        self.lists.contains(style)
    }

    fn learn_list(&mut self) {
        if let Some(style) = self.current.clone().filter(|_| self.lists.len() < STYLES) {
            self.lists.insert(style);
        }
    }

    fn learn(&mut self, level: u8) {
        if let Some(style) = self.current.clone().filter(|_| self.levels.len() < STYLES) {
            self.levels.entry(style).or_insert(level);
        }
    }
}

/// The level that a style's name says: "heading 2", "Heading2", "berschrift2".
fn level_of(name: &str) -> Option<u8> {
    let name = name.to_lowercase();
    if name == "title" {
        return Some(1);
    }
    let after = ["heading", "berschrift", "titre"].iter().find_map(|word| name.split_once(word))?.1;
    after.trim().parse().ok().filter(|level| (1..=9).contains(level))
}

impl Handler for Styles {
    fn start(&mut self, tag: &Tag) -> Result<(), Refused> {
        let value = tag.local_attribute("val").unwrap_or_default();
        match local(&tag.name) {
            "style" => self.current = tag.local_attribute("styleId").map(ToOwned::to_owned),
            "name" => {
                if let Some(level) = level_of(value) {
                    self.learn(level);
                }
            }
            "numId" if value != "0" => self.learn_list(),
            "outlineLvl" => {
                if let Some(level) = value.parse::<u8>().ok().filter(|level| *level < 9) {
                    self.learn(level + 1);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, name: &str) -> Result<(), Refused> {
        if local(name) == "style" {
            self.current = None;
        }
        Ok(())
    }
}

/// What stands in the first `<dc:title>`.
#[derive(Debug, Default)]
pub(in crate::summary::extract) struct Title {
    pub(in crate::summary::extract) text: String,
    inside: bool,
    ended: bool,
}

impl Handler for Title {
    fn start(&mut self, tag: &Tag) -> Result<(), Refused> {
        self.inside = local(&tag.name) == "title" && !self.ended;
        Ok(())
    }

    fn end(&mut self, _name: &str) -> Result<(), Refused> {
        self.ended |= std::mem::take(&mut self.inside);
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), Refused> {
        if self.inside && self.text.len() < TITLE {
            self.text.push_str(text);
        }
        Ok(())
    }
}
