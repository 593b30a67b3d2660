//! The rules of Fabric's shim for keys, ranges and events, so that every host applies the same.
