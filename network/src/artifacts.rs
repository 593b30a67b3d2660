//! Programs and chaincode: found when installed, built when run from the source tree.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bytes::Bytes;
use serde_json::Value;

use crate::failure::{Exit, Explain, Failure, Result};
use crate::inventory::{Kind, write_whole};
use crate::layout::Layout;

const WASM: &str = "wasm32-unknown-unknown";

/// The folder of the sources this program was built from, if it still exists.
pub(crate) fn source_tree() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
    root.join("Cargo.toml").exists().then(|| root.to_owned())
}

/// The folder this program is in, where its siblings are.
fn program_folder() -> Result<PathBuf> {
    let program = std::env::current_exe().explain(|| "find this program".to_owned())?;
    Ok(program.parent().map(Path::to_path_buf).unwrap_or_default())
}

/// The program that runs nodes of a kind.
pub(crate) fn program(kind: Kind) -> Result<PathBuf> {
    let beside = program_folder()?.join(kind.name());
    if beside.exists() {
        return Ok(beside);
    }
    Err(Failure::new(Exit::NotFound, format!("the program `{}` is missing", kind.name()))
        .because(format!("it should be at {}", beside.display()))
        .next("cargo build --bins"))
}

/// Builds the programs of the nodes when this program lies in the target folder of its sources;
/// otherwise they must be beside it. `true` if a build ran.
pub(crate) fn build_programs(kinds: &BTreeSet<Kind>) -> Result<bool> {
    let folder = program_folder()?;
    let (Some(root), Some(target)) = (source_tree(), folder.parent()) else { return Ok(false) };
    let profile = match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") => "dev",
        Some("release") => "release",
        _ => return Ok(false),
    };
    if !target.join("CACHEDIR.TAG").exists() {
        return Ok(false);
    }
    let mut command = cargo();
    command.args(["build", "--profile", profile, "--target-dir"]).arg(target);
    for kind in kinds {
        command.args(["--bin", kind.name()]);
    }
    run(command.current_dir(root), "build the programs of the nodes")?;
    Ok(true)
}

/// The chaincode package described by `source`: a package as it is, a module wrapped, a Cargo
/// package compiled and wrapped. The package is kept in the state folder.
pub(crate) fn package(layout: &Layout, folder: &Path, label: &str, source: &Path) -> Result<Bytes> {
    let source = resolve(folder, source)?;
    let bytes = match source.extension().and_then(|extension| extension.to_str()) {
        Some("gz" | "tgz") => read(&source)?,
        Some("wasm") => wrap(label, &read(&source)?)?,
        _ => wrap(label, &read(&compile(&source)?)?)?,
    };
    runtime::package::Package::parse(bytes.clone()).map_err(|error| {
        Failure::usage(format!("{} is not a chaincode package", source.display())).because(error)
    })?;
    let path = layout.package(label);
    write_whole(&path, &bytes).explain(|| format!("write {}", path.display()))?;
    Ok(bytes)
}

/// Compiles a Cargo package to a WebAssembly module and returns where it is.
pub(crate) fn compile(package: &Path) -> Result<PathBuf> {
    ensure_target()?;
    let manifest = package.join("Cargo.toml");
    let metadata = metadata(&manifest)?;
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let found = metadata["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|candidate| same_file(Path::new(&text(candidate, "manifest_path")), &manifest));
    let name = found
        .map(|candidate| text(candidate, "name"))
        .ok_or_else(|| Failure::usage(format!("{} is not a Cargo package", package.display())))?;
    let root = PathBuf::from(text(&metadata, "workspace_root"));
    let has_profile = std::fs::read_to_string(root.join("Cargo.toml"))
        .is_ok_and(|text| text.contains("[profile.chaincode]"));
    let profile = if has_profile { "chaincode" } else { "release" };
    let mut command = cargo();
    command
        .args(["build", "--lib", "--target", WASM, "--profile", profile, "--package", &name])
        .arg("--manifest-path")
        .arg(&manifest);
    run(&mut command, &format!("compile chaincode {name}"))?;
    let target = PathBuf::from(text(&metadata, "target_directory"));
    let module = target.join(WASM).join(profile).join(format!("{}.wasm", name.replace('-', "_")));
    if module.exists() {
        return Ok(module);
    }
    Err(Failure::usage(format!("{name} did not become a WebAssembly module"))
        .because("its Cargo.toml needs [lib] crate-type = [\"cdylib\", \"rlib\"]"))
}

fn metadata(manifest: &Path) -> Result<Value> {
    let mut command = cargo();
    command.args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"]);
    let what = format!("read {}", manifest.display());
    let output = run(command.arg(manifest), &what)?;
    serde_json::from_slice(&output.stdout)
        .map_err(|error| Failure::new(Exit::Failed, what).because(error))
}

fn same_file(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}

fn wrap(label: &str, module: &[u8]) -> Result<Bytes> {
    runtime::package::from_core_module(label, module)
        .map_err(|error| Failure::usage(format!("{label} cannot be packaged")).because(error))
}

/// Relative sources are looked up beside `gauze.toml`, then in the source tree.
pub(crate) fn resolve(folder: &Path, source: &Path) -> Result<PathBuf> {
    let beside = folder.join(source);
    let candidates = [Some(beside.clone()), source_tree().map(|root| root.join(source))];
    let mut candidates = candidates.into_iter().flatten();
    candidates.find(|path| path.exists()).ok_or_else(|| {
        Failure::not_found(format!("chaincode source {} is missing", source.display()))
            .because(format!("there is no {}", beside.display()))
            .next("correct `source` in gauze.toml")
    })
}

fn read(path: &Path) -> Result<Bytes> {
    std::fs::read(path).map(Bytes::from).explain(|| format!("read {}", path.display()))
}

/// Makes sure the compiler can make WebAssembly.
fn ensure_target() -> Result<()> {
    let compiler = node::config::environment("RUSTC").unwrap_or_else(|| "rustc".to_owned());
    let mut command = Command::new(compiler);
    command.args(["--print", "target-libdir", "--target", WASM]);
    if let Some(root) = source_tree() {
        command.current_dir(root);
    }
    let output = run(&mut command, "find the Rust compiler")?;
    if Path::new(String::from_utf8_lossy(&output.stdout).trim()).exists() {
        return Ok(());
    }
    let mut command = Command::new("rustup");
    command.args(["target", "add", WASM]);
    if let Some(root) = source_tree() {
        command.current_dir(root);
    }
    run(&mut command, "install the WebAssembly target of the Rust compiler").map(drop).map_err(
        |failure| failure.next(format!("install the target {WASM} for your Rust compiler")),
    )
}

fn cargo() -> Command {
    let program = node::config::environment("CARGO").unwrap_or_else(|| "cargo".to_owned());
    let mut command = Command::new(program);
    // Set by `cargo run` for its child; they would change what a nested build is about.
    for name in ["CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH", "CARGO_PKG_NAME"] {
        command.env_remove(name);
    }
    command
}

/// Runs a command and returns its output; failing, its last lines say why.
fn run(command: &mut Command, what: &str) -> Result<Output> {
    let output = command.output().map_err(|error| {
        let program = command.get_program().to_string_lossy().into_owned();
        Failure::new(Exit::NotFound, what).because(format!("{program}: {error}"))
    })?;
    if output.status.success() {
        return Ok(output);
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = errors.lines().collect();
    let last = lines[lines.len().saturating_sub(15)..].join("\n        ");
    Err(Failure::new(Exit::Failed, what).because(last))
}
