//! Transactions through the gateway: from the definition of a chaincode to its events.

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use msp::SigningIdentity;
use prost::Message;
use proto::common::Envelope;
use proto::gateway::gateway_server::Gateway as _;
use proto::gateway::{
    ChaincodeEventsRequest, CommitStatusRequest, EndorseRequest, ErrorDetail, EvaluateRequest,
    SignedChaincodeEventsRequest, SignedCommitStatusRequest, SubmitRequest,
};
use proto::lifecycle as wire;
use proto::orderer::BroadcastResponse;
use proto::peer::{Response, TxValidationCode};
use tonic::{Code, Request, Status};

use crate::network::{CHANNEL, Draft, Network, Peer, Settings};

const ORGS: [&str; 2] = ["HospitalMSP", "PharmacyMSP"];

async fn evaluate(
    peer: &Peer,
    signer: &SigningIdentity,
    draft: &Draft,
) -> Result<Response, Status> {
    let proposed_transaction = Some(draft.sign(signer));
    let request = EvaluateRequest { proposed_transaction, ..Default::default() };
    let answer = peer.gateway.evaluate(Request::new(request)).await?;
    Ok(answer.into_inner().result.unwrap())
}

async fn endorse(
    peer: &Peer,
    signer: &SigningIdentity,
    draft: &Draft,
    orgs: &[&str],
) -> Result<Envelope, Status> {
    let request = EndorseRequest {
        proposed_transaction: Some(draft.sign(signer)),
        endorsing_organizations: orgs.iter().map(|org| (*org).to_owned()).collect(),
        ..Default::default()
    };
    let answer = peer.gateway.endorse(Request::new(request)).await?;
    Ok(answer.into_inner().prepared_transaction.unwrap())
}

async fn submit(
    peer: &Peer,
    signer: &SigningIdentity,
    mut envelope: Envelope,
) -> Result<(), Status> {
    envelope.signature = signer.sign(&envelope.payload).unwrap();
    let prepared_transaction = Some(envelope);
    let channel_id = CHANNEL.to_owned();
    let request = SubmitRequest { prepared_transaction, channel_id, ..Default::default() };
    peer.gateway.submit(Request::new(request)).await.map(|_| ())
}

async fn status(
    peer: &Peer,
    signer: &SigningIdentity,
    channel: &str,
    tx_id: &str,
) -> Result<TxValidationCode, Status> {
    let request = CommitStatusRequest {
        transaction_id: tx_id.to_owned(),
        channel_id: channel.to_owned(),
        identity: signer.serialized().clone(),
    };
    let request = Bytes::from(request.encode_to_vec());
    let signature = signer.sign(&request).unwrap();
    let request = SignedCommitStatusRequest { request, signature };
    let answer = peer.gateway.commit_status(Request::new(request)).await?;
    Ok(answer.into_inner().result())
}

/// Endorses, submits and waits; gives the verdict.
async fn transact(
    peer: &Peer,
    signer: &SigningIdentity,
    draft: &Draft,
    orgs: &[&str],
) -> Result<TxValidationCode, Status> {
    let envelope = endorse(peer, signer, draft, orgs).await?;
    submit(peer, signer, envelope).await?;
    status(peer, signer, CHANNEL, &draft.tx_id(signer)).await
}

fn lifecycle(function: &str, message: &impl Message) -> Draft {
    Draft::new("_lifecycle", &[function.as_bytes(), &message.encode_to_vec()])
}

/// What is agreed on about a chaincode; the tests change parts of it.
fn definition(name: &str) -> wire::CommitChaincodeDefinitionArgs {
    let version = "1.0".to_owned();
    let name = name.to_owned();
    wire::CommitChaincodeDefinitionArgs { sequence: 1, name, version, ..Default::default() }
}

