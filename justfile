# `just` lists the recipes; all of them run at the root without `-p`, or features unify differently and the two large
# platform libraries are built twice.

_default:
    @just --list --unsorted

# All tests
test *ARGS:
    cargo test --locked {{ARGS}}

# Formatting and clippy, as CI sees them
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings

# The documentation of all packages, warnings being errors
doc *ARGS:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked {{ARGS}}

# Benchmarks
bench *ARGS:
    cargo bench --locked {{ARGS}}

# A channel with a digest of invented papers in the browser; needs no account and no token
demo:
    cargo run --release --locked -- demo

# Licences, bans and sources; with the advisory database also advisories: `just deny advisories`
deny *CHECKS="bans licenses sources":
    cargo deny check {{CHECKS}}

# What CI runs
ci:
    .ci/run
