//! Compiles the `.proto` files without protoc.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use prost::Message;
use prost_types::FileDescriptorSet;

/// Roots of the import paths: Fabric's files, Google's one, and our own.
const ROOTS: [&str; 3] = ["fabric", "google", "gauze"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut files = Vec::new();
    for root in ROOTS {
        println!("cargo:rerun-if-changed={root}");
        if Path::new(root).exists() {
            collect(Path::new(root), &mut files)?;
        }
    }
    files.sort();
    let descriptors = protox::compile(&files, ["fabric", "."])?;
    keep_descriptors(&descriptors)?;
    let mut messages = prost_build::Config::new();
    messages.enable_type_names();
    let grpc = env::var_os("CARGO_FEATURE_GRPC").is_some();
    tonic_prost_build::configure()
        .build_client(grpc)
        .build_server(grpc)
        .build_transport(false)
        .bytes(".")
        .btree_map(".")
        .include_file("generated.rs")
        .emit_rerun_if_changed(false)
        .compile_fds_with_config(descriptors, messages)?;
    Ok(())
}

/// Leaves the shapes of all messages beside the generated code, for decoding.
fn keep_descriptors(descriptors: &FileDescriptorSet) -> Result<(), Box<dyn std::error::Error>> {
    let mut descriptors = descriptors.clone();
    for file in &mut descriptors.file {
        file.source_code_info = None;
        file.service.clear();
    }
    let folder = env::var_os("OUT_DIR").ok_or("cargo says where output goes")?;
    fs::write(Path::new(&folder).join("descriptors.bin"), descriptors.encode_to_vec())?;
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
    Ok(())
}
