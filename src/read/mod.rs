//! Trees become facts in the site, one reader a product. Readers state facts; they do not judge.

pub mod address;
pub mod app;
pub mod glob;
pub mod nginx;
pub mod surroundings;
