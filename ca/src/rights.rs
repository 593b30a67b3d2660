//! Who may do what: types, affiliations, and the `hf.*` attributes of registrars.
//!
//! Nobody can hand on more than they have. All functions are pure.

use crate::error::Error;
use crate::record::{Attribute, Identity};

pub(crate) const ROLES: &str = "hf.Registrar.Roles";
pub(crate) const DELEGATE_ROLES: &str = "hf.Registrar.DelegateRoles";
pub(crate) const ATTRIBUTES: &str = "hf.Registrar.Attributes";
pub(crate) const REVOKER: &str = "hf.Revoker";
pub(crate) const GENERATE_CRL: &str = "hf.GenCRL";
pub(crate) const AFFILIATION_MANAGER: &str = "hf.AffiliationMgr";
pub(crate) const ENROLLMENT_ID: &str = "hf.EnrollmentID";
pub(crate) const TYPE: &str = "hf.Type";
pub(crate) const AFFILIATION: &str = "hf.Affiliation";

/// Attributes of the authority itself begin so.
const RESERVED: &str = "hf.";
/// The types there are; each is a role in an organization that enforces roles.
pub(crate) const TYPES: [&str; 4] = ["client", "peer", "admin", "orderer"];
const ALL: &str = "*";

const ID_BYTES_MAX: usize = 128;
const AFFILIATION_BYTES_MAX: usize = 128;
const ATTRIBUTES_MAX: usize = 64;
const ATTRIBUTE_BYTES_MAX: usize = 4096;

/// What the first registrar may do: everything.
pub(crate) fn everything() -> Vec<Attribute> {
    let pairs = [
        (ROLES, ALL),
        (DELEGATE_ROLES, ALL),
        (ATTRIBUTES, ALL),
        (REVOKER, "true"),
        (GENERATE_CRL, "true"),
        (AFFILIATION_MANAGER, "true"),
    ];
    let attribute = |(name, value): (&str, &str)| Attribute {
        name: name.into(),
        value: value.into(),
        ecert: false,
    };
    pairs.into_iter().map(attribute).collect()
}

/// Whether `caller` has a right that is either there or not.
pub(crate) fn is_granted(caller: &Identity, right: &str) -> bool {
    caller.attribute(right) == Some("true")
}

/// Checks a right that is either there or not.
pub(crate) fn check_granted(caller: &Identity, right: &str) -> Result<(), Error> {
    if is_granted(caller, right) {
        return Ok(());
    }
    Err(Error::Denied(format!("{} does not have {right}", caller.id)))
}

/// Checks that `caller` may register and change identities of a type and affiliation.
pub(crate) fn check_manages(caller: &Identity, kind: &str, affiliation: &str) -> Result<(), Error> {
    let roles = caller.attribute(ROLES).unwrap_or_default();
    if !list(roles).any(|role| role == kind || role == ALL) {
        return Err(Error::Denied(format!(
            "{} may not manage identities of type {kind}",
            caller.id
        )));
    }
    check_covers(caller, affiliation)
}

/// Checks that `affiliation` is the caller's own or below it.
pub(crate) fn check_covers(caller: &Identity, affiliation: &str) -> Result<(), Error> {
    if lies_below(affiliation, &caller.affiliation) {
        return Ok(());
    }
    let id = &caller.id;
    Err(Error::Denied(format!("{id} may not act for affiliation {affiliation:?}")))
}

