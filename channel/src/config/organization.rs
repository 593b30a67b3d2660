//! Organizations: collecting their certificates while the sections are read.

use std::collections::BTreeMap;

use msp::{Msp, MspVersion};
use proto::msp::MspConfig;

use super::{Error, key, values::Group};

/// The organizations met so far. One that appears in two groups must be the same in both.
pub(crate) struct Organizations {
    version: MspVersion,
    known: BTreeMap<String, (MspConfig, Msp)>,
}

impl Organizations {
    pub(crate) fn new(version: MspVersion) -> Self {
        Self { version, known: BTreeMap::new() }
    }

    /// Reads the organization of a group, and gives its MSP ID.
    pub(crate) fn read(&mut self, group: Group<'_>) -> Result<String, Error> {
        let config: MspConfig = group.get(key::MSP)?;
        let failed = |source| Error::Msp { group: group.path.to_owned(), source };
        let msp = Msp::from_config(&config, self.version).map_err(failed)?;
        let id = msp.id().to_owned();
        if id.is_empty() {
            return Err(Error::Invalid(format!("MSP of {} has an empty MSP ID", group.path)));
        }
        match self.known.get(&id) {
            Some((known, _)) if *known != config => Err(Error::TwoVersions(id)),
            Some(_) => Ok(id),
            None => {
                self.known.insert(id.clone(), (config, msp));
                Ok(id)
            }
        }
    }

    pub(crate) fn into_msps(self) -> Vec<Msp> {
        self.known.into_values().map(|(_, msp)| msp).collect()
    }
}
