use super::*;

fn records(count: usize) -> Vec<Bytes> {
    (0..count).map(|n| Bytes::from(vec![n as u8 + 1; 40 + n * 300])).collect()
}

fn written(frames: &[&[Bytes]]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let (mut wal, found) = Wal::open(folder.path()).unwrap();
    assert!(found.is_empty());
    for frame in frames {
        wal.append(frame).unwrap();
    }
    let path = wal.path.clone();
    (folder, path)
}

#[test]
fn returns_what_was_appended() {
    let all = records(5);
    let (folder, _) = written(&[&all[..2], &all[2..3], &all[3..]]);
    let (mut wal, found) = Wal::open(folder.path()).unwrap();
    assert_eq!(found, all);
    wal.append(&all[..1]).unwrap();
    assert_eq!(Wal::open(folder.path()).unwrap().1.len(), 6);
}

#[test]
fn a_write_torn_at_any_byte_is_cut_off() {
    let all = records(4);
    let (folder, path) = written(&[&all[..2], &all[2..]]);
    let whole = fs::read(&path).unwrap();
    let first = HEADER + 2 * 4 + all[0].len() + all[1].len();
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let (mut wal, found) = Wal::open(folder.path()).unwrap();
        assert_eq!(found, if length < first { &all[..0] } else { &all[..2] }, "cut at {length}");
        wal.append(&all[3..]).unwrap();
        drop(wal);
        assert_eq!(Wal::open(folder.path()).unwrap().1.last(), all.last(), "cut at {length}");
    }
}

#[test]
fn sectors_that_were_never_written_are_a_torn_write() {
    let all = records(5);
    let (folder, path) = written(&[&all[..2], &all[2..]]);
    let whole = fs::read(&path).unwrap();
    let mut holed = whole.clone();
    holed[1024..1536].fill(0);
    fs::write(&path, &holed).unwrap();
    assert_eq!(Wal::open(folder.path()).unwrap().1, all[..2]);
    let mut extended = whole;
    extended.extend([0; 700]);
    fs::write(&path, &extended).unwrap();
    assert_eq!(Wal::open(folder.path()).unwrap().1, all);
}

#[test]
fn a_flipped_bit_is_never_served() {
    let all = records(3);
    let (folder, path) = written(&[&all[..1], &all[1..2], &all[2..]]);
    let whole = fs::read(&path).unwrap();
    let (mut refused, mut cut) = (0, 0);
    for byte in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[byte] ^= 1 << (byte % 8);
        fs::write(&path, &flipped).unwrap();
        match Wal::open(folder.path()) {
            Err(Error::Damaged { .. }) => refused += 1,
            Err(error) => panic!("{error}"),
            // A flipped length may look like a frame the file ends in.
            Ok((_, found)) => {
                assert!(found.len() < 3 && found == all[..found.len()], "bit in byte {byte}");
                cut += 1;
            }
        }
    }
    assert!(refused > whole.len() - 16 && cut > 0, "{refused} refused, {cut} cut");
}

#[test]
fn a_replaced_log_holds_one_record_and_leaves_nothing_behind() {
    let all = records(3);
    let folder = tempfile::tempdir().unwrap();
    let (mut wal, _) = Wal::open(folder.path()).unwrap();
    wal.append(&all[..2]).unwrap();
    wal.replace(all[2].clone()).unwrap();
    wal.append(&all[..1]).unwrap();
    drop(wal);
    // What a crash between the steps of a replacement may leave.
    fs::write(name(folder.path(), 0), b"old").unwrap();
    fs::write(name(folder.path(), 2).with_extension("draft"), b"half").unwrap();
    let (_, found) = Wal::open(folder.path()).unwrap();
    assert_eq!(found, [all[2].clone(), all[0].clone()]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
