//! Bits that flip on disk, in any file of a ledger.
//!
//! What a flip hits is rebuilt from the blocks, or fetched again, or refused with a message that
//! says which file and what to do. No answer is ever wrong, and nothing panics.

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use tempfile::TempDir;

use super::answers::{self, Answers, compare, expect};
use super::process::{self, Work};
use super::script::{BLOCKS, Script};
use super::torn::{copy, files, finished};
use super::{describe, open};

/// Numbers that look random (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).unwrap()
    }
}

/// Flips one to three bits of one file, and says which.
fn flip(ledger: &Path, random: &mut Random) -> String {
    // Most files are segments; the databases are what is hard.
    let folders = ["index", "blocks/index", ""].map(|folder| ledger.join(folder));
    let files = match files(&folders[random.below(3)]) {
        none if none.is_empty() => files(ledger),
        files => files,
    };
    let file = &files[random.below(files.len())];
    let mut bytes = fs::read(file).unwrap();
    if bytes.is_empty() {
        return format!("{} is empty", file.display());
    }
    let used: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
    let mut at = match random.below(4) {
        0 => random.below(bytes.len()),
        _ if used.is_empty() => random.below(bytes.len()),
        _ => used[random.below(used.len())],
    };
    let mut text = file.display().to_string();
    for _ in 0..=random.below(3) {
        let bit = random.below(8);
        bytes[at] ^= 1 << bit;
        text.push_str(&format!(", bit {bit} of byte {at}"));
        at = (at + random.below(200)).min(bytes.len() - 1);
    }
    fs::write(file, bytes).unwrap();
    text
}

/// What an error must say: where, and what to do.
fn check(ledger: &Path, error: &dyn std::error::Error) -> String {
    let text = describe(error);
    let remedies = ["restart the node", "restore this file", "remove the folder"];
    assert!(text.contains(&*ledger.to_string_lossy()), "no place: {text}");
    assert!(remedies.iter().any(|remedy| text.contains(remedy)), "no remedy: {text}");
    text
}

/// Checks that what is answered is true. Returns the first refusal.
fn judge(ledger: &Path, answers: Answers, truth: &[(String, String)]) -> Result<(), String> {
    let mut refused = Ok(());
    for (question, answer) in answers {
        match answer {
            Ok(answer) => {
                let truth = truth.iter().find(|(known, _)| *known == question).unwrap();
                assert_eq!(answer, truth.1, "{question}");
            }
            Err(error) => refused = refused.and(Err(check(ledger, &error))),
        }
    }
    refused
}

/// Opens a damaged ledger and asks it everything.
fn attempt(work: &Work, script: &Script, truth: &[(String, String)]) -> Result<(), String> {
    let at = work.ledger();
    let say = |error: ledger::Error| check(&at, &error);
    let ledger = open(&at).map_err(say)?;
    judge(&at, answers::of_blocks(&ledger), truth)?;
    script.run(&ledger, &work.snapshots()).map_err(say)?;
    script.reconcile(&ledger).map_err(say)?;
    assert_eq!(ledger.height(), BLOCKS);
    judge(&at, answers::all(&ledger, script), truth)?;
    drop(ledger);
    let mut found = expect(answers::all(&open(&at).map_err(say)?, script));
    found.extend(expect(answers::of_files(&at, &work.snapshots())));
    compare(&found, truth, "after reopening");
    Ok(())
}

/// How a ledger with flipped bits ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Repaired,
    Refused,
    /// Wrong, or a panic.
    Wrong,
}

fn case(base: &Path, script: &Script, truth: &[(String, String)], seed: u64) -> End {
    let dir = TempDir::new().unwrap();
    copy(base, dir.path());
    let work = Work(dir.path().to_owned());
    let flipped = flip(&work.ledger(), &mut Random(seed));
    println!("seed {seed}: {flipped}");
    let run = || {
        let mut outcome = Ok(());
        // Damage that is found late is repaired by the next start.
        for _ in 0..3 {
            outcome = attempt(&work, script, truth);
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    };
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(())) => End::Repaired,
        Ok(Err(refused)) if refused.contains("restore this file") => {
            println!("  refused: {refused}");
            End::Refused
        }
        Ok(Err(refused)) => {
            println!("  WRONG, it is not repaired: {refused}");
            End::Wrong
        }
        Err(_) => {
            println!("  WRONG");
            End::Wrong
        }
    }
}

