//! `#[transactions] impl Contract { … }`

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Attribute, FnArg, Ident, ImplItem, ImplItemFn, ItemImpl, LitStr, Pat, ReturnType, Type};

use crate::doc;

/// One function clients can call.
struct Transaction {
    ident: Ident,
    name: String,
    doc: String,
    submit: bool,
    parameters: Vec<Parameter>,
    returns: Type,
}

struct Parameter {
    name: String,
    /// The owned type that is parsed.
    owned: TokenStream,
    /// Whether the function takes a reference to it.
    borrowed: bool,
}

pub(crate) fn expand(item: TokenStream) -> syn::Result<TokenStream> {
    let mut item: ItemImpl = syn::parse2(item)?;
    let mut transactions = Vec::new();
    for member in &mut item.items {
        if let ImplItem::Fn(function) = member
            && let Some((submit, name)) = take_mark(&mut function.attrs)?
        {
            transactions.push(read(function, submit, name)?);
        }
    }
    check_names(&transactions)?;
    let contract = &item.self_ty;
    let descriptions = transactions.iter().map(describe);
    let calls = transactions.iter().map(|t| call(contract, t));
    Ok(quote! {
        #item

        impl ::gauze_chaincode::Contract for #contract {
            const INTERFACE: ::gauze_chaincode::interface::Interface =
                ::gauze_chaincode::interface::Interface {
                    name: <Self as ::gauze_chaincode::contract::Named>::NAME,
                    version: <Self as ::gauze_chaincode::contract::Named>::VERSION,
                    doc: <Self as ::gauze_chaincode::contract::Named>::DOC,
                    transactions: &[#(#descriptions),*],
                };
            const INTERFACE_JSON: &'static [u8] = {
                const LENGTH: usize =
                    <#contract as ::gauze_chaincode::Contract>::INTERFACE.json_length();
                const JSON: [u8; LENGTH] =
                    <#contract as ::gauze_chaincode::Contract>::INTERFACE.json();
                &JSON
            };

            fn call(
                tx: &mut ::gauze_chaincode::Tx<'_>,
                function: &str,
                arguments: &[::std::vec::Vec<u8>],
            ) -> ::core::option::Option<::gauze_chaincode::Result<::std::vec::Vec<u8>>> {
                #(#calls)*
                ::core::option::Option::None
            }
        }

        #[cfg(target_arch = "wasm32")]
        ::gauze_chaincode::export_chaincode!(#contract);
    })
}

/// Removes `#[submit]` or `#[evaluate]`; tells whether to submit, and the name if one is given.
fn take_mark(attributes: &mut Vec<Attribute>) -> syn::Result<Option<(bool, Option<LitStr>)>> {
    let is_mark = |a: &Attribute| a.path().is_ident("submit") || a.path().is_ident("evaluate");
    let Some(index) = attributes.iter().position(is_mark) else { return Ok(None) };
    let mark = attributes.remove(index);
    if let Some(second) = attributes.iter().find(|a| is_mark(a)) {
        return Err(syn::Error::new_spanned(second, "a transaction has one mark"));
    }
    let mut name = None;
    if !matches!(mark.meta, syn::Meta::Path(_)) {
        mark.parse_nested_meta(|meta| {
            if !meta.path.is_ident("name") {
                return Err(meta.error("expected `name = \"…\"`"));
            }
            name = Some(meta.value()?.parse::<LitStr>()?);
            Ok(())
        })?;
    }
    Ok(Some((mark.path().is_ident("submit"), name)))
}

fn read(function: &ImplItemFn, submit: bool, name: Option<LitStr>) -> syn::Result<Transaction> {
    let signature = &function.sig;
    let mut inputs = signature.inputs.iter();
    check_tx(signature, inputs.next(), submit)?;
    let parameters = inputs.map(parameter).collect::<syn::Result<_>>()?;
    let returns = match &signature.output {
        ReturnType::Type(_, returns) => returns.as_ref().clone(),
        ReturnType::Default => {
            return Err(syn::Error::new_spanned(signature, "a transaction returns `Result<T>`"));
        }
    };
    let rust_name = signature.ident.to_string();
    Ok(Transaction {
        ident: signature.ident.clone(),
        name: name.map_or_else(|| pascal_case(&rust_name), |name| name.value()),
        doc: doc::text(&function.attrs),
        submit,
        parameters,
        returns,
    })
}

