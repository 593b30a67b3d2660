//! Reading a seek request.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proto::common;
use proto::envelope::Envelope;
use proto::orderer::seek_position::Type;
use proto::orderer::{SeekInfo, SeekPosition};

/// Why a request cannot be read; the text is for the log.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(transparent)]
    Envelope(#[from] proto::envelope::Error),
    #[error("the request has no timestamp")]
    NoTimestamp,
    #[error("the timestamp is more than {0:?} apart from our clock")]
    Timestamp(Duration),
    #[error("the TLS certificate hash is not that of the connection")]
    TlsBinding,
}

/// Peels a request and checks its header.
pub(super) fn read(
    envelope: common::Envelope,
    window: Duration,
    tls: Option<TlsBinding>,
) -> Result<Envelope, Error> {
    let envelope = Envelope::peel(envelope)?;
    let header = &envelope.channel_header;
    let timestamp = header.timestamp.as_ref().ok_or(Error::NoTimestamp)?;
    if !is_near(timestamp, window) {
        return Err(Error::Timestamp(window));
    }
    match tls {
        Some(TlsBinding { hash }) if hash.is_none_or(|hash| header.tls_cert_hash != hash[..]) => {
            Err(Error::TlsBinding)
        }
        _ => Ok(envelope),
    }
}

/// That a request must name the certificate its connection was made with.
pub(super) struct TlsBinding {
    pub(super) hash: Option<[u8; 32]>,
}

fn is_near(timestamp: &prost_types::Timestamp, window: Duration) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = i128::try_from(now.as_nanos()).unwrap_or(i128::MAX);
    let then = i128::from(timestamp.seconds) * 1_000_000_000 + i128::from(timestamp.nanos);
    (now - then).unsigned_abs() <= window.as_nanos()
}

/// Decodes what the request seeks.
pub(super) fn seek(envelope: &Envelope) -> Result<SeekInfo, prost::DecodeError> {
    proto::decode::<SeekInfo>(envelope.data.clone())
}

/// The blocks a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    /// First block.
    pub(super) start: u64,
    /// Last block.
    pub(super) stop: u64,
}

/// What is wrong with the positions of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// A position is missing, or the end lies before the start.
    BadRequest,
    /// The start is not here, and the next block is not it.
    NotFound,
}

/// Resolves positions against the blocks from `first` up to `height`.
pub(super) fn range(seek: &SeekInfo, first: u64, height: u64) -> Result<Range, Refused> {
    let (Some(start), Some(stop)) = (position(&seek.start), position(&seek.stop)) else {
        return Err(Refused::BadRequest);
    };
    let newest = height.saturating_sub(1);
    let begin = match start {
        // Joined by a snapshot: the oldest block of the chain is not here.
        Type::Oldest(_) if first > 0 => return Err(Refused::NotFound),
        Type::Oldest(_) => 0,
        Type::Newest(_) if height <= first => height,
        Type::Newest(_) => newest,
        Type::Specified(at) if at.number > height || at.number < first => {
            return Err(Refused::NotFound);
        }
        Type::Specified(at) => at.number,
        Type::NextCommit(_) => height,
    };
    let end = match (start, stop) {
        (_, Type::Oldest(_)) | (Type::Newest(_), Type::Newest(_)) => begin,
        (_, Type::Newest(_)) => newest,
        (_, Type::Specified(at)) if at.number < begin => return Err(Refused::BadRequest),
        (_, Type::Specified(at)) => at.number,
        (_, Type::NextCommit(_)) => 0,
    };
    Ok(Range { start: begin, stop: end })
}

fn position(position: &Option<SeekPosition>) -> Option<Type> {
    position.as_ref()?.r#type
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seek::{newest, next_commit, oldest, specified};

    #[track_caller]
    fn check(
        start: Option<SeekPosition>,
        stop: Option<SeekPosition>,
        expected: Result<(u64, u64), Refused>,
    ) {
        let seek = SeekInfo { start, stop, ..Default::default() };
        let found = range(&seek, 0, 10).map(|range| (range.start, range.stop));
        assert_eq!(found, expected, "{start:?} to {stop:?}");
    }

    #[test]
    fn positions_are_those_of_fabric() {
        check(oldest(), newest(), Ok((0, 9)));
        check(oldest(), oldest(), Ok((0, 0)));
        check(newest(), newest(), Ok((9, 9)));
        check(newest(), oldest(), Ok((9, 9)));
        check(specified(3), specified(5), Ok((3, 5)));
        check(specified(3), oldest(), Ok((3, 3)));
        check(specified(3), newest(), Ok((3, 9)));
        check(specified(10), specified(u64::MAX), Ok((10, u64::MAX)));
        check(next_commit(), specified(u64::MAX), Ok((10, u64::MAX)));
        check(specified(3), next_commit(), Ok((3, 0)));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        check(None, newest(), Err(Refused::BadRequest));
        check(oldest(), None, Err(Refused::BadRequest));
        check(Some(SeekPosition { r#type: None }), newest(), Err(Refused::BadRequest));
        check(specified(5), specified(4), Err(Refused::BadRequest));
        check(specified(11), specified(20), Err(Refused::NotFound));
        check(specified(u64::MAX), specified(u64::MAX), Err(Refused::NotFound));
    }

    #[test]
    fn blocks_before_a_snapshot_are_not_here() {
        let at = |start| {
            let seek = SeekInfo { start, stop: specified(u64::MAX), ..Default::default() };
            range(&seek, 5, 5).map(|range| range.start)
        };
        assert_eq!(at(oldest()), Err(Refused::NotFound));
        assert_eq!(at(specified(4)), Err(Refused::NotFound));
        assert_eq!(at(specified(5)), Ok(5));
        assert_eq!(at(newest()), Ok(5));
        assert_eq!(at(next_commit()), Ok(5));
    }
}
