//! orderer
