//! The contract's interface as Fabric's contract metadata, rendered by the compiler.
//!
//! The JSON goes into the module's custom section [`SECTION`] and answers
//! `org.hyperledger.fabric:GetMetadata`, so that tools learn functions, types and documentation
//! from the package alone.

use crate::schema::{Field, Shape};

/// The custom section with the interface.
pub const SECTION: &str = "gauze:contract";

/// A contract, described.
#[derive(Clone, Copy, Debug)]
pub struct Interface {
    /// The contract's name; callers may prefix functions with it.
    pub name: &'static str,
    /// The contract's version.
    pub version: &'static str,
    /// The doc comment.
    pub doc: &'static str,
    /// The functions.
    pub transactions: &'static [Transaction],
}

/// One function of a contract.
#[derive(Clone, Copy, Debug)]
pub struct Transaction {
    /// The name clients call.
    pub name: &'static str,
    /// The doc comment.
    pub doc: &'static str,
    /// Whether it is meant to be submitted, not only evaluated.
    pub submit: bool,
    /// The parameters in order.
    pub parameters: &'static [Parameter],
    /// The result.
    pub returns: Shape,
}

/// One parameter of a function.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// The name.
    pub name: &'static str,
    /// The shape of its value.
    pub shape: Shape,
}

impl Interface {
    /// How long the JSON is.
    pub const fn json_length(&self) -> usize {
        let mut writer = Writer::<0>::new();
        self.write(&mut writer);
        writer.length
    }

    /// The JSON; `N` is [`json_length`](Self::json_length).
    pub const fn json<const N: usize>(&self) -> [u8; N] {
        let mut writer = Writer::<N>::new();
        self.write(&mut writer);
        writer.bytes
    }

    const fn write<const N: usize>(&self, w: &mut Writer<N>) {
        w.raw(r#"{"$schema":"https://hyperledger.github.io/fabric-chaincode-node/main/api/contract-schema.json","info":"#);
        self.write_info(w);
        w.raw(r#","contracts":{"#);
        w.string(self.name);
        w.raw(r#":{"name":"#);
        w.string(self.name);
        w.raw(r#","contractInstance":{"name":"#);
        w.string(self.name);
        w.raw(r#","default":true},"transactions":["#);
        let mut i = 0;
        while i < self.transactions.len() {
            w.comma(i);
            self.transactions[i].write(w);
            i += 1;
        }
        w.raw(r#"],"info":"#);
        self.write_info(w);
        w.raw(r#"}},"components":{"schemas":{}}}"#);
    }

    const fn write_info<const N: usize>(&self, w: &mut Writer<N>) {
        w.raw(r#"{"title":"#);
        w.string(self.name);
        w.raw(r#","version":"#);
        w.string(self.version);
        w.description(self.doc);
        w.raw("}");
    }
}

impl Transaction {
    const fn write<const N: usize>(&self, w: &mut Writer<N>) {
        w.raw(r#"{"name":"#);
        w.string(self.name);
        w.description(self.doc);
        w.raw(if self.submit {
            r#","tag":["submit","SUBMIT"],"parameters":["#
        } else {
            r#","tag":["evaluate","EVALUATE"],"parameters":["#
        });
        let mut i = 0;
        while i < self.parameters.len() {
            w.comma(i);
            w.raw(r#"{"name":"#);
            w.string(self.parameters[i].name);
            w.raw(r#","schema":"#);
            w.shape(&self.parameters[i].shape);
            w.raw("}");
            i += 1;
        }
        w.raw("]");
        if !matches!(self.returns, Shape::Nothing) {
            w.raw(r#","returns":"#);
            w.shape(&self.returns);
        }
        w.raw("}");
    }
}

/// Writes JSON at compile time: with room for nothing it only counts.
struct Writer<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Writer<N> {
    const fn new() -> Self {
        Self { bytes: [0; N], length: 0 }
    }

    const fn byte(&mut self, byte: u8) {
        if self.length < N {
            self.bytes[self.length] = byte;
        }
        self.length += 1;
    }

    const fn raw(&mut self, text: &str) {
        let bytes = text.as_bytes();
        let mut i = 0;
        while i < bytes.len() {
            self.byte(bytes[i]);
            i += 1;
        }
    }

    const fn comma(&mut self, index: usize) {
        if index > 0 {
            self.byte(b',');
        }
    }

    const fn string(&mut self, text: &str) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let bytes = text.as_bytes();
        self.byte(b'"');
        let mut i = 0;
        while i < bytes.len() {
            match bytes[i] {
                b @ (b'"' | b'\\') => {
                    self.byte(b'\\');
                    self.byte(b);
                }
                b'\n' => self.raw("\\n"),
                b @ 0..0x20 => {
                    self.raw("\\u00");
                    self.byte(HEX[(b >> 4) as usize]);
                    self.byte(HEX[(b & 15) as usize]);
                }
                b => self.byte(b),
            }
            i += 1;
        }
        self.byte(b'"');
    }

    const fn description(&mut self, doc: &str) {
        if !doc.is_empty() {
            self.raw(r#","description":"#);
            self.string(doc);
        }
    }

    const fn shape(&mut self, shape: &Shape) {
        match shape {
            Shape::Nothing | Shape::Any => self.raw("{}"),
            Shape::Boolean => self.raw(r#"{"type":"boolean"}"#),
            Shape::Integer(format) => self.formatted(r#"{"type":"integer","format":"#, format),
            Shape::Number => self.raw(r#"{"type":"number","format":"double"}"#),
            Shape::Text => self.raw(r#"{"type":"string"}"#),
            Shape::Formatted(format) => self.formatted(r#"{"type":"string","format":"#, format),
            Shape::Choice(values) => self.choice(values),
            Shape::Array(items) => self.wrapped(r#"{"type":"array","items":"#, items),
            Shape::Map(values) => {
                self.wrapped(r#"{"type":"object","additionalProperties":"#, values);
            }
            Shape::Optional(inner) => self.shape(inner),
            Shape::Object { name, doc, fields } => self.object(name, doc, fields),
        }
    }

    const fn formatted(&mut self, start: &str, format: &str) {
        self.raw(start);
        self.string(format);
        self.raw("}");
    }

    const fn wrapped(&mut self, start: &str, inner: &Shape) {
        self.raw(start);
        self.shape(inner);
        self.raw("}");
    }

    const fn choice(&mut self, values: &[&str]) {
        self.raw(r#"{"type":"string","enum":["#);
        let mut i = 0;
        while i < values.len() {
            self.comma(i);
            self.string(values[i]);
            i += 1;
        }
        self.raw("]}");
    }

    const fn object(&mut self, name: &str, doc: &str, fields: &[Field]) {
        self.raw(r#"{"type":"object","title":"#);
        self.string(name);
        self.description(doc);
        self.raw(r#","properties":{"#);
        let mut i = 0;
        while i < fields.len() {
            self.comma(i);
            self.string(fields[i].name);
            self.raw(":");
            self.shape(&fields[i].shape);
            i += 1;
        }
        self.raw(r#"},"required":["#);
        let (mut i, mut written) = (0, 0);
        while i < fields.len() {
            if fields[i].required {
                self.comma(written);
                self.string(fields[i].name);
                written += 1;
            }
            i += 1;
        }
        self.raw("]}");
    }
}

/// Bytes of known length as an array; `N` is the length.
pub const fn to_array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(bytes);
    array
}
