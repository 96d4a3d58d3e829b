//! Trees become facts in the site, one reader a product. Readers state facts; they do not judge.

pub mod catalogue;
pub mod process;
pub mod surroundings;
