//! Between bytes on the wire and Rust values, by the conventions of Fabric's contract API:
//! strings travel bare, everything else as JSON, nothing as nothing.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::schema::{Schema, Shape};

/// Bytes as they are: an argument or a result without any encoding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Raw(pub Vec<u8>);

/// A type a parameter can have. Implemented for what is `Deserialize` and [`Schema`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a transaction's parameter",
    note = "a parameter derives `Deserialize` and `Schema`, or is `Raw`"
)]
pub trait Argument: Sized {
    /// The shape told to clients.
    const SHAPE: Shape;

    /// Reads one argument.
    fn parse(bytes: &[u8]) -> Result<Self, String>;
}

impl<T: DeserializeOwned + Schema> Argument for T {
    const SHAPE: Shape = T::SHAPE;

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let parsed = if T::SHAPE.is_optional() && bytes.is_empty() {
            serde_json::from_value(Value::Null)
        } else if T::SHAPE.is_text() {
            let text = std::str::from_utf8(bytes).map_err(|e| e.to_string())?;
            serde_json::from_value(Value::String(text.to_owned()))
        } else {
            serde_json::from_slice(bytes)
        };
        parsed.map_err(|e| e.to_string())
    }
}

impl Argument for Raw {
    const SHAPE: Shape = Shape::Formatted("binary");

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        Ok(Self(bytes.to_vec()))
    }
}

/// A type a transaction can return. Implemented for what is `Serialize` and [`Schema`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a transaction's result",
    note = "a result derives `Serialize` and `Schema`, or is `Raw`"
)]
pub trait Output {
    /// The shape told to clients.
    const SHAPE: Shape;

    /// The response's payload.
    fn payload(self) -> Result<Vec<u8>>;
}

impl<T: Serialize + Schema> Output for T {
    const SHAPE: Shape = T::SHAPE;

    fn payload(self) -> Result<Vec<u8>> {
        let failed = |e: serde_json::Error| Error::plain(format!("encode result: {e}"));
        if !(T::SHAPE.is_text() || T::SHAPE.is_optional() || matches!(T::SHAPE, Shape::Nothing)) {
            return serde_json::to_vec(&self).map_err(failed);
        }
        match serde_json::to_value(&self).map_err(failed)? {
            Value::Null => Ok(Vec::new()),
            Value::String(text) if T::SHAPE.is_text() => Ok(text.into_bytes()),
            value => serde_json::to_vec(&value).map_err(failed),
        }
    }
}

impl Output for Raw {
    const SHAPE: Shape = Shape::Formatted("binary");

    fn payload(self) -> Result<Vec<u8>> {
        Ok(self.0)
    }
}

/// What a transaction returns as a whole: `Result` of an [`Output`].
#[diagnostic::on_unimplemented(
    message = "a transaction returns `Result<T>`, not `{Self}`",
    note = "the error type converts into `gauze_chaincode::Error`"
)]
pub trait Returns {
    /// The shape of the value on success.
    const SHAPE: Shape;

    /// The payload or the error.
    fn finish(self) -> Result<Vec<u8>>;
}

impl<T: Output, E: Into<Error>> Returns for Result<T, E> {
    const SHAPE: Shape = T::SHAPE;

    fn finish(self) -> Result<Vec<u8>> {
        self.map_err(Into::into)?.payload()
    }
}

/// Checks how many arguments came; called by the code `#[transactions]` writes.
pub fn count(arguments: &[Vec<u8>], expected: usize) -> Result<()> {
    let supplied = arguments.len();
    if supplied == expected {
        return Ok(());
    }
    Err(Error::plain(format!("Expected {expected} parameters, but {supplied} have been supplied")))
}

/// Reads the argument for a parameter; called by the code `#[transactions]` writes.
pub fn parse<T: Argument>(arguments: &[Vec<u8>], index: usize, name: &str) -> Result<T> {
    let bytes = arguments.get(index).map_or(&[][..], Vec::as_slice);
    T::parse(bytes).map_err(|cause| {
        Error::new(
            Error::INVALID_ARGUMENT,
            format!("parameter '{name}' is not a valid {}: {cause}", T::SHAPE.name()),
        )
    })
}
