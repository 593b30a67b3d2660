//! Identities of nodes and people, enrolled at their organizations' authorities. Keys are made
//! here and stay here.

mod authority;

use std::collections::BTreeMap;

use futures::future::try_join_all;

pub(crate) use authority::Authority;

use crate::context::{ADMIN, Context};
use crate::failure::{Explain, Result};
use crate::inventory::{Kind, write_whole};
use crate::layout::IdentityFolder;

/// The environment variable that hands the first registrar's secret to an authority.
const SECRET_VARIABLE: &str = "CA_BOOTSTRAP__SECRET";

/// Rights of an organization's admin at its authority, as Fabric names them.
const ADMIN_RIGHTS: [(&str, &str); 6] = [
    ("hf.Registrar.Roles", "*"),
    ("hf.Registrar.DelegateRoles", "*"),
    ("hf.Registrar.Attributes", "*"),
    ("hf.Revoker", "true"),
    ("hf.GenCRL", "true"),
    ("hf.AffiliationMgr", "true"),
];

/// An identity that is to exist.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// Its name at the authority and in its certificates.
    pub(crate) id: String,
    /// `admin`, `client`, `peer` or `orderer`.
    pub(crate) kind: String,
    /// Attributes that stand in its certificate.
    pub(crate) attributes: BTreeMap<String, String>,
    /// Attributes only the authority knows.
    pub(crate) rights: Vec<(String, String)>,
    /// Names in its TLS certificate.
    pub(crate) hosts: Vec<String>,
}

/// The secret of the first registrar, for the authority's process; made once.
pub(crate) fn bootstrap_environment(
    context: &Context,
    organization: &str,
) -> Result<Vec<(String, String)>> {
    let secret = bootstrap_secret(context, organization)?;
    Ok(vec![(SECRET_VARIABLE.to_owned(), secret)])
}

fn bootstrap_secret(context: &Context, organization: &str) -> Result<String> {
    let path = context.layout.bootstrap_secret(organization);
    if let Ok(secret) = std::fs::read_to_string(&path) {
        return Ok(secret);
    }
    let secret = hex::encode(rand::random::<[u8; 24]>());
    let what = || format!("write {}", path.display());
    write_whole(&path, b"").explain(what)?;
    let owner_only = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&path, owner_only).explain(what)?;
    std::fs::write(&path, &secret).explain(what)?;
    Ok(secret)
}

/// Enrolls whatever identity of the description is missing, all organizations at a time.
pub(crate) async fn ensure(context: &Context) -> Result<()> {
    let step = context.progress.step("Enroll identities");
    let organizations = context.topology.organizations.keys();
    let made =
        try_join_all(organizations.map(|organization| ensure_organization(context, organization)))
            .await?;
    let made: usize = made.iter().sum();
    step.done(if made == 0 { "all there".to_owned() } else { format!("{made} made") });
    Ok(())
}

async fn ensure_organization(context: &Context, organization: &str) -> Result<usize> {
    let wanted = wanted(context, organization)?;
    let missing: Vec<_> = wanted.into_iter().filter(|(_, folder)| !folder.is_complete()).collect();
    let defined = context.layout.definition(organization).join("config.yaml").exists();
    if missing.is_empty() && defined {
        return Ok(0);
    }
    let authority = Authority::connect(context, organization).await?;
    let registrar = authority.registrar(&bootstrap_secret(context, organization)?).await?;
    authority.write_definition().await?;
    for (identity, folder) in &missing {
        let secret = authority.register(&registrar, identity).await?;
        authority.enroll(&identity.id, &secret, &identity.hosts, folder).await?;
    }
    Ok(missing.len())
}

/// All identities of an organization and where they are kept.
fn wanted(context: &Context, organization: &str) -> Result<Vec<(Wanted, IdentityFolder)>> {
    let described = context.topology.organization(organization)?;
    let rights = ADMIN_RIGHTS.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let admin = Wanted {
        id: ADMIN.to_owned(),
        kind: "admin".to_owned(),
        attributes: BTreeMap::new(),
        rights: rights.to_vec(),
        hosts: vec![format!("{ADMIN}.{}", described.domain)],
    };
    let mut all = vec![(admin, context.layout.user(organization, ADMIN))];
    for (user, settings) in &described.users {
        let identity = Wanted {
            id: user.clone(),
            kind: "client".to_owned(),
            attributes: settings.attributes.clone(),
            rights: Vec::new(),
            hosts: vec![format!("{user}.{}", described.domain)],
        };
        all.push((identity, context.layout.user(organization, user)));
    }
    for kind in [Kind::Orderer, Kind::Peer] {
        for node in context.inventory.of_organization(kind, organization) {
            let short = node.name.split('.').next().unwrap_or(&node.name);
            let full = format!("{short}.{}", described.domain);
            let identity = Wanted {
                id: full.clone(),
                kind: kind.name().to_owned(),
                attributes: BTreeMap::new(),
                rights: Vec::new(),
                hosts: vec![context.topology.host.clone(), "127.0.0.1".to_owned(), full],
            };
            all.push((identity, context.layout.node_identity(&node.name)));
        }
    }
    Ok(all)
}
