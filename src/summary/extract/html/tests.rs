use encoding_rs::Encoding;

use crate::summary::extract::html::named_in;
use crate::summary::extract::kind::Kind;
use crate::summary::extract::tests::{outcome, refusal, text_of, title_of};

fn page(html: &str) -> String {
    text_of(Kind::Html, html.as_bytes())
}

#[test]
fn what_stands_around_an_article_is_dropped() {
    let html = r#"<!DOCTYPE html><html><head><title>The  Bridge &ndash; News</title>
      <style>p { color: red }</style><script>var a = "<p>no</p>";</script></head>
      <body class="has-sidebar">
      <header><div class="logo">Paper</div><nav><ul><li><a href=/>Home</a><li><a href=/x>Sport</a></ul></nav></header>
      <div id="cookieBanner">We use cookies. Please accept them all now.</div>
      <main><article>
        <h1>The bridge is open</h1>
        <p>After nine years of building the bridge was opened
           on Monday. It is <b>the longest</b> of its kind.</p>
        <div class="share-buttons"><a href=#>Share</a></div>
        <ul><li>Cost: 90 million<li><p>Length: 800 m</p></ul>
        <table><tr><th>Year<th>Cars<tr><td>2024<td>10 <a href=x>est.</a></table>
        <pre>a
  b</pre>
        <aside>Read also this other text about something else.</aside>
        <p hidden>Nobody sees this sentence here.</p>
        <h2>Related</h2><ul><li><a href=a>Another bridge</a><li><a href=b>A tunnel</a></ul>
      </article></main>
      <footer>Imprint. All rights reserved by the paper.</footer></body></html>"#;
    let want = "# The bridge is open\n\nAfter nine years of building the bridge was opened on Monday. \
                It is the longest of its kind.\n\n- Cost: 90 million\n- Length: 800 m\n\
                Year | Cars\n2024 | 10 est.\n\na\n  b\n";
    assert_eq!(page(html), want);
    assert_eq!(title_of(Kind::Html, html.as_bytes()).as_deref(), Some("The Bridge – News"));
}

#[test]
fn a_page_without_an_article_is_cleaned_too() {
    let html = "<body><div class=menu><a href=a>One</a> <a href=b>Two</a></div>\
                <div><a href=c>Three</a> | <a href=d>Four</a></div>\
                <h1>Name</h1><div>A sentence that says a lot about what there is.<br>Second line.</div>\
                <p>Short one</p><div>Log in</div></body>";
    assert_eq!(
        page(html),
        "# Name\n\nA sentence that says a lot about what there is.\nSecond line.\n\nShort one\n"
    );
    assert_eq!(title_of(Kind::Html, html.as_bytes()).as_deref(), Some("Name"));
}

#[test]
fn where_nothing_would_be_left_all_is_taken() {
    let table = [
        (
            "<form><p>All of this page is a form, as some old pages are.</p></form>",
            "All of this page is a form, as some old pages are.\n",
        ),
        ("<ul><li><a href=a>One</a><li><a href=b>Two</a></ul>", "- One\n- Two\n"),
        ("<nav>only a menu", "only a menu\n"),
        ("bare", "bare\n"),
        ("<h1>Just a heading</h1>", "# Just a heading\n"),
        (
            "<main></main><p>The main part is empty, and this is not.</p>",
            "The main part is empty, and this is not.\n",
        ),
        ("<title>T</title>", ""),
    ];
    for (given, want) in table {
        let got = outcome(Kind::Html, given.as_bytes()).map(|it| it.0).unwrap_or_default();
        assert_eq!(got, want, "{given}");
    }
    assert_eq!(refusal(Kind::Html, b"<p> <br> </p>"), "there is no text in it");
}

#[test]
fn broken_pages_are_read() {
    let table = [
        ("</div></p>One sentence is here.<p>Two", "One sentence is here.\n\nTwo\n"),
        ("<p>a<b>b<p>c</b>d", "ab\n\ncd\n"),
        (
            "<p>x <div>Some block in a paragraph.</div> y.",
            "x\n\nSome block in a paragraph.\n\ny.\n",
        ),
        ("<table><td>a<td>b<tr><td>c", "a | b\nc\n"),
        ("<p>a&nbsp;&nbsp;b\u{ad}c &lt;d&gt;", "a bc <d>\n"),
        ("<p>an <em>im</em>portant word", "an important word\n"),
    ];
    for (given, want) in table {
        assert_eq!(
            page(&format!("<p>A whole sentence first, for the sake of it.</p>{given}")),
            format!("A whole sentence first, for the sake of it.\n\n{want}"),
            "{given}"
        );
    }
    let deep =
        format!("{}Deep down.{}<p>and after</p>", "<div>".repeat(50_000), "</div>".repeat(50_000));
    assert_eq!(page(&deep), "Deep down.\n\nand after\n");
    let long = format!("<p>{}</p>", "word ".repeat(20_000));
    assert_eq!(page(&long).split_whitespace().count(), 20_000);
    assert!(!page(&long).contains("\n\n"));
}

#[test]
fn layout_tables_are_no_tables() {
    let html = "<table><tr><td><h1>Old page</h1><p>First paragraph of it.</p><p>Second one of it.</p></td></tr></table>";
    assert_eq!(page(html), "# Old page\n\nFirst paragraph of it.\n\nSecond one of it.\n");
}

#[test]
fn a_page_names_its_charset() {
    let table = [
        ("<meta charset=koi8-r>", Some("KOI8-R")),
        (
            "<META http-equiv='Content-Type' content='text/html; charset=iso-8859-2'>",
            Some("ISO-8859-2"),
        ),
        ("<?xml version='1.0' encoding=\"windows-1251\"?>", Some("windows-1251")),
        ("<meta charset='utf-16'>", Some("UTF-8")),
        ("<meta name=x><p>charset=koi8-r", None),
        ("<meta charset=nonsense>", None),
    ];
    for (given, want) in table {
        assert_eq!(named_in(given.as_bytes()).map(Encoding::name), want, "{given}");
    }
    assert_eq!(
        text_of(Kind::Html, b"<meta charset=koi8-r><p>\xf0\xd2\xc9\xd7\xc5\xd4"),
        "Привет\n"
    );
}
