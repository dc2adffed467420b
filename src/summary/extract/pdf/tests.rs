use std::io::Read;

use flate2::Compression;
use flate2::read::ZlibEncoder;

use crate::summary::extract::kind::Kind;
use crate::summary::extract::tests::{notes_of, outcome, refusal, text_of, title_of};

/// As a stream of the filter `FlateDecode` is.
fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    ZlibEncoder::new(bytes, Compression::default()).read_to_end(&mut packed).unwrap();
    packed
}

/// Objects put together to a file, with a table of where they are.
struct Builder {
    bytes: Vec<u8>,
    places: Vec<usize>,
}

impl Builder {
    fn new() -> Self {
        Self { bytes: b"%PDF-1.7\n".to_vec(), places: Vec::new() }
    }

    fn object(&mut self, content: &str) -> usize {
        self.raw(content.as_bytes())
    }

    fn raw(&mut self, content: &[u8]) -> usize {
        self.places.push(self.bytes.len());
        let number = self.places.len();
        self.bytes.extend(format!("{number} 0 obj\n").bytes());
        self.bytes.extend(content);
        self.bytes.extend(b"\nendobj\n");
        number
    }

    fn stream(&mut self, dict: &str, content: &[u8]) -> usize {
        let head = format!("<< /Length {} {dict} >>\nstream\n", content.len());
        self.raw(&[head.as_bytes(), content, b"\nendstream"].concat())
    }

    fn end(mut self, trailer: &str) -> Vec<u8> {
        let at = self.bytes.len();
        let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", self.places.len() + 1);
        for place in &self.places {
            table.push_str(&format!("{place:010} 00000 n \n"));
        }
        table.push_str(&format!(
            "trailer\n<< /Size {} {trailer} >>\nstartxref\n{at}\n%%EOF\n",
            self.places.len() + 1
        ));
        self.bytes.extend(table.bytes());
        self.bytes
    }
}

const FONT: &str =
    "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>";

/// A document of pages with these contents. Object 1 is the font, 2 the catalog, 3 the tree.
fn document(pages: &[&str]) -> Builder {
    let mut pdf = Builder::new();
    pdf.object(FONT);
    pdf.object("<< /Type /Catalog /Pages 3 0 R >>");
    let kids: Vec<String> = (0..pages.len()).map(|it| format!("{} 0 R", 4 + 2 * it)).collect();
    pdf.object(&format!(
        "<< /Type /Pages /Count {} /Kids [{}] /Resources << /Font << /F1 1 0 R >> >> >>",
        pages.len(),
        kids.join(" ")
    ));
    for content in pages {
        let number = pdf.places.len() + 2;
        pdf.object(&format!("<< /Type /Page /Parent 3 0 R /Contents {number} 0 R >>"));
        pdf.stream("", content.as_bytes());
    }
    pdf
}

fn pdf(pages: &[&str]) -> Vec<u8> {
    document(pages).end("/Root 2 0 R")
}

const PARAGRAPHS: &str = "BT /F1 24 Tf 72 760 Td (The title) Tj /F1 10 Tf 0 -40 Td 12 TL
    (First line of a para-) Tj T* (graph that goes on) Tj T* [(and )-50(e)10(nds)-300(here.)] TJ
    0 -30 Td (Another one, caf\\351.) Tj T* (\\225 item one) Tj T* (\\225 item) Tj T* (that goes on) Tj
    0 -30 Td (Name) Tj 200 0 Td (Value) Tj -200 -12 Td (a) Tj 200 0 Td (b) Tj ET";

#[test]
fn paragraphs_are_put_together() {
    let want = "# The title\n\nFirst line of a paragraph that goes on and ends here.\n\n\
                Another one, café.\n\n- item one\n- item that goes on\nName | Value\na | b\n";
    let document = pdf(&[PARAGRAPHS]);
    assert_eq!(text_of(Kind::Pdf, &document), want);
    assert_eq!(title_of(Kind::Pdf, &document).as_deref(), Some("The title"));
    assert_eq!(outcome(Kind::Pdf, &document).unwrap().1.pages, Some(1));
}

