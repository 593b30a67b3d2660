//! `gauze ca`: identities at certificate authorities.

use std::collections::BTreeMap;

use ca::Secret;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::Globals;
use crate::context::{Context, Identity};
use crate::failure::{Explain, Failure, Result};
use crate::identities::{Authority, Wanted};
use crate::inventory::write_whole;
use crate::output::{bold, table};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Register an identity; prints the secret to enroll with.
    #[command(
        after_help = "Examples:\n  gauze ca register hospital/nurse --attribute role=nurse\n  gauze ca register hospital/nurse --attribute role=nurse --enroll"
    )]
    Register(Register),
    /// Make a key and have it certified; without --secret, renew an identity that is here.
    #[command(
        after_help = "Examples:\n  gauze ca enroll hospital/nurse --secret 3vK…\n  gauze ca enroll hospital/nurse      new key and certificate for the same identity"
    )]
    Enroll(Enroll),
    /// Revoke all certificates of an identity and issue a revocation list.
    #[command(after_help = "Examples:\n  gauze ca revoke hospital/nurse")]
    Revoke(Revoke),
    /// List the identities of an organization.
    #[command(
        after_help = "Examples:\n  gauze ca list hospital\n  gauze ca list hospital --output json"
    )]
    List(List),
}

#[derive(Debug, Args)]
pub(crate) struct Register {
    /// The identity.
    #[arg(value_name = "ORG/USER")]
    who: Identity,
    /// `client` or `admin`.
    #[arg(long = "type", default_value = "client", value_parser = ["client", "admin"])]
    kind: String,
    /// An attribute in its certificate; may be given several times.
    #[arg(long, value_name = "NAME=VALUE", value_parser = node::config::parse_set)]
    attribute: Vec<(String, String)>,
    /// The secret; made up by the authority when left out.
    #[arg(long)]
    secret: Option<String>,
    /// Enroll at once.
    #[arg(long)]
    enroll: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Enroll {
    /// The identity.
    #[arg(value_name = "ORG/USER")]
    who: Identity,
    /// The secret it was registered with.
    #[arg(long)]
    secret: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// The identity.
    #[arg(value_name = "ORG/USER")]
    who: Identity,
    /// Reason code of RFC 5280.
    #[arg(long, default_value_t = 0)]
    reason: u32,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// The organization.
    organization: String,
}

pub(crate) async fn run(command: Command, globals: &Globals) -> Result<()> {
    let context = Context::load(globals)?;
    context.require_nodes()?;
    match command {
        Command::Register(flags) => register(&context, &flags).await,
        Command::Enroll(flags) => enroll(&context, &flags).await,
        Command::Revoke(flags) => revoke(&context, &flags).await,
        Command::List(flags) => list(&context, &flags.organization).await,
    }
}

fn hosts(context: &Context, who: &Identity) -> Result<Vec<String>> {
    let domain = &context.topology.organization(&who.organization)?.domain;
    Ok(vec![format!("{}.{domain}", who.user)])
}

async fn register(context: &Context, flags: &Register) -> Result<()> {
    let Identity { organization, user } = &flags.who;
    let authority = Authority::connect(context, organization).await?;
    let caller = context.signing_identity(&context.actor_of(organization))?;
    let attributes: BTreeMap<_, _> = flags.attribute.iter().cloned().collect();
    let wanted = Wanted {
        id: user.clone(),
        kind: flags.kind.clone(),
        attributes,
        rights: Vec::new(),
        hosts: hosts(context, &flags.who)?,
    };
    let secret = authority.register_new(&caller, &wanted, flags.secret.as_deref()).await?;
    if flags.enroll {
        let folder = context.layout.user(organization, user);
        authority.enroll(user, &secret, &wanted.hosts, &folder).await?;
    }
    let json = json!({
        "identity": flags.who.to_string(), "secret": secret.expose(), "enrolled": flags.enroll,
    });
    context.output.show(json, || match flags.enroll {
        true => format!("{} is registered and enrolled.", bold(&flags.who)),
        false => format!(
            "{}\nNext: gauze ca enroll {} --secret {}",
            secret.expose(),
            flags.who,
            secret.expose()
        ),
    });
    Ok(())
}

async fn enroll(context: &Context, flags: &Enroll) -> Result<()> {
    let Identity { organization, user } = &flags.who;
    let authority = Authority::connect(context, organization).await?;
    let folder = context.layout.user(organization, user);
    let hosts = hosts(context, &flags.who)?;
    match &flags.secret {
        Some(secret) => {
            authority.enroll(user, &Secret::from(secret.as_str()), &hosts, &folder).await?;
        }
        None if folder.is_complete() => {
            let present = context.signing_identity(&flags.who)?;
            authority.reenroll(&present, &hosts, &folder).await?;
        }
        None => {
            return Err(Failure::usage(format!("{} is not enrolled here", flags.who))
                .because("a first enrollment needs the secret of its registration")
                .next(format!("gauze ca register {} --enroll", flags.who)));
        }
    }
    let json = json!({ "identity": flags.who.to_string(), "msp": folder.msp() });
    context.output.show(json, || format!("{}  {}", bold(&flags.who), folder.msp().display()));
    Ok(())
}

async fn revoke(context: &Context, flags: &Revoke) -> Result<()> {
    let Identity { organization, user } = &flags.who;
    let authority = Authority::connect(context, organization).await?;
    let caller = context.signing_identity(&context.actor_of(organization))?;
    let (count, list) = authority.revoke(&caller, user, flags.reason).await?;
    let path = context.layout.definition(organization).join("crls").join("crl.pem");
    write_whole(&path, &list).explain(|| format!("write {}", path.display()))?;
    let json = json!({
        "identity": flags.who.to_string(), "certificates": count, "revocationList": path,
    });
    context.output.show(json, || {
        format!(
            "{count} certificates of {} are revoked; it cannot enroll again.\n\
             The revocation list is {}; channels refuse the certificates once their \
             configuration holds it.",
            bold(&flags.who),
            path.display()
        )
    });
    Ok(())
}

async fn list(context: &Context, organization: &str) -> Result<()> {
    let authority = Authority::connect(context, organization).await?;
    let caller = context.signing_identity(&context.actor_of(organization))?;
    let identities = authority.list(&caller).await?;
    let visible = |identity: &ca::messages::Identity| -> BTreeMap<String, String> {
        let shown = identity.attributes.iter().filter(|attribute| attribute.ecert);
        shown.map(|attribute| (attribute.name.clone(), attribute.value.clone())).collect()
    };
    let json = identities.iter().map(|identity| {
        json!({
            "id": identity.id, "type": identity.r#type, "attributes": visible(identity),
            "enrollments": identity.enrollments, "revoked": identity.revoked,
            "locked": identity.locked,
        })
    });
    context.output.show(Value::from(json.collect::<Vec<_>>()), || {
        let row = |identity: &ca::messages::Identity| {
            let attributes = visible(identity);
            let attributes: Vec<_> =
                attributes.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let state = match (identity.revoked, identity.locked) {
                (true, _) => "revoked",
                (_, true) => "locked",
                _ => "good",
            };
            vec![
                identity.id.clone(),
                identity.r#type.clone(),
                state.to_owned(),
                identity.enrollments.to_string(),
                attributes.join(" "),
            ]
        };
        let headings = ["ID", "TYPE", "STATE", "ENROLLED", "ATTRIBUTES"];
        table(&headings, &identities.iter().map(row).collect::<Vec<_>>())
    });
    Ok(())
}
