//! The peer's side of TLS sessions.

use std::sync::Arc;

use msp::Manager;
use node::tasks::Tasks;
use node::tls::{CertificateDer, ClientTls, ServerTls, load_certificates};

use super::Error;
use crate::Config;
use crate::channels::Channels;

/// The peer's side of TLS sessions; nothing of it without TLS.
#[derive(Debug, Clone)]
pub(super) struct Tls {
    pub(super) server: Option<ServerTls>,
    pub(super) client: Option<ClientTls>,
    /// Authorities trusted in addition to those of the channels when dialing.
    pub(super) roots: Vec<CertificateDer<'static>>,
    /// Authorities of clients, besides those of the channels.
    client_roots: Vec<CertificateDer<'static>>,
}

impl Tls {
    /// Loads what the configuration names. Clients of the peer's own organization may always
    /// connect: its administrators must, whatever became of the channels.
    pub(super) fn load(config: &Config, own: &Manager) -> Result<Self, Error> {
        let tls = &config.tls;
        let server = ServerTls::load_if_enabled(tls)?;
        let client = match tls.enabled {
            true => Some(ClientTls::load(&tls.certificate, &tls.private_key)?),
            false => None,
        };
        let roots = load_certificates(&tls.root_cas)?;
        let mut client_roots = load_certificates(&tls.client_root_cas)?;
        client_roots.extend(own.tls_roots());
        Ok(Self { server, client, roots, client_roots })
    }

    /// Clients of every channel's organizations may connect; that changes with the channels.
    pub(super) async fn renew_client_roots(self, channels: Arc<Channels>, tasks: Tasks) {
        let Some(server) = &self.server else { return };
        let mut changes = channels.watch();
        let cancelled = tasks.cancelled();
        tokio::pin!(cancelled);
        loop {
            changes.borrow_and_update();
            if let Err(error) = server.set_client_roots(self.all_client_roots(&channels)) {
                tracing::error!(%error, "TLS authorities of channels are not usable for clients");
            }
            tokio::select! {
                () = &mut cancelled => return,
                changed = changes.changed() => if changed.is_err() { return },
            }
        }
    }

    fn all_client_roots(&self, channels: &Channels) -> Vec<CertificateDer<'static>> {
        let mut roots = self.client_roots.clone();
        for bundle in channels.bundles() {
            roots.extend(bundle.msps().tls_roots());
        }
        roots.sort_by(|one, other| one.as_ref().cmp(other.as_ref()));
        roots.dedup();
        roots
    }
}
