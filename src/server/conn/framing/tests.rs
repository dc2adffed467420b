use super::*;

const GOOD: &[&str] = &[
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
    "GET http://a/ HTTP/1.1\r\nHost: a\r\nX:\r\nY:\t a b \t\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab\ncd",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\na\nb\r\n0A;x=\"y\"\r\n0123456789\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-T: 1\r\n\r\n",
];

const BAD: &[&str] = &[
    // lengths
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\ncontent-length: 6\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5 5\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\n",
    // codings
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\x0bchunked\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n",
    "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \"chunked\"\r\n\r\n",
    // line ends
    "GET / HTTP/1.1\nHost: a\n\n",
    "GET / HTTP/1.1\r\nHost: a\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\n\n",
    "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",
    "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    // folds, names, values
    "GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\n\tb\r\n\r\n",
    "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nnothing\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nX y: b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nX\0: b\r\n\r\n",
    // hosts
    "GET / HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\r\nHost:\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
    // request lines
    "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
    " GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
    "GET / http/1.1\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.2\r\nHost: a\r\n\r\n",
    "GET /\r\nHost: a\r\n\r\n",
    "G(T / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n",
    // chunks
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n 3\r\nabc\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3 \r\nabc\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nbad trailer\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;a\x01\r\nx\r\n0\r\n\r\n",
];

#[test]
fn good_requests_pass_however_they_are_cut() {
    for text in GOOD {
        let mut framing = Framing::default();
        for byte in text.as_bytes() {
            framing.feed(&[*byte]).unwrap_or_else(|_| panic!("{text:?} byte by byte"));
        }
        assert_eq!(framing.phase(), Phase::Idle, "{text:?}");
        for cut in 0..=text.len() {
            let mut framing = Framing::default();
            let (one, two) = text.as_bytes().split_at(cut);
            assert!(
                framing.feed(one).and_then(|()| framing.feed(two)).is_ok(),
                "{text:?} cut at {cut}"
            );
            assert_eq!(framing.phase(), Phase::Idle);
        }
    }
    let all = GOOD.concat();
    assert!(Framing::default().feed(all.as_bytes()).is_ok(), "one after the other");
}

#[test]
fn bad_requests_are_refused_before_their_head_or_chunk_is_whole() {
    assert!(BAD.len() > 50);
    for text in BAD {
        let follow = format!("{text}GET /second HTTP/1.1\r\nHost: a\r\n\r\n");
        let bytes = follow.as_bytes();
        for cut in 0..text.len() {
            let mut framing = Framing::default();
            let (one, two) = bytes.split_at(cut);
            let kept = match framing.feed(one) {
                Err(breach) => breach.keep,
                Ok(()) => match framing.feed(two) {
                    Err(breach) => cut + breach.keep,
                    Ok(()) => panic!("{text:?} cut at {cut} was let through"),
                },
            };
            assert!(kept < text.len(), "{text:?} cut at {cut}: {kept} bytes were let through");
        }
    }
}

#[test]
fn a_good_request_before_a_bad_one_is_kept_whole() {
    let good = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    for bad in BAD {
        let breach = Framing::default().feed(format!("{good}{bad}").as_bytes()).unwrap_err();
        assert!(breach.keep >= good.len(), "{bad:?}");
    }
}

#[test]
fn phases() {
    let mut framing = Framing::default();
    for (bytes, phase) in [
        ("", Phase::Idle),
        ("P", Phase::Head),
        ("OST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n", Phase::Head),
        ("\r\n", Phase::Body),
        ("a", Phase::Body),
        ("b", Phase::Idle),
    ] {
        framing.feed(bytes.as_bytes()).unwrap();
        assert_eq!(framing.phase(), phase, "{bytes:?}");
    }
}

#[test]
fn lines_are_bounded() {
    let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let sized = |length: usize| format!("{chunked}1;{}", "x".repeat(length));
    assert!(Framing::default().feed(sized(270).as_bytes()).is_ok());
    assert!(Framing::default().feed(sized(271).as_bytes()).is_err());
    let trailer = |length: usize| format!("{chunked}0\r\nX: {}\r\n\r\n", "x".repeat(length));
    assert!(Framing::default().feed(trailer(4000).as_bytes()).is_ok());
    assert!(Framing::default().feed(trailer(4096).as_bytes()).is_err());
}
