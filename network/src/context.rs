//! What every command works with: the description, the state folder, the nodes, and connections
//! to them under some identity.

use std::path::{Path, PathBuf};
use std::time::Duration;

use client::admin::{Orderer, Participation, Peer, Target};
use client::{Gateway, Signer};
use msp::SigningIdentity;
use node::tls::{CertificateDer, ClientTls};

use crate::cli::Globals;
use crate::failure::{Exit, Explain, Failure, Result};
use crate::inventory::{Inventory, Kind, Node};
use crate::layout::{IdentityFolder, Layout};
use crate::output::Output;
use crate::progress::Progress;
use crate::topology::Topology;

/// How long one answer of a node may take.
const ANSWER: Duration = Duration::from_secs(30);

/// The user every organization has.
pub(crate) const ADMIN: &str = "admin";

/// A network at hand.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) topology: Topology,
    /// The folder `gauze.toml` is in.
    pub(crate) folder: PathBuf,
    pub(crate) layout: Layout,
    pub(crate) inventory: Inventory,
    pub(crate) output: Output,
    pub(crate) progress: Progress,
    identity: Option<Identity>,
}

/// `ORG/USER`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) organization: String,
    pub(crate) user: String,
}

impl std::str::FromStr for Identity {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let (organization, user) = text.split_once('/').unwrap_or((text, ADMIN));
        if organization.is_empty() || user.is_empty() {
            return Err(format!("`{text}` is not of the form ORG/USER"));
        }
        Ok(Self { organization: organization.to_owned(), user: user.to_owned() })
    }
}

impl std::fmt::Display for Identity {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.organization, self.user)
    }
}

impl Context {
    /// Reads `gauze.toml` and the state folder.
    pub(crate) fn load(globals: &Globals) -> Result<Self> {
        let file = std::path::absolute(&globals.file)
            .explain(|| format!("find {}", globals.file.display()))?;
        let topology = Topology::load(&file)?;
        let folder = file.parent().map(Path::to_path_buf).unwrap_or_default();
        let layout = Layout::new(folder.join(&topology.state));
        let inventory = Inventory::load(&layout.inventory())?;
        Ok(Self {
            topology,
            folder,
            layout,
            inventory,
            output: globals.output(),
            progress: globals.progress(),
            identity: globals.identity.clone(),
        })
    }

    /// Refuses to go on without nodes.
    pub(crate) fn require_nodes(&self) -> Result<()> {
        if self.inventory.nodes.is_empty() {
            return Err(Failure::new(Exit::Unavailable, "the network has never been started")
                .next("gauze network up"));
        }
        Ok(())
    }

    /// Who acts on a channel: `--as`, or the admin of the channel's first organization.
    pub(crate) fn actor(&self, channel: &str) -> Result<Identity> {
        if let Some(identity) = &self.identity {
            return Ok(identity.clone());
        }
        let members = &self.topology.channel(channel)?.organizations;
        let first = members.first().cloned().unwrap_or_default();
        Ok(Identity { organization: first, user: ADMIN.to_owned() })
    }

    /// Who administers the nodes of an organization: `--as`, or its admin.
    pub(crate) fn administrator(&self, organization: &str) -> Identity {
        self.identity.clone().unwrap_or_else(|| admin_of(organization))
    }

    /// Who acts on an authority: `--as`, if it is a user of that organization.
    pub(crate) fn actor_of(&self, organization: &str) -> Identity {
        let chosen = self.identity.as_ref().filter(|id| id.organization == organization);
        chosen.cloned().unwrap_or_else(|| admin_of(organization))
    }

    /// The folder of an identity that has been enrolled.
    fn folder_of(&self, who: &Identity) -> Result<IdentityFolder> {
        self.topology.organization(&who.organization)?;
        let folder = self.layout.user(&who.organization, &who.user);
        if folder.is_complete() {
            return Ok(folder);
        }
        let users = std::fs::read_dir(self.layout.users(&who.organization));
        let known = users.into_iter().flatten().flatten();
        let known: Vec<_> =
            known.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        Err(Failure::not_found(format!("there is no identity {who}"))
            .because(format!("{} has {}", who.organization, known.join(", ")))
            .next(format!("gauze ca register {who} --enroll")))
    }

