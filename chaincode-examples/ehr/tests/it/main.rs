//! Care on a channel of two hospitals: what is allowed, and above all what is refused.

mod access;
mod care;
mod registration;
