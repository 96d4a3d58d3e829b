//! What the rules for the notations share: they hand on what the readers could not read.

use crate::finding::Findings;
use crate::site::Site;
use crate::site::trouble::Trouble;

/// Reports every text of this notation that could not be read.
pub fn report(site: &Site, wanted: &str, findings: &mut Findings) {
    for trouble in &site.troubles {
        let Trouble::Syntax { notation, place, message, related } = trouble else { continue };
        if *notation != wanted {
            continue;
        }
        let finding = findings.error(*place, message);
        if let Some((place, words)) = related {
            finding.note(*place, words.clone());
        }
    }
}
