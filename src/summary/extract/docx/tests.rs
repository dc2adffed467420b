use crate::summary::extract::archive::tests::archive_of;
use crate::summary::extract::kind::Kind;
use crate::summary::extract::tests::{notes_of, refusal, text_of, title_of};

const STYLES: &str = r#"<w:styles><w:style w:type="paragraph" w:styleId="Kop2"><w:name w:val="heading 2"/></w:style>
  <w:style w:styleId="Own"><w:name w:val="Own"/><w:pPr><w:outlineLvl w:val="2"/></w:pPr></w:style>
  <w:style w:styleId="Dots"><w:pPr><w:numPr><w:numId w:val="4"/></w:numPr></w:pPr></w:style></w:styles>"#;

fn docx(body: &str) -> Vec<u8> {
    let document = format!(
        r#"<?xml version="1.0"?><w:document xmlns:w="x"><w:body>{body}</w:body></w:document>"#
    );
    archive_of(&[
        ("[Content_Types].xml", "<Types/>"),
        (
            "docProps/core.xml",
            "<cp:coreProperties><dc:title>A &amp; B</dc:title><dc:creator>C</dc:creator></cp:coreProperties>",
        ),
        ("word/document.xml", &document),
        ("word/styles.xml", STYLES),
        ("word/media/image1.png", "no image"),
        (
            "word/footnotes.xml",
            r#"<w:footnotes><w:footnote w:type="separator" w:id="0"><w:p/></w:footnote><w:footnote w:id="2"><w:p><w:r><w:t>See there.</w:t></w:r></w:p></w:footnote></w:footnotes>"#,
        ),
    ])
}

fn p(properties: &str, text: &str) -> String {
    format!(
        r#"<w:p><w:pPr>{properties}</w:pPr><w:r><w:t xml:space="preserve">{text}</w:t></w:r></w:p>"#
    )
}

#[test]
fn a_document_is_read() {
    let item = r#"<w:numPr><w:ilvl w:val="0"/><w:numId w:val="3"/></w:numPr>"#;
    let cell = |text: &str| format!("<w:tc>{}</w:tc>", p("", text));
    let body = [
        p(r#"<w:pStyle w:val="Heading1"/>"#, "One"),
        p(r#"<w:pStyle w:val="Kop2"/>"#, "Two"),
        p(r#"<w:pStyle w:val="Own"/>"#, "Three"),
        p(r#"<w:tabs><w:tab w:val="left"/></w:tabs>"#, "Text &lt;1&gt;") ,
        "<w:p><w:r><w:t>Split </w:t></w:r><w:del><w:r><w:delText>gone</w:delText></w:r></w:del><w:r><w:t>word</w:t><w:br/><w:t>next</w:t><w:footnoteReference w:id=\"2\"/></w:r></w:p>".to_owned(),
        p(item, "first"),
        p(item, "second"),
        p(r#"<w:pStyle w:val="Dots"/>"#, "third"),
        format!("<w:tbl><w:tr>{}{}</w:tr><w:tr>{}{}</w:tr></w:tbl>", cell("a"), cell("b"), cell(""), cell("d")),
        format!("<w:p><w:r><w:t>Before</w:t></w:r><mc:AlternateContent><mc:Choice><w:txbxContent>{0}</w:txbxContent></mc:Choice><mc:Fallback><w:txbxContent>{0}</w:txbxContent></mc:Fallback></mc:AlternateContent><w:r><w:t> after</w:t></w:r></w:p>", p("", "In the box")),
    ];
    let document = docx(&body.concat());
    let want = "# One\n\n## Two\n\n### Three\n\nText <1>\n\nSplit word\nnext[2]\n\n- first\n- second\n- third\n\n\
                a | b\n| d\n\nIn the box\n\nBefore after\n\n[2] See there.\n";
    assert_eq!(text_of(Kind::Docx, &document), want);
    assert_eq!(title_of(Kind::Docx, &document).as_deref(), Some("A & B"));
    assert_eq!(notes_of(Kind::Docx, &document), ["1 image is not read"]);
}

#[test]
fn bad_documents_are_refused_or_read_as_far_as_they_go() {
    assert_eq!(refusal(Kind::Docx, b"PK\x03\x04"), "its archive is broken or cut off");
    assert_eq!(
        refusal(Kind::Docx, &archive_of(&[("xl/workbook.xml", "<x/>")])),
        "it is no DOCX: it has no word/document.xml"
    );
    let laughs = "<!DOCTYPE x [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;'>]>";
    let bomb = archive_of(&[("word/document.xml", &format!("{laughs}<w:p><w:t>&b;!</w:t></w:p>"))]);
    assert_eq!(text_of(Kind::Docx, &bomb), "&b;!\n");
    let deep = docx(&"<w:txbxContent><w:p><w:tbl>".repeat(300));
    assert_eq!(text_of(Kind::Docx, &deep), "[2] See there.\n");
    let deeper = docx(&"<w:txbxContent><w:p><w:tbl>".repeat(20_000));
    assert!(refusal(Kind::Docx, &deeper).starts_with("its elements are more than 1000 deep"));
    let broken = docx("<w:p><w:t>Read</w:t></w:p><w:p><w:t>x</w:t><!-- ");
    assert_eq!(text_of(Kind::Docx, &broken), "Read\n\nx\n\n[2] See there.\n");
    assert!(notes_of(Kind::Docx, &broken).iter().any(|note| note.contains("is broken")));
    let long = docx(&p("", &"word ".repeat(60_000)));
    assert_eq!(text_of(Kind::Docx, &long).matches("word").count(), 60_000);
    assert!(!text_of(Kind::Docx, &long).contains("word\nword"));
}
