//! Named places at which a test lets a step fail, or the process die.
//!
//! Every step that makes something durable has one before and one after it. Outside of tests they
//! compile to nothing. Names have the form `<crate>::<part>::<place>` and stand in the source as
//! whole strings, because the crash test collects them from there.

use std::io;

/// Passes, unless a test said otherwise about this place: `return(28)` is the answer of a full
/// disk, `return(abort)` ends the process as `kill -9` would, `panic` panics.
#[inline]
pub fn reach(name: &'static str) -> io::Result<()> {
    let _ = name;
    fail::fail_point!(name, |action: Option<String>| match action.as_deref() {
        Some("abort") => std::process::abort(),
        code => {
            let code = code.and_then(|code| code.parse().ok());
            Err(io::Error::from_raw_os_error(code.unwrap_or(5)))
        }
    });
    Ok(())
}
