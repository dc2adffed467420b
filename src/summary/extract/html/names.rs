//! What elements are, by their names and by what their authors call them.

use crate::summary::extract::markup::Tag;

/// What an element does to the text in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Text of nobody: scripts, controls.
    Never,
    /// What stands around a text, by its own account: menus, footers.
    Around,
    /// The header of a page, or that of an article, which belongs to it.
    Header,
    /// Where the page says that its text is.
    Article,
    Block,
    Heading(u8),
    Item,
    Row,
    Cell,
    Pre,
    Link,
    Break,
    Title,
    /// Nothing.
    Inline,
}

/// What an element of this name is.
pub(super) fn role_of(name: &str) -> Role {
    match name {
        "script" | "style" | "template" | "svg" | "button" | "select" | "option" | "textarea"
        | "iframe" | "object" | "canvas" | "audio" | "video" | "noembed" | "noframes"
        | "datalist" => Role::Never,
        "nav" | "footer" | "aside" | "form" | "noscript" | "dialog" | "menu" => Role::Around,
        "header" => Role::Header,
        "article" | "main" => Role::Article,
        "h1" => Role::Heading(1),
        "h2" => Role::Heading(2),
        "h3" => Role::Heading(3),
        "h4" => Role::Heading(4),
        "h5" => Role::Heading(5),
        "h6" => Role::Heading(6),
        "li" => Role::Item,
        "tr" => Role::Row,
        "td" | "th" => Role::Cell,
        "pre" => Role::Pre,
        "a" => Role::Link,
        "br" => Role::Break,
        "title" => Role::Title,
        "p" | "div" | "section" | "ul" | "ol" | "dl" | "dt" | "dd" | "table" | "thead"
        | "tbody" | "tfoot" | "caption" | "blockquote" | "figure" | "figcaption" | "details"
        | "summary" | "fieldset" | "address" | "center" | "hr" | "body" | "html" | "head"
        | "hgroup" | "search" | "legend" => Role::Block,
        _ => Role::Inline,
    }
}

/// Elements that have no content.
pub(super) fn is_void(name: &str) -> bool {
    matches!(
        name,
        "area"
            | "base"
            | "br"
            | "col"
            | "embed"
            | "hr"
            | "img"
            | "input"
            | "link"
            | "meta"
            | "param"
            | "source"
            | "track"
            | "wbr"
            | "frame"
            | "basefont"
            | "keygen"
    )
}

/// Whether an open element ends where this one begins.
pub(super) fn ends_before(open: &str, next: &str) -> bool {
    match open {
        "p" => !matches!(role_of(next), Role::Inline | Role::Link | Role::Break | Role::Never),
        "li" => next == "li",
        "dt" | "dd" => matches!(next, "dt" | "dd"),
        "td" | "th" => matches!(next, "td" | "th" | "tr" | "tbody" | "tfoot" | "thead"),
        "tr" => matches!(next, "tr" | "tbody" | "tfoot" | "thead"),
        "option" => matches!(next, "option" | "select"),
        "head" => next == "body",
        "a" => next == "a",
        "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => matches!(role_of(next), Role::Heading(_)),
        _ => false,
    }
}

/// Elements past which no implied end reaches.
pub(super) fn is_wall(name: &str) -> bool {
    matches!(name, "table" | "ul" | "ol" | "dl" | "div" | "section" | "article" | "body" | "main")
}

/// Whether nobody sees the element.
pub(super) fn is_hidden(tag: &Tag) -> bool {
    let style = tag.attribute("style").unwrap_or_default().to_ascii_lowercase();
    let style: String = style.split_whitespace().collect();
    tag.attribute("hidden").is_some_and(|value| value != "until-found")
        || tag.attribute("aria-hidden").is_some_and(|value| value == "true")
        || style.contains("display:none")
        || style.contains("visibility:hidden")
}

/// Whether its author calls it something that stands around a text.
pub(super) fn is_around(tag: &Tag) -> bool {
    // What holds the whole page is often named after its parts: `has-sidebar`.
    if matches!(tag.name.as_str(), "html" | "body" | "main") {
        return false;
    }
    let role = tag.attribute("role").unwrap_or_default();
    if matches!(
        role,
        "navigation"
            | "banner"
            | "contentinfo"
            | "search"
            | "complementary"
            | "dialog"
            | "alertdialog"
            | "menu"
            | "menubar"
            | "toolbar"
    ) {
        return true;
    }
    ["class", "id"].iter().any(|name| {
        let names = tag.attribute(name).unwrap_or_default();
        names.split_whitespace().any(|name| names_what_is_around(name, &tag.name))
    })
}

fn names_what_is_around(name: &str, element: &str) -> bool {
    let words = words(name);
    let any = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    if any(&KEPT) {
        return false;
    }
    // An article's own name says what it is about, but for those of its readers.
    if element == "article" { any(&["comment", "comments"]) } else { any(&AROUND) }
}

/// Words for what stands around a text.
const AROUND: [&str; 45] = [
    "nav",
    "navbar",
    "navigation",
    "menu",
    "menus",
    "submenu",
    "sidebar",
    "footer",
    "cookie",
    "cookies",
    "consent",
    "gdpr",
    "banner",
    "share",
    "sharing",
    "social",
    "comment",
    "comments",
    "breadcrumb",
    "breadcrumbs",
    "promo",
    "advert",
    "adverts",
    "advertisement",
    "ads",
    "ad",
    "sponsor",
    "sponsored",
    "newsletter",
    "subscribe",
    "subscription",
    "popup",
    "modal",
    "overlay",
    "related",
    "recommended",
    "toolbar",
    "pagination",
    "pager",
    "masthead",
    "skip",
    "disqus",
    "paywall",
    "login",
    "byline-share",
];

/// Words that say that it only has to do with it, or holds more than it.
const KEPT: [&str; 10] =
    ["content", "article", "has", "with", "no", "wrapper", "container", "layout", "page", "text"];

/// The words of a name: `siteNav_main-menu` has four.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut small = false;
    for each in name.chars() {
        let parts = !each.is_alphanumeric();
        if parts || each.is_uppercase() && small {
            words.push(String::new());
        }
        small = each.is_lowercase();
        if let Some(word) = words.last_mut().filter(|_| !parts) {
            word.extend(each.to_lowercase());
        }
    }
    words
}
