//! A chain of blocks as an ordering service would send them, in one file.
//!
//! The file holds each block behind its length (eight bytes, big-endian). It is made anew only if
//! its name, which says everything about its content, is not there.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use msp::SigningIdentity;
use prost::Message;
use proto::block;
use proto::common::{
    Block, BlockMetadataIndex, ChannelHeader, Header, HeaderType, LastConfig, MetadataSignature,
    OrdererBlockMetadata, Payload, SignatureHeader,
};
use proto::kvrwset::{KvRead, KvrwSet, Version};
use proto::peer::{
    ChaincodeAction, ChaincodeActionPayload, ChaincodeEndorsedAction, ChaincodeHeaderExtension,
    ChaincodeId, ChaincodeInput, ChaincodeInvocationSpec, ChaincodeProposalPayload, ChaincodeSpec,
    Endorsement, ProposalResponsePayload, Response, Transaction, TransactionAction,
    TxValidationCode,
};
use proto::rwset::{NsReadWriteSet, TxReadWriteSet};
use rayon::prelude::*;

use super::Tell;
use super::consortium::{CHAINCODE, CHANNEL, Consortium, write};

/// Blocks before those with the transactions that are counted: genesis and the definition.
pub(super) const SETUP_BLOCKS: u64 = 2;

/// Transactions that are signed at a time.
const CHUNK: u64 = 5_000;

/// What a chain looks like.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shape {
    /// How many transactions.
    pub(crate) transactions: u64,
    /// Endorsements of each.
    pub(crate) endorsements: usize,
    /// Transactions in a block.
    pub(crate) block_size: u64,
    /// Bytes of the value each writes.
    pub(crate) value_bytes: usize,
    /// Keys they write, one after the other. At least as many as fit into a block.
    pub(crate) keys: u64,
    /// Share of transactions that have read something outdated.
    pub(crate) conflicts: f64,
}

impl Shape {
    /// Whether the transaction at `index` has read something outdated.
    fn is_conflict(&self, index: u64) -> bool {
        // Evenly spread: the fractions of the multiples of an irrational number.
        let fraction = (index as f64 * 0.618_033_988_749_895).fract();
        fraction < self.conflicts
    }

    fn position(&self, index: u64) -> Version {
        let block_num = SETUP_BLOCKS + index / self.block_size;
        Version { block_num, tx_num: index % self.block_size }
    }

    /// The last transaction before `index` that wrote its key.
    fn writer_before(&self, index: u64) -> Option<u64> {
        let mut before = index;
        loop {
            before = before.checked_sub(self.keys)?;
            if !self.is_conflict(before) {
                return Some(before);
            }
        }
    }

    fn file_name(&self) -> String {
        format!(
            "chain-{}-e{}-b{}-v{}-k{}-c{}.blocks",
            self.transactions,
            self.endorsements,
            self.block_size,
            self.value_bytes,
            self.keys,
            self.conflicts
        )
    }

    /// What validation must say to the transactions of a block.
    pub(super) fn expected(&self, number: u64, length: usize) -> Vec<TxValidationCode> {
        let first = number.saturating_sub(SETUP_BLOCKS) * self.block_size;
        let code = |index| match number >= SETUP_BLOCKS && self.is_conflict(index) {
            true => TxValidationCode::MvccReadConflict,
            false => TxValidationCode::Valid,
        };
        (first..).take(length).map(code).collect()
    }
}

/// A generated chain.
#[derive(Debug)]
pub(super) struct Chain {
    pub(super) shape: Shape,
    file: PathBuf,
    /// Where each block stands in the file, and its length.
    blocks: Vec<(u64, usize)>,
}

impl Chain {
    /// The chain of this shape in `dir`, made if it is not there.
    pub(super) fn open_or_generate(shape: &Shape, dir: &Path, tell: Tell<'_>) -> Result<Self> {
        ensure!(shape.endorsements > 0, "a transaction needs an endorsement");
        ensure!(shape.block_size > 0, "a block needs a transaction");
        ensure!(
            shape.keys >= shape.block_size,
            "with fewer keys than transactions in a block, transactions would conflict"
        );
        let file = dir.join(shape.file_name());
        if !file.exists() {
            let unfinished = file.with_extension("unfinished");
            generate(shape, &unfinished, tell)
                .with_context(|| format!("generate {}", file.display()))?;
            std::fs::rename(&unfinished, &file)
                .with_context(|| format!("name {}", file.display()))?;
        }
        let blocks = index(&file).with_context(|| format!("read {}", file.display()))?;
        Ok(Self { shape: shape.clone(), file, blocks })
    }

    /// The blocks with the transactions that are counted.
    pub(super) fn blocks(&self) -> Vec<u64> {
        (SETUP_BLOCKS..self.blocks.len() as u64).collect()
    }

    /// Reads blocks one after the other.
    pub(super) fn reader(&self) -> Result<Reader> {
        let file = File::open(&self.file).context("open the chain")?;
        Ok(Reader { file, blocks: self.blocks.clone() })
    }
}

