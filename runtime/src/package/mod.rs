//! Fabric's chaincode package: a gzipped tar of `metadata.json` and `code.tar.gz`.
//!
//! A Wasm package has type `wasm`, and its code archive holds one component below `src/`.
//! Packages come from clients, so reading is bounded: sizes, entry counts, and nothing but regular
//! files. Building is deterministic: the same module and label give the same bytes, hence the same
//! package id at each organization.

mod archive;
mod component;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub use component::encode_component;

/// The package type this crate executes.
pub const WASM: &str = "wasm";
/// Largest package accepted, compressed.
pub const PACKAGE_BYTES_MAX: usize = 64 << 20;
/// Largest file inside a package, and largest sum of its files, uncompressed.
pub const UNPACKED_BYTES_MAX: u64 = 128 << 20;

const METADATA: &str = "metadata.json";
const CODE: &str = "code.tar.gz";
const MODULE: &str = "src/chaincode.wasm";
const METADATA_BYTES_MAX: usize = 64 << 10;

/// Why bytes are not a package, or a package cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Longer than accepted.
    #[error("package of {size} bytes exceeds the maximum of {max}")]
    TooLarge {
        /// What came.
        size: usize,
        /// What is accepted.
        max: usize,
    },
    /// Not a gzipped tar, or one that is cut off.
    #[error("read {archive}")]
    Archive {
        /// Which of the two archives.
        archive: &'static str,
        /// What the reader said.
        #[source]
        source: std::io::Error,
    },
    /// An entry that is no regular file, leaves the archive, or is one too many.
    #[error("{archive} has an unacceptable entry '{path}': {reason}")]
    Entry {
        /// Which of the two archives.
        archive: &'static str,
        /// The entry's path.
        path: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A needed file is not there.
    #[error("{archive} has no {file}")]
    Missing {
        /// Which of the two archives.
        archive: &'static str,
        /// The file.
        file: &'static str,
    },
    /// `metadata.json` is not what it should be.
    #[error("parse metadata.json")]
    Metadata(#[source] serde_json::Error),
    /// The label has characters that file names and ids should not have.
    #[error(
        "invalid label '{0}': labels begin with a letter or digit and contain only letters, \
         digits, '_', '.', '+' and '-'"
    )]
    Label(String),
    /// The package's type needs another runtime.
    #[error("package type is '{0}', not 'wasm'")]
    Type(String),
    /// The core module cannot be made a component.
    #[error("encode component: {0}")]
    Component(String),
}

/// Content of `metadata.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// Where the source was; informative.
    #[serde(default)]
    pub path: String,
    /// Which runtime executes it.
    #[serde(rename = "type")]
    pub kind: String,
    /// The name people give it; first half of the package id.
    pub label: String,
}

/// A package that was read: its metadata, its code archive still closed.
#[derive(Clone, Debug)]
pub struct Package {
    id: String,
    metadata: Metadata,
    code: Bytes,
    bytes: Bytes,
}

impl Package {
    /// Reads the outer archive and checks the label.
    pub fn parse(bytes: impl Into<Bytes>) -> Result<Self, Error> {
        let bytes = bytes.into();
        if bytes.len() > PACKAGE_BYTES_MAX {
            return Err(Error::TooLarge { size: bytes.len(), max: PACKAGE_BYTES_MAX });
        }
        let mut files = archive::read("package", &bytes)?;
        let mut take = |file| files.remove(file).ok_or(Error::Missing { archive: "package", file });
        let metadata = take(METADATA)?;
        let code = Bytes::from(take(CODE)?);
        if metadata.len() > METADATA_BYTES_MAX {
            return Err(Error::TooLarge { size: metadata.len(), max: METADATA_BYTES_MAX });
        }
        let metadata: Metadata = serde_json::from_slice(&metadata).map_err(Error::Metadata)?;
        check_label(&metadata.label)?;
        Ok(Self { id: package_id(&metadata.label, &bytes), metadata, code, bytes })
    }

    /// `label:hex(SHA-256 of the package)`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The label.
    pub fn label(&self) -> &str {
        &self.metadata.label
    }

    /// The package type, such as `wasm`.
    pub fn kind(&self) -> &str {
        &self.metadata.kind
    }

    /// Content of `metadata.json`.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The package exactly as it came.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The component inside the code archive of a Wasm package.
    pub fn module(&self) -> Result<Bytes, Error> {
        if self.metadata.kind != WASM {
            return Err(Error::Type(self.metadata.kind.clone()));
        }
        let files = archive::read(CODE, &self.code)?;
        let mut modules = files.into_iter().filter(|(path, _)| is_module(path));
        let (_, module) = modules.next().ok_or(Error::Missing { archive: CODE, file: MODULE })?;
        match modules.next() {
            None => Ok(Bytes::from(module)),
            Some((path, _)) => Err(Error::Entry { archive: CODE, path, reason: "a second module" }),
        }
    }
}

fn is_module(path: &str) -> bool {
    path.starts_with("src/") && path.ends_with(".wasm")
}

/// The id of a package: its label and the hash of its bytes.
pub fn package_id(label: &str, bytes: &[u8]) -> String {
    format!("{label}:{}", hex::encode(proto::sha256(bytes)))
}

/// Builds a package around a component made by [`encode_component`].
pub fn build(label: &str, component: &[u8]) -> Result<Bytes, Error> {
    check_label(label)?;
    let metadata = Metadata { path: String::new(), kind: WASM.to_owned(), label: label.to_owned() };
    let metadata = serde_json::to_vec(&metadata).map_err(Error::Metadata)?;
    let code = archive::write(CODE, &[(MODULE, component)])?;
    archive::write("package", &[(METADATA, &metadata), (CODE, &code)]).map(Bytes::from)
}

/// From the core module that `cargo build` makes to the package that is installed.
pub fn from_core_module(label: &str, core: &[u8]) -> Result<Bytes, Error> {
    build(label, &encode_component(core)?)
}

/// `^[[:alnum:]][[:alnum:]_.+-]*$`
fn check_label(label: &str) -> Result<(), Error> {
    let bytes = label.as_bytes();
    let ok = bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"_.+-".contains(b));
    if ok { Ok(()) } else { Err(Error::Label(label.to_owned())) }
}

#[cfg(test)]
mod tests;
