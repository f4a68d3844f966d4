//! Holds only the test binary `e2e`.
