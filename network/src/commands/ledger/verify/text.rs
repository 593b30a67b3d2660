//! The report in words and as JSON.

use std::path::{Path, PathBuf};

use console::style;
use peer::verify::{Outcome, Report};
use serde_json::{Value, json};

use crate::output::{bold, faint};
use crate::progress::seconds;

/// A report for people.
pub(super) fn report(dir: &Path, report: &Report) -> String {
    let channel = match report.channel.as_str() {
        "" => "unknown",
        channel => channel,
    };
    let mut lines =
        vec![format!("{} {}  {}", bold("Channel"), bold(channel), faint(dir.display()))];
    let width = report.checks.iter().map(|check| check.name.len()).max().unwrap_or_default();
    for check in &report.checks {
        let mark = match check.outcome {
            Outcome::Held => style("✔").green(),
            Outcome::Differs => style("✘").red(),
            Outcome::Skipped => style("–").yellow(),
        };
        lines.push(format!("  {mark} {:width$}  {}", check.name, check.text));
    }
    lines.push(String::new());
    let hashes = [
        ("first block", Some(&report.genesis_hash)),
        ("last block", Some(&report.last_hash)),
        ("commit hash", report.commit_hash.as_ref()),
    ];
    for (name, hash) in hashes {
        if let Some(hash) = hash.filter(|hash| !hash.is_empty()) {
            lines.push(format!("  {name:<13} {hash}"));
        }
    }
    lines.extend(report.notes.iter().map(|note| format!("  {} {note}", style("note").yellow())));
    lines.push(verdict(report));
    lines.join("\n")
}

fn verdict(report: &Report) -> String {
    let time = report.seconds.as_secs_f64();
    let rate = if time > 0.0 { report.blocks as f64 / time } else { 0.0 };
    let took = faint(format!(
        "{} blocks in {}, {rate:.0} blocks/s",
        report.blocks,
        seconds(report.seconds)
    ));
    match &report.difference {
        None => format!("  {}  {took}\n", style("verified").green().bold()),
        Some(_) => format!("  {}  {took}\n", style("differs").red().bold()),
    }
}

/// All reports for programs.
pub(super) fn json(reports: &[(PathBuf, Report)]) -> Value {
    let ledgers = reports.iter().map(|(dir, report)| {
        let mut json = serde_json::to_value(report).unwrap_or_default();
        json["dir"] = dir.display().to_string().into();
        json["verified"] = report.is_clean().into();
        json
    });
    let verified = reports.iter().all(|(_, report)| report.is_clean());
    json!({ "verified": verified, "ledgers": ledgers.collect::<Vec<_>>() })
}
