//! `#[derive(Schema)]`

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Data, DataEnum, DeriveInput, Field, Fields, LitStr};

use crate::doc;

pub(crate) fn expand(item: TokenStream) -> syn::Result<TokenStream> {
    let item: DeriveInput = syn::parse2(item)?;
    let attributes = Attributes::read(&item.attrs)?;
    let shape = match &item.data {
        _ if attributes.any => any(),
        Data::Struct(data) => structure(&item, &attributes, &data.fields)?,
        Data::Enum(data) => enumeration(&attributes, data)?,
        Data::Union(_) => return Err(syn::Error::new_spanned(&item, "unions have no JSON")),
    };
    let mut generics = item.generics.clone();
    for parameter in generics.type_params_mut() {
        parameter.bounds.push(syn::parse_quote!(::gauze_chaincode::schema::Schema));
    }
    let (ident, (generics, arguments, bounds)) = (&item.ident, generics.split_for_impl());
    Ok(quote! {
        impl #generics ::gauze_chaincode::schema::Schema for #ident #arguments #bounds {
            const SHAPE: ::gauze_chaincode::schema::Shape = #shape;
        }
    })
}

fn any() -> TokenStream {
    quote!(::gauze_chaincode::schema::Shape::Any)
}

fn structure(
    item: &DeriveInput,
    attributes: &Attributes,
    fields: &Fields,
) -> syn::Result<TokenStream> {
    match fields {
        Fields::Named(named) if !attributes.transparent => {
            let fields = named
                .named
                .iter()
                .filter_map(|field| described(field, attributes).transpose())
                .collect::<syn::Result<Vec<_>>>()?;
            let (name, doc) = (item.ident.to_string(), doc::text(&item.attrs));
            Ok(quote! {
                ::gauze_chaincode::schema::Shape::Object {
                    name: #name,
                    doc: #doc,
                    fields: &[#(#fields),*],
                }
            })
        }
        Fields::Unit => Ok(quote!(::gauze_chaincode::schema::Shape::Nothing)),
        one if one.len() == 1 => Ok(one.iter().map(shape).collect()),
        _ => Ok(any()),
    }
}

/// An enum of plain variants is a choice of strings; others are some JSON.
fn enumeration(attributes: &Attributes, data: &DataEnum) -> syn::Result<TokenStream> {
    let mut names = Vec::new();
    for variant in &data.variants {
        let own = Attributes::read(&variant.attrs)?;
        match &variant.fields {
            _ if own.skip => {}
            Fields::Unit if !attributes.tagged => {
                let name = variant.ident.to_string();
                names.push(own.rename.unwrap_or_else(|| attributes.renamed_variant(&name)));
            }
            _ => return Ok(any()),
        }
    }
    Ok(quote!(::gauze_chaincode::schema::Shape::Choice(&[#(#names),*])))
}

fn described(field: &Field, container: &Attributes) -> syn::Result<Option<TokenStream>> {
    let own = Attributes::read(&field.attrs)?;
    if own.skip || own.flatten {
        return Ok(None);
    }
    let rust_name = field.ident.as_ref().map(ToString::to_string).unwrap_or_default();
    let rust_name = rust_name.trim_start_matches("r#");
    let name = own.rename.clone().unwrap_or_else(|| container.renamed_field(rust_name));
    let (shape, doc) = (if own.any { any() } else { shape(field) }, doc::text(&field.attrs));
    let may_be_absent = own.default || container.default;
    Ok(Some(quote! {
        ::gauze_chaincode::schema::Field {
            name: #name,
            doc: #doc,
            shape: #shape,
            required: !(#may_be_absent || #shape.is_optional()),
        }
    }))
}

fn shape(field: &Field) -> TokenStream {
    let ty = &field.ty;
    quote!(<#ty as ::gauze_chaincode::schema::Schema>::SHAPE)
}

/// What serde's attributes and our own say, as far as the JSON's shape depends on it.
#[derive(Default)]
struct Attributes {
    rename: Option<String>,
    rename_all: Option<String>,
    default: bool,
    skip: bool,
    flatten: bool,
    transparent: bool,
    tagged: bool,
    any: bool,
}

impl Attributes {
    fn read(attributes: &[Attribute]) -> syn::Result<Self> {
        let mut read = Self::default();
        for attribute in attributes {
            if !(attribute.path().is_ident("serde") || attribute.path().is_ident("schema")) {
                continue;
            }
            attribute.parse_nested_meta(|meta| {
                let name = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
                let value = match meta.value() {
                    Ok(value) => Some(value.parse::<LitStr>()?.value()),
                    Err(_) => {
                        // `rename(serialize = "…")` and the like: only skipped over.
                        if meta.input.peek(syn::token::Paren) {
                            let content;
                            syn::parenthesized!(content in meta.input);
                            content.parse::<TokenStream>()?;
                        }
                        None
                    }
                };
                match name.as_str() {
                    "rename" => read.rename = value,
                    "rename_all" => read.rename_all = value,
                    "default" | "skip_serializing_if" => read.default = true,
                    "skip" => read.skip = true,
                    "flatten" => read.flatten = true,
                    "transparent" => read.transparent = true,
                    "tag" | "untagged" | "content" => read.tagged = true,
                    "any" => read.any = true,
                    _ => {}
                }
                Ok(())
            })?;
        }
        Ok(read)
    }

    fn renamed_field(&self, name: &str) -> String {
        let words: Vec<String> = name.split('_').map(str::to_owned).collect();
        self.rename_all.as_deref().map_or_else(|| name.to_owned(), |case| join(&words, case))
    }

    fn renamed_variant(&self, name: &str) -> String {
        let mut words: Vec<String> = Vec::new();
        for letter in name.chars() {
            if letter.is_uppercase() || words.is_empty() {
                words.push(String::new());
            }
            if let Some(word) = words.last_mut() {
                word.extend(letter.to_lowercase());
            }
        }
        self.rename_all.as_deref().map_or_else(|| name.to_owned(), |case| join(&words, case))
    }
}

/// Lower-case words in one of serde's cases.
fn join(words: &[String], case: &str) -> String {
    let capital = |word: &String| {
        let mut letters = word.chars();
        letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect::<String>()
    };
    let pascal = || words.iter().map(capital).collect::<String>();
    match case {
        "lowercase" => words.concat(),
        "UPPERCASE" => words.concat().to_uppercase(),
        "PascalCase" => pascal(),
        "camelCase" => {
            words.iter().take(1).cloned().chain(words.iter().skip(1).map(capital)).collect()
        }
        "SCREAMING_SNAKE_CASE" => words.join("_").to_uppercase(),
        "kebab-case" => words.join("-"),
        "SCREAMING-KEBAB-CASE" => words.join("-").to_uppercase(),
        _ => words.join("_"),
    }
}
