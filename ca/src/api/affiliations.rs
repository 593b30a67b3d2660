//! Affiliations: the dot-separated tree identities belong to.

use crate::error::Error;
use crate::messages::{
    AddAffiliationRequest, Affiliations, ListAffiliationsRequest, RemoveAffiliationRequest,
};
use crate::record::Identity;
use crate::rights::{self, lies_below};

use super::Service;

impl Service {
    /// The affiliation and those below it, as far as the caller's own covers them.
    pub(super) fn list_affiliations(
        &self,
        caller: &Identity,
        request: ListAffiliationsRequest,
    ) -> Result<Affiliations, Error> {
        if !request.affiliation.is_empty() {
            rights::check_covers(caller, &request.affiliation)?;
            self.check_affiliation_exists(&request.affiliation)?;
        }
        let mut affiliations = self.store.affiliations()?;
        affiliations.retain(|it| {
            lies_below(it, &request.affiliation) && lies_below(it, &caller.affiliation)
        });
        Ok(Affiliations { affiliations })
    }

    pub(super) fn add_affiliation(
        &self,
        caller: &Identity,
        request: AddAffiliationRequest,
    ) -> Result<Affiliations, Error> {
        let name = &request.affiliation;
        check_manager(caller, name)?;
        let _changes = self.changes.lock();
        if self.store.has_affiliation(name)? {
            return Err(Error::Exists(format!("affiliation {name:?} exists already")));
        }
        if !request.force
            && let Some((parent, _)) = name.rsplit_once('.')
        {
            self.check_affiliation_exists(parent)?;
        }
        self.put_affiliation_with_parents(name)?;
        self.store.flush()?;
        Ok(Affiliations { affiliations: vec![request.affiliation] })
    }

    /// Removes an affiliation nobody belongs to.
    pub(super) fn remove_affiliation(
        &self,
        caller: &Identity,
        request: RemoveAffiliationRequest,
    ) -> Result<Affiliations, Error> {
        let name = &request.affiliation;
        check_manager(caller, name)?;
        let _changes = self.changes.lock();
        self.check_affiliation_exists(name)?;
        for identity in self.store.identities("") {
            let Identity { id, affiliation, .. } = identity?;
            if lies_below(&affiliation, name) {
                return Err(Error::State(format!("{id} belongs to affiliation {affiliation:?}")));
            }
        }
        let mut affiliations = self.store.affiliations()?;
        affiliations.retain(|it| lies_below(it, name));
        if affiliations.len() > 1 && !request.force {
            return Err(Error::State(format!("there are affiliations below {name:?}")));
        }
        affiliations.iter().try_for_each(|it| self.store.remove_affiliation(it))?;
        self.store.flush()?;
        Ok(Affiliations { affiliations })
    }

    pub(super) fn put_affiliation_with_parents(&self, name: &str) -> Result<(), Error> {
        let ends = name.match_indices('.').map(|(end, _)| end).chain([name.len()]);
        ends.filter_map(|end| name.get(..end)).try_for_each(|it| self.store.put_affiliation(it))
    }
}

fn check_manager(caller: &Identity, affiliation: &str) -> Result<(), Error> {
    rights::check_affiliation(affiliation)?;
    rights::check_granted(caller, rights::AFFILIATION_MANAGER)?;
    rights::check_covers(caller, affiliation)
}
