//! ehr
