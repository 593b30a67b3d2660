//! The text form of policies, as administrators write it.
//!
//! `OR('A.member', AND('B.peer', 'C.peer'))`, `OutOf(2, …)` for signature policies, `ANY Readers`
//! for implicit meta policies. The messages are those Fabric's tools make of the same text, byte
//! for byte: every mention of a principal is listed anew, those of inner gates first.

use prost::Message;
use proto::common::msp_principal::Classification;
use proto::common::msp_role::MspRoleType;
use proto::common::policy::PolicyType;
use proto::common::signature_policy::Type;
use proto::common::{
    ImplicitMetaPolicy, MspPrincipal, MspRole, Policy, SignaturePolicy, SignaturePolicyEnvelope,
    implicit_meta_policy,
};

use super::DEPTH_MAX;
use super::merge::gate;

/// Longest text.
pub const TEXT_BYTES_MAX: usize = 64 << 10;

/// Why a text is not a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Something else should stand at this place.
    #[error("policy text: expected {expected} at column {column}, found {found}")]
    Expected {
        /// What should stand there.
        expected: &'static str,
        /// Where, counted in characters from 1.
        column: usize,
        /// What stands there.
        found: String,
    },
    /// A principal is not of the form `MSP.role`.
    #[error(
        "policy text: '{0}' is not a principal such as 'Org1MSP.peer' \
         (roles: admin, member, client, peer, orderer)"
    )]
    Principal(String),
    /// A gate asks for an impossible number.
    #[error("policy text: {n} of {arguments} is out of range")]
    Count {
        /// How many it asks for.
        n: i64,
        /// How many it has.
        arguments: usize,
    },
    /// The gates are nested too deep.
    #[error("policy text: nested deeper than {DEPTH_MAX} levels")]
    TooDeep,
    /// The text is too long.
    #[error("policy text: longer than {TEXT_BYTES_MAX} bytes")]
    TooLong,
}

/// Parses a signature policy.
pub fn parse(text: &str) -> Result<SignaturePolicyEnvelope, Error> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(Error::TooLong);
    }
    let mut parser = Parser { text, at: 0 };
    let gate = parser.gate(DEPTH_MAX)?;
    if parser.peek().is_some() {
        return Err(parser.expected("the end"));
    }
    let mut identities = Vec::new();
    let rule = build(gate, &mut identities);
    Ok(SignaturePolicyEnvelope { version: 0, rule: Some(rule), identities })
}