    pub(crate) fn signing_identity(&self, who: &Identity) -> Result<SigningIdentity> {
        let msp_id = &self.topology.organization(&who.organization)?.msp_id;
        SigningIdentity::load(&self.folder_of(who)?.msp(), msp_id).map_err(|error| {
            Failure::new(Exit::Failed, format!("load the identity {who}")).because(error)
        })
    }

    pub(crate) fn client_tls(&self, who: &Identity) -> Result<ClientTls> {
        let folder = self.folder_of(who)?;
        ClientTls::load(&folder.tls_certificate(), &folder.tls_key()).map_err(|error| {
            Failure::new(Exit::Failed, format!("load the TLS certificate of {who}")).because(error)
        })
    }

    pub(crate) fn roots(&self, organization: &str) -> Result<Vec<CertificateDer<'static>>> {
        let path = self.layout.tls_root(organization);
        node::tls::load_certificates(&[path]).map_err(|error| {
            Failure::new(
                Exit::Unavailable,
                format!("the authorities of {organization} are unknown"),
            )
            .because(error)
            .next("gauze network up")
        })
    }

    /// `host:port` of a node.
    pub(crate) fn address(&self, node: &Node) -> String {
        format!("{}:{}", self.topology.host, node.port)
    }

    fn target(&self, node: &Node, who: &Identity) -> Result<Target> {
        Ok(Target {
            address: self.address(node),
            roots: self.roots(&node.organization)?,
            tls: Some(self.client_tls(who)?),
            signer: Signer::from(self.signing_identity(who)?),
            timeout: ANSWER,
        })
    }

    pub(crate) async fn peer(&self, node: &Node, who: &Identity) -> Result<Peer> {
        Peer::connect(self.target(node, who)?).await.explain(|| format!("reach {}", node.name))
    }

    pub(crate) async fn orderer(&self, node: &Node, who: &Identity) -> Result<Orderer> {
        Orderer::connect(self.target(node, who)?).await.explain(|| format!("reach {}", node.name))
    }

    pub(crate) fn participation(&self, node: &Node) -> Result<Participation> {
        let roots = self.roots(&node.organization)?;
        let tls = self.client_tls(&admin_of(&node.organization))?;
        let address = format!("{}:{}", self.topology.host, node.admin_port.unwrap_or_default());
        Participation::new(&address, &roots, &tls, ANSWER)
            .explain(|| format!("reach {}", node.name))
    }

    /// The gateway of a peer of the caller's organization, or of any peer of the channel.
    pub(crate) async fn gateway(&self, channel: &str, who: &Identity) -> Result<Gateway> {
        let members = &self.topology.channel(channel)?.organizations;
        let mut peers: Vec<&Node> = members
            .iter()
            .flat_map(|member| self.inventory.of_organization(Kind::Peer, member))
            .collect();
        peers.sort_by_key(|node| node.organization != who.organization);
        let node = peers.first().ok_or_else(|| {
            Failure::new(Exit::Unavailable, format!("no peer of channel `{channel}` is known"))
                .next("gauze network up")
        })?;
        let (roots, tls) = (self.roots(&node.organization)?, self.client_tls(who)?);
        let signer = Signer::from(self.signing_identity(who)?);
        Gateway::connect(&self.address(node), &roots, Some(&tls), signer)
            .await
            .explain(|| format!("reach {}", node.name))
    }

    /// The peers of a channel, one list per organization.
    pub(crate) fn peers_of(&self, channel: &str) -> Result<Vec<(&str, Vec<&Node>)>> {
        let members = &self.topology.channel(channel)?.organizations;
        let peers = members
            .iter()
            .map(|member| (member.as_str(), self.inventory.of_organization(Kind::Peer, member)));
        Ok(peers.collect())
    }

    /// The orderers of a channel.
    pub(crate) fn orderers_of(&self, channel: &str) -> Result<Vec<&Node>> {
        let ordering = &self.topology.channel(channel)?.ordered_by;
        let orderers = ordering
            .iter()
            .flat_map(|organization| self.inventory.of_organization(Kind::Orderer, organization));
        Ok(orderers.collect())
    }
}

/// The admin of an organization.
pub(crate) fn admin_of(organization: &str) -> Identity {
    Identity { organization: organization.to_owned(), user: ADMIN.to_owned() }
}
