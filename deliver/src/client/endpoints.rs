//! The orderers of a channel, and what we remember of each.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use channel::Bundle;
use rand::Rng;
use rustls_pki_types::CertificateDer;

use super::Config;

/// Doublings beyond this make no difference to any backoff.
const DOUBLINGS_MAX: u32 = 20;

/// Where an orderer is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// `host:port`.
    pub(super) address: String,
    /// The TLS authorities of its organization.
    pub(super) roots: Vec<CertificateDer<'static>>,
}

#[derive(Debug)]
struct Known {
    roots: Vec<CertificateDer<'static>>,
    failures: u32,
    /// Left alone until then.
    until: Option<Instant>,
}

/// The orderers to choose from.
#[derive(Debug, Default)]
pub(super) struct Endpoints {
    known: BTreeMap<String, Known>,
}

/// What there is to choose.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// This one.
    Ask(Endpoint),
    /// All are left alone for at least that long.
    Wait(Duration),
    /// The configuration names none.
    Nobody,
}

impl Endpoints {
    /// Takes over the orderers of a configuration. What is remembered of those that stay, stays.
    pub(super) fn update(&mut self, bundle: &Bundle, excluded: &BTreeSet<String>) {
        let mut known = BTreeMap::new();
        for group in bundle.orderer_endpoints() {
            let msps = group.trusted.iter().filter_map(|id| bundle.msps().msp(id));
            let roots: Vec<_> = msps.flat_map(|msp| msp.tls_roots()).cloned().collect();
            for address in group.addresses {
                if excluded.contains(&address) {
                    continue;
                }
                let before = self.known.get(&address);
                let failures = before.map_or(0, |known| known.failures);
                let until = before.and_then(|known| known.until);
                known.insert(address, Known { roots: roots.clone(), failures, until });
            }
        }
        self.known = known;
    }

    /// Whether an orderer is still among them.
    pub(super) fn contains(&self, address: &str) -> bool {
        self.known.contains_key(address)
    }

    /// Chooses any that is not left alone, except `but`.
    pub(super) fn choose(&self, now: Instant, but: Option<&str>) -> Choice {
        let others = || self.known.iter().filter(|(address, _)| Some(address.as_str()) != but);
        let ready: Vec<_> =
            others().filter(|(_, known)| known.until.is_none_or(|until| until <= now)).collect();
        if !ready.is_empty() {
            let at = rand::rng().random_range(0..ready.len());
            if let Some((address, known)) = ready.get(at) {
                let (address, roots) = ((*address).clone(), known.roots.clone());
                return Choice::Ask(Endpoint { address, roots });
            }
        }
        let soonest = others().filter_map(|(_, known)| known.until).min();
        soonest.map_or(Choice::Nobody, |until| Choice::Wait(until.saturating_duration_since(now)))
    }

    /// Leaves an orderer alone: longer with every failure, and never quite as long as others do.
    pub(super) fn failed(&mut self, address: &str, config: &Config, now: Instant) {
        if let Some(known) = self.known.get_mut(address) {
            let factor = 1 << known.failures.min(DOUBLINGS_MAX);
            let backoff = config.backoff_min.saturating_mul(factor).min(config.backoff_max);
            known.failures = known.failures.saturating_add(1);
            known.until = now.checked_add(backoff.mul_f64(rand::rng().random_range(0.5..=1.0)));
        }
    }

    /// Leaves an orderer alone that lied.
    pub(super) fn distrust(&mut self, address: &str, config: &Config, now: Instant) {
        self.failed(address, config, now);
        if let Some(known) = self.known.get_mut(address) {
            known.until = now.checked_add(config.distrust);
        }
    }

    /// Forgives an orderer whose block verified.
    pub(super) fn succeeded(&mut self, address: &str) {
        if let Some(known) = self.known.get_mut(address) {
            known.failures = 0;
            known.until = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints(addresses: &[&str]) -> Endpoints {
        let known = |address: &&str| {
            ((*address).to_owned(), Known { roots: vec![], failures: 0, until: None })
        };
        Endpoints { known: addresses.iter().map(known).collect() }
    }

    #[track_caller]
    fn check(choice: &Choice, expected: &str) {
        match choice {
            Choice::Ask(endpoint) => assert_eq!(endpoint.address, expected),
            other => assert_eq!(format!("{other:?}"), expected),
        }
    }

    #[test]
    fn one_that_failed_is_left_alone_for_longer_each_time() {
        let config = Config::default();
        let mut endpoints = endpoints(&["a:1", "b:1"]);
        let now = Instant::now();
        let mut longest = Duration::ZERO;
        for _ in 0..40 {
            endpoints.failed("a:1", &config, now);
            check(&endpoints.choose(now, None), "b:1");
            if let Choice::Wait(wait) = endpoints.choose(now, Some("b:1")) {
                assert!(wait <= config.backoff_max);
                longest = longest.max(wait);
            }
        }
        assert!(longest >= config.backoff_max / 2);
        endpoints.succeeded("a:1");
        check(&endpoints.choose(now, Some("b:1")), "a:1");
    }

    #[test]
    fn a_liar_waits_longest_and_returns_when_time_is_up() {
        let config = Config::default();
        let mut endpoints = endpoints(&["a:1"]);
        let now = Instant::now();
        endpoints.distrust("a:1", &config, now);
        assert_eq!(endpoints.choose(now, None), Choice::Wait(config.distrust));
        check(&endpoints.choose(now + config.distrust, None), "a:1");
    }

    #[test]
    fn without_orderers_there_is_nobody() {
        let now = Instant::now();
        check(&endpoints(&[]).choose(now, None), "Nobody");
        check(&endpoints(&["a:1"]).choose(now, Some("a:1")), "Nobody");
    }
}
