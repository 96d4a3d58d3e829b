//! Which folders of the snapshot are the `/` of a server.

use crate::read::host;
use crate::source::Sources;

/// The folder itself where that was said; otherwise each one that holds the main file of a proxy where servers have it.
pub fn roots(sources: &Sources, is_loaded: &dyn Fn(&str) -> bool) -> Vec<String> {
    if sources.told.is_server {
        return vec![String::new()];
    }
    host::roots(sources, is_loaded)
}
