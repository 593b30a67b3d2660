//! Keys of the state, public and private, in one order.

use bytes::Bytes;

/// Where an entry stands in the state: namespace, a NUL, and the key. The hashes of a private
/// collection stand in the namespace `<namespace>$$h<collection>`, its clear values in
/// `<namespace>$$p<collection>`. This is also the order of Fabric's snapshots.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StateKey(Bytes);

/// First byte of the ledger's own entries: no namespace begins with it, since names are UTF-8.
const INTERNAL: u8 = 0xff;

impl StateKey {
    /// A public key of a namespace.
    pub fn public(namespace: &str, key: &str) -> Self {
        Self::join(&[namespace.as_bytes(), b"\0", key.as_bytes()])
    }

    /// The hash of a private key.
    pub fn hashed(namespace: &str, collection: &str, key_hash: &[u8]) -> Self {
        Self::join(&[namespace.as_bytes(), b"$$h", collection.as_bytes(), b"\0", key_hash])
    }

    /// A clear private key.
    pub fn private(namespace: &str, collection: &str, key: &str) -> Self {
        Self::join(&[namespace.as_bytes(), b"$$p", collection.as_bytes(), b"\0", key.as_bytes()])
    }

    /// A key, text or hash, of a composed namespace, which has no NUL.
    pub fn composed(namespace: &str, key: &[u8]) -> Self {
        Self::join(&[namespace.as_bytes(), b"\0", key])
    }

    /// An entry of the ledger itself.
    pub(crate) fn internal(kind: u8, parts: &[&[u8]]) -> Self {
        let mut out = vec![INTERNAL, kind];
        for part in parts {
            out.extend_from_slice(part);
        }
        Self(out.into())
    }

    /// The end of all keys that begin like this one does up to its last NUL.
    pub(crate) fn end_of(namespace: &str) -> Self {
        Self::join(&[namespace.as_bytes(), b"\x01"])
    }

    /// Before all keys.
    pub(crate) fn first() -> Self {
        Self(Bytes::new())
    }

    /// Behind all keys but the ledger's own.
    pub(crate) fn end() -> Self {
        Self(Bytes::from_static(&[INTERNAL]))
    }

    /// The next key after this one.
    pub(crate) fn successor(&self) -> Self {
        Self::join(&[&self.0, b"\0"])
    }

    fn join(parts: &[&[u8]]) -> Self {
        Self(parts.concat().into())
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        Self(Bytes::copy_from_slice(bytes))
    }

    pub(crate) fn is_internal(&self) -> bool {
        self.0.first() == Some(&INTERNAL)
    }

    /// The bytes whose order is the order of the state.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The composed namespace, such as `trade` or `trade$$hprices`.
    pub fn namespace(&self) -> &str {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(0);
        self.0.get(..end).and_then(|name| std::str::from_utf8(name).ok()).unwrap_or_default()
    }

    /// The key within its namespace: text, or a hash.
    pub fn key(&self) -> Bytes {
        let begin = self.0.iter().position(|byte| *byte == 0).map_or(self.0.len(), |nul| nul + 1);
        self.0.slice(begin..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_apart_as_they_were_joined() {
        let key = StateKey::public("cc", "a\0b");
        assert_eq!((key.namespace(), key.key().as_ref()), ("cc", &b"a\0b"[..]));
        let key = StateKey::public("", "K");
        assert_eq!((key.namespace(), key.key().as_ref()), ("", &b"K"[..]));
        let key = StateKey::hashed("cc", "c", &[0, 255]);
        assert_eq!((key.namespace(), key.key().as_ref()), ("cc$$hc", &[0, 255][..]));
    }

    #[test]
    fn namespaces_stand_one_after_the_other() {
        let keys = [
            StateKey::public("", "z"),
            StateKey::public("cc", ""),
            StateKey::public("cc", "\u{10ffff}"),
            StateKey::end_of("cc"),
            StateKey::hashed("cc", "c", &[255; 32]),
            StateKey::private("cc", "c", "k"),
            StateKey::public("cc-2", "k"),
            StateKey::end(),
            StateKey::internal(b'a', &[b"x"]),
        ];
        assert!(keys.is_sorted());
    }
}
