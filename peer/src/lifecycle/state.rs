//! How lifecycle records lie in state: one metadata key and one key per field.
//!
//! A record of type `T` called `name` in `namespace` is the key `<namespace>/metadata/<name>`,
//! which lists the type and its fields, and `<namespace>/fields/<name>/<Field>` for each of them.
//! Peers of different organizations compare records by the hashes of these values, so every byte
//! counts. Reads and writes follow Fabric's order of need: a value that stays is not written again.

use bytes::Bytes;
use prost::{Message, Name};
use proto::lifecycle::state_data::Type;
use proto::lifecycle::{StateData, StateMetadata};
use proto::sha256;

use super::Error;

/// The namespace of all lifecycle state.
pub const NAMESPACE: &str = "_lifecycle";
/// The namespace of the old lifecycle, where a chaincode unknown to this one is looked for.
pub const LEGACY: &str = "lscc";
/// Records of definitions and of approvals.
pub const NAMESPACES: &str = "namespaces";
/// Records of what package an organization runs for a definition.
pub const SOURCES: &str = "chaincode-sources";

/// State that can be read.
pub trait Read {
    /// The value of `key`.
    fn get(&mut self, key: &str) -> Result<Option<Bytes>, Error>;
}

/// State that can be read and written.
pub trait Write: Read {
    /// Writes `value` under `key`.
    fn put(&mut self, key: &str, value: Bytes) -> Result<(), Error>;
    /// Deletes `key`.
    fn delete(&mut self, key: &str) -> Result<(), Error>;
}

/// State of which only the hashes of values are known.
pub trait ReadHash {
    /// The hash of the value of `key`.
    fn hash(&mut self, key: &str) -> Result<Option<Bytes>, Error>;
}

/// One record, with its fields in the order of their declaration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The name of its type.
    pub datatype: &'static str,
    /// Field names and encoded `StateData`.
    pub fields: Vec<(&'static str, Bytes)>,
}

impl Record {
    fn metadata(&self) -> Bytes {
        let fields = self.fields.iter().map(|(name, _)| (*name).to_owned()).collect();
        StateMetadata { datatype: self.datatype.to_owned(), fields }.encode_to_vec().into()
    }
}

/// Key of a record's metadata.
pub fn metadata_key(namespace: &str, name: &str) -> String {
    format!("{namespace}/metadata/{name}")
}

/// Key of one field of a record.
pub fn field_key(namespace: &str, name: &str, field: &str) -> String {
    format!("{namespace}/fields/{name}/{field}")
}

/// A number as a field's value.
pub fn number(value: i64) -> Bytes {
    encode(Type::Int64(value))
}

/// A text as a field's value.
pub fn text(value: &str) -> Bytes {
    encode(Type::String(value.to_owned()))
}

/// A message as a field's value; an absent message is empty bytes.
pub fn message(value: Option<&impl Message>) -> Bytes {
    encode(Type::Bytes(value.map(Message::encode_to_vec).unwrap_or_default().into()))
}

