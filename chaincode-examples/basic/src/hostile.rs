//! What no contract should do, so that tests can show a peer surviving it.

use std::hint::black_box;

use gauze_chaincode::prelude::*;

pub(crate) fn endless() -> Result<()> {
    let mut number = 0_u64;
    loop {
        number = black_box(number.wrapping_add(1));
    }
}

pub(crate) fn memory() -> Result<u64> {
    let mut taken: Vec<Vec<u8>> = Vec::new();
    loop {
        taken.push(black_box(vec![1; 1 << 20]));
    }
}

#[expect(unconditional_recursion, reason = "the stack must end, not the recursion")]
pub(crate) fn stack(depth: u64) -> u64 {
    let frame = black_box([depth; 16]);
    stack(depth + 1) + frame[3]
}

#[expect(clippy::panic, reason = "that is its purpose")]
pub(crate) fn trap() -> Result<()> {
    panic!("the contract gave up")
}
