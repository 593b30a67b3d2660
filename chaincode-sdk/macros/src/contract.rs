//! `#[contract(name = "…", version = "…")]`

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::Parser;
use syn::{ItemStruct, LitStr};

use crate::doc;

pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let item: ItemStruct = syn::parse2(item)?;
    let (mut name, mut version) = (None, None);
    syn::meta::parser(|meta| {
        let slot = match () {
            () if meta.path.is_ident("name") => &mut name,
            () if meta.path.is_ident("version") => &mut version,
            () => return Err(meta.error("expected `name` or `version`")),
        };
        *slot = Some(meta.value()?.parse::<LitStr>()?);
        Ok(())
    })
    .parse2(arguments)?;
    let missing = |what| syn::Error::new_spanned(&item.ident, what);
    let name = name.ok_or_else(|| missing("add `name = \"…\"` to #[contract]"))?;
    let version = match version {
        Some(version) => quote!(#version),
        None => quote!(::core::env!("CARGO_PKG_VERSION")),
    };
    let (ident, doc) = (&item.ident, doc::text(&item.attrs));
    Ok(quote! {
        #item

        impl ::gauze_chaincode::contract::Named for #ident {
            const NAME: &'static str = #name;
            const VERSION: &'static str = #version;
            const DOC: &'static str = #doc;
        }
    })
}
