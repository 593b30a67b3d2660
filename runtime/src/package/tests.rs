//! Packages round-trip; everything else a client may send is refused with a reason.

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

/// A gzipped tar of entries of any kind.
fn tar(entries: &[(&str, tar::EntryType, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, kind, content) in entries {
        let mut header = tar::Header::new_ustar();
        // Written as is: the builder itself would refuse what the tests need.
        header.as_ustar_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(*kind);
        header.set_size(content.len() as u64);
        header.set_cksum();
        tar.append(&header, *content).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

const FILE: tar::EntryType = tar::EntryType::Regular;

#[track_caller]
fn refused(bytes: Vec<u8>, reason: &str) {
    let text = match Package::parse(bytes).and_then(|package| package.module()) {
        Ok(_) => "accepted".to_owned(),
        Err(e) => {
            let source = std::error::Error::source(&e).map(ToString::to_string);
            format!("{e}: {}", source.unwrap_or_default())
        }
    };
    assert!(text.contains(reason), "{text}");
}

fn metadata(kind: &str, label: &str) -> Vec<u8> {
    format!(r#"{{"path":"","type":"{kind}","label":"{label}"}}"#).into_bytes()
}

fn outer(metadata: &[u8], code: &[u8]) -> Vec<u8> {
    tar(&[("metadata.json", FILE, metadata), ("code.tar.gz", FILE, code)])
}

#[test]
fn building_is_deterministic_and_parsing_gives_it_back() {
    let first = build("basic_1.0", b"component").unwrap();
    assert_eq!(first, build("basic_1.0", b"component").unwrap());
    let package = Package::parse(first.clone()).unwrap();
    assert_eq!(package.label(), "basic_1.0");
    assert_eq!(package.id(), format!("basic_1.0:{}", hex::encode(proto::sha256(&first))));
    assert_eq!(package.kind(), WASM);
    assert_eq!(&package.module().unwrap()[..], b"component");
    assert_eq!(package.bytes(), &first);
}

#[test]
fn a_package_made_with_tar_is_accepted() {
    let code = tar(&[
        ("src/", tar::EntryType::Directory, b""),
        ("src/other.wasm", FILE, b"module"),
        ("META-INF/statedb/couchdb/indexes/i.json", FILE, b"{}"),
    ]);
    let package = Package::parse(outer(&metadata("wasm", "a"), &code)).unwrap();
    assert_eq!(&package.module().unwrap()[..], b"module");
}

#[test]
fn labels_are_fit_for_file_names() {
    for bad in ["", "_a", "a/b", "a:b", "ä", "a b"] {
        assert!(matches!(build(bad, b""), Err(Error::Label(_))), "{bad}");
    }
    assert!(build("a1_.+-", b"").is_ok());
}

#[test]
fn malformed_packages_are_refused() {
    let code = tar(&[("src/a.wasm", FILE, b"x")]);
    let good = metadata("wasm", "a");
    refused(b"not gzip".to_vec(), "read package");
    refused(build("a", b"x").unwrap()[..40].to_vec(), "read package");
    refused(tar(&[("metadata.json", FILE, &good)]), "package has no code.tar.gz");
    refused(tar(&[("code.tar.gz", FILE, &code)]), "package has no metadata.json");
    refused(outer(b"{", &code), "parse metadata.json");
    refused(outer(&metadata("wasm", "../x"), &code), "invalid label");
    refused(outer(&metadata("golang", "a"), &code), "package type is 'golang'");
    refused(outer(&good, b"not gzip"), "read code.tar.gz");
    refused(outer(&good, &tar(&[("a.wasm", FILE, b"x")])), "has no src/chaincode.wasm");
    let two = tar(&[("src/a.wasm", FILE, b"x"), ("src/b.wasm", FILE, b"x")]);
    refused(outer(&good, &two), "a second module");
    refused(vec![0; PACKAGE_BYTES_MAX + 1], "exceeds the maximum");
}

#[test]
fn entries_stay_inside_and_are_files() {
    let good = metadata("wasm", "a");
    for path in ["../evil", "/etc/passwd", "src/../../evil"] {
        refused(tar(&[(path, FILE, &good)]), "outside the archive");
    }
    for kind in [tar::EntryType::Symlink, tar::EntryType::Link, tar::EntryType::Char] {
        refused(tar(&[("metadata.json", kind, b"")]), "not a regular file");
    }
    refused(tar(&[("a", FILE, b""), ("a", FILE, b"")]), "present twice");
    let many: Vec<String> = (0..1100).map(|i| format!("f{i}")).collect();
    let many: Vec<_> = many.iter().map(|path| (path.as_str(), FILE, &b""[..])).collect();
    refused(tar(&many), "too many entries");
}

#[test]
fn a_bomb_is_cut_off() {
    let zeros = vec![0; UNPACKED_BYTES_MAX as usize + 1];
    let bomb = tar(&[("metadata.json", FILE, &zeros)]);
    assert!(bomb.len() < PACKAGE_BYTES_MAX);
    refused(bomb, "read package");
}

#[test]
fn garbage_has_no_component() {
    assert!(matches!(encode_component(b"garbage"), Err(Error::Component(_))));
    assert!(matches!(encode_component(b"\0asm\x01\0\0\0\x63"), Err(Error::Component(_))));
}
