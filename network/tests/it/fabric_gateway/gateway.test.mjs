// The official Fabric Gateway client, unmodified, against a running network.
//
// GAUZE_CONNECTION names a JSON file: { peer, tlsCa, tlsCertificate, tlsKey, mspId, certificate,
// key, channel, chaincode }; all but the first and the ids are paths of PEM files.

import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import { after, before, test } from 'node:test';

import * as grpc from '@grpc/grpc-js';
import {
  CommitError,
  EndorseError,
  GatewayError,
  StatusCode,
  checkpointers,
  connect,
  hash,
  signers,
} from '@hyperledger/fabric-gateway';
import { peer } from '@hyperledger/fabric-protos';

const settings = JSON.parse(fs.readFileSync(process.env.GAUZE_CONNECTION, 'utf8'));
const read = (path) => fs.readFileSync(path);
const privateKey = crypto.createPrivateKey(read(settings.key));
const sign = signers.newPrivateKeySigner(privateKey);
const identity = { mspId: settings.mspId, credentials: read(settings.certificate) };
const decode = (bytes) => Buffer.from(bytes).toString();
const tlsClientCertificateHash = crypto
  .createHash('sha256')
  .update(new crypto.X509Certificate(read(settings.tlsCertificate)).raw)
  .digest();

let client;
let gateway;
let network;
let contract;

function newGateway(overrides = {}) {
  const deadline = () => ({ deadline: Date.now() + 30_000 });
  return connect({
    client,
    identity,
    signer: sign,
    hash: hash.sha256,
    tlsClientCertificateHash,
    evaluateOptions: deadline,
    endorseOptions: deadline,
    submitOptions: deadline,
    commitStatusOptions: deadline,
    ...overrides,
  });
}

const newId = () => `asset-${crypto.randomUUID()}`;
const create = (id, owner = 'Tom') =>
  contract.submitTransaction('CreateAsset', id, 'yellow', '5', owner, '1300');

async function firstOf(events, wanted) {
  try {
    for await (const event of events) {
      if (wanted(event)) return event;
    }
    return assert.fail('the stream of events ended');
  } finally {
    events.close();
  }
}

before(() => {
  const credentials = grpc.credentials.createSsl(
    read(settings.tlsCa),
    read(settings.tlsKey),
    read(settings.tlsCertificate),
  );
  client = new grpc.Client(settings.peer, credentials);
  gateway = newGateway();
  network = gateway.getNetwork(settings.channel);
  contract = network.getContract(settings.chaincode);
});

after(() => {
  gateway.close();
  client.close();
});

test('submits, then evaluates what was written', async () => {
  const id = newId();
  await create(id);
  const asset = JSON.parse(decode(await contract.evaluateTransaction('ReadAsset', id)));
  assert.equal(asset.ID, id);
  assert.equal(asset.Owner, 'Tom');
  assert.equal(asset.AppraisedValue, 1300);
});

test('evaluating changes nothing', async () => {
  const id = newId();
  await contract.evaluateTransaction('CreateAsset', id, 'red', '1', 'Ann', '1');
  assert.equal(decode(await contract.evaluateTransaction('AssetExists', id)), 'false');
});

test('submits asynchronously and learns the block', async () => {
  const id = newId();
  await create(id);
  const commit = await contract.submitAsync('TransferAsset', { arguments: [id, 'Max'] });
  assert.equal(decode(commit.getResult()), 'Tom');
  const status = await commit.getStatus();
  assert.equal(status.code, StatusCode.VALID);
  assert.ok(status.successful);
  assert.ok(status.blockNumber > 0n);
  assert.equal(status.transactionId, commit.getTransactionId());
});

test('a refusal by the chaincode names the peer, its organization and the reason', async () => {
  await assert.rejects(contract.submitTransaction('ReadAsset', 'nothing'), (error) => {
    assert.ok(error instanceof EndorseError);
    assert.equal(error.code, grpc.status.ABORTED);
    assert.ok(error.transactionId.length === 64);
    assert.ok(error.details.length > 0);
    assert.match(error.details[0].message, /chaincode response 500, .*nothing.* does not exist/);
    assert.ok(error.details[0].mspId.length > 0);
    assert.match(error.details[0].address, /:\d+$/);
    return true;
  });
  await assert.rejects(contract.evaluateTransaction('ReadAsset', 'nothing'), (error) => {
    assert.ok(error instanceof GatewayError);
    assert.equal(error.code, grpc.status.UNKNOWN);
    assert.match(error.details[0].message, /does not exist/);
    return true;
  });
});

test('unknown functions, chaincodes and channels are refused', async () => {
  await assert.rejects(contract.evaluateTransaction('Nonsense'), GatewayError);
  const unknown = network.getContract('unknown');
  await assert.rejects(unknown.evaluateTransaction('ReadAsset', '1'), (error) => {
    assert.equal(error.code, grpc.status.FAILED_PRECONDITION);
    return true;
  });
  const other = gateway.getNetwork('nowhere').getContract(settings.chaincode);
  await assert.rejects(other.submitTransaction('ReadAsset', '1'), GatewayError);
});