/// The first parameter is the transaction, mutable only where it is submitted.
fn check_tx(signature: &syn::Signature, first: Option<&FnArg>, submit: bool) -> syn::Result<()> {
    let wanted = if submit { "`tx: &mut Tx`" } else { "`tx: &Tx`: it cannot write" };
    let fits = match first {
        Some(FnArg::Typed(typed)) => match typed.ty.as_ref() {
            Type::Reference(reference) => submit || reference.mutability.is_none(),
            _ => false,
        },
        _ => false,
    };
    if fits {
        return Ok(());
    }
    let text = format!("the first parameter of this transaction is {wanted}");
    Err(first.map_or_else(
        || syn::Error::new_spanned(signature, &text),
        |first| syn::Error::new_spanned(first, &text),
    ))
}

fn parameter(input: &FnArg) -> syn::Result<Parameter> {
    let FnArg::Typed(typed) = input else {
        return Err(syn::Error::new_spanned(input, "a transaction has no `self`"));
    };
    let Pat::Ident(pattern) = typed.pat.as_ref() else {
        return Err(syn::Error::new_spanned(&typed.pat, "a parameter has a plain name"));
    };
    let name = pattern.ident.to_string().trim_start_matches('_').to_owned();
    let (owned, borrowed) = match typed.ty.as_ref() {
        Type::Reference(reference) => match reference.elem.as_ref() {
            Type::Path(path) if path.path.is_ident("str") => (quote!(::std::string::String), true),
            Type::Slice(slice) => {
                let element = &slice.elem;
                (quote!(::std::vec::Vec<#element>), true)
            }
            other => (quote!(#other), true),
        },
        other => (quote!(#other), false),
    };
    Ok(Parameter { name, owned, borrowed })
}

fn check_names(transactions: &[Transaction]) -> syn::Result<()> {
    for (i, t) in transactions.iter().enumerate() {
        if transactions[..i].iter().any(|earlier| earlier.name == t.name) {
            let text = format!("another transaction is called {}", t.name);
            return Err(syn::Error::new_spanned(&t.ident, text));
        }
    }
    Ok(())
}

fn describe(t: &Transaction) -> TokenStream {
    let Transaction { name, doc, submit, returns, .. } = t;
    let parameters = t.parameters.iter().map(|Parameter { name, owned, .. }| {
        quote! {
            ::gauze_chaincode::interface::Parameter {
                name: #name,
                shape: <#owned as ::gauze_chaincode::argument::Argument>::SHAPE,
            }
        }
    });
    quote! {
        ::gauze_chaincode::interface::Transaction {
            name: #name,
            doc: #doc,
            submit: #submit,
            parameters: &[#(#parameters),*],
            returns: <#returns as ::gauze_chaincode::argument::Returns>::SHAPE,
        }
    }
}

fn call(contract: &Type, t: &Transaction) -> TokenStream {
    let Transaction { ident, name, parameters, .. } = t;
    let count = parameters.len();
    let variables: Vec<Ident> = (0..count).map(|i| format_ident!("argument_{i}")).collect();
    let parse = variables.iter().zip(parameters).enumerate().map(|(index, (variable, p))| {
        let Parameter { name, owned, .. } = p;
        quote!(let #variable: #owned =
            ::gauze_chaincode::argument::parse(arguments, #index, #name)?;)
    });
    let pass = variables.iter().zip(parameters).map(|(variable, p)| match p.borrowed {
        true => quote!(&#variable),
        false => quote!(#variable),
    });
    let tx = if t.submit { quote!(tx) } else { quote!(&*tx) };
    quote! {
        if function == #name {
            return ::core::option::Option::Some((move || {
                ::gauze_chaincode::argument::count(arguments, #count)?;
                #(#parse)*
                ::gauze_chaincode::argument::Returns::finish(
                    <#contract>::#ident(#tx, #(#pass),*)
                )
            })());
        }
    }
}

/// `register_patient` → `RegisterPatient`.
fn pascal_case(name: &str) -> String {
    let mut pascal = String::new();
    for word in name.trim_start_matches("r#").split('_') {
        let mut letters = word.chars();
        pascal.extend(letters.next().into_iter().flat_map(char::to_uppercase));
        pascal.push_str(letters.as_str());
    }
    pascal
}