/// Flips bits of a ledger that was closed, and of one that was killed, in a process of its own:
/// sled's threads are shared by all databases of a process.
fn run(seeds: std::ops::Range<u64>) {
    let script = Script::new();
    let dir = TempDir::new().unwrap();
    let work = Work::new(dir.path(), &script);
    let truth = finished(&script, dir.path());
    copy(&work.ledger(), &dir.path().join("closed/ledger"));
    copy(&work.snapshots(), &dir.path().join("closed/snapshots"));
    fs::remove_dir_all(work.ledger()).unwrap();
    fs::remove_dir_all(work.snapshots()).unwrap();
    fs::create_dir(work.snapshots()).unwrap();
    assert!(work.go_on("ledger::block_append::after_sync=11*off->return(abort)").is_killed());
    copy(&work.ledger(), &dir.path().join("killed/ledger"));
    copy(&work.snapshots(), &dir.path().join("killed/snapshots"));
    let mut ends = BTreeMap::<End, u32>::new();
    for seed in seeds {
        let base = dir.path().join(if seed % 2 == 0 { "closed" } else { "killed" });
        *ends.entry(case(&base, &script, &truth, seed)).or_default() += 1;
    }
    println!("{ends:?}");
    assert!(!ends.contains_key(&End::Wrong));
}

/// Bits flip in the snapshot from which a ledger began, and in all that is built on it. The first
/// opening has its database, the second must read the snapshot again.
fn run_on_a_snapshot(seeds: std::ops::Range<u64>) {
    let script = Script::new();
    let dir = TempDir::new().unwrap();
    let work = Work::new(dir.path(), &script);
    finished(&script, dir.path());
    let ask = |work: &Work| -> Result<_, String> {
        let at = work.0.join("joined");
        let say = |error: ledger::Error| check(&at, &error);
        let ledger = work.joined(&script).map_err(say)?;
        script.reconcile(&ledger).map_err(say)?;
        Ok(answers::told(answers::all(&ledger, &script)))
    };
    let truth = ask(&work).unwrap();
    for seed in seeds {
        let damaged = TempDir::new().unwrap();
        copy(dir.path(), damaged.path());
        let work = Work(damaged.path().to_owned());
        let flipped = flip(&work.0.join("joined/test/snapshot"), &mut Random(seed));
        println!("seed {seed}: {flipped}");
        for again in [false, true] {
            if again {
                fs::remove_dir_all(work.0.join("joined/test/index")).unwrap();
                fs::remove_dir_all(work.0.join("joined/test/blocks/index")).unwrap();
            }
            match ask(&work) {
                Ok(found) => compare(&found, &truth, &flipped),
                Err(refused) => assert!(refused.contains("restore this file"), "{refused}"),
            }
        }
    }
}

#[test]
fn flipped_bits_of_a_snapshot_are_refused() {
    run_on_a_snapshot(0..15);
}

#[test]
fn flips_from_the_seeds_it_is_given() {
    let Some(work) = process::work() else { return };
    let seeds = fs::read_to_string(work.0.join("seeds")).unwrap();
    let (from, to) = seeds.split_once(' ').unwrap();
    run(from.parse().unwrap()..to.parse().unwrap());
}

fn flip_in_processes(seeds: std::ops::Range<u64>, together: u64) {
    let mut from = seeds.start;
    while from < seeds.end {
        let to = seeds.end.min(from + together);
        let dir = TempDir::new().unwrap();
        fs::write(dir.path().join("seeds"), format!("{from} {to}")).unwrap();
        let ended = process::run("faults::flips::flips_from_the_seeds_it_is_given", "", dir.path());
        println!("{}", ended.text.lines().filter(|it| it.starts_with('{')).collect::<String>());
        assert!(!ended.is_killed(), "{}", ended.text);
        from = to;
    }
}

#[test]
fn flipped_bits_are_repaired_or_refused() {
    flip_in_processes(0..40, 40);
}

#[test]
#[ignore = "long: thousands of flips; GAUZE_FLIP_SEEDS=from-to chooses others"]
fn long_flipped_bits_are_repaired_or_refused() {
    let seeds = std::env::var_os("GAUZE_FLIP_SEEDS").unwrap_or_else(|| "1000-3000".into());
    let seeds = seeds.into_string().unwrap();
    let (from, to) = seeds.split_once('-').unwrap();
    flip_in_processes(from.parse().unwrap()..to.parse().unwrap(), 50);
}
