//! What a module must look like before anyone spends time on compiling it.

use bytes::Bytes;
use wasmparser::{FunctionBody, Operator, Parser, Payload};

use super::Config;
use crate::error::{Error, Limit};

/// Elements of a table, at the start and ever.
pub(super) const TABLE_ELEMENTS_MAX: u64 = 20_000;
/// Local variables of one function.
const LOCALS_MAX: u64 = 4_000;
/// Blocks inside each other in one function.
const NESTING_MAX: u64 = 2_000;
/// Imports, and exports, of one module.
const ITEMS_MAX: u64 = 1_000;
/// Where components may import from.
const IMPORTS: &str = "gauze:chaincode/";
/// The custom section with the interface description.
const INTERFACE: &str = "gauze:contract";

/// Checks a component's sizes and imports; returns the interface description inside of it.
pub(super) fn component(bytes: &Bytes, config: &Config) -> Result<Option<Bytes>, Error> {
    at_most(bytes.len() as u64, "module_bytes_max", config.module_bytes_max)?;
    if !Parser::is_component(bytes) {
        return Err(Error::Module("not a WebAssembly component".to_owned()));
    }
    let mut checker = Checker { config, interface: None, functions: 0, nested: 0 };
    for payload in Parser::new(0).parse_all(bytes) {
        checker.payload(&payload.map_err(malformed)?)?;
    }
    Ok(checker.interface)
}

struct Checker<'a> {
    config: &'a Config,
    interface: Option<Bytes>,
    functions: u64,
    /// How deep inside nested modules the parser is.
    nested: u32,
}

impl Checker<'_> {
    fn payload(&mut self, payload: &Payload<'_>) -> Result<(), Error> {
        match payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => self.nested += 1,
            Payload::End(_) => self.nested = self.nested.saturating_sub(1),
            Payload::ComponentImportSection(imports) if self.nested == 0 => {
                for import in imports.clone() {
                    let name = import.map_err(malformed)?.name.name;
                    if !name.starts_with(IMPORTS) {
                        return Err(Error::Module(format!(
                            "it imports {name}; chaincode may import {IMPORTS}* only"
                        )));
                    }
                }
            }
            Payload::ImportSection(imports) => items(imports.count(), "imports")?,
            Payload::ExportSection(exports) => items(exports.count(), "exports")?,
            Payload::FunctionSection(functions) => {
                self.functions += u64::from(functions.count());
                at_most(self.functions, "functions_max", self.config.functions_max)?;
            }
            Payload::MemorySection(memories) => {
                for memory in memories.clone() {
                    let bytes = memory.map_err(malformed)?.initial.saturating_mul(64 << 10);
                    at_most(bytes, "memory_bytes_max", self.config.memory_bytes_max)?;
                }
            }
            Payload::TableSection(tables) => {
                for table in tables.clone() {
                    let initial = table.map_err(malformed)?.ty.initial;
                    few(initial, TABLE_ELEMENTS_MAX, "table elements")?;
                }
            }
            Payload::CodeSectionEntry(body) => self.function(body)?,
            Payload::CustomSection(section) if section.name() == INTERFACE => {
                self.interface = Some(Bytes::copy_from_slice(section.data()));
            }
            _ => {}
        }
        Ok(())
    }

    fn function(&self, body: &FunctionBody<'_>) -> Result<(), Error> {
        let range = body.range();
        let size = range.end.saturating_sub(range.start);
        at_most(size, "function_bytes_max", self.config.function_bytes_max)?;
        let mut locals = 0;
        for group in body.get_locals_reader().map_err(malformed)? {
            locals += u64::from(group.map_err(malformed)?.0);
            few(locals, LOCALS_MAX, "local variables in a function")?;
        }
        let mut nesting = 0_u64;
        for operator in body.get_operators_reader().map_err(malformed)? {
            match operator.map_err(malformed)? {
                Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => {
                    nesting += 1;
                }
                Operator::End => nesting = nesting.saturating_sub(1),
                _ => {}
            }
            few(nesting, NESTING_MAX, "nested blocks in a function")?;
        }
        Ok(())
    }
}

fn items(count: u32, what: &str) -> Result<(), Error> {
    few(u64::from(count), ITEMS_MAX, what)
}

fn few(count: u64, max: u64, what: &str) -> Result<(), Error> {
    if count <= max {
        return Ok(());
    }
    Err(Error::Module(format!("{count} {what} exceed the maximum of {max}")))
}

fn at_most(size: u64, name: &'static str, value: u64) -> Result<(), Error> {
    if size <= value { Ok(()) } else { Err(Error::Limit(Limit { name, value })) }
}

fn malformed(e: wasmparser::BinaryReaderError) -> Error {
    Error::Module(e.to_string())
}
