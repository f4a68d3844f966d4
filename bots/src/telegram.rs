//! x
pub mod markup;
