//! From a contract's crate to its package, by cargo.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{fs, io};

use bytes::Bytes;
use serde::Deserialize;

/// The target contracts are compiled for.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// Profile `chaincode`, given on the command line so that a contract's workspace need not have it:
/// small modules, and no unwinding.
const PROFILE: [&str; 7] = [
    "inherits=\"release\"",
    "opt-level=\"s\"",
    "lto=true",
    "codegen-units=1",
    "panic=\"abort\"",
    "strip=true",
    "debug=false",
];

/// Why a contract was not built.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// cargo cannot be started, or its output not be read.
    #[error("run cargo in {dir}")]
    Cargo {
        /// The contract's folder.
        dir: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// cargo reported errors; it has printed them.
    #[error("cargo could not build the contract in {0}")]
    Failed(PathBuf),
    /// The crate makes no WebAssembly module.
    #[error(
        "the crate in {0} makes no module: its [lib] needs crate-type = [\"cdylib\", \"rlib\"]"
    )]
    NoModule(PathBuf),
    /// The module is none a peer would accept.
    #[error("package the module of {dir}")]
    Package {
        /// The contract's folder.
        dir: PathBuf,
        /// Why.
        #[source]
        source: runtime::package::Error,
    },
}

/// Builds the contract in a folder and packages it.
pub fn package(manifest_dir: &Path, label: &str) -> Result<Bytes, Error> {
    let core = core_module(manifest_dir)?;
    runtime::package::from_core_module(label, &core)
        .map_err(|source| Error::Package { dir: manifest_dir.to_owned(), source })
}

/// Builds the contract in a folder; returns the core module.
///
/// Paths of this machine are kept out of the module, so that each organization that builds the
/// same source with the same compiler gets the same bytes.
pub fn core_module(manifest_dir: &Path) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::Cargo { dir: manifest_dir.to_owned(), source };
    let manifest = fs::canonicalize(manifest_dir.join("Cargo.toml")).map_err(failed)?;
    ensure_target(manifest_dir).map_err(failed)?;
    let mut cargo = Command::new("cargo");
    cargo
        .args(["build", "--lib", "--quiet", "--target", TARGET, "--profile", "chaincode"])
        .args(["--message-format", "json-render-diagnostics", "--manifest-path"])
        .arg(&manifest)
        .current_dir(manifest_dir)
        .env("CARGO_ENCODED_RUSTFLAGS", remapped(manifest_dir).join("\u{1f}"))
        .stderr(Stdio::inherit());
    for setting in PROFILE {
        cargo.args(["--config", &format!("profile.chaincode.{setting}")]);
    }
    let output = cargo.stdout(Stdio::piped()).output().map_err(failed)?;
    if !output.status.success() {
        return Err(Error::Failed(manifest_dir.to_owned()));
    }
    let module = module_of(&output.stdout, &manifest)
        .ok_or_else(|| Error::NoModule(manifest_dir.to_owned()))?;
    fs::read(module).map_err(failed)
}

/// Has rustup install the target where it is missing. If that fails, cargo says what is missing.
fn ensure_target(dir: &Path) -> io::Result<()> {
    let libraries = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", TARGET])
        .current_dir(dir)
        .output()?;
    if Path::new(String::from_utf8_lossy(&libraries.stdout).trim()).exists() {
        return Ok(());
    }
    Command::new("rustup").args(["target", "add", TARGET]).current_dir(dir).status().map(drop)
}

/// rustc flags that replace this machine's folders in panic messages.
fn remapped(manifest_dir: &Path) -> Vec<String> {
    let workspace = manifest_dir.ancestors().filter(|dir| dir.join("Cargo.lock").exists()).last();
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    let folders = [(home, "/cargo"), (workspace.map(Path::to_owned), "/source")];
    let flag = |(folder, name): (Option<PathBuf>, &str)| {
        folder.map(|folder| format!("--remap-path-prefix={}={name}", folder.display()))
    };
    folders.into_iter().filter_map(flag).collect()
}

/// What cargo says about an artifact, as far as it matters here.
#[derive(Deserialize)]
struct Artifact {
    #[serde(default)]
    manifest_path: PathBuf,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

fn module_of(messages: &[u8], manifest: &Path) -> Option<PathBuf> {
    let messages = messages.split(|byte| *byte == b'\n');
    let artifacts = messages.filter_map(|line| serde_json::from_slice::<Artifact>(line).ok());
    artifacts
        .filter(|artifact| artifact.manifest_path == manifest)
        .flat_map(|artifact| artifact.filenames)
        .find(|file| file.extension().is_some_and(|extension| extension == "wasm"))
}