fn approval(
    definition: &wire::CommitChaincodeDefinitionArgs,
    package_id: &str,
) -> wire::ApproveChaincodeDefinitionForMyOrgArgs {
    use wire::chaincode_source::{Local, Type};
    let local = Type::LocalPackage(Local { package_id: package_id.to_owned() });
    let definition = definition.clone();
    wire::ApproveChaincodeDefinitionForMyOrgArgs {
        sequence: definition.sequence,
        name: definition.name,
        version: definition.version,
        validation_parameter: definition.validation_parameter,
        collections: definition.collections,
        init_required: definition.init_required,
        source: Some(wire::ChaincodeSource { r#type: Some(local) }),
        ..Default::default()
    }
}

/// Installs a package on a peer; gives its id.
async fn install(peer: &Peer, label: &str) -> String {
    let package = runtime::package::build(label, b"native").unwrap();
    let args = wire::InstallChaincodeArgs { chaincode_install_package: package };
    let mut draft = lifecycle("InstallChaincode", &args);
    draft.channel = String::new();
    let answer = peer.endorser.process(draft.sign(&peer.admin)).await.unwrap();
    let response = answer.response.unwrap();
    assert_eq!((response.status, response.message.as_str()), (200, ""));
    wire::InstallChaincodeResult::decode(response.payload).unwrap().package_id
}

/// Installs, approves everywhere and commits.
async fn deploy(network: &Network, definition: &wire::CommitChaincodeDefinitionArgs) {
    for peer in &network.peers {
        let package_id = install(peer, &definition.name).await;
        let approval = approval(definition, &package_id);
        let draft = lifecycle("ApproveChaincodeDefinitionForMyOrg", &approval);
        let verdict = transact(peer, &peer.admin, &draft, &[&peer.msp_id]).await.unwrap();
        assert_eq!(verdict, TxValidationCode::Valid);
    }
    let first = &network.peers[0];
    let draft = lifecycle("CommitChaincodeDefinition", definition);
    let verdict = transact(first, &first.admin, &draft, &[]).await.unwrap();
    assert_eq!(verdict, TxValidationCode::Valid);
}

/// Replaces a definition; the package stays.
async fn redefine(peer: &Peer, definition: &wire::CommitChaincodeDefinitionArgs) {
    let packages = peer.lifecycle.packages().list();
    let (package_id, _) = packages.iter().next().unwrap();
    let approval = approval(definition, package_id);
    for draft in [
        lifecycle("ApproveChaincodeDefinitionForMyOrg", &approval),
        lifecycle("CommitChaincodeDefinition", definition),
    ] {
        let verdict = transact(peer, &peer.admin, &draft, &[]).await.unwrap();
        assert_eq!(verdict, TxValidationCode::Valid);
    }
}

fn details(status: &Status) -> Vec<ErrorDetail> {
    let decoded = proto::google::rpc::Status::decode(status.details()).unwrap();
    let detail = |any: &prost_types::Any| ErrorDetail::decode(&any.value[..]).unwrap();
    decoded.details.iter().map(detail).collect()
}

#[track_caller]
fn refused<T: std::fmt::Debug>(outcome: Result<T, Status>, code: Code, text: &str) -> Status {
    let status = outcome.unwrap_err();
    assert_eq!(status.code(), code, "{status:?}");
    assert!(status.message().contains(text), "{status:?}");
    status
}

#[tokio::test(flavor = "multi_thread")]
async fn from_definition_to_events() {
    let network = Network::start(&ORGS).await;
    let (first, second) = (&network.peers[0], &network.peers[1]);
    let start = first.channel.height();
    deploy(&network, &definition("basic")).await;
    // Peers tell the sequence of a definition, not its version, which here is 1.0.
    let known = network.peers[0].planner.membership().peers(CHANNEL);
    assert!(known.iter().all(|peer| peer.chaincodes["basic"] == "1"), "{known:?}");
    let draft = Draft::new("basic", &["put", "k", "v"]);
    let verdict = transact(first, &first.client, &draft, &[]).await.unwrap();
    assert_eq!(verdict, TxValidationCode::Valid);
    for (peer, client) in [(first, &first.client), (second, &second.client)] {
        let draft = Draft::new("basic", &["get", "k"]);
        let response = evaluate(peer, client, &draft).await.unwrap();
        assert_eq!((response.status, response.payload.as_ref()), (200, &b"v"[..]));
    }
    let who = evaluate(first, &second.client, &Draft::new("basic", &["who"])).await.unwrap();
    assert_eq!(who.payload.as_ref(), b"PharmacyMSP CN=user1,OU=client");
    let request = ChaincodeEventsRequest {
        channel_id: CHANNEL.into(),
        chaincode_id: "basic".into(),
        identity: first.client.serialized().clone(),
        start_position: Some(proto::orderer::SeekPosition {
            r#type: Some(proto::orderer::seek_position::Type::Specified(
                proto::orderer::SeekSpecified { number: start },
            )),
        }),
        ..Default::default()
    };
    let request = Bytes::from(request.encode_to_vec());
    let signature = first.client.sign(&request).unwrap();
    let request = SignedChaincodeEventsRequest { request, signature };
    let events = first.gateway.chaincode_events(Request::new(request)).await.unwrap();
    let block = events.into_inner().next().await.unwrap().unwrap();
    let event = &block.events[0];
    assert_eq!((event.event_name.as_str(), event.payload.as_ref()), ("put", &b"k"[..]));
    assert_eq!(event.tx_id, draft.tx_id(&first.client));
    network.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn definitions_are_told() {
    let network = Network::start(&ORGS).await;
    let first = &network.peers[0];
    let basic = definition("basic");
    let readiness = wire::CheckCommitReadinessArgs {
        sequence: 1,
        name: "basic".into(),
        version: "1.0".into(),
        ..Default::default()
    };
    let package_id = install(first, "basic").await;
    let approve =
        |basic: &_| lifecycle("ApproveChaincodeDefinitionForMyOrg", &approval(basic, &package_id));
    let draft = approve(&basic);
    transact(first, &first.admin, &draft, &[&first.msp_id]).await.unwrap();
    let ask = lifecycle("CheckCommitReadiness", &readiness);
    let answer = evaluate(first, &first.client, &ask).await.unwrap();
    let answer = wire::CheckCommitReadinessResult::decode(answer.payload).unwrap();
    let approvals: Vec<_> = answer.approvals.into_iter().collect();
    assert_eq!(approvals, [("HospitalMSP".into(), true), ("PharmacyMSP".into(), false)]);
    let refusal = transact(first, &first.admin, &approve(&basic), &[&first.msp_id]).await;
    let status = refused(refusal, Code::Aborted, "failed to collect enough");
    let expected = "failed to invoke backing implementation of \
                    'ApproveChaincodeDefinitionForMyOrg': attempted to redefine uncommitted \
                    sequence (1) for namespace basic with unchanged content";
    assert_eq!(details(&status)[0].message, format!("chaincode response 500, {expected}"));
    let ask = lifecycle(
        "QueryChaincodeDefinition",
        &wire::QueryChaincodeDefinitionArgs { name: "basic".into() },
    );
    let refusal = evaluate(first, &first.client, &ask).await;
    refused(refusal, Code::Unknown, "chaincode response 404, namespace basic is not defined");
    let draft = lifecycle("CommitChaincodeDefinition", &basic);
    let refusal = endorse(first, &first.admin, &draft, &[]).await;
    let status = refused(refusal, Code::Aborted, "failed to collect enough");
    assert!(details(&status)[0].message.contains("not agreed to by this org (PharmacyMSP)"));
    let second = &network.peers[1];
    install(second, "basic").await;
    let draft = approve(&basic);
    transact(second, &second.admin, &draft, &[&second.msp_id]).await.unwrap();
    let draft = lifecycle("CommitChaincodeDefinition", &basic);
    transact(first, &first.admin, &draft, &[]).await.unwrap();
    let answer = evaluate(first, &first.client, &ask).await.unwrap();
    let answer = wire::QueryChaincodeDefinitionResult::decode(answer.payload).unwrap();
    assert_eq!((answer.sequence, answer.version.as_str()), (1, "1.0"));
    assert_eq!(
        (answer.endorsement_plugin.as_str(), answer.validation_plugin.as_str()),
        ("escc", "vscc")
    );
    assert!(answer.approvals.values().all(|approved| *approved));
    let mut ask =
        lifecycle("QueryInstalledChaincodes", &wire::QueryInstalledChaincodesArgs::default());
    ask.channel = String::new();
    let answer = first.endorser.process(ask.sign(&first.admin)).await.unwrap();
    let answer = answer.response.unwrap().payload;
    let answer = wire::QueryInstalledChaincodesResult::decode(answer).unwrap();
    let installed = &answer.installed_chaincodes[0];
    assert_eq!(installed.package_id, package_id);
    assert_eq!(installed.references[CHANNEL].chaincodes[0].name, "basic");
    network.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_say_who_failed_and_why() {
    let network = Network::start(&ORGS).await;
    let (first, second) = (&network.peers[0], &network.peers[1]);
    let client = &first.client;
    let unknown = evaluate(first, client, &Draft::new("basic", &["get", "k"])).await;
    refused(unknown, Code::FailedPrecondition, "no peers available to evaluate chaincode basic");
    deploy(&network, &definition("basic")).await;

    let draft = Draft::new("basic", &["fail", "500", "out of stock"]);
    let status = refused(
        evaluate(first, client, &draft).await,
        Code::Unknown,
        "evaluate call to endorser returned error: chaincode response 500, out of stock",
    );
    let expected = ErrorDetail {
        address: first.endpoint.clone(),
        msp_id: first.msp_id.clone(),
        message: "chaincode response 500, out of stock".into(),
    };
    assert_eq!(details(&status), std::slice::from_ref(&expected));
    let status = refused(
        endorse(first, client, &draft, &[]).await,
        Code::Aborted,
        "failed to endorse transaction, see attached details for more info",
    );
    assert_eq!(details(&status), [expected]);

    let draft = Draft::new("basic", &["where"]);
    let status = refused(
        endorse(first, client, &draft, &[]).await,
        Code::Aborted,
        "failed to collect enough transaction endorsements",
    );
    let detail = &details(&status)[0];
    assert_eq!(detail.msp_id, second.msp_id);
    assert_eq!(detail.message, "ProposalResponsePayloads do not match");

    let draft = Draft::new("basic", &["put", "k", "v"]);
    refused(
        endorse(first, client, &draft, &["NobodyMSP"]).await,
        Code::Unavailable,
        "failed to find any endorsing peers for org(s): NobodyMSP",
    );
    let mut request = EvaluateRequest::default();
    let answer = first.gateway.evaluate(Request::new(request.clone())).await.map(|_| ());
    refused(answer, Code::InvalidArgument, "must contain a signed proposal");
    request.proposed_transaction = Some(draft.sign(client));
    request.proposed_transaction.as_mut().unwrap().proposal_bytes = Bytes::from_static(b"\xff");
    let answer = first.gateway.evaluate(Request::new(request)).await.map(|_| ());
    refused(answer, Code::InvalidArgument, "failed to unpack transaction proposal");

    let envelope = endorse(first, client, &draft, &[]).await.unwrap();
    let request =
        SubmitRequest { prepared_transaction: Some(envelope.clone()), ..Default::default() };
    let answer = first.gateway.submit(Request::new(request)).await.map(|_| ());
    refused(answer, Code::InvalidArgument, "prepared transaction must be signed");
    let refuse = |status: i32, info: &str| {
        let answer = BroadcastResponse { status, info: info.into() };
        *network.orderer.refusal.lock().unwrap() = Some(answer);
    };
    refuse(403, "who are you");
    let status = refused(
        submit(first, client, envelope.clone()).await,
        Code::Aborted,
        "received unsuccessful response from orderer: status=FORBIDDEN, info=who are you",
    );
    assert_eq!(details(&status)[0].msp_id, "OrdererMSP");
    refuse(503, "no leader");
    let outcome = submit(first, client, envelope).await;
    refused(outcome, Code::Unavailable, "no orderers could successfully process transaction");

    second.stop().await;
    let status = refused(
        endorse(first, client, &draft, &[]).await,
        Code::Aborted,
        "failed to collect enough transaction endorsements",
    );
    assert_eq!(details(&status)[0].address, second.endpoint);
    network.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_those_allowed_are_answered() {
    let network = Network::start(&ORGS).await;
    let first = &network.peers[0];
    deploy(&network, &definition("basic")).await;
    let stranger = crate::consortium::Org::new("ForeignMSP").identity("user1", "client");
    for (signer, channel) in [(&stranger, CHANNEL), (&first.client, "pharma")] {
        let outcome = status(first, signer, channel, "00").await;
        refused(outcome, Code::PermissionDenied, "");
    }
    let outcome = evaluate(first, &stranger, &Draft::new("basic", &["get", "k"])).await;
    refused(outcome, Code::FailedPrecondition, "creator org unknown, creator is malformed");
    let peer = network.orgs[0].identity("peer9", "peer");
    let outcome = evaluate(first, &peer, &Draft::new("basic", &["get", "k"])).await;
    refused(outcome, Code::FailedPrecondition, "with policy [/Channel/Application/Writers]");
    network.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_stay_with_those_they_concern() {
    let network = Network::start(&ORGS).await;
    let (first, second) = (&network.peers[0], &network.peers[1]);
    let package_id = install(second, "basic").await;
    let mut basic = definition("basic");
    basic.validation_parameter = {
        let policy = channel::policy::dsl::parse("OR('PharmacyMSP.peer')").unwrap();
        channel::policy::signature_policy(policy).encode_to_vec().into()
    };
    for peer in [first, second] {
        let draft = lifecycle("ApproveChaincodeDefinitionForMyOrg", &approval(&basic, &package_id));
        transact(peer, &peer.admin, &draft, &[&peer.msp_id]).await.unwrap();
    }
    let draft = lifecycle("CommitChaincodeDefinition", &basic);
    transact(first, &first.admin, &draft, &[]).await.unwrap();
    // The hospital's peer has no package: its gateway would have to send the secret elsewhere.
    let collection = "_implicit_org_PharmacyMSP";
    let mut draft = Draft::new("basic", &["put-secret", collection, "k"]);
    draft.transient.insert("value".into(), Bytes::from_static(b"aspirin"));
    let text = "no endorsers found in the gateway's organization";
    let outcome = endorse(first, &first.client, &draft, &[]).await;
    refused(outcome, Code::FailedPrecondition, text);
    let outcome = evaluate(first, &first.client, &draft).await;
    refused(outcome, Code::FailedPrecondition, text);
    let verdict = transact(second, &second.client, &draft, &[]).await.unwrap();
    assert_eq!(verdict, TxValidationCode::Valid);
    let ask = Draft::new("basic", &["get-secret", collection, "k"]);
    let answer = evaluate(second, &second.client, &ask).await.unwrap();
    assert_eq!(answer.payload.as_ref(), b"aspirin");
    let block = first.channel.ledger().block(first.channel.height() - 1).unwrap().unwrap();
    let bytes = block.encode_to_vec();
    assert!(!bytes.windows(7).any(|part| part == b"aspirin"));
    network.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_with_a_policy_of_their_own_are_planned_for() {
    let network = Network::start(&ORGS).await;
    let (first, second) = (&network.peers[0], &network.peers[1]);
    let mut basic = definition("basic");
    basic.validation_parameter = {
        let policy = "OR('HospitalMSP.peer', 'PharmacyMSP.peer')";
        let policy = channel::policy::dsl::parse(policy).unwrap();
        channel::policy::signature_policy(policy).encode_to_vec().into()
    };
    deploy(&network, &basic).await;
    let client = &first.client;
    for args in [&["put", "k", "1"], &["lock", "k", "PharmacyMSP"], &["put", "k", "2"]] {
        let verdict = transact(first, client, &Draft::new("basic", args), &[]).await.unwrap();
        assert_eq!(verdict, TxValidationCode::Valid, "{args:?}");
    }
    let draft = Draft::new("basic", &["put", "k", "3"]);
    let verdict = transact(first, client, &draft, &[&first.msp_id]).await.unwrap();
    assert_eq!(verdict, TxValidationCode::EndorsementPolicyFailure);
    second.stop().await;
    let draft = Draft::new("basic", &["put", "k", "4"]);
    refused(endorse(first, client, &draft, &[]).await, Code::Aborted, "failed to collect enough");
    let draft = Draft::new("basic", &["put", "other", "4"]);
    endorse(first, client, &draft, &[]).await.unwrap();
    network.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn some_contracts_want_to_be_initialized() {
    let network = Network::start(&ORGS[..1]).await;
    let first = &network.peers[0];
    let client = &first.client;
    let basic = wire::CommitChaincodeDefinitionArgs { init_required: true, ..definition("basic") };
    deploy(&network, &basic).await;
    let failure = |draft: Draft| async move {
        let answer = first.endorser.process(draft.sign(client)).await.unwrap();
        answer.response.unwrap().message
    };
    let init = || Draft { is_init: true, ..Draft::new("basic", &["init"]) };
    let text = failure(Draft::new("basic", &["get", "k"])).await;
    let expected = "invalid invocation: chaincode 'basic' has not been initialized for this \
                    version, must call as init first";
    assert!(text.starts_with("error in simulation: failed to execute transaction "), "{text}");
    assert!(text.ends_with(expected), "{text}");
    let verdict = transact(first, client, &init(), &[]).await.unwrap();
    assert_eq!(verdict, TxValidationCode::Valid);
    evaluate(first, client, &Draft::new("basic", &["get", "k"])).await.unwrap();
    let text = failure(init()).await;
    assert!(
        text.ends_with("chaincode 'basic' is already initialized but called as init"),
        "{text}"
    );
    let upgrade = wire::CommitChaincodeDefinitionArgs {
        sequence: 2,
        version: "2.0".into(),
        ..definition("basic")
    };
    redefine(first, &upgrade).await;
    let text = failure(init()).await;
    let expected = "chaincode 'basic' does not require initialization but called as init";
    assert!(text.ends_with(expected), "{text}");
    network.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn contracts_call_each_other() {
    let network = Network::start(&ORGS[..1]).await;
    let first = &network.peers[0];
    let client = &first.client;
    for name in ["one", "two"] {
        deploy(&network, &definition(name)).await;
    }
    let draft = Draft::new("one", &["call", "two", "", "put", "k", "v"]);
    let verdict = transact(first, client, &draft, &[]).await.unwrap();
    assert_eq!(verdict, TxValidationCode::Valid);
    let read = evaluate(first, client, &Draft::new("two", &["get", "k"])).await.unwrap();
    assert_eq!(read.payload.as_ref(), b"v");
    for (chaincode, channel, expected) in [
        ("nobody", "", "chaincode nobody not found"),
        ("two", "pharma", "failed to find ledger for channel: pharma"),
        ("two", "", "unknown function"),
    ] {
        let draft = Draft::new("one", &["call", chaincode, channel, "nothing"]);
        let answer = first.endorser.process(draft.sign(client)).await.unwrap();
        let response = answer.response.unwrap();
        assert_eq!(response.status, 500);
        assert!(response.message.contains(expected), "{}", response.message);
    }
    network.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn promised_copies_of_secrets_are_not_forgotten() {
    let network = Network::start(&ORGS[..1]).await;
    let first = &network.peers[0];
    let collection = |name: &str, required_peer_count| {
        use proto::peer::{CollectionConfig, collection_config::Payload};
        let config = proto::peer::StaticCollectionConfig {
            name: name.to_owned(),
            required_peer_count,
            maximum_peer_count: 1,
            member_only_read: true,
            ..peer::lifecycle::definitions::implicit_collection(&first.msp_id)
        };
        CollectionConfig { payload: Some(Payload::StaticCollectionConfig(config)) }
    };
    let config = vec![collection("here", 0), collection("elsewhere", 1)];
    let collections = Some(proto::peer::CollectionConfigPackage { config });
    let basic = wire::CommitChaincodeDefinitionArgs { collections, ..definition("basic") };
    deploy(&network, &basic).await;
    for (name, expected) in [
        ("here", None),
        ("elsewhere", Some("required to disseminate to at least 1 peers")),
        ("nowhere", Some("collection [nowhere] not defined in the collection config")),
    ] {
        let mut draft = Draft::new("basic", &["put-secret", name, "k"]);
        draft.transient.insert("value".into(), Bytes::from_static(b"aspirin"));
        let answer = first.endorser.process(draft.sign(&first.client)).await.unwrap();
        let response = answer.response.unwrap();
        assert_eq!(response.status == 200, expected.is_none(), "{response:?}");
        assert!(response.message.contains(expected.unwrap_or_default()), "{response:?}");
    }
    let fewer = wire::CommitChaincodeDefinitionArgs { sequence: 2, ..definition("basic") };
    let draft = lifecycle("ApproveChaincodeDefinitionForMyOrg", &approval(&fewer, ""));
    let answer = first.endorser.process(draft.sign(&first.admin)).await.unwrap();
    let text = answer.response.unwrap().message;
    let expected = "error validating chaincode definition: existing collection [here] missing in \
                    the proposed collection configuration";
    assert!(text.ends_with(expected), "{text}");
    network.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_contracts_and_crowds_are_bounded() {
    let mut settings = Settings::default();
    settings.endorser.execute_timeout = Duration::from_millis(300);
    let network = Network::start_with(&ORGS[..1], settings).await;
    let first = &network.peers[0];
    deploy(&network, &definition("basic")).await;
    let outcome = evaluate(first, &first.client, &Draft::new("basic", &["sleep"])).await;
    let status = refused(outcome, Code::Aborted, "failed to evaluate transaction");
    let detail = &details(&status)[0];
    assert!(detail.message.ends_with("timeout expired while executing transaction"));
    network.stop().await;

    let mut settings = Settings::default();
    settings.gateway.concurrency_max = 0;
    settings.endorser.concurrency_max = 0;
    let network = Network::start_with(&ORGS[..1], settings).await;
    let first = &network.peers[0];
    let draft = Draft::new("basic", &["get", "k"]);
    let outcome = evaluate(first, &first.client, &draft).await;
    refused(outcome, Code::Unknown, "exceeding concurrency limit (0)");
    let error = first.endorser.process(draft.sign(&first.client)).await.unwrap_err();
    assert!(error.to_string().contains("exceeding concurrency limit (0)"));
    network.stop().await;
}
