# Each recipe is one cargo line, so nobody needs `just`.

# What continuous integration runs.
check: fmt clippy test doc

fmt:
    cargo fmt --all --check

clippy:
    cargo clippy --workspace --all-targets -- -D warnings

test:
    cargo test --workspace

# The long runs: every failpoint at many of its hits, thousands of flipped bits.
long:
    cargo test --workspace -- --ignored long_

doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# Advisories, licences, sources, duplicate versions (needs cargo-deny).
deny:
    cargo deny check

# A consortium on this machine, with its story.
demo:
    cargo run --bin gauze -- demo
