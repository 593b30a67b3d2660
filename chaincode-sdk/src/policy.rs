//! Key-level endorsement policies, encoded as Fabric's `SignaturePolicyEnvelope`.
//!
//! ```
//! use gauze_chaincode::policy::{self, Role};
//! let both = policy::all_of(Role::Peer, ["HospitalMSP", "PharmacyMSP"]);
//! let either = policy::n_of(1, Role::Member, ["HospitalMSP", "PharmacyMSP"]);
//! # assert_ne!(both, either);
//! ```

/// Which members of an organization may endorse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Anyone of the organization.
    Member = 0,
    /// An administrator.
    Admin = 1,
    /// A client.
    Client = 2,
    /// A peer.
    Peer = 3,
}

/// All of these organizations must endorse.
pub fn all_of<S: AsRef<str>>(role: Role, msp_ids: impl IntoIterator<Item = S>) -> Vec<u8> {
    let msp_ids: Vec<S> = msp_ids.into_iter().collect();
    n_of(msp_ids.len(), role, msp_ids)
}

/// At least `n` of these organizations must endorse.
pub fn n_of<S: AsRef<str>>(n: usize, role: Role, msp_ids: impl IntoIterator<Item = S>) -> Vec<u8> {
    let (mut n_out_of, mut identities) = (Vec::new(), Vec::new());
    if n > 0 {
        number(&mut n_out_of, 1, n as u64);
    }
    for (index, msp_id) in msp_ids.into_iter().enumerate() {
        let mut signed_by = Vec::new();
        number(&mut signed_by, 1, index as u64);
        message(&mut n_out_of, 2, &signed_by);
        let (mut msp_role, mut principal) = (Vec::new(), Vec::new());
        message(&mut msp_role, 1, msp_id.as_ref().as_bytes());
        if role != Role::Member {
            number(&mut msp_role, 2, role as u64);
        }
        message(&mut principal, 2, &msp_role);
        message(&mut identities, 3, &principal);
    }
    let (mut rule, mut envelope) = (Vec::new(), Vec::new());
    message(&mut rule, 2, &n_out_of);
    message(&mut envelope, 2, &rule);
    envelope.extend(identities);
    envelope
}

fn number(to: &mut Vec<u8>, field: u8, value: u64) {
    to.push(field << 3);
    varint(to, value);
}

fn message(to: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    to.push(field << 3 | 2);
    varint(to, bytes.len() as u64);
    to.extend_from_slice(bytes);
}

fn varint(to: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_protobuf() {
        let expected =
            [
                &[
                    0x12, 0x0c, 0x12, 0x0a, 0x08, 0x02, 0x12, 0x02, 0x08, 0x00, 0x12, 0x02, 0x08,
                    0x01,
                ][..],
                &[0x1a, 0x07, 0x12, 0x05, 0x0a, 0x01, b'A', 0x10, 0x03],
                &[0x1a, 0x07, 0x12, 0x05, 0x0a, 0x01, b'B', 0x10, 0x03],
            ]
            .concat();
        assert_eq!(all_of(Role::Peer, ["A", "B"]), expected);
    }
}