test('a foreign identity is refused', async () => {
  const { privateKey: foreign } = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const stranger = newGateway({ signer: signers.newPrivateKeySigner(foreign) });
  const refused = stranger.getNetwork(settings.channel).getContract(settings.chaincode);
  await assert.rejects(refused.evaluateTransaction('AssetExists', '1'), (error) => {
    assert.ok(error instanceof GatewayError);
    assert.match(JSON.stringify(error.details) + error.message, /access denied|creator/);
    return true;
  });
  stranger.close();
});

test('two transactions on one version of a key: the second is a read conflict', async () => {
  const id = newId();
  await create(id);
  const endorse = (owner) =>
    contract.newProposal('TransferAsset', { arguments: [id, owner] }).endorse();
  const [first, second] = [await endorse('A'), await endorse('B')];
  const firstStatus = await (await first.submit()).getStatus();
  assert.equal(firstStatus.code, StatusCode.VALID);
  const secondStatus = await (await second.submit()).getStatus();
  assert.equal(secondStatus.code, StatusCode.MVCC_READ_CONFLICT);
  assert.ok(!secondStatus.successful);
  assert.equal(CommitError.name, 'CommitError');
});

test('a tampered transaction is refused by the orderer', async () => {
  const proposal = contract.newProposal('AssetExists', { arguments: ['x'] });
  const transaction = await proposal.endorse();
  const forged = gateway.newSignedTransaction(transaction.getBytes(), Buffer.from('nonsense'));
  await assert.rejects(forged.submit(), (error) => {
    assert.ok(error instanceof GatewayError);
    assert.equal(error.name, 'SubmitError');
    assert.equal(error.code, grpc.status.ABORTED);
    assert.match(error.details[0].message, /FORBIDDEN|permission denied/);
    return true;
  });
});

test('signs offline: proposal, transaction, commit', async () => {
  const offline = newGateway({ signer: undefined });
  const away = offline.getNetwork(settings.channel).getContract(settings.chaincode);
  const id = newId();
  const unsigned = away.newProposal('CreateAsset', { arguments: [id, 'blue', '2', 'Eve', '7'] });
  await assert.rejects(unsigned.endorse(), /sign/i);
  const proposal = offline.newSignedProposal(unsigned.getBytes(), await sign(unsigned.getDigest()));
  const endorsed = await proposal.endorse();
  const transaction = offline.newSignedTransaction(
    endorsed.getBytes(),
    await sign(endorsed.getDigest()),
  );
  const sent = await transaction.submit();
  const commit = offline.newSignedCommit(sent.getBytes(), await sign(sent.getDigest()));
  assert.equal((await commit.getStatus()).code, StatusCode.VALID);
  assert.equal(decode(await contract.evaluateTransaction('AssetExists', id)), 'true');
  offline.close();
});

test('chaincode events arrive, and resume after a checkpoint without repeating', async () => {
  const checkpointer = checkpointers.inMemory();
  const ids = [newId(), newId()];
  const live = await network.getChaincodeEvents(settings.chaincode);
  await create(ids[0]);
  await create(ids[1]);
  const names = (id) => (event) => decode(event.payload).includes(id);
  const first = await firstOf(live, names(ids[0]));
  assert.equal(first.eventName, 'CreateAsset');
  assert.equal(first.chaincodeName, settings.chaincode);
  await checkpointer.checkpointChaincodeEvent(first);
  const resumed = await network.getChaincodeEvents(settings.chaincode, { checkpoint: checkpointer });
  const next = await firstOf(resumed, () => true);
  assert.ok(names(ids[1])(next), 'the event after the checkpoint comes first');
  const replay = await network.getChaincodeEvents(settings.chaincode, {
    startBlock: first.blockNumber,
  });
  assert.equal((await firstOf(replay, names(ids[0]))).transactionId, first.transactionId);
});

test('block events: whole, filtered, with private data', async () => {
  const id = newId();
  const commit = await contract.submitAsync('CreateAsset', {
    arguments: [id, 'green', '3', 'Kim', '9'],
  });
  const { blockNumber } = await commit.getStatus();
  const start = { startBlock: blockNumber };
  const block = await firstOf(await network.getBlockEvents(start), () => true);
  assert.equal(BigInt(block.getHeader().getNumber()), blockNumber);
  assert.equal(block.getMetadata().getMetadataList().length, 5);
  const filtered = await firstOf(await network.getFilteredBlockEvents(start), () => true);
  const transactions = filtered.getFilteredTransactionsList();
  const ours = transactions.find((each) => each.getTxid() === commit.getTransactionId());
  assert.equal(ours.getTxValidationCode(), peer.TxValidationCode.VALID);
  const both = await firstOf(await network.getBlockAndPrivateDataEvents(start), () => true);
  assert.equal(BigInt(both.getBlock().getHeader().getNumber()), blockNumber);
});

test('transient data reaches the chaincode and stays out of the transaction', async () => {
  const secret = `secret-${crypto.randomUUID()}`;
  const key = newId();
  const collection = `_implicit_org_${settings.mspId}`;
  const transaction = await contract
    .newProposal('putPrivate', { arguments: [collection, key], transientData: { value: secret } })
    .endorse();
  assert.ok(!Buffer.from(transaction.getBytes()).includes(secret));
  const status = await (await transaction.submit()).getStatus();
  assert.equal(status.code, StatusCode.VALID);
  assert.equal(decode(await contract.evaluateTransaction('getPrivate', collection, key)), secret);
});
