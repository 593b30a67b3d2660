use std::fs;

use bytes::Bytes;
use tempfile::TempDir;

use super::*;

type Records = Vec<(u64, Location, Bytes)>;

fn open(dir: &Path) -> Result<(Log, Records), Error> {
    let mut found = Vec::new();
    let log = Log::open::<Error>(dir, 200, 0, &BLOCKS, &mut |number, location, payload| {
        found.push((number, location, payload));
        Ok(())
    })?;
    Ok((log, found))
}

fn record(number: u64) -> (u64, Bytes) {
    (number, Bytes::from(vec![number as u8; 30 + number as usize]))
}

#[test]
fn records_come_back_in_order_and_by_location() {
    let dir = TempDir::new().unwrap();
    let (mut log, found) = open(dir.path()).unwrap();
    assert!(found.is_empty());
    let mut locations = Vec::new();
    for number in 0..20 {
        locations.extend(log.append(&[record(number)]).unwrap());
    }
    assert!(locations.last().unwrap().segment > 3, "segments are bounded");
    let (_, found) = open(dir.path()).unwrap();
    assert_eq!(found.len(), 20);
    for ((number, location, payload), expected) in found.iter().zip(&locations) {
        assert_eq!((location, payload), (expected, &record(*number).1));
        assert_eq!(&read(dir.path(), *number, *location).unwrap(), payload);
        assert!(read(dir.path(), number + 1, *location).is_err());
    }
}

/// An append of two records is cut at every byte: it vanishes as a whole or up to a record.
#[test]
fn a_torn_append_is_cut_off() {
    let dir = TempDir::new().unwrap();
    let (mut log, _) = open(dir.path()).unwrap();
    log.append(&[record(0)]).unwrap();
    let before = log.length();
    log.append(&[record(1), record(2)]).unwrap();
    let file = path(dir.path(), 0);
    let whole = fs::read(&file).unwrap();
    for length in before..whole.len() as u64 {
        fs::write(&file, &whole[..length as usize]).unwrap();
        let (mut log, found) = open(dir.path()).unwrap();
        let kept = 1 + usize::from(length >= before + framed(1));
        assert_eq!(found.len(), kept, "cut at {length}");
        log.append(&[record(9)]).unwrap();
        let (_, found) = open(dir.path()).unwrap();
        assert_eq!(found.len(), kept + 1);
    }
}

/// Length of a record with its header.
fn framed(number: u64) -> u64 {
    super::record::HEADER as u64 + record(number).1.len() as u64
}

/// Any byte of the last append may be wrong after a crash; the same before the last append is
/// damage.
#[test]
fn damage_before_the_last_append_is_refused() {
    let dir = TempDir::new().unwrap();
    let (mut log, _) = open(dir.path()).unwrap();
    log.append(&[record(0)]).unwrap();
    let first = log.length();
    log.append(&[record(1), record(2)]).unwrap();
    let last = log.length();
    let file = path(dir.path(), 0);
    let whole = fs::read(&file).unwrap();
    for at in 0..last {
        let mut damaged = whole.clone();
        damaged[at as usize] ^= 0x40;
        fs::write(&file, &damaged).unwrap();
        let opened = open(dir.path());
        if at < first {
            let Err(Error::Corrupt { file: named, offset, .. }) = opened else {
                panic!("byte {at} was accepted");
            };
            assert_eq!(named, file);
            assert!(offset <= at);
        } else {
            assert!(opened.is_ok(), "byte {at} was refused");
        }
    }
}

#[test]
fn a_segment_that_was_only_just_created_is_begun_again() {
    let dir = TempDir::new().unwrap();
    for length in 0..16 {
        fs::write(path(dir.path(), 0), &super::record::FILE_HEADER[..length]).unwrap();
        let (mut log, found) = open(dir.path()).unwrap();
        assert!(found.is_empty());
        log.append(&[record(0)]).unwrap();
        assert_eq!(open(dir.path()).unwrap().1.len(), 1);
    }
}

#[test]
fn a_missing_segment_is_refused() {
    let dir = TempDir::new().unwrap();
    let (mut log, _) = open(dir.path()).unwrap();
    for number in 0..20 {
        log.append(&[record(number)]).unwrap();
    }
    fs::remove_file(path(dir.path(), 1)).unwrap();
    assert!(matches!(open(dir.path()), Err(Error::Corrupt { .. })));
}

#[test]
fn wiped_records_are_passed_over() {
    let dir = TempDir::new().unwrap();
    let (mut log, _) = open(dir.path()).unwrap();
    let mut locations = Vec::new();
    for number in 0..20 {
        locations.extend(log.append(&[record(number)]).unwrap());
    }
    let gone = [locations[3], locations[19]];
    wipe(dir.path(), &gone).unwrap();
    // The mark is there and the rest is not: as if interrupted.
    let file = path(dir.path(), locations[7].segment);
    let mut bytes = fs::read(&file).unwrap();
    bytes[locations[7].offset as usize + super::record::HEADER] = 0xff;
    fs::write(&file, bytes).unwrap();
    assert_eq!(read_wipeable(dir.path(), 3, gone[0]).unwrap(), None);
    assert!(read(dir.path(), 3, gone[0]).is_err());
    let mut found = Vec::new();
    Log::open::<Error>(dir.path(), 200, 0, &PRIVATE, &mut |number, _, _| {
        found.push(number);
        Ok(())
    })
    .unwrap();
    let kept = (0..19).filter(|number| ![3, 7].contains(number));
    assert_eq!(found, kept.collect::<Vec<_>>());
    let bytes = fs::read(&file).unwrap();
    let begin = locations[7].offset as usize + super::record::HEADER;
    assert!(bytes[begin + 1..locations[7].end() as usize].iter().all(|byte| *byte == 0));
    assert!(open(dir.path()).is_err(), "other logs do not pass over damage");
}

#[test]
fn nothing_is_written_after_a_failure() {
    let dir = TempDir::new().unwrap();
    let (mut log, _) = open(dir.path()).unwrap();
    log.append(&[record(0)]).unwrap();
    log.fail();
    assert!(matches!(log.append(&[record(1)]), Err(Error::Failed { .. })));
    assert_eq!(open(dir.path()).unwrap().1.len(), 1);
}

/// The folder of the next segment cannot be written to: the append fails, and so do all others.
#[test]
fn a_failed_append_is_the_last() {
    let dir = TempDir::new().unwrap();
    let (mut log, _) = open(dir.path()).unwrap();
    log.append(&[record(0)]).unwrap();
    std::fs::create_dir(path(dir.path(), 1)).unwrap();
    let full = (0..5).map(record).collect::<Vec<_>>();
    assert!(matches!(log.append(&full), Err(Error::Io { .. })));
    assert!(matches!(log.append(&[record(1)]), Err(Error::Failed { .. })));
}
