//! Books (EPUB): the chapters in their order, each a page of HTML.

mod package;

use std::collections::HashSet;
use std::fs::File;

use crate::summary::extract::archive::{Archive, Part};
use crate::summary::extract::charset::of_source;
use crate::summary::extract::epub::package::{Container, Encryption, Package, resolved};
use crate::summary::extract::html::{Language, named_in, read_all};
use crate::summary::extract::reading::Reading;
use crate::summary::extract::report::Refused;
use crate::summary::extract::source::{Rewound, head};
use crate::summary::extract::xml::{Extent, read_part};

/// Bytes of a chapter in which it may name its charset.
const SAMPLE: usize = 1024;

pub(super) fn read(document: &File, reading: &mut Reading) -> Result<(), Refused> {
    let archive = Archive::open(document, &reading.meter, is_read)?;
    let mut encryption = Encryption::default();
    let locks = read_part(&archive, "META-INF/encryption.xml", &mut encryption)?;
    let unclear = locks == Extent::Beginning;
    if encryption.is_strong || unclear || archive.find("META-INF/rights.xml").is_some() {
        return Err(Refused::unreadable("it is protected against copying (DRM)"));
    }
    let mut container = Container::default();
    read_part(&archive, "META-INF/container.xml", &mut container)?;
    let mut package = Package::default();
    match read_part(&archive, &container.path, &mut package)? {
        Extent::Nothing => {
            return Err(Refused::unreadable("it is no EPUB: it does not say what is in it"));
        }
        Extent::Beginning => reading.notes.add("its list of chapters is broken, and may be cut"),
        Extent::Whole => {}
    }
    reading.call(&package.title);
    let mut read = HashSet::new();
    for place in package.chapters() {
        match archive.find(&resolved(&container.path, place)) {
            // Nobody reads a chapter twice, also where it has two names.
            Some(part) if !read.insert(part.at()) => {}
            Some(part) => chapter(&archive, part, reading)?,
            None => reading.notes.add(&format!("the chapter {place} is missing")),
        }
    }
    Ok(())
}

/// Whether a part is one that is read: images and fonts are not.
fn is_read(name: &str) -> bool {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending).to_ascii_lowercase();
    matches!(ending.as_str(), "xhtml" | "html" | "htm" | "xml" | "opf")
}

fn chapter(archive: &Archive<'_>, part: &Part, reading: &mut Reading) -> Result<(), Refused> {
    archive.read(part, |mut source| {
        let sample = head(&mut source, SAMPLE)?;
        let named = named_in(&sample);
        let (guessed, source) = of_source(Rewound::new(sample, source))?;
        read_all(source, named.unwrap_or(guessed), Language::Xhtml, reading)
    })
}

#[cfg(test)]
mod tests {
    use crate::summary::extract::archive::tests::archive_of;
    use crate::summary::extract::kind::Kind;
    use crate::summary::extract::tests::{notes_of, refusal, text_of, title_of};

    const CONTAINER: &str =
        r#"<container><rootfiles><rootfile full-path="OPS/book.opf"/></rootfiles></container>"#;
    const PACKAGE: &str = r#"<package><metadata><dc:title>A Book</dc:title></metadata><manifest>
        <item id="b" href="text/two.xhtml" media-type="application/xhtml+xml"/>
        <item id="a" href="../one%20.html" media-type="application/xhtml+xml"/>
        <item id="i" href="i.png" media-type="image/png"/>
        <item id="m" href="missing.html" media-type="application/xhtml+xml"/></manifest>
        <spine><itemref idref="a"/><itemref idref="i"/><itemref idref="b"/><itemref idref="m"/></spine></package>"#;

    fn book(more: &[(&str, &str)]) -> Vec<u8> {
        let parts = [
            ("mimetype", "application/epub+zip"),
            ("META-INF/container.xml", CONTAINER),
            ("OPS/book.opf", PACKAGE),
            (
                "one .html",
                "<html><head><title/></head><body><h1>One</h1><nav>kept</nav><p>First.</p></body></html>",
            ),
            (
                "OPS/text/two.xhtml",
                "<?xml version='1.0' encoding='UTF-8'?><html><script src='a'/><body><p>Sec&#xf6;nd.</p></body></html>",
            ),
            ("OPS/i.png", "image"),
        ];
        archive_of(&[&parts[..], more].concat())
    }

    #[test]
    fn chapters_come_in_their_order() {
        let book = book(&[]);
        assert_eq!(text_of(Kind::Epub, &book), "# One\n\nkept\n\nFirst.\n\nSecönd.\n");
        assert_eq!(title_of(Kind::Epub, &book).as_deref(), Some("A Book"));
        assert_eq!(notes_of(Kind::Epub, &book), ["the chapter missing.html is missing"]);
    }

    #[test]
    fn protected_and_broken_books_are_refused() {
        let algorithm = |name: &str| {
            format!(
                r#"<encryption><EncryptedData><EncryptionMethod Algorithm="{name}"/></EncryptedData></encryption>"#
            )
        };
        let fonts = algorithm("http://www.idpf.org/2008/embedding");
        assert!(
            text_of(Kind::Epub, &book(&[("META-INF/encryption.xml", &fonts)])).contains("First")
        );
        let strong = algorithm("http://www.w3.org/2001/04/xmlenc#aes128-cbc");
        for more in [("META-INF/encryption.xml", strong.as_str()), ("META-INF/rights.xml", "<x/>")]
        {
            assert!(refusal(Kind::Epub, &book(&[more])).contains("DRM"));
        }
        let empty = archive_of(&[("mimetype", "application/epub+zip")]);
        assert!(refusal(Kind::Epub, &empty).starts_with("it is no EPUB"));
    }
}
