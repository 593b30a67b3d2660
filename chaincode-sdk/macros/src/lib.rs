//! The attributes and derives of `gauze_chaincode`. Each is documented where that crate
//! re-exports it.

#![forbid(unsafe_code)]

mod contract;
mod doc;
mod error;
mod record;
mod schema;
mod transactions;

use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;

/// Names a contract: `#[contract(name = "consent", version = "1.0.0")]` on a unit struct. Its doc
/// comment becomes part of the interface.
#[proc_macro_attribute]
pub fn contract(arguments: TokenStream, item: TokenStream) -> TokenStream {
    finish(contract::expand(arguments.into(), item.into()))
}

/// Makes the marked functions of an `impl` block the contract's transactions.
///
/// `#[submit]` functions take `tx: &mut Tx`, `#[evaluate]` functions `tx: &Tx`; both then take
/// typed parameters and return `Result<T>`. Clients call `register_patient` as `RegisterPatient`,
/// or by the name given in `#[submit(name = "…")]`. Functions without a mark stay what they are.
/// For WebAssembly this also writes the component's export.
#[proc_macro_attribute]
pub fn transactions(_: TokenStream, item: TokenStream) -> TokenStream {
    finish(transactions::expand(item.into()))
}

/// Makes an enum of errors convert into `gauze_chaincode::Error`.
///
/// Each variant has `#[code("NOT_OWNER", "{patient} is not yours")]`: the stable code, then the
/// text with the variant's fields (`{0}` for tuple variants). The text may be left out, a status
/// other than 500 may follow: `#[code("GONE", "no {0}", status = 404)]`.
#[proc_macro_derive(ContractError, attributes(code))]
pub fn contract_error(item: TokenStream) -> TokenStream {
    finish(error::expand(item.into()))
}

/// Makes a struct a record: `#[record(key = "grant/{patient}/{id}")]` or `#[record(key = "{id}")]`.
#[proc_macro_derive(Record, attributes(record))]
pub fn record(item: TokenStream) -> TokenStream {
    finish(record::expand(item.into()))
}

/// Describes a struct or an enum in the contract's interface, as serde writes it.
///
/// `#[serde(rename, rename_all, default, skip, skip_serializing_if, transparent, flatten)]` are
/// understood. `#[schema(any)]` on a type or a field says "some JSON", which recursive types need.
#[proc_macro_derive(Schema, attributes(schema, serde))]
pub fn schema(item: TokenStream) -> TokenStream {
    finish(schema::expand(item.into()))
}

fn finish(expanded: syn::Result<Tokens>) -> TokenStream {
    expanded.unwrap_or_else(syn::Error::into_compile_error).into()
}
