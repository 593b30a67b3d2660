//! The macros and the dispatcher, over a host with nothing in it.