#[test]
fn sentences_go_on_over_pages_and_borders_are_dropped() {
    let page = |number: u32, text: &str| {
        let lines: Vec<String> = text.split('/').map(|line| format!("({line}) Tj T*")).collect();
        format!(
            "BT /F1 10 Tf 72 800 Td (A Book, chapter 1) Tj 0 -30 Td 12 TL {} ET
                 BT /F1 10 Tf 300 30 Td ({number}) Tj ET",
            lines.join(" ")
        )
    };
    let pages = [
        page(1, "One line is here./Two lines are here./Three are here now./The sentence goes"),
        page(2, "on over the page./Then there is more./And more of the text./The end of it."),
    ];
    let pages: Vec<&str> = pages.iter().map(String::as_str).collect();
    assert_eq!(
        text_of(Kind::Pdf, &pdf(&pages)),
        "A Book, chapter 1\n\nOne line is here. Two lines are here. Three are here now. The sentence goes on over \
         the page. Then there is more. And more of the text. The end of it.\n"
    );
}

#[test]
fn fonts_say_what_codes_mean() {
    let mut pdf = Builder::new();
    pdf.object("<< /Type /Catalog /Pages 2 0 R >>");
    pdf.object("<< /Type /Pages /Kids [3 0 R] /Count 1 >>");
    pdf.object("<< /Type /Page /Contents [4 0 R] /Resources << /Font << /A 5 0 R /B 6 0 R /C 8 0 R >> >> >>");
    pdf.stream("/Filter /FlateDecode", &packed(
        b"BT /A 10 Tf 10 700 Td <010203> Tj /B 10 Tf 0 -30 Td <00010002> Tj /C 10 Tf 0 -30 Td <82a082a2> Tj ET"));
    pdf.object(
        "<< /Type /Font /Subtype /Type1 /Encoding << /Differences [1 /alpha /f_i /uni20AC] >> >>",
    );
    pdf.object("<< /Type /Font /Subtype /Type0 /Encoding /Identity-H /ToUnicode 7 0 R /DescendantFonts [<< /DW 500 /W [1 [600 700]] >>] >>");
    pdf.stream("", b"1 begincodespacerange <0000> <ffff> endcodespacerange 1 beginbfrange <0001> <0002> <0416> endbfrange");
    pdf.object("<< /Type /Font /Subtype /Type0 /Encoding /90ms-RKSJ-H /DescendantFonts [<< >>] >>");
    assert_eq!(text_of(Kind::Pdf, &pdf.end("/Root 1 0 R")), "αfi€\n\nЖЗ\n\nあい\n");
}

#[test]
fn tables_that_are_streams_and_objects_in_streams_are_read() {
    let mut pdf = Builder::new();
    let objects = [
        "<< /Type /Catalog /Pages 11 0 R >>",
        "<< /Kids [12 0 R] >>",
        "<< /Type /Page /Contents 2 0 R /Resources << /Font << /F1 13 0 R >> >> >>",
        FONT,
    ];
    let (mut head, mut body) = (String::new(), String::new());
    for (index, object) in objects.iter().enumerate() {
        head.push_str(&format!("{} {} ", 10 + index, body.len()));
        body.push_str(object);
        body.push('\n');
    }
    let objects = packed(format!("{head}{body}").as_bytes());
    pdf.stream(&format!("/Type /ObjStm /N 4 /First {} /Filter /FlateDecode", head.len()), &objects);
    pdf.stream("", b"BT /F1 10 Tf (Found it.) Tj ET");
    let at = pdf.bytes.len();
    let mut rows: Vec<u8> = Vec::new();
    let places = pdf.places.clone();
    for place in places.iter().copied().chain([at]) {
        rows.extend([1, u8::try_from(place >> 8).unwrap(), u8::try_from(place & 255).unwrap(), 0]);
    }
    for index in 0..4 {
        rows.extend([2, 0, 1, index]);
    }
    // Rows as they differ from those above.
    let mut predicted = Vec::new();
    let mut above = [0_u8; 4];
    for row in rows.chunks(4) {
        predicted.push(2);
        predicted.extend(row.iter().zip(above).map(|(byte, above)| byte.wrapping_sub(above)));
        above.copy_from_slice(row);
    }
    pdf.stream("/Type /XRef /W [1 2 1] /Index [1 3 10 4] /Root 10 0 R /Filter /FlateDecode /DecodeParms << /Predictor 12 /Columns 4 >>", &packed(&predicted));
    let mut whole = pdf.bytes.clone();
    whole.extend(format!("startxref\n{at}\n%%EOF").bytes());
    assert_eq!(text_of(Kind::Pdf, &whole), "Found it.\n");
    // The same without a word of where the table is.
    assert_eq!(text_of(Kind::Pdf, &pdf.bytes), "Found it.\n");
}