/// Reads the blocks of a chain.
#[derive(Debug)]
pub(super) struct Reader {
    file: File,
    blocks: Vec<(u64, usize)>,
}

impl Reader {
    /// The encoded block with this number.
    pub(super) fn block(&self, number: u64) -> Result<Bytes> {
        use std::os::unix::fs::FileExt;
        let at = usize::try_from(number).ok().and_then(|number| self.blocks.get(number));
        let (offset, length) = at.with_context(|| format!("the chain has no block {number}"))?;
        let mut bytes = vec![0; *length];
        self.file.read_exact_at(&mut bytes, *offset).context("read the chain")?;
        Ok(bytes.into())
    }
}

fn index(path: &Path) -> Result<Vec<(u64, usize)>> {
    let file = File::open(path)?;
    let end = file.metadata()?.len();
    let mut reader = BufReader::new(file);
    let mut blocks = Vec::new();
    let mut offset = 0;
    while offset < end {
        let mut length = [0; 8];
        reader.read_exact(&mut length)?;
        let length = u64::from_be_bytes(length);
        blocks.push((offset + 8, usize::try_from(length)?));
        reader.seek_relative(i64::try_from(length)?)?;
        offset += 8 + length;
    }
    Ok(blocks)
}

fn generate(shape: &Shape, path: &Path, tell: Tell<'_>) -> Result<()> {
    let consortium = Consortium::new(shape.endorsements)?;
    let mut blocks = Blocks::create(path, &consortium)?;
    blocks.write(&consortium.genesis)?;
    let definition = vec![consortium.definition()?];
    blocks.add(vec![Draft::new(&consortium, "_lifecycle", definition, u64::MAX).envelope()?])?;
    let mut signed: Vec<Bytes> = Vec::new();
    let mut next = 0;
    while next < shape.transactions {
        let end = (next + CHUNK).min(shape.transactions);
        let chunk = (next..end).into_par_iter().map(|index| {
            let set = reads_and_writes(shape, index);
            Draft::new(&consortium, CHAINCODE, vec![set], index).envelope()
        });
        signed.extend(chunk.collect::<Result<Vec<_>>>()?);
        next = end;
        let block_size = usize::try_from(shape.block_size)?;
        while signed.len() >= block_size || (next == shape.transactions && !signed.is_empty()) {
            let rest = signed.split_off(block_size.min(signed.len()));
            blocks.add(std::mem::replace(&mut signed, rest))?;
        }
        tell("sign transactions", next, shape.transactions);
    }
    blocks.finish()
}

/// Reads a key and writes it.
fn reads_and_writes(shape: &Shape, index: u64) -> NsReadWriteSet {
    let key = format!("key{:010}", index % shape.keys);
    let version = match (shape.is_conflict(index), shape.writer_before(index)) {
        (false, writer) => writer.map(|writer| shape.position(writer)),
        // A version the key never had, whether it is there or not.
        (true, _) => Some(Version { block_num: 0, tx_num: 0 }),
    };
    let value: Vec<u8> = (0..shape.value_bytes).map(|at| (index as usize + at) as u8).collect();
    let set = KvrwSet {
        reads: vec![KvRead { key: key.clone(), version }],
        writes: vec![write(key, value.into())],
        ..KvrwSet::default()
    };
    NsReadWriteSet {
        namespace: CHAINCODE.to_owned(),
        rwset: set.encode_to_vec().into(),
        ..NsReadWriteSet::default()
    }
}

/// The file while blocks are added.
struct Blocks<'a> {
    file: BufWriter<File>,
    orderer: &'a SigningIdentity,
    next: u64,
    previous: Bytes,
}

impl<'a> Blocks<'a> {
    fn create(path: &Path, consortium: &'a Consortium) -> Result<Self> {
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir)?;
        }
        let file = BufWriter::with_capacity(1 << 20, File::create(path)?);
        Ok(Self { file, orderer: &consortium.orderer, next: 0, previous: Bytes::new() })
    }

    /// Makes the next block of transactions, signed by the orderer.
    fn add(&mut self, envelopes: Vec<Bytes>) -> Result<()> {
        let mut block = block::new(self.next, self.previous.clone(), envelopes);
        let value: Bytes = OrdererBlockMetadata {
            last_config: Some(LastConfig { index: 0 }),
            consenter_metadata: Bytes::new(),
        }
        .encode_to_vec()
        .into();
        let creator = self.orderer.serialized().clone();
        let nonce = Bytes::copy_from_slice(&self.next.to_be_bytes());
        let signature_header: Bytes = SignatureHeader { creator, nonce }.encode_to_vec().into();
        let message = block::signed_message(&value, &signature_header, block::header(&block)?);
        let signature = self.orderer.sign(&message)?;
        let signature =
            MetadataSignature { signature_header, signature, ..MetadataSignature::default() };
        block::set_orderer_metadata(&mut block, value, vec![signature]);
        block::set_slot(&mut block, BlockMetadataIndex::TransactionsFilter, Bytes::new());
        self.write(&block)
    }

    fn write(&mut self, block: &Block) -> Result<()> {
        let bytes = block.encode_to_vec();
        self.file.write_all(&(bytes.len() as u64).to_be_bytes())?;
        self.file.write_all(&bytes)?;
        self.previous = Bytes::copy_from_slice(&block::header_hash(block::header(block)?));
        self.next += 1;
        Ok(())
    }

    fn finish(mut self) -> Result<()> {
        self.file.flush()?;
        Ok(self.file.get_ref().sync_all()?)
    }
}