fn encode(value: Type) -> Bytes {
    StateData { r#type: Some(value) }.encode_to_vec().into()
}

fn decode(key: &str, value: Bytes) -> Result<Option<Type>, Error> {
    let data: StateData = proto::decode(value)
        .map_err(|_| Error::Corrupt(format!("could not unmarshal state for key {key}")))?;
    Ok(data.r#type)
}

/// The metadata of a record, if there is one.
pub fn read_metadata(
    state: &mut dyn Read,
    namespace: &str,
    name: &str,
) -> Result<Option<StateMetadata>, Error> {
    let key = metadata_key(namespace, name);
    let Some(value) = state.get(&key)? else { return Ok(None) };
    proto::decode(value)
        .map(Some)
        .map_err(|_| Error::Corrupt(format!("could not unmarshal metadata for namespace {key}")))
}

/// A field that is a number; 0 if it is absent.
pub fn read_number(
    state: &mut dyn Read,
    namespace: &str,
    name: &str,
    field: &str,
) -> Result<i64, Error> {
    match read_field(state, namespace, name, field)? {
        None => Ok(0),
        Some(Type::Int64(value)) => Ok(value),
        Some(_) => Err(wrong_type(namespace, name, field)),
    }
}

/// A field that is text; empty if it is absent.
pub fn read_text(
    state: &mut dyn Read,
    namespace: &str,
    name: &str,
    field: &str,
) -> Result<String, Error> {
    match read_field(state, namespace, name, field)? {
        None => Ok(String::new()),
        Some(Type::String(value)) => Ok(value),
        Some(_) => Err(wrong_type(namespace, name, field)),
    }
}

/// A field that is a message; the empty message if it is absent.
pub fn read_message<M: Message + Name + Default>(
    state: &mut dyn Read,
    namespace: &str,
    name: &str,
    field: &str,
) -> Result<M, Error> {
    let bytes = match read_field(state, namespace, name, field)? {
        None => return Ok(M::default()),
        Some(Type::Bytes(value)) => value,
        Some(_) => return Err(wrong_type(namespace, name, field)),
    };
    proto::decode(bytes).map_err(|_| wrong_type(namespace, name, field))
}

/// The number in an encoded field.
pub fn parse_number(value: &Bytes) -> Option<i64> {
    match proto::decode::<StateData>(value.clone()).ok()?.r#type? {
        Type::Int64(number) => Some(number),
        _ => None,
    }
}

fn read_field(
    state: &mut dyn Read,
    namespace: &str,
    name: &str,
    field: &str,
) -> Result<Option<Type>, Error> {
    let key = field_key(namespace, name, field);
    match state.get(&key)? {
        Some(value) => decode(&key, value),
        None => Ok(None),
    }
}

fn wrong_type(namespace: &str, name: &str, field: &str) -> Error {
    Error::Corrupt(format!("unexpected type in {}", field_key(namespace, name, field)))
}

/// Writes a record, as little of it as differs from what is there.
pub fn write(
    state: &mut dyn Write,
    namespace: &str,
    name: &str,
    record: &Record,
) -> Result<(), Error> {
    let old = read_metadata(state, namespace, name)?.unwrap_or_default();
    let mut obsolete = Vec::new();
    let mut present = Vec::new();
    for field in &old.fields {
        let key = field_key(namespace, name, field);
        if let Some(value) = state.get(&key)? {
            present.push((field, value));
        }
        if !record.fields.iter().any(|(kept, _)| kept == field) {
            obsolete.push(key);
        }
    }
    for (field, value) in &record.fields {
        if !present.iter().any(|(name, old)| *name == field && old == value) {
            state.put(&field_key(namespace, name, field), value.clone())?;
        }
    }
    let unchanged = old.datatype == record.datatype && old.fields.len() == record.fields.len();
    if !unchanged || !obsolete.is_empty() {
        state.put(&metadata_key(namespace, name), record.metadata())?;
    }
    obsolete.iter().try_for_each(|key| state.delete(key))
}

/// What differs between `record` and a record known by its hashes: nothing, the name of the type
/// if the metadata differ, or the names of the fields that do.
pub fn mismatches(
    state: &mut dyn ReadHash,
    namespace: &str,
    name: &str,
    record: &Record,
) -> Result<Vec<String>, Error> {
    if !matches(state, &metadata_key(namespace, name), &record.metadata())? {
        return Ok(vec![record.datatype.to_owned()]);
    }
    let mut differing = Vec::new();
    for (field, value) in &record.fields {
        if !matches(state, &field_key(namespace, name, field), value)? {
            differing.push((*field).to_owned());
        }
    }
    Ok(differing)
}

fn matches(state: &mut dyn ReadHash, key: &str, value: &[u8]) -> Result<bool, Error> {
    Ok(state.hash(key)?.is_some_and(|hash| hash.as_ref() == sha256(value)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Default)]
    struct Memory {
        values: BTreeMap<String, Bytes>,
        written: Vec<String>,
    }

    impl Read for Memory {
        fn get(&mut self, key: &str) -> Result<Option<Bytes>, Error> {
            Ok(self.values.get(key).cloned())
        }
    }

    impl Write for Memory {
        fn put(&mut self, key: &str, value: Bytes) -> Result<(), Error> {
            self.written.push(format!("put {key}"));
            self.values.insert(key.to_owned(), value);
            Ok(())
        }

        fn delete(&mut self, key: &str) -> Result<(), Error> {
            self.written.push(format!("delete {key}"));
            self.values.remove(key);
            Ok(())
        }
    }

    impl ReadHash for Memory {
        fn hash(&mut self, key: &str) -> Result<Option<Bytes>, Error> {
            Ok(self.values.get(key).map(|value| Bytes::copy_from_slice(&sha256(value))))
        }
    }

    fn record(fields: &[(&'static str, i64)]) -> Record {
        let fields = fields.iter().map(|(name, value)| (*name, number(*value))).collect();
        Record { datatype: "T", fields }
    }

    #[track_caller]
    fn check(steps: &[&Record], expected_of_last: &[&str]) {
        let mut memory = Memory::default();
        for step in steps {
            memory.written.clear();
            write(&mut memory, "n", "x", step).unwrap();
        }
        assert_eq!(memory.written, expected_of_last);
    }

    #[test]
    fn only_what_changes_is_written() {
        let first = record(&[("A", 1), ("B", 2)]);
        check(&[&first], &["put n/fields/x/A", "put n/fields/x/B", "put n/metadata/x"]);
        check(&[&first, &first], &[]);
        check(&[&first, &record(&[("A", 1), ("B", 3)])], &["put n/fields/x/B"]);
        check(&[&first, &record(&[("A", 1)])], &["put n/metadata/x", "delete n/fields/x/B"]);
        let other = record(&[("A", 1), ("C", 3)]);
        check(&[&first, &other], &["put n/fields/x/C", "put n/metadata/x", "delete n/fields/x/B"]);
    }

    #[test]
    fn records_are_compared_by_hash() {
        let mut memory = Memory::default();
        let first = record(&[("A", 1), ("B", 2)]);
        assert_eq!(mismatches(&mut memory, "n", "x", &first).unwrap(), ["T"]);
        write(&mut memory, "n", "x", &first).unwrap();
        assert!(mismatches(&mut memory, "n", "x", &first).unwrap().is_empty());
        let second = record(&[("A", 1), ("B", 3)]);
        assert_eq!(mismatches(&mut memory, "n", "x", &second).unwrap(), ["B"]);
    }

    #[test]
    fn values_are_those_of_fabric() {
        assert_eq!(hex::encode(number(1)), "0801");
        assert_eq!(hex::encode(text("")), "1a00");
        assert_eq!(hex::encode(message(None::<&StateMetadata>)), "1200");
        assert_eq!(hex::encode(message(Some(&StateMetadata::default()))), "1200");
    }
}
