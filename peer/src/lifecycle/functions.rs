//! What a transaction on `_lifecycle` does: approve, commit, and the questions around them.

use std::collections::BTreeMap;

use channel::Bundle;
use ledger::Simulator;

use super::Error;
use super::approvals::{self, organizations};
use super::check;
use super::definition::{
    DEFAULT_POLICY, Definition, PARAMETERS, Parameters, default_validation_parameter,
    local_package, private_name, read_sequence,
};
use super::definitions::implicit_collection_name;
use super::state::{self, LEGACY, NAMESPACES, Read, SOURCES};
use super::views::{Private, Public};

/// One transaction on `_lifecycle`, and the channel it is simulated on.
pub(super) struct Transaction<'a> {
    pub(super) simulator: &'a mut Simulator,
    pub(super) bundle: &'a Bundle,
    /// MSP id of this peer's organization.
    pub(super) msp_id: &'a str,
}

/// What an organization approved for one sequence.
pub(super) struct Approved {
    pub(super) name: String,
    pub(super) sequence: i64,
    pub(super) parameters: Parameters,
    /// Empty if the organization does not run the chaincode.
    pub(super) package_id: String,
}

impl Transaction<'_> {
    fn public(&mut self) -> Public<'_> {
        Public(self.simulator)
    }

    fn sequence(&mut self, name: &str) -> Result<i64, Error> {
        read_sequence(&mut self.public(), name)
    }

    /// Checks what the client sent. The existing definition is read for it, and looked for in the
    /// old lifecycle if there is none, so these reads enter the transaction.
    pub(super) fn check(&mut self, name: &str, parameters: &Parameters) -> Result<(), Error> {
        let refuse =
            |text| Error::Refused(format!("error validating chaincode definition: {text}"));
        check::alone(name, parameters, self.bundle).map_err(refuse)?;
        match Definition::read(&mut self.public(), name)? {
            Some(committed) => check::against(&committed, parameters).map_err(refuse),
            None => {
                self.simulator.get_state(LEGACY, name)?;
                Ok(())
            }
        }
    }

    /// Fills in what the client left open.
    fn complete(&self, mut parameters: Parameters) -> Result<Parameters, Error> {
        if parameters.endorsement.endorsement_plugin.is_empty() {
            parameters.endorsement.endorsement_plugin = "escc".into();
        }
        if parameters.validation.validation_plugin.is_empty() {
            parameters.validation.validation_plugin = "vscc".into();
        }
        if parameters.validation.validation_parameter.is_empty() {
            if !self.bundle.has_policy(DEFAULT_POLICY) {
                let channel = self.bundle.channel_id();
                return Err(Error::Refused(format!(
                    "could not set defaults for chaincode definition in channel {channel}: policy \
                     '{DEFAULT_POLICY}' must be defined for channel '{channel}' before chaincode \
                     operations can be attempted"
                )));
            }
            parameters.validation.validation_parameter = default_validation_parameter();
        }
        Ok(parameters)
    }

    /// Records the approval of this peer's organization.
    pub(super) fn approve(
        &mut self,
        name: &str,
        sequence: i64,
        parameters: Parameters,
        package_id: &str,
    ) -> Result<(), Error> {
        let current = self.sequence(name)?;
        check_approved_sequence(sequence, current)?;
        let parameters = self.complete(parameters)?;
        if sequence == current {
            self.same_as_committed(name, current, &parameters)?;
        }
        let private = private_name(name, sequence);
        let collection = implicit_collection_name(self.msp_id);
        let mut state = Private { simulator: self.simulator, collection: &collection };
        if is_repeated(&mut state, &private, &parameters, package_id)? {
            return Err(Error::Refused(if sequence == current {
                format!(
                    "attempted to redefine the current committed sequence ({current}) for \
                     namespace {name}"
                )
            } else {
                format!(
                    "attempted to redefine uncommitted sequence ({sequence}) for namespace {name} \
                     with unchanged content"
                )
            }));
        }
        state::write(&mut state, NAMESPACES, &private, &parameters.record())?;
        state::write(&mut state, SOURCES, &private, &local_package(package_id))
    }

    fn same_as_committed(
        &mut self,
        name: &str,
        current: i64,
        parameters: &Parameters,
    ) -> Result<(), Error> {
        let committed = Definition::read(&mut self.public(), name)?.ok_or_else(|| {
            Error::Refused(format!(
                "missing metadata for currently committed sequence number ({current})"
            ))
        })?;
        committed.parameters.compare(parameters).map_err(|difference| {
            Error::Refused(format!(
                "attempted to redefine the current committed sequence ({current}) for namespace \
                 {name} with different parameters: {difference}"
            ))
        })
    }

    /// What differs, for each organization of the channel, between its approval and `parameters`.
    pub(super) fn readiness(
        &mut self,
        name: &str,
        sequence: i64,
        parameters: Parameters,
    ) -> Result<(Parameters, BTreeMap<String, Vec<String>>), Error> {
        let next = self.sequence(name)? + 1;
        if sequence != next {
            return Err(Error::Refused(format!(
                "requested sequence is {sequence}, but new definition must be sequence {next}"
            )));
        }
        let parameters = self.complete(parameters)?;
        let mismatches = self.mismatches(name, sequence, &parameters)?;
        Ok((parameters, mismatches))
    }

    /// For each organization of the channel, what differs between its approval and `parameters`.
    pub(super) fn mismatches(
        &mut self,
        name: &str,
        sequence: i64,
        parameters: &Parameters,
    ) -> Result<BTreeMap<String, Vec<String>>, Error> {
        let mut mismatches = BTreeMap::new();
        for msp_id in organizations(self.bundle) {
            let collection = implicit_collection_name(&msp_id);
            let mut hashes = Private { simulator: self.simulator, collection: &collection };
            let differing = approvals::compare(&mut hashes, name, sequence, parameters)?;
            mismatches.insert(msp_id, differing);
        }
        Ok(mismatches)
    }

    /// Writes the definition; this peer's organization must have approved it. Whether enough
    /// others have is decided by who endorses the transaction.
    pub(super) fn commit(
        &mut self,
        name: &str,
        sequence: i64,
        parameters: Parameters,
    ) -> Result<(), Error> {
        if !organizations(self.bundle).iter().any(|msp_id| msp_id == self.msp_id) {
            return Err(Error::Refused(
                "impossibly, this peer's org is processing requests for a channel it is not a \
                 member of"
                    .into(),
            ));
        }
        let (parameters, mismatches) = self.readiness(name, sequence, parameters)?;
        if mismatches.get(self.msp_id).is_none_or(|differing| !differing.is_empty()) {
            return Err(Error::Refused(format!(
                "chaincode definition not agreed to by this org ({})",
                self.msp_id
            )));
        }
        let record = Definition { sequence, parameters }.record();
        state::write(&mut self.public(), NAMESPACES, name, &record)
    }

    /// The committed definition of `name`.
    pub(super) fn committed(&mut self, name: &str) -> Result<Definition, Error> {
        Definition::read(&mut self.public(), name)?
            .ok_or_else(|| Error::NotDefined(name.to_owned()))
    }

    /// All committed definitions, by name.
    pub(super) fn all_committed(&mut self) -> Result<Vec<(String, Definition)>, Error> {
        let names = self.public().names(NAMESPACES)?;
        let mut definitions = Vec::new();
        for name in names {
            if let Some(definition) = Definition::read(&mut self.public(), &name)? {
                definitions.push((name, definition));
            }
        }
        Ok(definitions)
    }

    /// What this peer's organization approved for `sequence`; if that is not positive, for the
    /// newest sequence it approved.
    pub(super) fn approved(&mut self, name: &str, sequence: i64) -> Result<Approved, Error> {
        let current = if sequence > 0 { 0 } else { self.sequence(name)? };
        let collection = implicit_collection_name(self.msp_id);
        let mut state = Private { simulator: self.simulator, collection: &collection };
        let mut requested = sequence;
        if sequence <= 0 {
            let next = private_name(name, current + 1);
            let is_next = state::read_metadata(&mut state, NAMESPACES, &next)?.is_some();
            requested = current + i64::from(is_next);
        }
        read_approved(&mut state, name, requested)?.ok_or_else(|| {
            Error::Refused(format!(
                "could not fetch approved chaincode definition (name: '{name}', sequence: \
                 '{sequence}') on channel '{}'",
                self.bundle.channel_id()
            ))
        })
    }

    /// Everything this peer's organization approved.
    pub(super) fn all_approved(&mut self) -> Result<Vec<Approved>, Error> {
        let collection = implicit_collection_name(self.msp_id);
        let mut state = Private { simulator: self.simulator, collection: &collection };
        let mut approved = Vec::new();
        for private in state.names(NAMESPACES)? {
            let Some((name, sequence)) = private.rsplit_once('#') else { continue };
            let Ok(sequence) = sequence.parse() else { continue };
            approved.extend(read_approved(&mut state, name, sequence)?);
        }
        Ok(approved)
    }
}