#[test]
fn broken_tables_are_mended() {
    let whole = pdf(&[PARAGRAPHS]);
    let want = text_of(Kind::Pdf, &whole);
    let shifted = [b"junk before it\n".as_slice(), &whole].concat();
    assert_eq!(text_of(Kind::Pdf, &shifted), want);
    let text = String::from_utf8(whole.clone()).unwrap();
    for (from, to) in [
        ("startxref", "startxxxx"),
        ("/Root 2 0 R", "/Root 9 0 R"),
        ("xref\n0", "xrex\n0"),
        ("/Length", "/Lenght"),
    ] {
        assert_eq!(text_of(Kind::Pdf, text.replace(from, to).as_bytes()), want, "{from}");
    }
    for cut in (0..whole.len()).step_by(37) {
        outcome(Kind::Pdf, &whole[..cut]).ok();
        let mut changed = whole.clone();
        changed[cut] = changed[cut].wrapping_add(13);
        outcome(Kind::Pdf, &changed).ok();
    }
}

#[test]
fn rings_end() {
    let page = "/Type /Page /Contents 5 0 R /Resources << /Font << /F1 1 0 R >> /XObject << /X 6 0 R >> >>";
    let mut pdf = Builder::new();
    pdf.object(FONT);
    pdf.object("<< /Pages 3 0 R >>");
    pdf.object("<< /Kids [3 0 R 4 0 R 3 0 R 4 0 R] >>");
    pdf.object(&format!("<< {page} >>"));
    pdf.stream("", b"BT /F1 10 Tf (Once.) Tj ET /X Do /X Do");
    pdf.stream("/Subtype /Form", b"/X Do BT /F1 10 Tf 0 -50 Td (In the form.) Tj ET /X Do");
    assert_eq!(text_of(Kind::Pdf, &pdf.end("/Root 2 0 R /Prev 9")), "Once.\n\nIn the form.\n");
    let mut loops = Builder::new();
    loops.object("2 0 R");
    loops.object("1 0 R");
    loops.stream("/Length 3 0 R /Filter 3 0 R", b"x");
    assert!(outcome(Kind::Pdf, &loops.end("/Root 1 0 R")).is_err());
}

#[test]
fn what_has_no_text_is_refused() {
    let empty = refusal(Kind::Pdf, &pdf(&["q Q", "BI /W 1 ID \x01\x02 EI"]));
    assert!(empty.starts_with("no page has a text layer"), "{empty}");
    let locked = document(&[PARAGRAPHS]).end("/Root 2 0 R /Encrypt << /Filter /Standard >>");
    assert!(refusal(Kind::Pdf, &locked).starts_with("it is encrypted"));
    let half = pdf(&[PARAGRAPHS, "q Q"]);
    assert_eq!(notes_of(Kind::Pdf, &half), ["page 2 has no text layer"]);
    assert!(outcome(Kind::Pdf, b"%PDF-1.4 and nothing else").is_err());
}

#[test]
fn artifacts_and_images_are_no_text() {
    let content = "/Artifact BMC BT /F1 10 Tf 9 9 Td (Watermark) Tj ET EMC /P << /MCID 0 >> BDC BT /F1 10 Tf 0 500 Td (Text) Tj ET EMC
                   BI /W 2 /H 2 ID (\x00\x01 EIx) Tj EI BT /F1 10 Tf 0 400 Td (after) Tj ET";
    assert_eq!(text_of(Kind::Pdf, &pdf(&[content])), "Text\n\nafter\n");
}

#[test]
fn tables_of_contents_keep_their_lines() {
    let content = "BT /F1 10 Tf 12 TL 72 700 Td (1 Beginning . . . . . . . . 3) Tj T* (2 End ............ 17) Tj
                   T* (3.) Tj 40 0 Td (Afterwards) Tj ET";
    assert_eq!(
        text_of(Kind::Pdf, &pdf(&[content])),
        "1 Beginning . . . 3\n2 End ... 17\n\n3. Afterwards\n"
    );
}
