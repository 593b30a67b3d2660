//! Trade on a channel of a maker, a pharmacy and the keeper of the registers: what is allowed, and
//! above all what is refused.

mod dispensing;
mod market;
mod packing;
mod registers;
mod trade;
