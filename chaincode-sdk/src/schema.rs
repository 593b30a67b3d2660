//! The shape of arguments and results, known at compile time.
//!
//! A shape is a constant tree, so that the whole interface of a contract can be rendered to JSON
//! by the compiler and placed into a custom section of the module.

use std::collections::{BTreeMap, BTreeSet};

/// A type whose shape can be told to clients. Derive it for structs and enums.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be described in the contract's interface",
    note = "add `#[derive(Schema)]` to it"
)]
pub trait Schema {
    /// The shape.
    const SHAPE: Shape;
}

/// A JSON schema, as far as contracts need one.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// No value.
    Nothing,
    /// Any JSON.
    Any,
    /// `true` or `false`.
    Boolean,
    /// A whole number; the format names its width.
    Integer(&'static str),
    /// A number.
    Number,
    /// A string.
    Text,
    /// A string with a format, such as `date-time`.
    Formatted(&'static str),
    /// One of some strings.
    Choice(&'static [&'static str]),
    /// A list.
    Array(&'static Shape),
    /// An object with any names.
    Map(&'static Shape),
    /// A value that may be absent.
    Optional(&'static Shape),
    /// A struct.
    Object {
        /// The type's name.
        name: &'static str,
        /// Its doc comment.
        doc: &'static str,
        /// Its fields.
        fields: &'static [Field],
    },
}

/// One field of an object.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The name in JSON.
    pub name: &'static str,
    /// The doc comment.
    pub doc: &'static str,
    /// The value's shape.
    pub shape: Shape,
    /// Whether it must be there.
    pub required: bool,
}

impl Shape {
    /// Whether values travel as bare text instead of JSON.
    pub const fn is_text(&self) -> bool {
        match self {
            Self::Text | Self::Formatted(_) | Self::Choice(_) => true,
            Self::Optional(inner) => inner.is_text(),
            _ => false,
        }
    }

    /// Whether the value may be absent.
    pub const fn is_optional(&self) -> bool {
        matches!(self, Self::Optional(_))
    }

    /// The JSON type's name, for error texts.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Any => "JSON",
            Self::Boolean => "boolean",
            Self::Integer(_) => "integer",
            Self::Number => "number",
            Self::Text | Self::Formatted(_) | Self::Choice(_) => "string",
            Self::Array(_) => "array",
            Self::Map(_) => "object",
            Self::Optional(inner) => inner.name(),
            Self::Object { name, .. } => name,
        }
    }
}

macro_rules! shapes {
    ($($type:ty => $shape:expr),* $(,)?) => {
        $(impl Schema for $type {
            const SHAPE: Shape = $shape;
        })*
    };
}

shapes! {
    () => Shape::Nothing,
    bool => Shape::Boolean,
    char => Shape::Text,
    str => Shape::Text,
    String => Shape::Text,
    i8 => Shape::Integer("int8"),
    i16 => Shape::Integer("int16"),
    i32 => Shape::Integer("int32"),
    i64 => Shape::Integer("int64"),
    u8 => Shape::Integer("uint8"),
    u16 => Shape::Integer("uint16"),
    u32 => Shape::Integer("uint32"),
    u64 => Shape::Integer("uint64"),
    usize => Shape::Integer("uint64"),
    f32 => Shape::Number,
    f64 => Shape::Number,
    serde_json::Value => Shape::Any,
    serde_json::Map<String, serde_json::Value> => Shape::Map(&Shape::Any),
}

impl<T: Schema> Schema for Option<T> {
    const SHAPE: Shape = Shape::Optional(&T::SHAPE);
}

impl<T: Schema> Schema for Vec<T> {
    const SHAPE: Shape = Shape::Array(&T::SHAPE);
}

impl<T: Schema> Schema for [T] {
    const SHAPE: Shape = Shape::Array(&T::SHAPE);
}

impl<T: Schema> Schema for BTreeSet<T> {
    const SHAPE: Shape = Shape::Array(&T::SHAPE);
}

impl<T: Schema> Schema for BTreeMap<String, T> {
    const SHAPE: Shape = Shape::Map(&T::SHAPE);
}

impl<T: Schema + ?Sized> Schema for &T {
    const SHAPE: Shape = T::SHAPE;
}

impl<T: Schema + ?Sized> Schema for Box<T> {
    const SHAPE: Shape = T::SHAPE;
}
