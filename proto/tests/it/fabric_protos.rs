//! Every message, field number, enum value and method of the npm package
//! `@hyperledger/fabric-protos` is in our `.proto` files, and nothing else is in those of Fabric.
//!
//! The package holds generated JavaScript. Its accessors carry the declaration of the field they
//! belong to in a comment, which is what we read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet};

const PACKAGE: &str = "@hyperledger/fabric-protos@0.3.7";

/// One line per field, enum value and method, in a form both sides can print.
type Facts = BTreeSet<String>;

#[test]
fn messages_are_those_of_the_published_package() {
    let Some(folder) = install() else { return };
    let published = published(&folder);
    let ours = ours();
    let missing: Vec<_> = published.difference(&ours).collect();
    let extra: Vec<_> = ours.difference(&published).collect();
    assert!(published.len() > 900, "only {} facts were read", published.len());
    assert!(missing.is_empty() && extra.is_empty(), "missing: {missing:#?}\nextra: {extra:#?}");
}

/// Installs the package below cargo's folder for test files; `None` where npm is not installed,
/// which continuous integration does not accept.
#[expect(clippy::disallowed_methods, reason = "tells continuous integration from a laptop")]
fn install() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fabric-protos");
    let folder = root.join("node_modules/@hyperledger/fabric-protos/lib");
    if folder.join("index.js").exists() {
        return Some(folder);
    }
    fs::create_dir_all(&root).expect("create the folder for npm");
    let run = Command::new("npm")
        .args(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--prefix"])
        .arg(&root)
        .arg(PACKAGE)
        .output();
    let output = match run {
        Err(error) if env::var("CI").is_err() => {
            eprintln!("skipped: npm cannot be started ({error})");
            return None;
        }
        run => run.expect("npm can be started"),
    };
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "npm install {PACKAGE}: {errors}");
    Some(folder)
}

fn published(folder: &Path) -> Facts {
    let mut facts = Facts::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("read the package") {
            let path = entry.expect("read the package").path();
            let name = path.to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with("_grpc_pb.js") {
                methods(&fs::read_to_string(&path).expect("read the package"), &mut facts);
            } else if name.ends_with("_pb.js") {
                declarations(&fs::read_to_string(&path).expect("read the package"), &mut facts);
            }
        }
    }
    facts
}

/// Reads fields (` * optional bytes payload = 1;`, then the accessor that names the message) and
/// enums (`proto.common.Status = {`, then a line per value).
fn declarations(source: &str, facts: &mut Facts) {
    let mut field: Option<String> = None;
    let mut open_enum: Option<String> = None;
    for line in source.lines() {
        if let Some(declaration) = line.strip_prefix(" * ").and_then(field_declaration) {
            field = Some(declaration);
        } else if let Some(path) = line.strip_prefix("proto.") {
            if let Some((message, _)) = path.split_once(".prototype.") {
                if let Some(field) = field.take() {
                    facts.insert(format!("{message}: {field}"));
                }
            } else if let Some(name) = path.strip_suffix(" = {")
                && !name.ends_with("Case")
            {
                open_enum = Some(name.to_owned());
            }
        } else if line.starts_with('}') {
            open_enum = None;
        } else if let Some(name) = &open_enum
            && let Some((value, number)) = line.trim().trim_end_matches(',').split_once(": ")
        {
            facts.insert(format!("{name}: {value} = {number}"));
        }
    }
}

/// `optional common.Envelope payload = 1;` becomes `Envelope payload = 1`.
fn field_declaration(line: &str) -> Option<String> {
    let declaration = line.strip_suffix(';')?;
    let (left, number) = declaration.rsplit_once(" = ")?;
    number.parse::<u32>().ok()?;
    let (kind, name) = left.rsplit_once(' ')?;
    let kind = match kind.strip_prefix("optional ") {
        Some(kind) => short(kind),
        None => match kind.strip_prefix("repeated ") {
            Some(kind) => format!("repeated {}", short(kind)),
            None => {
                let (key, value) =
                    kind.strip_prefix("map<")?.strip_suffix('>')?.split_once(", ")?;
                format!("map<{key}, {}>", short(value))
            }
        },
    };
    Some(format!("{kind} {name} = {number}"))
}

