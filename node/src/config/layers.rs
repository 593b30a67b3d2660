//! One layer of configuration and how it is laid over the layers before it.

use serde_yaml_ng::{Mapping, Value};

use super::Error;

/// Values from one origin.
pub(super) struct Layer {
    origin: String,
    content: Content,
}

enum Content {
    Tree(Value),
    Scalar { keys: Vec<String>, text: String },
}

impl Layer {
    /// A whole document.
    pub(super) fn tree(origin: String, tree: Value) -> Self {
        Self { origin, content: Content::Tree(tree) }
    }

    /// One value at one path, as text.
    pub(super) fn scalar(origin: String, keys: Vec<String>, text: String) -> Self {
        Self { origin, content: Content::Scalar { keys, text } }
    }

    /// Lays this layer over `merged`.
    pub(super) fn apply(&self, defaults: &Value, merged: &mut Value) -> Result<(), Error> {
        match &self.content {
            Content::Tree(Value::Null) => Ok(()),
            Content::Tree(tree @ Value::Mapping(_)) => {
                merge(merged, tree);
                Ok(())
            }
            Content::Tree(_) => Err(Error::Invalid {
                origin: self.origin.clone(),
                reason: "expected a mapping of keys to values".to_owned(),
            }),
            Content::Scalar { keys, text } => {
                let value = parse_scalar(text, keys.iter().try_fold(defaults, |v, k| v.get(k)));
                merge(merged, &nest(keys, value));
                Ok(())
            }
        }
    }

    /// Turns the complaint of the typed configuration into one that names key and origin.
    pub(super) fn explain(&self, defaults: &Value, error: &serde_yaml_ng::Error) -> Error {
        let reason = error.to_string();
        let origin = self.origin.clone();
        if !reason.contains("unknown field") {
            return Error::Invalid { origin, reason };
        }
        let key = match &self.content {
            Content::Tree(tree) => first_unknown(defaults, tree, &reason),
            Content::Scalar { keys, .. } => Some(keys.join(".")),
        };
        match key {
            Some(key) => Error::UnknownKey { key, origin },
            None => Error::Invalid { origin, reason },
        }
    }
}

/// Mappings merge key by key; everything else replaces what was there.
fn merge(below: &mut Value, above: &Value) {
    match (below, above) {
        (Value::Mapping(below), Value::Mapping(above)) => {
            for (key, value) in above {
                match below.get_mut(key) {
                    Some(old) => merge(old, value),
                    None => {
                        below.insert(key.clone(), value.clone());
                    }
                }
            }
        }
        (below, above) => *below = above.clone(),
    }
}

fn nest(keys: &[String], value: Value) -> Value {
    keys.iter().rev().fold(value, |inner, key| {
        Value::Mapping(Mapping::from_iter([(Value::String(key.clone()), inner)]))
    })
}

/// Reads a flag's text as YAML, but keeps it a string where the default is one (`"5"`, `"on"`).
fn parse_scalar(text: &str, default: Option<&Value>) -> Value {
    if matches!(default, Some(Value::String(_))) {
        return Value::String(text.to_owned());
    }
    serde_yaml_ng::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// The dotted path of a key that `tree` has, the defaults lack, and the error names.
fn first_unknown(defaults: &Value, tree: &Value, reason: &str) -> Option<String> {
    let mapping = tree.as_mapping()?;
    for (key, value) in mapping {
        let Some(name) = key.as_str() else { continue };
        match defaults.get(name) {
            None if reason.contains(&format!("`{name}`")) => return Some(name.to_owned()),
            None => {
                // Inside a map or list of the configuration the defaults cannot tell.
                if let Some(inner) = first_unknown(&Value::Null, value, reason) {
                    return Some(format!("{name}.{inner}"));
                }
            }
            Some(default) => {
                if let Some(inner) = first_unknown(default, value, reason) {
                    return Some(format!("{name}.{inner}"));
                }
            }
        }
    }
    None
}
