//! `#[derive(Record)] #[record(key = "type/{field}/{field}")]`

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Data, DeriveInput, Fields, Ident, LitStr};

pub(crate) fn expand(item: TokenStream) -> syn::Result<TokenStream> {
    let item: DeriveInput = syn::parse2(item)?;
    let key = template(&item)?;
    let (object_type, fields) = read(&key)?;
    check_fields(&item, &key, &fields)?;
    let object_type = match object_type {
        Some(name) => quote!(::core::option::Option::Some(#name)),
        None => quote!(::core::option::Option::None),
    };
    let (ident, visibility) = (&item.ident, &item.vis);
    let parameters: Vec<Ident> =
        fields.iter().map(|f| format_ident!("{}", f.to_string().to_lowercase())).collect();
    Ok(quote! {
        impl ::gauze_chaincode::Record for #ident {
            const OBJECT_TYPE: ::core::option::Option<&'static str> = #object_type;

            fn key(&self) -> ::gauze_chaincode::Key<Self> {
                #ident::at(#(&self.#fields),*)
            }
        }

        #[allow(dead_code, reason = "not every record is looked up by its key")]
        impl #ident {
            /// The key of the record with these fields.
            #visibility fn at(
                #(#parameters: impl ::core::fmt::Display),*
            ) -> ::gauze_chaincode::Key<Self> {
                ::gauze_chaincode::Key::new(
                    &[#(::std::string::ToString::to_string(&#parameters)),*]
                )
            }
        }
    })
}

fn template(item: &DeriveInput) -> syn::Result<LitStr> {
    let mut key = None;
    for attribute in item.attrs.iter().filter(|a| a.path().is_ident("record")) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("key") {
                return Err(meta.error("expected `key = \"type/{field}\"`"));
            }
            key = Some(meta.value()?.parse::<LitStr>()?);
            Ok(())
        })?;
    }
    key.ok_or_else(|| syn::Error::new_spanned(&item.ident, "add #[record(key = \"type/{field}\")]"))
}

/// The type (none for a plain key) and the fields of a template.
fn read(key: &LitStr) -> syn::Result<(Option<String>, Vec<Ident>)> {
    let wrong = |text: &str| syn::Error::new(key.span(), text);
    let text = key.value();
    let field = |part: &str| {
        let name = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'))?;
        syn::parse_str::<Ident>(name).ok().map(|name| Ident::new(&name.to_string(), key.span()))
    };
    let mut parts = text.split('/');
    let first = parts.next().unwrap_or_default();
    if let Some(only) = field(first) {
        return match parts.next() {
            None => Ok((None, vec![only])),
            Some(_) => Err(wrong("a composite key begins with a type: \"type/{field}/{field}\"")),
        };
    }
    if first.is_empty() || first.contains(['{', '}']) {
        return Err(wrong("a key is \"{field}\" or \"type/{field}/{field}\""));
    }
    let fields = parts
        .map(|part| field(part).ok_or_else(|| wrong("after the type come fields: \"/{field}\"")))
        .collect::<syn::Result<_>>()?;
    Ok((Some(first.to_owned()), fields))
}

fn check_fields(item: &DeriveInput, key: &LitStr, fields: &[Ident]) -> syn::Result<()> {
    let Data::Struct(data) = &item.data else {
        return Err(syn::Error::new_spanned(&item.ident, "a record is a struct"));
    };
    let Fields::Named(named) = &data.fields else {
        return Err(syn::Error::new_spanned(&item.ident, "a record has named fields"));
    };
    for field in fields {
        if !named.named.iter().any(|f| f.ident.as_ref().is_some_and(|name| name == field)) {
            return Err(syn::Error::new(key.span(), format!("there is no field `{field}`")));
        }
    }
    Ok(())
}
