//! Documents of every kind: what reaches the model is their text.

use crate::summaries::{SUMMARIES, small};
use crate::support::reader::{document, reader};
use crate::support::{Gateway, Ollama, run_long};

async fn world() -> (Ollama, Gateway) {
    let fake = reader(4);
    let gateway = Gateway::with(&small(&fake)).await;
    (fake, gateway)
}

const PAGE: &str = "<!doctype html><html><head><title>The pump</title><script>var x = 'SCRIPT';</script></head><body><nav><a href='/'>Home</a> <a href='/shop'>NAVIGATION</a></nav><article><h1>The pump of hall 3</h1><p>The pump of hall 3 was mended on Tuesday, after it had stood still for eleven days, and the report (FACT-7) says that nobody had noticed the leak before the water stood in the cellar.</p><p>The plant&#39;s manager told the paper that the valves would be looked at as well, that the filters were new, and that it would not happen again.</p></article><footer>FOOTER &copy; 2026</footer></body></html>";

const MAIL: &str = "From: Anna <anna@example.com>\r\nTo: ops@example.com\r\nSubject: =?utf-8?Q?Die_Pumpe_l=C3=A4uft?=\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nDie Pumpe l=E4uft wieder, siehe FACT-7.\r\n";

/// A media type, a document, and which words of it are to reach the model and which not.
type Kind<'a> = (&'a str, &'a [u8], &'a [&'a str], &'a [&'a str]);

/// A PDF of one page with a line of text, its table of places made as it is written.
fn pdf(text: &str) -> Vec<u8> {
    let stream = format!("BT /F1 12 Tf 72 720 Td ({text}) Tj ET");
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>".to_owned(),
        format!("<< /Length {} >>\nstream\n{stream}\nendstream", stream.len()),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>".to_owned(),
    ];
    let mut file = "%PDF-1.4\n".to_owned();
    let mut places = Vec::new();
    for (number, object) in (1..).zip(&objects) {
        places.push(file.len());
        file.push_str(&format!("{number} 0 obj\n{object}\nendobj\n"));
    }
    let table = file.len();
    file.push_str("xref\n0 6\n0000000000 65535 f \n");
    for place in places {
        file.push_str(&format!("{place:010} 00000 n \n"));
    }
    file.push_str(&format!("trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n"));
    file.into_bytes()
}

#[test]
fn the_text_of_every_kind_reaches_the_model() {
    run_long(async {
        let (fake, gateway) = world().await;
        let latin = b"Die Pumpe l\xe4uft wieder, siehe FACT-7. Die Tr\xe4ger sind gr\xfcn.";
        let utf16: Vec<u8> = "\u{feff}Die Pumpe läuft wieder, siehe FACT-7."
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let rows = "place,state\nhall 3,FACT-7 läuft\nhall 4,\"off, for now\"\n";
        let lines = "{\"at\": 1, \"say\": \"FACT-7 läuft\"}\n{\"at\": 2, \"say\": \"off\"}\n";
        let pdf = pdf("The pump of hall 3 was mended, says FACT-7.");
        let table: [Kind<'_>; 9] = [
            ("text/plain; charset=iso-8859-1", latin, &["läuft", "grün"], &[]),
            ("text/plain", latin, &["läuft", "grün"], &[]),
            ("text/plain", &utf16, &["läuft"], &["\u{feff}"]),
            ("text/html", PAGE.as_bytes(), &["plant's manager"], &["SCRIPT", "<p>", "NAVIGATION"]),
            ("application/pdf", &pdf, &["The pump of hall 3"], &["endobj"]),
            ("application/octet-stream", &pdf, &["The pump of hall 3"], &["endobj"]),
            ("message/rfc822", MAIL.as_bytes(), &["läuft wieder"], &["=E4", "quoted-printable"]),
            ("text/csv", rows.as_bytes(), &["hall 3", "läuft"], &[]),
            ("application/x-ndjson", lines.as_bytes(), &["läuft"], &[]),
        ];
        for (media, body, has, has_not) in table {
            let headers = [("Content-Type", media)];
            let answer = gateway.ask("POST", SUMMARIES, &headers, body).await;
            assert_eq!(answer.status(), 200, "{media}: {}", answer.text());
            assert_eq!(answer.json()["summary"], "FACT-7", "{media}");
            let text = document(fake.chats().last().unwrap());
            for word in has {
                assert!(text.contains(word), "{media}: {word} in {text}");
            }
            for word in has_not {
                assert!(!text.contains(word), "{media}: {word} in {text}");
            }
        }
        gateway.until_documents(0).await;
    });
}

#[test]
fn what_is_no_document_is_refused_and_harms_nobody() {
    run_long(async {
        let (fake, gateway) = world().await;
        let whole = pdf("The pump.");
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01";
        let zip = b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0";
        let table: [(&str, &[u8], &[u16]); 8] = [
            ("image/png", png, &[415]),
            ("application/octet-stream", png, &[415]),
            ("application/zip", zip, &[400, 415]),
            ("application/pdf", b"%PDF-1.4\nnothing of the kind", &[400]),
            ("application/pdf", &whole[..200], &[400]),
            (
                "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
                zip,
                &[400],
            ),
            ("application/epub+zip", zip, &[400]),
            ("text/plain", b"\0\x01\x02\0\xff\xfe\0\0\x90\x80", &[400, 415]),
        ];
        for (media, body, statuses) in table {
            let headers = [("Content-Type", media)];
            let answer = gateway.ask("POST", SUMMARIES, &headers, body).await;
            assert!(statuses.contains(&answer.status()), "{media}: {}", answer.text());
            let detail = answer.json()["detail"].as_str().unwrap().to_owned();
            assert!(detail.len() > 10 && !detail.contains("panicked"), "{media}: {detail}");
        }
        let blank = [("Content-Type", "text/html")];
        let answer = gateway.ask("POST", SUMMARIES, &blank, b"<html><body> </body></html>").await;
        assert!(answer.expect(400).text().contains("no text"));
        gateway.until_documents(0).await;
        assert_eq!(fake.chats().len(), 0);
        gateway.get("/healthz").await.expect(200);
    });
}
