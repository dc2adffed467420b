use crate::summary::extract::kind::Kind;
use crate::summary::extract::tests::{notes_of, outcome, refusal, text_of, title_of};

fn crlf(text: &str) -> Vec<u8> {
    text.replace('\n', "\r\n").into_bytes()
}

const MIXED: &str = "From: =?utf-8?q?J=C3=BCrgen?= <j@example.org>
To: a@example.org,
 b@example.org
Subject: Plan =?iso-8859-1?Q?f=FCr?= Montag
Date: Mon, 1 Jan 2024 10:00:00 +0100
Received: by somebody
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=\"out:er\"

preamble
--out:er
Content-Type: multipart/alternative; boundary=inner

--inner
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

Gr=FC=DFe aus K=
=F6ln
--inner
Content-Type: text/html; charset=utf-8

<p>HTML twin</p>
--inner--
--out:er
Content-Type: application/pdf; name=\"x.pdf\"
Content-Disposition: attachment; filename*=utf-8''rechnung%20%C3%A4.pdf
Content-Transfer-Encoding: base64

JVBERi0=
--out:er
Content-Type: message/rfc822

Subject: Inner
Content-Type: text/html

<h1>Old</h1><p>Text of the inner.</p>
--out:er
Content-Type: text/plain
Content-Disposition: attachment; filename=notes.txt

not read
--out:er--
epilogue
";

#[test]
fn a_mail_is_read() {
    let want = "Subject: Plan für Montag\nFrom: Jürgen <j@example.org>\n\
                To: a@example.org, b@example.org\nDate: Mon, 1 Jan 2024 10:00:00 +0100\n\n\
                Grüße aus Köln\n\nSubject: Inner\n\n# Old\n\nText of the inner.\n";
    for mail in
        [MIXED.as_bytes().to_vec(), crlf(MIXED), [b"From me now\n", MIXED.as_bytes()].concat()]
    {
        assert_eq!(text_of(Kind::Mail, &mail), want);
        assert_eq!(title_of(Kind::Mail, &mail).as_deref(), Some("Plan für Montag"));
        assert_eq!(
            notes_of(Kind::Mail, &mail),
            [
                "attachment rechnung ä.pdf (application/pdf) is not read",
                "attachment notes.txt (text/plain) is not read"
            ]
        );
    }
}

#[test]
fn simple_and_odd_mails_are_read() {
    let html = "Subject: x\nContent-Type: multipart/alternative; boundary=b\n\n--b\n\n \n--b\nContent-Type: text/html\nContent-Transfer-Encoding: base64\n\nPHA+T25seSBoZXJlPC9wPg==\n--b--\n";
    let table = [
        ("Subject: x\n\nbody\n", "Subject: x\n\nbody\n"),
        ("Subject: x\nX: y", "Subject: x\n"),
        (html, "Subject: x\n\nOnly here\n"),
        (
            "Subject: x\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\ncut off",
            "Subject: x\n\ncut off\n",
        ),
        (
            "Subject: x\nContent-Type: text/plain; charset=koi8-r\nContent-Transfer-Encoding: base64\n\n8NLJ18XU",
            "Subject: x\n\nПривет\n",
        ),
    ];
    for (given, want) in table {
        assert_eq!(text_of(Kind::Mail, given.as_bytes()), want, "{given}");
    }
    assert_eq!(refusal(Kind::Mail, b"just some text\n\nmore"), "it is no mail: it has no header");
}

#[test]
fn endless_nesting_ends() {
    let messages = "Content-Type: message/rfc822\n\n".repeat(5000);
    let notes = notes_of(Kind::Mail, format!("Subject: x\n{messages}").as_bytes());
    assert_eq!(notes, ["messages that are nested 100 deep are not read"]);
    let parts: String = (0..5000)
        .map(|it| format!("Content-Type: multipart/mixed; boundary=b{it}\n\n--b{it}\n"))
        .collect();
    outcome(Kind::Mail, format!("Subject: x\n{parts}").as_bytes()).unwrap();
    let many = "--b\n\nx\n".repeat(5000);
    let many = format!("Subject: x\nContent-Type: multipart/mixed; boundary=b\n\n{many}");
    assert_eq!(notes_of(Kind::Mail, many.as_bytes()), ["parts after the first 500 are not read"]);
}