/// Whether `affiliation` equals `root` or lies below it.
pub(crate) fn lies_below(affiliation: &str, root: &str) -> bool {
    let rest = affiliation.strip_prefix(root);
    root.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Checks that `caller` may change `target`: manage it, and give it all it has. Otherwise a
/// registrar could take over a mightier one by changing its secret.
pub(crate) fn check_governs(caller: &Identity, target: &Identity) -> Result<(), Error> {
    check_manages(caller, &target.kind, &target.affiliation)?;
    if caller.id == target.id {
        return Ok(());
    }
    check_grants(caller, &target.attributes)
}

/// Checks that `caller` may give `attributes` to an identity.
pub(crate) fn check_grants(caller: &Identity, attributes: &[Attribute]) -> Result<(), Error> {
    for Attribute { name, value, .. } in attributes {
        check_may_name(caller, name)?;
        if name.starts_with(RESERVED) {
            check_reserved(caller, name, value)?;
        }
    }
    Ok(())
}

/// Checks that `caller` has to do with attributes of this name at all.
pub(crate) fn check_may_name(caller: &Identity, name: &str) -> Result<(), Error> {
    let allowed = caller.attribute(ATTRIBUTES).unwrap_or_default();
    if list(allowed).any(|pattern| pattern_covers(pattern, name)) {
        return Ok(());
    }
    Err(Error::Denied(format!("{} may not give attribute {name}", caller.id)))
}

/// Checks that all attributes of an identity go together.
fn check_consistent(attributes: &[Attribute]) -> Result<(), Error> {
    let find = |name| attributes.iter().find(|it| it.name == name).map(|it| it.value.as_str());
    if let Some(delegated) = find(DELEGATE_ROLES)
        && !is_subset(delegated, find(ROLES).unwrap_or_default())
    {
        return Err(Error::Invalid(format!("{DELEGATE_ROLES} is wider than {ROLES}")));
    }
    Ok(())
}

fn check_reserved(caller: &Identity, name: &str, value: &str) -> Result<(), Error> {
    let granted = match name {
        REVOKER | GENERATE_CRL | AFFILIATION_MANAGER => match value {
            "true" => is_granted(caller, name),
            "false" => true,
            _ => return Err(Error::Invalid(format!("{name} must be true or false"))),
        },
        ROLES | DELEGATE_ROLES => {
            is_subset(value, caller.attribute(DELEGATE_ROLES).unwrap_or_default())
        }
        ATTRIBUTES => {
            let own = caller.attribute(ATTRIBUTES).unwrap_or_default();
            list(value).all(|asked| list(own).any(|pattern| pattern_covers(pattern, asked)))
        }
        _ => return Err(Error::Invalid(format!("attribute {name} cannot be given"))),
    };
    if granted {
        return Ok(());
    }
    Err(Error::Denied(format!("{} may not give {name} = {value}", caller.id)))
}

/// Whether every item of one list is in the other.
fn is_subset(items: &str, of: &str) -> bool {
    list(items).all(|item| list(of).any(|it| it == item || it == ALL))
}

fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// A pattern is a name, or a beginning followed by `*`; it may cover another pattern.
fn pattern_covers(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => pattern == name,
    }
}

/// Checks the form of an id; it becomes a common name.
pub(crate) fn check_id(id: &str) -> Result<(), Error> {
    if id.is_empty() || id.len() > ID_BYTES_MAX || id.chars().any(char::is_control) {
        return Err(Error::Invalid(format!("id must have 1 to {ID_BYTES_MAX} printable bytes")));
    }
    Ok(())
}

/// Checks that there is such a type.
pub(crate) fn check_type(kind: &str) -> Result<(), Error> {
    if TYPES.contains(&kind) {
        return Ok(());
    }
    Err(Error::Invalid(format!("type must be one of {}", TYPES.join(", "))))
}