fn short(kind: &str) -> String {
    kind.rsplit('.').next().unwrap_or(kind).to_owned()
}

/// Reads `path: '/orderer.AtomicBroadcast/Broadcast'` and the four lines after it.
fn methods(source: &str, facts: &mut Facts) {
    let mut lines = source.lines().map(str::trim);
    while let Some(line) = lines.next() {
        let Some(path) = line.strip_prefix("path: '") else { continue };
        let rest: Vec<_> = lines.by_ref().take(4).collect();
        let [request_stream, response_stream, request, response] = rest.as_slice() else { break };
        let of = |line: &str| short(line.trim_end_matches(','));
        facts.insert(format!(
            "{} ({}{}) -> ({}{})",
            path.trim_end_matches("',"),
            stream(request_stream.contains("true")),
            of(request),
            stream(response_stream.contains("true")),
            of(response),
        ));
    }
}

fn stream(streams: bool) -> &'static str {
    if streams { "stream " } else { "" }
}

fn ours() -> Facts {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    collect(&root.join("fabric"), &mut files);
    collect(&root.join("google"), &mut files);
    // Fabric stores these two in its ledger and does not publish them.
    files.retain(|file| {
        !file.ends_with("snapshot_record.proto") && !file.ends_with("updates.proto")
    });
    let set: FileDescriptorSet =
        protox::compile(&files, [root.join("fabric"), root.to_owned()]).expect("compile");
    let mut facts = Facts::new();
    for file in set.file.iter().filter(|file| !file.name().starts_with("google/protobuf")) {
        for message in &file.message_type {
            describe(&format!("{}.{}", file.package(), message.name()), message, &mut facts);
        }
        for an_enum in &file.enum_type {
            describe_enum(&format!("{}.{}", file.package(), an_enum.name()), an_enum, &mut facts);
        }
        for service in &file.service {
            for method in &service.method {
                facts.insert(format!(
                    "/{}.{}/{} ({}{}) -> ({}{})",
                    file.package(),
                    service.name(),
                    method.name(),
                    stream(method.client_streaming()),
                    short(method.input_type()),
                    stream(method.server_streaming()),
                    short(method.output_type()),
                ));
            }
        }
    }
    facts
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("read our proto files") {
        let path = entry.expect("read our proto files").path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
}

fn describe(path: &str, message: &DescriptorProto, facts: &mut Facts) {
    let maps: BTreeMap<&str, &DescriptorProto> = message
        .nested_type
        .iter()
        .filter(|nested| nested.options.as_ref().is_some_and(|options| options.map_entry()))
        .map(|nested| (nested.name(), nested))
        .collect();
    for field in &message.field {
        let kind = match maps.get(short(field.type_name()).as_str()) {
            Some(entry) => match entry.field.as_slice() {
                [key, value] => format!("map<{}, {}>", type_name(key), type_name(value)),
                _ => unreachable!("{path}: map entry without key and value"),
            },
            None if field.label() == Label::Repeated => format!("repeated {}", type_name(field)),
            None => type_name(field),
        };
        facts.insert(format!("{path}: {kind} {} = {}", field.name(), field.number()));
    }
    for nested in message.nested_type.iter().filter(|nested| !maps.contains_key(nested.name())) {
        describe(&format!("{path}.{}", nested.name()), nested, facts);
    }
    for an_enum in &message.enum_type {
        describe_enum(&format!("{path}.{}", an_enum.name()), an_enum, facts);
    }
}

fn describe_enum(path: &str, an_enum: &EnumDescriptorProto, facts: &mut Facts) {
    for value in &an_enum.value {
        facts.insert(format!("{path}: {} = {}", value.name(), value.number()));
    }
}

fn type_name(field: &FieldDescriptorProto) -> String {
    match field.r#type() {
        Type::Message | Type::Enum => short(field.type_name()),
        other => format!("{other:?}").to_lowercase(),
    }
}
