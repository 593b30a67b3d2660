//! PEM text: what certificates, keys and revocation lists are wrapped in.
//!
//! Reading is as lenient as Fabric's: text before and after the block, headers inside it and any
//! line length are accepted. Writing gives 64 columns and a trailing newline.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Label of a certificate.
pub const CERTIFICATE: &str = "CERTIFICATE";
/// Label of a private key in PKCS#8.
pub const PRIVATE_KEY: &str = "PRIVATE KEY";
/// Label of a certificate signing request.
pub const CERTIFICATE_REQUEST: &str = "CERTIFICATE REQUEST";
/// Label of a certificate revocation list.
pub const CRL: &str = "X509 CRL";

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";
const COLUMNS: usize = 64;

/// One block of PEM text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// What the block says it is, such as `CERTIFICATE`.
    pub label: String,
    /// The decoded content.
    pub content: Vec<u8>,
}

/// The first well-formed block of `text`.
pub fn decode(text: &[u8]) -> Option<Block> {
    blocks(text).next()
}

/// All well-formed blocks of `text`.
pub fn blocks(text: &[u8]) -> impl Iterator<Item = Block> {
    let text = String::from_utf8_lossy(text);
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.reverse();
    std::iter::from_fn(move || {
        loop {
            let line = lines.pop()?;
            let label = line.trim_end().strip_prefix(BEGIN).and_then(|l| l.strip_suffix(DASHES));
            if let Some(label) = label
                && let Some(content) = body(label, &mut lines)
            {
                return Some(Block { label: label.to_owned(), content });
            }
        }
    })
}

/// Takes the lines up to the end of the block; leaves the next `BEGIN` line where it is.
fn body(label: &str, lines: &mut Vec<String>) -> Option<Vec<u8>> {
    let end = format!("{END}{label}{DASHES}");
    let mut text = String::new();
    while let Some(line) = lines.pop() {
        let line = line.trim();
        if line == end {
            return STANDARD.decode(text).ok();
        }
        if line.starts_with(BEGIN) {
            lines.push(line.to_owned());
            return None;
        }
        if !line.contains(':') {
            text.extend(line.chars().filter(|c| !c.is_ascii_whitespace()));
        }
    }
    None
}

/// Wraps `content` in a block labelled `label`.
pub fn encode(label: &str, content: &[u8]) -> String {
    let mut out = format!("{BEGIN}{label}{DASHES}\n");
    let mut rest = STANDARD.encode(content);
    while !rest.is_empty() {
        let tail = rest.split_off(rest.len().min(COLUMNS));
        out.push_str(&rest);
        out.push('\n');
        rest = tail;
    }
    out.push_str(&format!("{END}{label}{DASHES}\n"));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_around_and_headers_inside_are_skipped() {
        let text =
            "subject=x\r\n-----BEGIN A-----\r\nProc-Type: 4\r\n\r\nYWJj\r\n-----END A-----\r\nbye";
        assert_eq!(
            decode(text.as_bytes()),
            Some(Block { label: "A".into(), content: b"abc".into() })
        );
    }

    #[test]
    fn broken_blocks_are_skipped() {
        let good = encode("B", b"abc");
        for bad in ["-----BEGIN A-----\n!!\n-----END A-----\n", "-----BEGIN A-----\nYWJj\n", "x\n"]
        {
            assert_eq!(decode(bad.as_bytes()), None);
            assert_eq!(decode(format!("{bad}{good}").as_bytes()).unwrap().label, "B");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(content in proptest::collection::vec(any::<u8>(), 0..300)) {
            let text = encode(CERTIFICATE, &content);
            prop_assert!(text.lines().all(|line| line.len() <= COLUMNS));
            prop_assert_eq!(decode(text.as_bytes()).unwrap().content, content);
        }
    }
}
