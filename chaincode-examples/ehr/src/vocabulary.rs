//! The words consents and records are made of: FHIR and HL7 v3 codes, and the roles of this network.

use gauze_chaincode::prelude::*;

/// Why data is asked for (HL7 v3 PurposeOfUse).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Schema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Purpose {
    /// Treatment.
    Treat,
    /// Emergency treatment.
    Etreat,
    /// Payment.
    Hpaymt,
    /// Operations.
    Hoperat,
    /// Research.
    Hresch,
    /// The patient's own request.
    Patrqt,
}

impl Purpose {
    /// Whether only listed resource types may be shared for it (minimum necessary).
    pub fn needs_listed_types(self) -> bool {
        matches!(self, Self::Hpaymt | Self::Hoperat | Self::Hresch)
    }

    /// Whether disclosures for it are left out of an accounting (45 CFR 164.528(a)(1)(i)).
    pub fn is_routine(self) -> bool {
        matches!(self, Self::Treat | Self::Hpaymt | Self::Hoperat)
    }
}

/// What makes a record sensitive (HL7 v3 ActCode).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Schema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Label {
    /// Substance use.
    Sud,
    /// Alcohol use.
    Ethud,
    /// Opioid use.
    Opioidud,
    /// HIV.
    Hiv,
    /// Sexually transmitted disease.
    Std,
    /// Mental health.
    Mh,
    /// Psychiatry.
    Psy,
    /// Domestic violence.
    Sdv,
    /// Sexual health.
    Sex,
    /// Genetic disease.
    Gdis,
}

/// Whether a consent lets data go or holds it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// Data may be released.
    Permit,
    /// Data is withheld.
    Deny,
}

/// What may be done with the records (the letters of SMART App Launch 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Schema)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// Read a record.
    R,
    /// Search, that is learn which records exist.
    S,
}

/// What whoever receives the data must keep to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub enum Obligation {
    /// Not to be passed on (42 CFR Part 2 asks for it).
    NoRedisclosure,
    /// To be deleted when the purpose is fulfilled.
    DeleteAfter,
}

/// What an organization does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Schema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Treats patients.
    Provider,
    /// Treats emergencies.
    Acute,
    /// Examines specimens.
    Lab,
    /// Dispenses medicines.
    Pharmacy,
    /// Pays.
    Payer,
    /// Does research.
    Research,
    /// Oversees.
    Regulator,
}

/// FHIR R4 resource types that can be registered as records.
pub const RESOURCE_TYPES: [&str; 24] = [
    "AllergyIntolerance",
    "CarePlan",
    "CareTeam",
    "Claim",
    "Condition",
    "Coverage",
    "Device",
    "DiagnosticReport",
    "DocumentReference",
    "Encounter",
    "ExplanationOfBenefit",
    "FamilyMemberHistory",
    "Goal",
    "ImagingStudy",
    "Immunization",
    "MedicationAdministration",
    "MedicationDispense",
    "MedicationRequest",
    "MedicationStatement",
    "Observation",
    "Procedure",
    "QuestionnaireResponse",
    "ServiceRequest",
    "Specimen",
];

/// Every resource type, in consents and requests.
pub const ANY_TYPE: &str = "*";
