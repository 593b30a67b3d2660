//! Chains of certificates from a leaf to a root.
//!
//! Certificates are judged at the second after the leaf's validity began, so the verdict never
//! changes with time.

use std::sync::Arc;

use crate::certificate::Certificate;
use crate::name_constraints::looks_like_host;

/// More signatures than this are not tried for one chain; certificates come from the network.
const SIGNATURE_CHECKS_MAX: usize = 100;

/// Why there is no usable chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No chain of valid signatures leads to a root.
    #[error("certificate is not signed by a known authority")]
    UnknownAuthority,
    /// More than one chain leads to a root.
    #[error("more than one chain leads to a root")]
    Ambiguous,
    /// The certificate has a critical extension that is not understood.
    #[error("certificate has an unknown critical extension")]
    UnknownCriticalExtension,
    /// The certificate ends before its first second is over.
    #[error("certificate was never valid")]
    Validity,
    /// An authority has name constraints, and the certificate names hosts the old way.
    #[error("host name in a common name under name constraints")]
    NameConstraints,
}

/// The authorities of an organization.
#[derive(Debug, Default)]
pub(crate) struct Authorities {
    pub(crate) roots: Vec<Arc<Certificate>>,
    pub(crate) intermediates: Vec<Arc<Certificate>>,
}

/// One path, leaf first and root last.
pub(crate) type Chain = Vec<Arc<Certificate>>;

impl Authorities {
    /// Adds a root unless it is there already.
    pub(crate) fn add_root(&mut self, certificate: Arc<Certificate>) {
        if !self.roots.contains(&certificate) {
            self.roots.push(certificate);
        }
    }

    /// Adds an intermediate unless it is there already.
    pub(crate) fn add_intermediate(&mut self, certificate: Arc<Certificate>) {
        if !self.intermediates.contains(&certificate) {
            self.intermediates.push(certificate);
        }
    }

    /// The only chain from `leaf` to a root. A root is its own chain.
    pub(crate) fn unique_chain(&self, leaf: &Arc<Certificate>) -> Result<Chain, Error> {
        if leaf.has_unknown_critical_extension() {
            return Err(Error::UnknownCriticalExtension);
        }
        let time = leaf.not_before().saturating_add(1);
        if time > leaf.not_after() {
            return Err(Error::Validity);
        }
        if self.roots.contains(leaf) {
            return Ok(vec![leaf.clone()]);
        }
        let mut search = Search { authorities: self, time, checks: 0, found: Vec::new() };
        search.extend(&vec![leaf.clone()]);
        match search.found.len() {
            0 => Err(Error::UnknownAuthority),
            1 => search.found.pop().map_or(Err(Error::UnknownAuthority), legacy_names_allowed),
            _ => Err(Error::Ambiguous),
        }
    }
}

struct Search<'a> {
    authorities: &'a Authorities,
    time: i64,
    checks: usize,
    found: Vec<Chain>,
}

impl Search<'_> {
    fn extend(&mut self, chain: &Chain) {
        for root in &self.authorities.roots {
            if let Some(chain) = self.with(chain, root) {
                self.found.push(chain);
            }
        }
        for intermediate in &self.authorities.intermediates {
            if let Some(chain) = self.with(chain, intermediate) {
                self.extend(&chain);
            }
        }
    }

    /// `chain` with `issuer` on top, if that is allowed.
    fn with(&mut self, chain: &Chain, issuer: &Arc<Certificate>) -> Option<Chain> {
        let child = chain.last().filter(|child| child.issuer() == issuer.subject())?;
        let again = |it: &Arc<Certificate>| {
            it.subject() == issuer.subject() && it.public_key() == issuer.public_key()
        };
        if chain.iter().any(again) || self.checks >= SIGNATURE_CHECKS_MAX {
            return None;
        }
        self.checks += 1;
        let acceptable = child.is_signed_by(issuer)
            && !issuer.has_unknown_critical_extension()
            && (issuer.not_before()..=issuer.not_after()).contains(&self.time)
            && issuer.may_be_authority(chain.len() - 1)
            && names_allowed(chain, issuer);
        acceptable.then(|| chain.iter().chain([issuer]).cloned().collect())
    }
}

fn names_allowed(chain: &Chain, issuer: &Certificate) -> bool {
    let Some(constraints) = issuer.name_constraints() else { return true };
    let mut names = chain.iter().filter_map(|it| it.alternative_names()).flatten();
    names.all(|name| constraints.allow(name))
}

fn legacy_names_allowed(chain: Chain) -> Result<Chain, Error> {
    let leaf_names_host = chain
        .first()
        .is_some_and(|it| it.alternative_names().is_none() && looks_like_host(it.common_name()));
    let constrained = chain.iter().skip(1).any(|it| it.name_constraints().is_some());
    if leaf_names_host && constrained { Err(Error::NameConstraints) } else { Ok(chain) }
}
