//! Organizational units: the roles they give, and those an organization insists on.

use crate::Error;

/// What an identity may do in its organization, as its certificate says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Sends transactions.
    Client,
    /// Endorses and commits.
    Peer,
    /// Administers the organization.
    Admin,
    /// Orders transactions.
    Orderer,
}

/// Hash over the chain of authorities that vouch for an organizational unit.
pub(crate) type CertifiersId = [u8; 32];

/// An organizational unit and, if it matters, who must have issued it.
#[derive(Debug, Clone)]
pub(crate) struct Unit {
    pub(crate) name: String,
    pub(crate) certifiers: Option<CertifiersId>,
}

/// Roles by organizational unit; present only while they are enforced.
#[derive(Debug, Clone, Default)]
pub(crate) struct NodeUnits {
    pub(crate) units: Vec<(Role, Unit)>,
}

impl NodeUnits {
    /// The one role of an identity with `names`, all vouched for by `certifiers`.
    pub(crate) fn role(&self, names: &[String], certifiers: &CertifiersId) -> Result<Role, Error> {
        let mut found = None;
        for name in names {
            // Later entries win where two roles share a name, as in a map filled in that order.
            let Some((role, unit)) = self.units.iter().rev().find(|(_, unit)| unit.name == *name)
            else {
                continue;
            };
            if unit.certifiers.as_ref().is_some_and(|it| it != certifiers) {
                return Err(Error::Certifier(name.clone()));
            }
            if found.replace(*role).is_some() {
                return Err(Error::Roles(names.to_vec()));
            }
        }
        found.ok_or_else(|| Error::Roles(names.to_vec()))
    }

    /// Whether `names` hold the unit of `role`; no other check is made.
    pub(crate) fn has(&self, names: &[String], role: Role) -> bool {
        self.units.iter().any(|(it, unit)| *it == role && names.contains(&unit.name))
    }

    /// Whether the role has a unit at all.
    pub(crate) fn knows(&self, role: Role) -> bool {
        self.units.iter().any(|(it, _)| *it == role)
    }
}

/// Checks the units an organization insists on: one of them must be there.
pub(crate) fn check_allowed(
    allowed: &[Unit],
    names: &[String],
    certifiers: &CertifiersId,
) -> Result<(), Error> {
    let matches = |unit: &Unit| {
        names.contains(&unit.name) && unit.certifiers.as_ref().is_none_or(|it| it == certifiers)
    };
    if allowed.is_empty() || allowed.iter().any(matches) {
        return Ok(());
    }
    Err(Error::OrganizationalUnit(names.to_vec()))
}