/// Checks the form of an affiliation. Its parts become organizational units beside the type, so
/// none may be called like a type: it would give a second role.
pub(crate) fn check_affiliation(affiliation: &str) -> Result<(), Error> {
    let proper = |part: &str| {
        !part.is_empty()
            && !TYPES.contains(&part)
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    if affiliation.len() <= AFFILIATION_BYTES_MAX && affiliation.split('.').all(proper) {
        return Ok(());
    }
    Err(Error::Invalid(format!("{affiliation:?} is not a proper affiliation")))
}

/// Checks number and size of attributes, that no name comes twice, and that all go together.
pub(crate) fn check_attributes(attributes: &[Attribute]) -> Result<(), Error> {
    if attributes.len() > ATTRIBUTES_MAX {
        return Err(Error::Invalid(format!("more than {ATTRIBUTES_MAX} attributes")));
    }
    for (index, it) in attributes.iter().enumerate() {
        if it.name.is_empty() || it.name.len() + it.value.len() > ATTRIBUTE_BYTES_MAX {
            return Err(Error::Invalid("attribute without name, or too long".to_owned()));
        }
        if attributes.iter().take(index).any(|earlier| earlier.name == it.name) {
            return Err(Error::Invalid(format!("attribute {} given twice", it.name)));
        }
    }
    check_consistent(attributes)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::Secret;
    use crate::secret::SecretHash;

    fn attributes(pairs: &[(&str, &str)]) -> Vec<Attribute> {
        let make = |&(name, value): &(&str, &str)| Attribute {
            name: name.into(),
            value: value.into(),
            ecert: false,
        };
        pairs.iter().map(make).collect()
    }

    fn caller(affiliation: &str, pairs: &[(&str, &str)]) -> Identity {
        Identity {
            id: "caller".into(),
            kind: "client".into(),
            affiliation: affiliation.into(),
            attributes: attributes(pairs),
            secret: SecretHash::new(&Secret::default(), NonZeroU32::MIN).unwrap(),
            max_enrollments: -1,
            enrollments: 0,
            wrong_secrets: 0,
            revoked: false,
        }
    }

    #[test]
    fn types_and_affiliations_bound_a_registrar() {
        let check = |roles, own: &str, kind, affiliation, expected| {
            let verdict = check_manages(&caller(own, &[(ROLES, roles)]), kind, affiliation);
            assert_eq!(verdict.is_ok(), expected, "{roles} {own} {kind} {affiliation}");
        };
        check("*", "", "peer", "", true);
        check("*", "", "peer", "org1.ward", true);
        check("client, peer", "org1", "peer", "org1", true);
        check("client,peer", "org1", "peer", "org1.ward", true);
        check("client,peer", "org1", "admin", "org1", false);
        check("*", "org1", "peer", "org2", false);
        check("*", "org1", "peer", "org11", false);
        check("*", "org1", "peer", "", false);
        check("", "", "peer", "", false);
    }

    #[test]
    fn nobody_hands_on_more_than_they_have() {
        let own = [
            (ROLES, "client,peer"),
            (DELEGATE_ROLES, "client"),
            (ATTRIBUTES, "ward.*,doctor,hf.*"),
            (REVOKER, "true"),
        ];
        let check = |given: &[(&str, &str)], expected| {
            let given = attributes(given);
            let verdict = check_grants(&caller("", &own), &given).and(check_attributes(&given));
            assert_eq!(verdict.is_ok(), expected, "{given:?}");
        };
        check(&[], true);
        check(&[("doctor", "yes"), ("ward.number", "7")], true);
        check(&[("doctors", "yes")], false);
        check(&[(REVOKER, "true")], true);
        check(&[(REVOKER, "perhaps")], false);
        check(&[(GENERATE_CRL, "true")], false);
        check(&[(GENERATE_CRL, "false")], true);
        check(&[(ROLES, "client")], true);
        check(&[(ROLES, "client,peer")], false);
        check(&[(ROLES, "*")], false);
        check(&[(ROLES, "client"), (DELEGATE_ROLES, "client")], true);
        check(&[(DELEGATE_ROLES, "client")], false);
        check(&[(ATTRIBUTES, "ward.a,ward.b*")], true);
        check(&[(ATTRIBUTES, "*")], false);
        check(&[(ENROLLMENT_ID, "other")], false);
        check(&[(TYPE, "admin")], false);
        check(&[("hf.Unknown", "true")], false);
    }

    #[test]
    fn forms() {
        for good in ["org1", "org1.ward-7", "a_b.c"] {
            check_affiliation(good).unwrap();
        }
        for bad in ["", ".", "a.", "admin", "org1.peer", "a,b", "ä", &"a".repeat(200)] {
            assert!(check_affiliation(bad).is_err(), "{bad}");
        }
        assert!(check_id("").is_err() && check_id("a\nb").is_err() && check_id("ann").is_ok());
        assert!(check_type("peer").is_ok() && check_type("user").is_err());
        assert!(check_attributes(&attributes(&[("a", ""), ("a", "")])).is_err());
    }
}
