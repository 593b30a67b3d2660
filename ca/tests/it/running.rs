//! Starts an authority for the other tests.

use std::time::{Duration, Instant};

use ca::client::{Client, Error, Wish};
use ca::messages::{Attribute, RegisterRequest};
use ca::{Config, Handle, Secret};
use msp::SigningIdentity;
use node::tasks::Tasks;
use tempfile::TempDir;
use tonic::Code;

pub(crate) const MSP_ID: &str = "HospitalMSP";
pub(crate) const ADMIN_SECRET: &str = "adminpw";
const TIMEOUT: Duration = Duration::from_secs(10);

/// A running authority, a client and the first registrar.
pub(crate) struct Running {
    pub(crate) config: Config,
    pub(crate) tasks: Tasks,
    pub(crate) handle: Handle,
    pub(crate) client: Client,
    pub(crate) admin: SigningIdentity,
}

/// Everything about a running authority and the folder it lives in.
pub(crate) struct Authority {
    pub(crate) running: Running,
    pub(crate) folder: TempDir,
}

impl std::ops::Deref for Authority {
    type Target = Running;
    fn deref(&self) -> &Running {
        &self.running
    }
}

pub(crate) fn config(folder: &TempDir) -> Config {
    let mut config = Config {
        name: "hospital-ca".to_owned(),
        organization: "hospital".to_owned(),
        listen_address: "127.0.0.1:0".to_owned(),
        data_directory: folder.path().to_owned(),
        affiliations: vec!["ward7.night".to_owned(), "ward8".to_owned()],
        ..Config::default()
    };
    config.bootstrap.secret = ADMIN_SECRET.into();
    config.registry.secret_rounds = 1000.try_into().unwrap();
    config
}

pub(crate) async fn start() -> Authority {
    start_with(|_| {}).await
}

pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> Authority {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&folder);
    change(&mut config);
    Authority { running: run(config).await, folder }
}

/// Starts on whatever the folder holds. A registry that was just closed may need a moment.
pub(crate) async fn run(config: Config) -> Running {
    let (tasks, begin) = (Tasks::new(), Instant::now());
    let handle = loop {
        match ca::start(config.clone(), &tasks).await {
            Ok(handle) => break handle,
            Err(ca::StartError::Registry { .. }) if begin.elapsed() < TIMEOUT => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(error) => panic!("{error:?}"),
        }
    };
    let client = connect(&handle).await;
    let admin = client.enroll("admin", &ADMIN_SECRET.into(), &Wish::identity()).await.unwrap();
    let admin = admin.into_signer(MSP_ID).unwrap();
    Running { config, tasks, handle, client, admin }
}

pub(crate) async fn connect(handle: &Handle) -> Client {
    let roots = node::tls::certificates_from_pem(&handle.info.tls_root).unwrap();
    Client::connect(&handle.address.to_string(), &roots, TIMEOUT).await.unwrap()
}

impl Running {
    pub(crate) async fn stop(self) -> Config {
        self.tasks.shutdown(TIMEOUT).await;
        self.config
    }

    /// Registers and enrols.
    pub(crate) async fn member(&self, request: RegisterRequest) -> SigningIdentity {
        let id = request.id.clone();
        let secret = self.client.register(&self.admin, request).await.unwrap();
        self.enroll(&id, &secret).await
    }

    pub(crate) async fn enroll(&self, id: &str, secret: &Secret) -> SigningIdentity {
        let enrolled = self.client.enroll(id, secret, &Wish::identity()).await.unwrap();
        enrolled.into_signer(MSP_ID).unwrap()
    }
}

pub(crate) fn registration(id: &str, kind: &str) -> RegisterRequest {
    RegisterRequest { id: id.to_owned(), r#type: kind.to_owned(), ..Default::default() }
}

/// A registrar with the given rights below an affiliation.
pub(crate) fn registrar(id: &str, affiliation: &str, rights: &[(&str, &str)]) -> RegisterRequest {
    RegisterRequest {
        affiliation: affiliation.to_owned(),
        attributes: rights.iter().map(|(name, value)| attribute(name, value, false)).collect(),
        ..registration(id, "client")
    }
}

pub(crate) fn attribute(name: &str, value: &str, ecert: bool) -> Attribute {
    Attribute { name: name.to_owned(), value: value.to_owned(), ecert }
}

/// The call was refused with this code, and the text says so.
#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, Error>, code: Code, text: &str) {
    match result {
        Err(Error::Refused(status)) => {
            assert_eq!(status.code(), code, "{status:?}");
            assert!(status.message().contains(text), "{status:?}");
        }
        other => panic!("{other:?}"),
    }
}
