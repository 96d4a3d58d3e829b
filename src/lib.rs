//! Finds, before anything is deployed, the proxied requests that will end in a 502 or 504.

pub mod finding;
pub mod source;
pub mod syntax;
