//! Refusals, each with its stable code.

use gauze_chaincode::prelude::*;

/// Why a call is refused. A refused call changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, ContractError)]
pub enum Fault {
    /// An argument contradicts the caller's certificate.
    #[code("E_CALLER_MISMATCH", "{argument} says otherwise than your certificate")]
    CallerMismatch {
        /// The argument.
        argument: String,
    },
    /// The caller is not the one who may do this.
    #[code("E_CALLER", "{action} is for {who} only")]
    Caller {
        /// What was tried.
        action: String,
        /// Who may.
        who: String,
    },
    /// The certificate lacks a role.
    #[code("E_NO_ROLE", "your certificate has no attribute '{attribute}'")]
    NoRole {
        /// The missing attribute.
        attribute: String,
    },
    /// The certificate has another role.
    #[code("E_ROLE", "role '{found}' may not do this, it takes '{wanted}'")]
    Role {
        /// The caller's role.
        found: String,
        /// The role needed.
        wanted: String,
    },
    /// The attestation of the practitioner is not current.
    #[code("E_ROLE_EXPIRED", "the attestation of practitioner '{practitioner}' is not current")]
    RoleExpired {
        /// The practitioner.
        practitioner: String,
    },
    /// Something with this id exists.
    #[code("E_EXISTS", "{what} '{id}' exists")]
    Exists {
        /// The kind of thing.
        what: String,
        /// Its id.
        id: String,
    },
    /// Nothing with this id exists.
    #[code("E_NOT_FOUND", "{what} '{id}' is not known")]
    NotFound {
        /// The kind of thing.
        what: String,
        /// Its id.
        id: String,
    },
    /// An identifier has the wrong form.
    #[code("E_IDENTIFIER", "{field} {rule}")]
    Identifier {
        /// The field.
        field: String,
        /// What it must be.
        rule: String,
    },
    /// A field could hold a document.
    #[code("E_TOO_LARGE", "{field} has {bytes} bytes, at most {max} are allowed on the chain")]
    TooLarge {
        /// The field.
        field: String,
        /// Its size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// No such FHIR resource type.
    #[code("E_TYPE", "'{fhir_type}' is not a resource type that can be registered")]
    UnknownType {
        /// The type.
        fhir_type: String,
    },
    /// The ciphertext belongs to another patient's chart.
    #[code("E_CID_REUSED", "this content is registered for another record")]
    CidReused,
    /// An amendment is based on another version than the newest.
    #[code("E_VERSION", "based on version {given}, but the newest is {current}")]
    Version {
        /// The version named.
        given: u32,
        /// The newest version.
        current: u32,
    },
    /// Only the custodian may amend.
    #[code("E_NOT_CUSTODIAN", "the custodian is '{custodian}'")]
    NotCustodian {
        /// Who keeps the record.
        custodian: String,
    },
    /// The organization's kind does not allow this.
    #[code("E_ORG_KIND", "organization '{msp_id}' is not registered as {wanted}")]
    OrgKind {
        /// The organization.
        msp_id: String,
        /// The kind needed.
        wanted: String,
    },
    /// The terms of a consent cannot be accepted.
    #[code("E_TERMS", "{0}")]
    Terms(String),
    /// The consent is withdrawn already.
    #[code("E_ALREADY_REVOKED", "consent '{id}' is revoked")]
    AlreadyRevoked {
        /// The consent.
        id: String,
    },
    /// A request without a purpose.
    #[code("E_PURPOSE_REQUIRED", "a request for access must state its purpose")]
    PurposeRequired,
    /// A request for longer than allowed.
    #[code("E_WINDOW", "access for {asked} s asked, at most {max} s are given at once")]
    Window {
        /// Seconds asked for.
        asked: u32,
        /// The limit.
        max: u32,
    },
    /// A release that no permit covers.
    #[code("E_NOT_PERMITTED", "request '{request}' does not permit content {cid}")]
    NotPermitted {
        /// The request.
        request: String,
        /// The content.
        cid: String,
    },
    /// The permit has ended.
    #[code("E_EXPIRED", "the permit ended at {until}")]
    Expired {
        /// When.
        until: String,
    },
    /// Released to another key than the one the request names.
    #[code("E_RECIPIENT", "the recipient's key is not that of the request")]
    Recipient,
    /// The proposal's time is too far from now to be judged.
    #[code("E_LIMIT", "{what}: at most {max}")]
    Limit {
        /// What there is too much of.
        what: String,
        /// The limit.
        max: usize,
    },
}
