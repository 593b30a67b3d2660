//! Name constraints: the names an authority may vouch for.
//!
//! They are rare in consortium networks, but an authority that has them must not be trusted
//! beyond them.

use x509_parser::extensions::GeneralName;

/// A name, or the root of a tree of names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Name {
    Dns(String),
    Email(String),
    Uri(String),
    /// An address, or an address followed by its mask.
    Ip(Vec<u8>),
    /// Kinds that nobody compares.
    Other,
}

impl Name {
    pub(crate) fn of(name: &GeneralName<'_>) -> Self {
        match name {
            GeneralName::DNSName(text) => Self::Dns(text.to_ascii_lowercase()),
            GeneralName::RFC822Name(text) => Self::Email(text.to_ascii_lowercase()),
            GeneralName::URI(text) => Self::Uri(text.to_ascii_lowercase()),
            GeneralName::IPAddress(bytes) => Self::Ip(bytes.to_vec()),
            _ => Self::Other,
        }
    }

    /// Whether this name lies in the tree `root`; `None` if they are of different kinds.
    fn lies_in(&self, root: &Self) -> Option<bool> {
        Some(match (self, root) {
            (Self::Dns(name), Self::Dns(root)) => in_domain(name, root),
            (Self::Email(name), Self::Email(root)) if root.contains('@') => name == root,
            (Self::Email(name), Self::Email(root)) => {
                name.rsplit_once('@').is_some_and(|(_, host)| is_host_of(host, root))
            }
            (Self::Uri(name), Self::Uri(root)) => host(name).is_some_and(|it| is_host_of(it, root)),
            (Self::Ip(address), Self::Ip(network)) => in_network(address, network),
            _ => return None,
        })
    }
}

/// What an authority may vouch for, and what it may not.
#[derive(Debug, Clone)]
pub(crate) struct NameConstraints {
    permitted: Vec<Name>,
    excluded: Vec<Name>,
}

impl NameConstraints {
    pub(crate) fn new(permitted: Vec<Name>, excluded: Vec<Name>) -> Self {
        Self { permitted, excluded }
    }

    pub(crate) fn has_unknown(&self) -> bool {
        self.permitted.iter().chain(&self.excluded).any(|name| *name == Name::Other)
    }

    pub(crate) fn allow(&self, name: &Name) -> bool {
        let mut permitted = self.permitted.iter().filter_map(|root| name.lies_in(root)).peekable();
        let excluded = self.excluded.iter().any(|root| name.lies_in(root) == Some(true));
        !excluded && (permitted.peek().is_none() || permitted.any(|lies_in| lies_in))
    }
}

/// A domain with or without a leading dot covers itself (without) and everything below it.
fn in_domain(name: &str, root: &str) -> bool {
    match root.strip_prefix('.') {
        None if root.is_empty() => true,
        None => name == root || name.strip_suffix(root).is_some_and(|rest| rest.ends_with('.')),
        Some(parent) => name.strip_suffix(parent).is_some_and(|rest| rest.ends_with('.')),
    }
}

/// For addresses and URIs a bare host means exactly that host.
fn is_host_of(host: &str, root: &str) -> bool {
    if root.starts_with('.') { in_domain(host, root) } else { host == root || root.is_empty() }
}

fn host(uri: &str) -> Option<&str> {
    let authority = uri.split_once("://")?.1.split(['/', '?', '#']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    Some(host.rsplit_once(':').map_or(host, |(host, _)| host))
}

fn in_network(address: &[u8], network: &[u8]) -> bool {
    let (base, mask) = network.split_at(network.len() / 2);
    base.len() == address.len()
        && mask.len() == address.len()
        && address.iter().zip(base).zip(mask).all(|((a, b), m)| a & m == b & m)
}

/// Whether a common name looks like a host name, by the rule of old TLS libraries.
pub(crate) fn looks_like_host(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let label = |(index, label): (usize, &str)| {
        (index == 0 && label == "*" && name.len() > 1)
            || (!label.is_empty()
                && !label.starts_with('-')
                && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'))
    };
    !name.is_empty() && name.split('.').enumerate().all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(permitted: &[Name], excluded: &[Name], name: Name, expected: bool) {
        let constraints = NameConstraints::new(permitted.to_vec(), excluded.to_vec());
        assert_eq!(constraints.allow(&name), expected, "{name:?}");
    }

    fn dns(name: &str) -> Name {
        Name::Dns(name.into())
    }

    #[test]
    fn domains() {
        check(&[], &[], dns("a.org"), true);
        check(&[dns("a.org")], &[], dns("a.org"), true);
        check(&[dns("a.org")], &[], dns("peer.a.org"), true);
        check(&[dns(".a.org")], &[], dns("a.org"), false);
        check(&[dns("a.org")], &[], dns("evila.org"), false);
        check(&[dns("a.org")], &[dns("x.a.org")], dns("y.x.a.org"), false);
        check(&[Name::Ip(vec![10, 0, 0, 0, 255, 0, 0, 0])], &[], dns("a.org"), true);
    }

    #[test]
    fn addresses() {
        let network = Name::Ip(vec![10, 0, 0, 0, 255, 0, 0, 0]);
        check(std::slice::from_ref(&network), &[], Name::Ip(vec![10, 9, 8, 7]), true);
        check(std::slice::from_ref(&network), &[], Name::Ip(vec![11, 9, 8, 7]), false);
        check(&[network], &[], Name::Ip(vec![0; 16]), false);
        let (mail, uri) = (|m: &str| Name::Email(m.into()), |u: &str| Name::Uri(u.into()));
        check(&[mail("a.org")], &[], mail("x@a.org"), true);
        check(&[mail("a.org")], &[], mail("x@b.a.org"), false);
        check(&[mail("x@a.org")], &[], mail("y@a.org"), false);
        check(&[uri(".a.org")], &[], uri("https://me@b.a.org:1/x"), true);
        check(&[uri("a.org")], &[], uri("https://b.org/a.org"), false);
    }

    #[test]
    fn host_names() {
        for name in ["peer0.org1.example.com", "localhost", "*.a.org", "a_b", "a.org."] {
            assert!(looks_like_host(name), "{name}");
        }
        for name in ["", ".", "User1@org1.example.com", "a b", "-a", "a..b", "*"] {
            assert!(!looks_like_host(name), "{name}");
        }
    }
}
