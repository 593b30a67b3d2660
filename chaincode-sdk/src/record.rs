//! Records: values that know their key.

use std::fmt;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::composite;
use crate::error::{Error, Result};
use crate::host::{Host, Span};
use crate::range::{Entries, Records};

/// A value kept as JSON under a key made of its own fields. Derive it:
///
/// - `#[record(key = "grant/{patient}/{id}")]` makes the composite key of type `grant` with two
///   attributes; records of one patient can be listed.
/// - `#[record(key = "{id}")]` makes the plain key `id`.
///
/// The derive adds `at(patient, id)`, which makes the key of a record one does not have yet.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a record",
    note = "add `#[derive(Record)]` and `#[record(key = \"type/{{field}}\")]`"
)]
pub trait Record: Serialize + DeserializeOwned {
    /// The composite key's type; `None` for plain keys.
    const OBJECT_TYPE: Option<&'static str>;

    /// The key of this record.
    fn key(&self) -> Key<Self>;

    /// All records of this type.
    fn all() -> Prefix<Self> {
        Prefix { attributes: Vec::new(), start: String::new(), end: String::new(), r: PhantomData }
    }

    /// Reads a stored value.
    fn decode(key: &str, value: &[u8]) -> Result<Self> {
        serde_json::from_slice(value)
            .map_err(|e| Error::new(Error::CORRUPT, format!("value of {}: {e}", printable(key))))
    }

    /// Writes the value to store.
    fn encode(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|e| Error::plain(format!("encode record: {e}")))
    }
}

/// The key of a record of type `R`. A malformed attribute is an error when the key is used.
pub struct Key<R> {
    key: Result<String>,
    r: PhantomData<fn() -> R>,
}

impl<R: Record> Key<R> {
    /// The key with these attributes; the derived `at` calls it.
    pub fn new(attributes: &[String]) -> Self {
        let key = match (R::OBJECT_TYPE, attributes) {
            (Some(object_type), _) => composite::create(object_type, attributes),
            (None, [key]) if key.is_empty() => {
                Err(Error::new(Error::INVALID_ARGUMENT, "key must not be empty"))
            }
            (None, [key]) => Ok(key.clone()),
            (None, _) => Err(Error::plain("a plain key is one field")),
        };
        Self { key, r: PhantomData }
    }

    /// The key as it is in the world state.
    pub fn into_string(self) -> Result<String> {
        self.key
    }

    fn get(&self) -> Result<&str> {
        self.key.as_deref().map_err(Clone::clone)
    }
}

impl<R> Clone for Key<R> {
    fn clone(&self) -> Self {
        Self { key: self.key.clone(), r: PhantomData }
    }
}

impl<R> fmt::Debug for Key<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Key").field(&self.key).finish()
    }
}

impl<R> From<&Key<R>> for Key<R> {
    fn from(key: &Key<R>) -> Self {
        key.clone()
    }
}

/// Records of one type whose keys begin alike.
pub struct Prefix<R> {
    attributes: Vec<String>,
    start: String,
    end: String,
    r: PhantomData<fn() -> R>,
}

impl<R> fmt::Debug for Prefix<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Prefix").field(&self.attributes).finish()
    }
}

impl<R: Record> Prefix<R> {
    /// Narrows to records whose next key attribute is this. For composite keys.
    #[must_use]
    pub fn under(mut self, attribute: impl fmt::Display) -> Self {
        self.attributes.push(attribute.to_string());
        self
    }

    /// Narrows to keys in `[start, end)`; empty is open. For plain keys.
    #[must_use]
    pub fn between(mut self, start: impl Into<String>, end: impl Into<String>) -> Self {
        (self.start, self.end) = (start.into(), end.into());
        self
    }

    pub(crate) fn span(&self) -> Result<Span<'_>> {
        let bounded = !(self.start.is_empty() && self.end.is_empty());
        match R::OBJECT_TYPE {
            Some(_) if bounded => Err(Error::plain("`between` needs a record with a plain key")),
            Some(object_type) => Ok(Span::Composite { object_type, attributes: &self.attributes }),
            None if !self.attributes.is_empty() => {
                Err(Error::plain("`under` needs a record with a composite key"))
            }
            None => Ok(Span::Plain { start: &self.start, end: &self.end }),
        }
    }
}

/// The world state or a private collection, with typed access.
#[derive(Clone)]
pub(crate) struct Store<'a> {
    pub(crate) host: &'a dyn Host,
    pub(crate) collection: Option<String>,
}

impl<'a> Store<'a> {
    pub(crate) fn new(host: &'a dyn Host, collection: Option<String>) -> Self {
        Self { host, collection }
    }

    pub(crate) fn find<R: Record>(&self, key: &Key<R>) -> Result<Option<R>> {
        let key = key.get()?;
        let value = self.host.get(self.collection.as_deref(), key)?;
        value.map(|value| R::decode(key, &value)).transpose()
    }

    pub(crate) fn load<R: Record>(&self, key: &Key<R>) -> Result<R> {
        self.find(key)?.ok_or_else(|| missing(key))
    }

    pub(crate) fn exists<R: Record>(&self, key: &Key<R>) -> Result<bool> {
        Ok(self.host.get(self.collection.as_deref(), key.get()?)?.is_some())
    }

    pub(crate) fn list<R: Record>(&self, prefix: &Prefix<R>) -> Result<Records<'a, R>> {
        Entries::open(self.host, self.collection.as_deref(), prefix.span()?).map(Records::new)
    }

    pub(crate) fn insert<R: Record>(&self, record: &R) -> Result<()> {
        let key = record.key();
        if self.exists(&key)? {
            let text = format!("{} already exists", printable(key.get()?));
            return Err(Error::new(Error::ALREADY_EXISTS, text));
        }
        self.save(record)
    }

    pub(crate) fn update<R: Record>(&self, record: &R) -> Result<()> {
        let key = record.key();
        if !self.exists(&key)? {
            return Err(missing(&key));
        }
        self.save(record)
    }

    pub(crate) fn save<R: Record>(&self, record: &R) -> Result<()> {
        let value = record.encode()?;
        Ok(self.host.put(self.collection.as_deref(), record.key().get()?, &value)?)
    }

    pub(crate) fn remove<R: Record>(&self, key: &Key<R>) -> Result<()> {
        if !self.exists(key)? {
            return Err(missing(key));
        }
        Ok(self.host.delete(self.collection.as_deref(), key.get()?)?)
    }
}

fn missing<R: Record>(key: &Key<R>) -> Error {
    let key = key.get().map(printable).unwrap_or_default();
    Error::new(Error::NOT_FOUND, format!("{key} does not exist"))
}

/// A key for people: a composite key with slashes.
fn printable(key: &str) -> String {
    match composite::split(key) {
        Ok((object_type, attributes)) => {
            std::iter::once(object_type).chain(attributes).collect::<Vec<_>>().join("/")
        }
        Err(_) => key.to_owned(),
    }
}
