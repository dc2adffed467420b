//! A look at JSON before it is parsed.

/// Whether objects and arrays are nested deeper than `max`. One pass, nothing is allocated.
pub fn too_deep(body: &[u8], max: usize) -> bool {
    let mut depth = 0_usize;
    let mut rest = body.iter();
    while let Some(byte) = rest.next() {
        match byte {
            b'{' | b'[' => {
                depth += 1;
                if depth > max {
                    return true;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => skip_string(&mut rest),
            _ => {}
        }
    }
    false
}

fn skip_string(rest: &mut std::slice::Iter<'_, u8>) {
    while let Some(at) = memchr::memchr2(b'"', b'\\', rest.as_slice()) {
        if rest.nth(at) == Some(&b'"') {
            return;
        }
        rest.next();
    }
    *rest = [].iter();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_brackets_outside_of_strings() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(!too_deep(nested(32).as_bytes(), 32));
        assert!(too_deep(nested(33).as_bytes(), 32));
        assert!(!too_deep(br#"{"a":"[[[[\"[[[[\\"}"#, 1));
        assert!(too_deep(br#"{"a\\":[]}"#, 1));
        assert!(!too_deep(b"[][][][]", 1));
        assert!(!too_deep(b"\"\\", 1));
    }
}
