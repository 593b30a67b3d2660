//! Who calls, as chaincode is told: read from the certificate here, so that no chaincode has to.

use msp::{Identity, certificate};
use runtime::Caller;

/// What chaincode is told about the creator of a proposal.
pub(super) fn of(identity: &Identity) -> Result<Caller, certificate::Error> {
    let certificate = identity.certificate();
    Ok(Caller {
        msp_id: identity.msp_id().to_owned(),
        common_name: certificate.common_name().to_owned(),
        organizational_units: certificate.organizational_units().to_vec(),
        subject: distinguished_name(certificate.subject()),
        issuer: distinguished_name(certificate.issuer()),
        attributes: certificate.attributes()?,
        certificate: certificate.der().clone(),
    })
}

/// The kinds of attributes with a name of their own.
const NAMED: [(&[u8], &str); 9] = [
    (&[0x55, 4, 3], "CN"),
    (&[0x55, 4, 5], "SERIALNUMBER"),
    (&[0x55, 4, 6], "C"),
    (&[0x55, 4, 7], "L"),
    (&[0x55, 4, 8], "ST"),
    (&[0x55, 4, 9], "STREET"),
    (&[0x55, 4, 10], "O"),
    (&[0x55, 4, 11], "OU"),
    (&[0x55, 4, 17], "POSTALCODE"),
];

/// An encoded name as text, as Fabric's client identity library prints it: the parts in reverse,
/// several values of one part joined by `+`. What is not well formed is left out.
fn distinguished_name(der: &[u8]) -> String {
    let sequence = element(der).map_or(&[][..], |(_, content, _)| content);
    let mut parts: Vec<String> = elements(sequence)
        .map(|(_, set)| elements(set).filter_map(|(_, value)| attribute(value)).collect::<Vec<_>>())
        .map(|values| values.join("+"))
        .collect();
    parts.reverse();
    parts.join(",")
}

fn attribute(der: &[u8]) -> Option<String> {
    let (_, kind, value) = element(der)?;
    match NAMED.iter().find(|(named, _)| *named == kind) {
        Some((_, name)) => {
            let (_, text, _) = element(value)?;
            Some(format!("{name}={}", escape(&String::from_utf8_lossy(text))))
        }
        None => Some(format!("{}=#{}", dotted(kind), hex::encode(value))),
    }
}

/// An encoded object identifier in its dotted form.
fn dotted(kind: &[u8]) -> String {
    let mut numbers: Vec<u64> = Vec::new();
    let mut number = 0u64;
    for byte in kind {
        number = number << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            if numbers.is_empty() {
                let first = (number / 40).min(2);
                numbers.push(first);
                number -= first * 40;
            }
            numbers.push(number);
            number = 0;
        }
    }
    numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(".")
}

fn escape(value: &str) -> String {
    let last = value.chars().count().saturating_sub(1);
    let mut escaped = String::with_capacity(value.len());
    for (index, c) in value.chars().enumerate() {
        let at_edge = (index == 0 && matches!(c, ' ' | '#')) || (index == last && c == ' ');
        if at_edge || matches!(c, ',' | '+' | '"' | '\\' | '<' | '>' | ';') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// The elements in the content of a constructed DER element: tag and content.
fn elements(mut rest: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let (tag, content, after) = element(rest)?;
        rest = after;
        Some((tag, content))
    })
}

/// The first DER element: tag, content, and what follows.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        if digits.len() > 4 {
            return None;
        }
        (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
    };
    let (content, after) = rest.split_at_checked(length)?;
    Some((tag, content, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn der(tag: u8, content: &[u8]) -> Vec<u8> {
        [&[tag, u8::try_from(content.len()).unwrap()], content].concat()
    }

    /// A name of parts, each with one or more values of one kind.
    fn name(parts: &[(u8, &[&str])]) -> Vec<u8> {
        let sets = parts.iter().flat_map(|(kind, values)| {
            let kind = der(6, &[0x55, 4, *kind]);
            let value =
                |value: &&str| der(0x30, &[kind.clone(), der(12, value.as_bytes())].concat());
            der(0x31, &values.iter().flat_map(value).collect::<Vec<u8>>())
        });
        der(0x30, &sets.collect::<Vec<u8>>())
    }

    #[track_caller]
    fn check(parts: &[(u8, &[&str])], expected: &str) {
        assert_eq!(distinguished_name(&name(parts)), expected);
    }

    #[test]
    fn names_are_printed_like_fabric_does() {
        check(
            &[
                (6, &["US"]),
                (8, &["North Carolina"]),
                (10, &["Hyperledger"]),
                (11, &["client"]),
                (3, &["minter"]),
            ],
            "CN=minter,OU=client,O=Hyperledger,ST=North Carolina,C=US",
        );
        check(&[(11, &["client", "a,b"]), (3, &[" x "])], "CN=\\ x\\ ,OU=client+OU=a\\,b");
        check(&[(12, &["t"])], "2.5.4.12=#0c0174");
        check(&[], "");
        assert_eq!(distinguished_name(&[0x30, 0x85]), "");
    }
}
