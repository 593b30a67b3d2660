//! Signatures in other forms than signers give them.

/// The order of the group of P-256.
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// The same signature with the other value of S, which verifies just as well but is refused.
pub fn high_s(signature: &[u8]) -> Vec<u8> {
    let (r, rest) = integer(&signature[2..]);
    let (s, _) = integer(rest);
    let other = subtract(s);
    let body = [encode(r), encode(&other)].concat();
    [&[0x30, u8::try_from(body.len()).unwrap()][..], &body].concat()
}

fn integer(der: &[u8]) -> (&[u8], &[u8]) {
    assert_eq!(der[0], 2);
    let (value, rest) = der[2..].split_at(der[1].into());
    (value.strip_prefix(&[0]).unwrap_or(value), rest)
}

fn encode(value: &[u8]) -> Vec<u8> {
    let padding: &[u8] = if value[0] >= 0x80 { &[0] } else { &[] };
    let length = u8::try_from(padding.len() + value.len()).unwrap();
    [&[2, length][..], padding, value].concat()
}

/// The order minus `s`.
fn subtract(s: &[u8]) -> Vec<u8> {
    let mut padded = [0; 32];
    padded[32 - s.len()..].copy_from_slice(s);
    let mut result = [0; 32];
    let mut borrow = 0;
    for at in (0..32).rev() {
        let difference = i16::from(ORDER[at]) - i16::from(padded[at]) - borrow;
        borrow = i16::from(difference < 0);
        result[at] = u8::try_from(difference & 0xff).unwrap();
    }
    let zeros = result.iter().take_while(|byte| **byte == 0).count();
    result[zeros..].to_vec()
}
