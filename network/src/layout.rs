//! Where things are in the state folder.

use std::path::{Path, PathBuf};

use ca::client::TlsRole;

/// The folders of a network.
///
/// ```text
/// nodes.json                                  names, ports
/// organizations/<org>/msp                     what others know of the organization
/// organizations/<org>/users/<user>/{msp,tls}  identities of people
/// nodes/<node>/{config.yaml,log,process.json,msp,tls,data}
/// channels/<channel>.block                    genesis blocks
/// chaincode/<label>.tar.gz                    packages
/// ```
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    root: PathBuf,
}

/// The folder of one identity, as Fabric lays it out.
#[derive(Clone, Debug)]
pub(crate) struct IdentityFolder {
    root: PathBuf,
    role: TlsRole,
}

impl Layout {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn inventory(&self) -> PathBuf {
        self.root.join("nodes.json")
    }

    pub(crate) fn node(&self, node: &str) -> PathBuf {
        self.root.join("nodes").join(node)
    }

    pub(crate) fn config(&self, node: &str) -> PathBuf {
        self.node(node).join("config.yaml")
    }

    pub(crate) fn log(&self, node: &str) -> PathBuf {
        self.node(node).join("log")
    }

    pub(crate) fn process(&self, node: &str) -> PathBuf {
        self.node(node).join("process.json")
    }

    pub(crate) fn data(&self, node: &str) -> PathBuf {
        self.node(node).join("data")
    }

    pub(crate) fn node_identity(&self, node: &str) -> IdentityFolder {
        IdentityFolder { root: self.node(node), role: TlsRole::Server }
    }

    pub(crate) fn organization(&self, organization: &str) -> PathBuf {
        self.root.join("organizations").join(organization)
    }

    /// The organization's definition: its authorities, no keys.
    pub(crate) fn definition(&self, organization: &str) -> PathBuf {
        self.organization(organization).join("msp")
    }

    /// The password of the authority's first identity; readable by the owner only.
    pub(crate) fn bootstrap_secret(&self, organization: &str) -> PathBuf {
        self.organization(organization).join("bootstrap-secret")
    }

    pub(crate) fn user(&self, organization: &str, user: &str) -> IdentityFolder {
        IdentityFolder { root: self.users(organization).join(user), role: TlsRole::Client }
    }

    pub(crate) fn users(&self, organization: &str) -> PathBuf {
        self.organization(organization).join("users")
    }

    pub(crate) fn genesis(&self, channel: &str) -> PathBuf {
        self.root.join("channels").join(format!("{channel}.block"))
    }

    pub(crate) fn package(&self, label: &str) -> PathBuf {
        self.root.join("chaincode").join(format!("{label}.tar.gz"))
    }

    /// The identity that registers all others of an organization.
    pub(crate) fn registrar(&self, organization: &str) -> IdentityFolder {
        IdentityFolder {
            root: self.organization(organization).join("registrar"),
            role: TlsRole::Client,
        }
    }

    /// The authority that vouches for the TLS certificates of an organization.
    pub(crate) fn tls_root(&self, organization: &str) -> PathBuf {
        self.data(&format!("ca.{organization}")).join("tlsca").join("cert.pem")
    }
}

impl IdentityFolder {
    pub(crate) fn role(&self) -> TlsRole {
        self.role
    }

    pub(crate) fn msp(&self) -> PathBuf {
        self.root.join("msp")
    }

    pub(crate) fn tls(&self) -> PathBuf {
        self.root.join("tls")
    }

    pub(crate) fn tls_certificate(&self) -> PathBuf {
        self.tls().join(format!("{}.crt", self.name()))
    }

    pub(crate) fn tls_key(&self) -> PathBuf {
        self.tls().join(format!("{}.key", self.name()))
    }

    fn name(&self) -> &'static str {
        match self.role {
            TlsRole::Server => "server",
            TlsRole::Client => "client",
        }
    }

    /// Whether everything has been enrolled; the TLS key is written last.
    pub(crate) fn is_complete(&self) -> bool {
        self.tls_key().exists() && self.msp().join("signcerts").exists()
    }
}
