//! The report of an audit: what the machine is, then what is wrong with each of its sites.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{self, Write};

use super::human::{Style, write_findings};
use super::{Checked, Place, in_order, number, printable, summary};
use crate::coverage::{ProxyCoverage, Read, Understood};
use crate::source::{FileId, Span};

/// So many machines are named whose listeners are not all known.
const MACHINES: usize = 8;

pub fn write(out: &mut dyn Write, checked: &[Checked], style: Style) -> io::Result<()> {
    let described: Vec<_> = checked.iter().map(|checked| checked.outcome.picture.described()).collect();
    for (checked, understood) in checked.iter().zip(&described) {
        header(out, checked, understood)?;
    }
    let places = in_order(checked);
    let mut elsewhere = Vec::new();
    let mut by_site: BTreeMap<(usize, usize), Vec<Place>> = BTreeMap::new();
    for (folder, checked) in checked.iter().enumerate() {
        let blocks = Blocks::of(&described[folder]);
        for place in places.iter().filter(|place| std::ptr::eq(place.checked, checked)) {
            match blocks.site(place) {
                Some(site) => by_site.entry((folder, site)).or_default().push(*place),
                None => elsewhere.push(*place),
            }
        }
    }
    if !elsewhere.is_empty() && !by_site.is_empty() {
        writeln!(out, "=== not of one site")?;
        writeln!(out)?;
    }
    write_findings(out, elsewhere, style)?;
    for ((folder, site), places) in by_site {
        let (checked, site) = (&checked[folder], &described[folder].sites[site]);
        let (path, line, _) = checked.start(site.place);
        writeln!(out, "=== {} ({}:{line})", printable(&site.name), printable(&path))?;
        writeln!(out)?;
        write_findings(out, places, style)?;
    }
    summary::write(out, checked, style)
}

/// The proxies with what they serve and whom they ask, the listeners, the files that could not be read.
fn header(out: &mut dyn Write, checked: &Checked, understood: &Understood) -> io::Result<()> {
    if !checked.prefix.is_empty() {
        writeln!(out, "{}", printable(&checked.prefix))?;
    }
    for (index, proxy) in understood.proxies.iter().enumerate() {
        let sites = understood.sites.iter().filter(|site| site.proxy == index).count();
        let of_proxy = understood.routes.iter().filter(|route| route.proxy == index);
        let targets: Vec<&str> = of_proxy.map(|route| route.target.as_str()).collect();
        if !proxy.runs && sites + targets.len() == 0 {
            continue;
        }
        let backends: BTreeSet<&str> = targets.iter().copied().collect();
        let (path, line, _) = checked.start(proxy.place);
        writeln!(
            out,
            "{} ({}:{line}): {}, {} to {}{}",
            title(proxy),
            printable(&path),
            number(sites, "site", "sites"),
            number(targets.len(), "route", "routes"),
            number(backends.len(), "backend", "backends"),
            match (proxy.runs, proxy.complete) {
                (false, _) => "; nothing is seen to load it",
                (true, false) => "; not all of its configuration could be read",
                (true, true) => "",
            },
        )?;
    }
    let counted = understood.machines.iter().filter(|machine| machine.listeners > 0);
    let found: Vec<String> =
        counted.map(|machine| format!("{} on {}", machine.listeners, printable(&machine.name))).collect();
    let found = if found.is_empty() { "none".to_owned() } else { found.join(", ") };
    writeln!(out, "listeners found: {found}")?;
    let open: Vec<_> = understood.machines.iter().filter_map(|it| Some((&it.name, it.open.as_ref()?))).collect();
    for (name, why) in open.iter().take(MACHINES) {
        writeln!(out, "  there may be more on {}: {}", printable(name), printable(why))?;
    }
    if let Some(further) = open.len().checked_sub(MACHINES).filter(|further| *further > 0) {
        writeln!(out, "  and so on {}", number(further, "other machine", "other machines"))?;
    }
    if !understood.guards.is_empty() {
        writeln!(out, "firewalls and policies: {}", understood.guards.join(", "))?;
    }
    let unread = checked.outcome.files.iter().filter(|file| matches!(file.read, Read::No(_))).count();
    let partly = checked.outcome.files.iter().filter(|file| matches!(file.read, Read::Partly(_))).count();
    writeln!(out, "files: {} read, {partly} in part, {unread} not", checked.outcome.files.len() - unread - partly)?;
    writeln!(out)
}

fn title(proxy: &ProxyCoverage) -> String {
    let name = printable(&proxy.name);
    let Some(version) = &proxy.version else { return name };
    match name.split_once(' ') {
        Some((product, rest)) => format!("{product} {version} {rest}"),
        None => format!("{name} {version}"),
    }
}

/// Which text belongs to which site.
struct Blocks {
    /// For each file its sites in the order of their blocks, which do not overlap.
    by_file: HashMap<FileId, Vec<(Span, usize)>>,
}

impl Blocks {
    fn of(understood: &Understood) -> Blocks {
        let mut by_file: HashMap<FileId, Vec<(Span, usize)>> = HashMap::new();
        for (index, site) in understood.sites.iter().enumerate() {
            by_file.entry(site.whole.file).or_default().push((site.whole, index));
        }
        by_file.values_mut().for_each(|sites| sites.sort());
        Blocks { by_file }
    }

    /// The site in which the finding has its place, or else its first note that has one.
    fn site(&self, place: &Place) -> Option<usize> {
        let notes = place.finding.notes.iter().map(|note| note.span);
        std::iter::once(place.finding.span).chain(notes).find_map(|span| self.around(span))
    }

    fn around(&self, span: Span) -> Option<usize> {
        let sites = self.by_file.get(&span.file)?;
        let last = sites.partition_point(|(whole, _)| whole.start <= span.start).checked_sub(1)?;
        let (whole, index) = sites[last];
        (span.end <= whole.end).then_some(index)
    }
}