fn check_approved_sequence(requested: i64, current: i64) -> Result<(), Error> {
    let text = if requested == 0 {
        "requested sequence is 0, but first definable sequence number is 1".to_owned()
    } else if requested < current {
        format!(
            "currently defined sequence {current} is larger than requested sequence {requested}"
        )
    } else if requested > current + 1 {
        format!(
            "requested sequence {requested} is larger than the next available sequence number {}",
            current + 1
        )
    } else {
        return Ok(());
    };
    Err(Error::Refused(text))
}

/// Whether the organization has already approved exactly this, with this package.
fn is_repeated(
    state: &mut dyn Read,
    private: &str,
    parameters: &Parameters,
    package_id: &str,
) -> Result<bool, Error> {
    if state::read_metadata(state, NAMESPACES, private)?.is_none() {
        return Ok(false);
    }
    if Parameters::read(state, private)?.compare(parameters).is_err() {
        return Ok(false);
    }
    if state::read_metadata(state, SOURCES, private)?.is_none() {
        return Ok(false);
    }
    Ok(state::read_text(state, SOURCES, private, "PackageID")? == package_id)
}

fn read_approved(
    state: &mut dyn Read,
    name: &str,
    sequence: i64,
) -> Result<Option<Approved>, Error> {
    let private = private_name(name, sequence);
    let Some(metadata) = state::read_metadata(state, NAMESPACES, &private)? else {
        return Ok(None);
    };
    if metadata.datatype != PARAMETERS {
        let text = format!("not a chaincode parameters type: {}", metadata.datatype);
        return Err(Error::Corrupt(text));
    }
    let parameters = Parameters::read(state, &private)?;
    if state::read_metadata(state, SOURCES, &private)?.is_none() {
        return Ok(None);
    }
    let package_id = state::read_text(state, SOURCES, &private, "PackageID")?;
    Ok(Some(Approved { name: name.to_owned(), sequence, parameters, package_id }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(requested: i64, current: i64, expected: Option<&str>) {
        let error = check_approved_sequence(requested, current).err().map(|e| e.to_string());
        assert_eq!(error.as_deref(), expected);
    }

    #[test]
    fn only_the_current_and_the_next_sequence_are_approved() {
        check(1, 0, None);
        check(3, 3, None);
        check(4, 3, None);
        check(0, 0, Some("requested sequence is 0, but first definable sequence number is 1"));
        check(2, 3, Some("currently defined sequence 3 is larger than requested sequence 2"));
        check(
            5,
            3,
            Some("requested sequence 5 is larger than the next available sequence number 4"),
        );
    }
}
