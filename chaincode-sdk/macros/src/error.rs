//! `#[derive(ContractError)]`

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::parse::{Parse, ParseStream};
use syn::{Data, DeriveInput, Fields, Ident, LitInt, LitStr, Token, Variant};

/// `"CODE", "text {field}", status = 404`
struct Code {
    code: LitStr,
    text: Option<LitStr>,
    status: Option<LitInt>,
}

impl Parse for Code {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut parsed = Self { code: input.parse()?, text: None, status: None };
        while input.parse::<Option<Token![,]>>()?.is_some() && !input.is_empty() {
            if input.peek(LitStr) {
                parsed.text = Some(input.parse()?);
            } else {
                let name: Ident = input.parse()?;
                if name != "status" {
                    return Err(syn::Error::new_spanned(name, "expected `status = …`"));
                }
                input.parse::<Token![=]>()?;
                parsed.status = Some(input.parse()?);
            }
        }
        Ok(parsed)
    }
}

pub(crate) fn expand(item: TokenStream) -> syn::Result<TokenStream> {
    let item: DeriveInput = syn::parse2(item)?;
    let Data::Enum(data) = &item.data else {
        return Err(syn::Error::new_spanned(&item, "ContractError is derived for enums"));
    };
    let arms =
        data.variants.iter().map(|v| arm(&item.ident, v)).collect::<syn::Result<Vec<_>>>()?;
    let (ident, (generics, arguments, bounds)) = (&item.ident, item.generics.split_for_impl());
    Ok(quote! {
        impl #generics ::core::convert::From<#ident #arguments> for ::gauze_chaincode::Error
        #bounds {
            fn from(error: #ident #arguments) -> Self {
                match error { #(#arms)* }
            }
        }
    })
}

fn arm(error: &Ident, variant: &Variant) -> syn::Result<TokenStream> {
    let code = variant
        .attrs
        .iter()
        .find(|attribute| attribute.path().is_ident("code"))
        .ok_or_else(|| syn::Error::new_spanned(variant, "add #[code(\"CODE\", \"text\")]"))?
        .parse_args::<Code>()?;
    let ident = &variant.ident;
    let (pattern, bound): (TokenStream, Vec<Ident>) = match &variant.fields {
        Fields::Unit => (quote!(#ident), Vec::new()),
        Fields::Named(fields) => {
            let names: Vec<_> = fields.named.iter().filter_map(|f| f.ident.clone()).collect();
            (quote!(#ident { #(#names),* }), names)
        }
        Fields::Unnamed(fields) => {
            let names: Vec<_> = (0..fields.unnamed.len()).map(|i| format_ident!("_{i}")).collect();
            (quote!(#ident(#(#names),*)), names)
        }
    };
    let text = match &code.text {
        Some(text) => LitStr::new(&positional(&text.value(), bound.len()), text.span()),
        None => LitStr::new(&spaced(&ident.to_string()), ident.span()),
    };
    let status = match &code.status {
        Some(status) => quote!(#status),
        None => quote!(500),
    };
    let code = &code.code;
    Ok(quote! {
        #[allow(clippy::useless_format, clippy::uninlined_format_args, reason = "generated")]
        #error::#pattern => {
            #(let _ = &#bound;)*
            ::gauze_chaincode::Error::new(#code, ::std::format!(#text)).with_status(#status)
        }
    })
}

/// `{0}` → `{_0}`, so that fields of tuple variants are captured by name.
fn positional(text: &str, fields: usize) -> String {
    (0..fields).fold(text.to_owned(), |text, i| {
        text.replace(&format!("{{{i}}}"), &format!("{{_{i}}}"))
            .replace(&format!("{{{i}:"), &format!("{{_{i}:"))
    })
}

/// `NotOwner` → `not owner`.
fn spaced(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push(' ');
        }
        text.extend(letter.to_lowercase());
    }
    text
}
