//! A program is allowed to take more memory than its container or its unit may.

use crate::finding::Findings;
use crate::rules::Rule;
use crate::rules::words::name;
use crate::site::Site;

pub const RULE: Rule = Rule { id: "capacity/memory", doc: include_str!("memory.md"), check };

fn check(site: &Site, findings: &mut Findings) {
    for memory in &site.memory {
        let limit = memory.limit;
        if limit.value == 0 {
            continue;
        }
        let service = memory.service.as_ref().map(|service| format!("`{service}`"));
        let who = service.unwrap_or_else(|| name(site.machine(memory.machine)));
        for demand in &memory.demands {
            let fits = u128::from(demand.bytes) * 100 <= u128::from(limit.value) * u128::from(demand.share);
            if fits {
                continue;
            }
            let (takes, may) = (size(demand.bytes), size(limit.value));
            let finding =
                findings.warning(limit.span, format!("{who} may take {may}, and {} alone {takes}", demand.what));
            finding.label("above this the kernel kills the process, and its proxy answers 502");
            finding.note(demand.place, format!("{takes} are allowed here"));
            if let Some((place, message)) = &demand.factor {
                finding.note(*place, message.clone());
            }
            finding.help(match demand.share {
                100 => "raise the limit, or allow less",
                _ => "raise the limit, or allow less: a program needs memory beside its heap",
            });
        }
    }
}

/// "512 MiB", "1.5 GiB".
fn size(bytes: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.into_iter().find(|(factor, _)| bytes >= *factor) {
        Some((factor, unit)) => {
            let tenths = (bytes as f64 / factor as f64 * 10.0).round() / 10.0;
            format!("{tenths} {unit}")
        }
        None => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_are_short() {
        assert_eq!(size(512 << 20), "512 MiB");
        assert_eq!(size(3 << 29), "1.5 GiB");
        assert_eq!(size(900), "900 bytes");
    }
}
