//! The code each kind of wrong transaction gets: every code of Fabric that can arise, on channels
//! with real identities, signatures and configuration, through the real validator and ledger.
//! `docs/validation-codes.md` lists which test stands for what.

mod actions;
mod blocks;
mod collections;
mod config;
mod creators;
mod definitions;
mod endorsements;
mod envelopes;
mod halts;
mod keys;
mod mutations;
mod reads;
mod repeats;
mod sets;
mod world;
mod writes;