/// A transaction to be endorsed and signed.
struct Draft<'a> {
    consortium: &'a Consortium,
    chaincode: &'a str,
    namespaces: Vec<NsReadWriteSet>,
    nonce: Bytes,
}

impl<'a> Draft<'a> {
    fn new(
        consortium: &'a Consortium,
        chaincode: &'a str,
        namespaces: Vec<NsReadWriteSet>,
        index: u64,
    ) -> Self {
        // As long as those of clients.
        let nonce = [&index.to_be_bytes()[..], &[0; 16]].concat().into();
        Self { consortium, chaincode, namespaces, nonce }
    }

    fn envelope(&self) -> Result<Bytes> {
        let client = &self.consortium.client;
        let chaincode_id =
            Some(ChaincodeId { name: self.chaincode.to_owned(), ..ChaincodeId::default() });
        let channel_header: Bytes = ChannelHeader {
            r#type: HeaderType::EndorserTransaction.into(),
            channel_id: CHANNEL.to_owned(),
            tx_id: proto::transaction::tx_id(&self.nonce, client.serialized()),
            extension: ChaincodeHeaderExtension { chaincode_id }.encode_to_vec().into(),
            ..ChannelHeader::default()
        }
        .encode_to_vec()
        .into();
        let signature_header =
            SignatureHeader { creator: client.serialized().clone(), nonce: self.nonce.clone() };
        let signature_header: Bytes = signature_header.encode_to_vec().into();
        let data = self.transaction(&channel_header, &signature_header)?;
        let header = Some(Header { channel_header, signature_header });
        let payload = Payload { header, data }.encode_to_vec();
        Ok(proto::envelope::encode(&payload, &client.sign(&payload)?))
    }

    fn transaction(&self, channel_header: &Bytes, signature_header: &Bytes) -> Result<Bytes> {
        let proposal = self.proposal_payload();
        let hash = proto::transaction::proposal_hash(channel_header, signature_header, &proposal);
        let response = ProposalResponsePayload {
            proposal_hash: Bytes::copy_from_slice(&hash),
            extension: self.action(),
        };
        let response: Bytes = response.encode_to_vec().into();
        let endorse = |peer: &SigningIdentity| -> Result<Endorsement> {
            let message = proto::transaction::endorsed_message(&response, peer.serialized());
            Ok(Endorsement { endorser: peer.serialized().clone(), signature: peer.sign(&message)? })
        };
        let endorsements = self.consortium.peers.iter().map(endorse).collect::<Result<_>>()?;
        let payload = ChaincodeActionPayload {
            chaincode_proposal_payload: proposal,
            action: Some(ChaincodeEndorsedAction {
                proposal_response_payload: response.clone(),
                endorsements,
            }),
        };
        let action = TransactionAction {
            header: signature_header.clone(),
            payload: payload.encode_to_vec().into(),
        };
        Ok(Transaction { actions: vec![action] }.encode_to_vec().into())
    }

    /// What the client asked for.
    fn proposal_payload(&self) -> Bytes {
        let id = ChaincodeId { name: self.chaincode.to_owned(), ..ChaincodeId::default() };
        let input = ChaincodeInput {
            args: vec![Bytes::from_static(b"put"), self.nonce.clone()],
            ..ChaincodeInput::default()
        };
        let spec = ChaincodeSpec {
            chaincode_id: Some(id),
            input: Some(input),
            ..ChaincodeSpec::default()
        };
        let spec = ChaincodeInvocationSpec { chaincode_spec: Some(spec) };
        let input = spec.encode_to_vec().into();
        let payload = ChaincodeProposalPayload { input, ..ChaincodeProposalPayload::default() };
        payload.encode_to_vec().into()
    }

    fn action(&self) -> Bytes {
        let set = TxReadWriteSet { ns_rwset: self.namespaces.clone(), ..TxReadWriteSet::default() };
        ChaincodeAction {
            results: set.encode_to_vec().into(),
            events: Bytes::new(),
            response: Some(Response { status: 200, ..Response::default() }),
            chaincode_id: Some(ChaincodeId {
                name: self.chaincode.to_owned(),
                version: "1.0".to_owned(),
                ..ChaincodeId::default()
            }),
        }
        .encode_to_vec()
        .into()
    }
}