/// Parses a policy of the channel configuration: an implicit meta policy if the text starts with
/// `ANY`, `ALL` or `MAJORITY` and names a policy, else a signature policy.
pub fn parse_policy(text: &str) -> Result<Policy, Error> {
    if let Some(implicit) = parse_implicit_meta(text) {
        let value = implicit.encode_to_vec().into();
        return Ok(Policy { r#type: PolicyType::ImplicitMeta as i32, value });
    }
    let value = parse(text)?.encode_to_vec().into();
    Ok(Policy { r#type: PolicyType::Signature as i32, value })
}

/// Parses `ANY|ALL|MAJORITY <policy>`.
pub fn parse_implicit_meta(text: &str) -> Option<ImplicitMetaPolicy> {
    let mut words = text.split_whitespace();
    let rule = implicit_meta_policy::Rule::from_str_name(words.next()?)?;
    let sub_policy = words.next()?.to_owned();
    words.next().is_none().then_some(ImplicitMetaPolicy { sub_policy, rule: rule as i32 })
}

/// A gate and what it counts.
struct Gate {
    n: i32,
    arguments: Vec<Argument>,
}

enum Argument {
    Gate(Gate),
    Principal(MspPrincipal),
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// The next character that is not white space, without taking it.
    fn peek(&mut self) -> Option<char> {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
        self.rest().chars().next()
    }

    fn take(&mut self, length: usize) -> &'a str {
        let taken = self.rest().get(..length).unwrap_or_default();
        self.at += taken.len();
        taken
    }

    fn take_while(&mut self, inside: impl Fn(char) -> bool) -> &'a str {
        self.peek();
        let rest = self.rest();
        self.take(rest.find(|c| !inside(c)).unwrap_or(rest.len()))
    }

    fn symbol(&mut self, symbol: char, expected: &'static str) -> Result<(), Error> {
        if self.peek() != Some(symbol) {
            return Err(self.expected(expected));
        }
        self.take(symbol.len_utf8());
        Ok(())
    }

    fn expected(&mut self, expected: &'static str) -> Error {
        let found = self.peek().map_or("the end".to_owned(), |c| format!("'{c}'"));
        let before = self.text.get(..self.at).unwrap_or_default();
        Error::Expected { expected, column: before.chars().count() + 1, found }
    }

    fn gate(&mut self, depth: usize) -> Result<Gate, Error> {
        let depth = depth.checked_sub(1).ok_or(Error::TooDeep)?;
        self.peek();
        let start = self.at;
        let name = self.take_while(|c| c.is_ascii_alphabetic());
        let kind = match name {
            "AND" | "And" | "and" => "AND",
            "OR" | "Or" | "or" => "OR",
            "OUTOF" | "OutOf" | "outof" => "OUTOF",
            _ => {
                self.at = start;
                return Err(self.expected("AND, OR or OutOf"));
            }
        };
        self.symbol('(', "'('")?;
        let n = if kind == "OUTOF" { Some(self.count()?) } else { None };
        let arguments = self.arguments(depth)?;
        let n = n.unwrap_or(if kind == "AND" { arguments.len() as i64 } else { 1 });
        let in_range = (0..=arguments.len() as i64 + 1).contains(&n);
        match i32::try_from(n) {
            Ok(n) if in_range => Ok(Gate { n, arguments }),
            _ => Err(Error::Count { n, arguments: arguments.len() }),
        }
    }

    fn count(&mut self) -> Result<i64, Error> {
        self.peek();
        let start = self.at;
        let digits = self.take_while(|c| c.is_ascii_digit());
        let Ok(n) = digits.parse() else {
            self.at = start;
            return Err(self.expected("a number"));
        };
        self.symbol(',', "','")?;
        Ok(n)
    }

    fn arguments(&mut self, depth: usize) -> Result<Vec<Argument>, Error> {
        let mut arguments = Vec::new();
        loop {
            let argument = match self.peek() {
                Some(quote @ ('\'' | '"')) => Argument::Principal(self.principal(quote)?),
                Some(c) if c.is_ascii_alphabetic() => Argument::Gate(self.gate(depth)?),
                _ => return Err(self.expected("a quoted principal or a gate")),
            };
            arguments.push(argument);
            if self.peek() == Some(')') {
                self.take(1);
                return Ok(arguments);
            }
            self.symbol(',', "',' or ')'")?;
        }
    }

    fn principal(&mut self, quote: char) -> Result<MspPrincipal, Error> {
        self.take(quote.len_utf8());
        let rest = self.rest();
        let Some(length) = rest.find(quote) else { return Err(self.expected("a closing quote")) };
        let text = self.take(length);
        self.take(quote.len_utf8());
        principal(text).ok_or_else(|| Error::Principal(text.to_owned()))
    }
}

/// Reads `MSP.role`; the role stands behind the last dot.
fn principal(text: &str) -> Option<MspPrincipal> {
    let (msp_id, role) = text.rsplit_once('.')?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    if msp_id.is_empty() || !msp_id.chars().all(allowed) {
        return None;
    }
    let role = match role {
        "member" => MspRoleType::Member,
        "admin" => MspRoleType::Admin,
        "client" => MspRoleType::Client,
        "peer" => MspRoleType::Peer,
        "orderer" => MspRoleType::Orderer,
        _ => return None,
    };
    let role = MspRole { msp_identifier: msp_id.to_owned(), role: role as i32 };
    Some(MspPrincipal {
        principal_classification: Classification::Role as i32,
        principal: role.encode_to_vec().into(),
    })
}

/// Numbers the principals: inner gates from left to right, then the gate's own.
fn build(this: Gate, identities: &mut Vec<MspPrincipal>) -> SignaturePolicy {
    let built: Vec<_> = this
        .arguments
        .into_iter()
        .map(|argument| match argument {
            Argument::Gate(gate) => Ok(build(gate, identities)),
            Argument::Principal(principal) => Err(principal),
        })
        .collect();
    let rules = built.into_iter().map(|argument| {
        argument.unwrap_or_else(|principal| {
            identities.push(principal);
            let index = i32::try_from(identities.len() - 1).unwrap_or(i32::MAX);
            SignaturePolicy { r#type: Some(Type::SignedBy(index)) }
        })
    });
    gate(this.n, rules.collect())
}
