//! Layered configuration: defaults, then a YAML file, then the environment, then flags.
//!
//! Each layer is laid over the one before and the result is read back as the typed
//! configuration, so that an unknown key or a wrong value is reported with the layer that
//! brought it. This is the only place of the project that reads the environment.

pub mod duration;
mod layers;

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_yaml_ng::Value;

use layers::Layer;

/// Why a configuration could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is missing or unreadable.
    #[error("read configuration {}", path.display())]
    Read {
        /// The file that was to be read.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The file is not YAML.
    #[error("configuration {} is not YAML: {reason}", path.display())]
    Syntax {
        /// The file that was read.
        path: PathBuf,
        /// Where and why parsing stopped.
        reason: String,
    },
    /// A key that no part of the configuration has.
    #[error("unknown configuration key {key} (from {origin})")]
    UnknownKey {
        /// The dotted key.
        key: String,
        /// The file, variable or flag that named it.
        origin: String,
    },
    /// A value that does not fit its key.
    #[error("invalid configuration (from {origin}): {reason}")]
    Invalid {
        /// The file, variable or flag that brought the value.
        origin: String,
        /// What was expected.
        reason: String,
    },
}

/// Loads a configuration: `Default`, then `file`, then environment variables
/// `<env_prefix>_A__B=value`, then `sets` (`a.b` = value).
///
/// # Errors
/// Names the file, variable or flag that holds an unknown key or an unfit value.
pub fn load<C>(file: Option<&Path>, env_prefix: &str, sets: &[(String, String)]) -> Result<C, Error>
where
    C: Serialize + DeserializeOwned + Default,
{
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    load_from(file, env_prefix, environment, sets)
}

/// As [`load`], with the environment given by the caller.
///
/// # Errors
/// As [`load`].
pub fn load_from<C>(
    file: Option<&Path>,
    env_prefix: &str,
    environment: impl IntoIterator<Item = (String, String)>,
    sets: &[(String, String)],
) -> Result<C, Error>
where
    C: Serialize + DeserializeOwned + Default,
{
    let invalid = |error: serde_yaml_ng::Error| Error::Invalid {
        origin: "built-in defaults".to_owned(),
        reason: error.to_string(),
    };
    let defaults = serde_yaml_ng::to_value(C::default()).map_err(invalid)?;
    let mut merged = defaults.clone();
    for layer in collect(file, env_prefix, environment, sets)? {
        layer.apply(&defaults, &mut merged)?;
        let typed: Result<C, _> = serde_yaml_ng::from_value(merged.clone());
        typed.map_err(|error| layer.explain(&defaults, &error))?;
    }
    serde_yaml_ng::from_value(merged).map_err(invalid)
}

/// Parses `a.b=value` as given to `--set`.
///
/// # Errors
/// When there is no `=` or the key is empty; the text says so.
pub fn parse_set(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => {
            Ok((key.trim().to_owned(), value.to_owned()))
        }
        _ => Err(format!("`{text}` is not of the form key.path=value")),
    }
}

/// An environment variable for the few programs that are steered by one (`NO_COLOR`, `CARGO`).
#[must_use]
pub fn environment(name: &str) -> Option<String> {
    std::env::var_os(name)?.into_string().ok().filter(|value| !value.is_empty())
}

fn collect(
    file: Option<&Path>,
    env_prefix: &str,
    environment: impl IntoIterator<Item = (String, String)>,
    sets: &[(String, String)],
) -> Result<Vec<Layer>, Error> {
    let mut layers = Vec::new();
    if let Some(path) = file {
        layers.push(read_file(path)?);
    }
    let prefix = format!("{env_prefix}_");
    let mut variables: Vec<_> = environment
        .into_iter()
        .filter(|(name, _)| !env_prefix.is_empty() && name.starts_with(&prefix))
        .collect();
    variables.sort();
    for (name, value) in variables {
        let keys = name[prefix.len()..].to_lowercase().split("__").map(str::to_owned).collect();
        layers.push(Layer::scalar(format!("environment variable {name}"), keys, value));
    }
    for (key, value) in sets {
        let keys = key.split('.').map(str::to_owned).collect();
        layers.push(Layer::scalar(format!("flag --set {key}"), keys, value.clone()));
    }
    Ok(layers)
}

fn read_file(path: &Path) -> Result<Layer, Error> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| Error::Read { path: path.to_owned(), source })?;
    let syntax = |error: serde_yaml_ng::Error| Error::Syntax {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let tree: Value = serde_yaml_ng::from_str(&text).map_err(syntax)?;
    Ok(Layer::tree(format!("file {}", path.display()), tree))
}

#[cfg(test)]
mod tests;
