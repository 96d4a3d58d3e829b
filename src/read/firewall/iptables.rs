//! Rules of iptables: one rule, and what `iptables-save` writes (iptables(8), iptables-extensions(8)).

use std::collections::HashMap;

use crate::site::firewall::{Firewall, Interface, Network, PacketRule, Verdict};
use crate::source::{Span, Spanned, Text};

/// Chains that lead to chains.
const DEPTH: usize = 8;
/// Rules of all chains together, each as often as it is reached.
const MOST_RULES: usize = 10_000;

/// A rule and where a packet goes that fits it.
#[derive(Clone, Debug)]
pub struct Rule {
    pub rule: PacketRule,
    pub to: To,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum To {
    Verdict,
    Chain(String),
    /// Back to the chain before.
    Return,
}

/// The chains of a table by their names.
#[derive(Default)]
pub struct Chains {
    chains: HashMap<String, Vec<Rule>>,
}

impl Chains {
    pub fn add(&mut self, chain: &str, rule: Rule) {
        self.chains.entry(chain.to_owned()).or_default().push(rule);
    }

    pub fn declare(&mut self, chain: &str) {
        self.chains.entry(chain.to_owned()).or_default();
    }

    pub fn insert(&mut self, chain: &str, rule: Rule) {
        self.chains.entry(chain.to_owned()).or_default().insert(0, rule);
    }

    pub fn clear(&mut self, chain: Option<&str>) {
        match chain {
            Some(chain) => drop(self.chains.remove(chain)),
            None => self.chains.clear(),
        }
    }

    /// The rules of a chain with those of the chains that it leads to; `None` when there are too many.
    pub fn flat(&self, chain: &str) -> Option<Vec<PacketRule>> {
        let mut flat = Vec::new();
        let mut effort = MOST_RULES;
        self.follow(chain, None, DEPTH, &mut effort, &mut flat)?;
        Some(flat)
    }

    fn follow(
        &self,
        chain: &str,
        above: Option<&PacketRule>,
        depth: usize,
        effort: &mut usize,
        flat: &mut Vec<PacketRule>,
    ) -> Option<()> {
        let mut may_be_left = false;
        for Rule { rule, to } in self.chains.get(chain).into_iter().flatten() {
            *effort = effort.checked_sub(1)?;
            let mut rule = above.map_or_else(|| rule.clone(), |above| both(above, rule));
            rule.unclear |= may_be_left;
            match to {
                To::Verdict => flat.push(rule),
                To::Return => may_be_left = true,
                To::Chain(next) if depth > 0 && self.chains.contains_key(next) => {
                    self.follow(next, Some(&rule), depth - 1, effort, flat)?;
                }
                // Somebody else fills the chain.
                To::Chain(_) => flat.push(PacketRule { verdict: Verdict::Accept, unclear: true, ..rule }),
            }
        }
        Some(())
    }
}

/// A rule of a chain that is only reached by what fits another one.
fn both(above: &PacketRule, rule: &PacketRule) -> PacketRule {
    fn one<T: Clone>(above: &Option<T>, own: &Option<T>, unclear: &mut bool) -> Option<T> {
        *unclear |= above.is_some() && own.is_some();
        own.clone().or(above.clone())
    }
    let mut unclear = above.unclear || rule.unclear;
    PacketRule {
        verdict: rule.verdict,
        interface: one(&above.interface, &rule.interface, &mut unclear),
        source: one(&above.source, &rule.source, &mut unclear),
        destination: one(&above.destination, &rule.destination, &mut unclear),
        ports: one(&above.ports, &rule.ports, &mut unclear),
        unclear,
        place: rule.place,
    }
}

/// Targets that only note something.
const NOTES: &[&str] = &["LOG", "NFLOG", "ULOG", "MARK", "CONNMARK", "TRACE", "TCPMSS", "NOTRACK", "CT", "CHECKSUM"];

/// Reads what stands behind the chain of `-A`; `None`: it is not about new TCP connections, or decides nothing.
pub fn rule(words: &[&str], place: Span) -> Option<Rule> {
    let mut rule = PacketRule {
        verdict: Verdict::Accept,
        interface: None,
        source: None,
        destination: None,
        ports: None,
        unclear: false,
        place,
    };
    let mut target = None;
    let mut negated = false;
    let mut words = words.iter().copied();
    while let Some(word) = words.next() {
        let not = std::mem::take(&mut negated);
        let mut value = || words.next().unwrap_or_default();
        match word {
            "!" => negated = true,
            "-j" | "--jump" => target = Some(value()),
            "-g" | "--goto" => {
                target = Some(value());
                rule.unclear = true;
            }
            "-p" | "--protocol" => {
                let protocol = value();
                if !matches!(protocol, "tcp" | "6" | "all") {
                    return None;
                }
                rule.unclear |= not;
            }
            "-i" | "--in-interface" => rule.interface = Some(Interface { name: value().to_owned(), negated: not }),
            "-s" | "--source" | "--src" => {
                rule.source = Network::parse(value());
                rule.unclear |= not || rule.source.is_none();
            }
            "-d" | "--destination" | "--dst" => {
                rule.destination = Network::parse(value());
                rule.unclear |= not || rule.destination.is_none();
            }
            "--dport" | "--dports" | "--destination-port" | "--destination-ports" => {
                rule.ports = ports(value());
                rule.unclear |= not || rule.ports.is_none();
            }
            "--state" | "--ctstate" => {
                if !value().split(',').any(|state| state == "NEW") && !not {
                    return None;
                }
                rule.unclear |= not;
            }
            "-m" | "--match" => {
                let name = value();
                rule.unclear |= !matches!(name, "tcp" | "comment" | "state" | "conntrack" | "multiport");
            }
            "--comment" | "--log-prefix" | "--log-level" | "--reject-with" => drop(value()),
            // Only packets that open a connection, which are the ones in question.
            "--syn" => rule.unclear |= not,
            _ => rule.unclear = true,
        }
    }
    let to = match target? {
        "ACCEPT" => To::Verdict,
        "DROP" => {
            rule.verdict = Verdict::Drop;
            To::Verdict
        }
        "REJECT" => {
            rule.verdict = Verdict::Reject;
            // What else is asked for by its options is the kind of answer.
            To::Verdict
        }
        "RETURN" => To::Return,
        target if NOTES.contains(&target) || target.starts_with("ufw-logging") => return None,
        target => To::Chain(target.to_owned()),
    };
    Some(Rule { rule, to })
}

/// `80`, `80,443`, `6000:6007`
pub fn ports(text: &str) -> Option<Vec<(u16, u16)>> {
    let range = |part: &str| match part.split_once([':', '-']) {
        Some((first, last)) => Some((first.parse().ok()?, last.parse().ok()?)),
        None => {
            let port = part.parse().ok().or_else(|| named_port(part))?;
            Some((port, port))
        }
    };
    text.split(',').map(|part| range(part.trim())).collect()
}

/// Names of /etc/services that are used in rules.
pub fn named_port(name: &str) -> Option<u16> {
    Some(match name {
        "ssh" => 22,
        "smtp" => 25,
        "domain" => 53,
        "http" => 80,
        "https" => 443,
        "imaps" => 993,
        "mysql" => 3306,
        "postgresql" => 5432,
        "http-alt" => 8080,
        _ => return None,
    })
}

/// A verdict by its name as a policy.
pub fn policy(name: &str) -> Option<Verdict> {
    match name {
        "ACCEPT" => Some(Verdict::Accept),
        "DROP" => Some(Verdict::Drop),
        "REJECT" => Some(Verdict::Reject),
        _ => None,
    }
}

/// One table of a saved set of rules.
pub struct Saved {
    pub chains: Chains,
    /// By chain.
    pub policies: HashMap<String, Spanned<Verdict>>,
    /// It ends as it should.
    pub whole: bool,
}

/// The table `filter` of what `iptables-save` wrote.
pub fn filter(text: &Text) -> Option<Saved> {
    let mut saved: Option<Saved> = None;
    let mut inside = false;
    let mut start = 0;
    for line in text.as_str().split_inclusive('\n') {
        let from = start;
        start += line.len();
        let bare = line.trim();
        let place = text.span(from..from + line.trim_end().len());
        if let Some(table) = bare.strip_prefix('*') {
            inside = table == "filter" && saved.is_none();
            if inside {
                saved = Some(Saved { chains: Chains::default(), policies: HashMap::new(), whole: false });
            }
        }
        let Some(saved) = saved.as_mut().filter(|_| inside) else { continue };
        if bare == "COMMIT" {
            saved.whole = true;
            inside = false;
        } else if let Some(declared) = bare.strip_prefix(':') {
            let mut words = declared.split_whitespace();
            let Some(chain) = words.next() else { continue };
            // Without any rules it is empty, and not somebody else's.
            saved.chains.declare(chain);
            if let Some(verdict) = words.next().and_then(policy) {
                saved.policies.insert(chain.to_owned(), Spanned::new(verdict, place));
            }
        } else {
            let words = split(bare);
            // Counters may stand in front.
            let words = if words.first().is_some_and(|word| word.starts_with('[')) { &words[1..] } else { &words };
            if let ["-A" | "--append", chain, rest @ ..] = words
                && let Some(rule) = rule(rest, place)
            {
                saved.chains.add(chain, rule);
            }
        }
    }
    saved
}

/// A file of `iptables-save`.
pub fn saved(text: &Text, certain: bool) -> Option<Firewall> {
    let saved = filter(text).filter(|saved| saved.whole)?;
    let policy = saved.policies.get("INPUT").copied()?;
    Some(Firewall { tool: "iptables".to_owned(), certain, rules: saved.chains.flat("INPUT")?, policy })
}

/// Words at blanks; what stands in quotes is one.
fn split(line: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let (word, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => rest.split_at(rest.find([' ', '\t']).unwrap_or(rest.len())),
        };
        words.push(word);
        rest = after.trim_start();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::saved;
    use crate::site::firewall::{Origin, Verdict};
    use crate::source::{FileId, Text};

    fn verdict(rules: &str, origin: Origin) -> Option<Verdict> {
        let dump = format!("*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n{rules}COMMIT\n");
        let firewall = saved(&Text::of_file(FileId(0), dump.as_str()), true).expect("it is a whole dump");
        firewall.judge(origin, 9000).map(|(verdict, _)| verdict)
    }

    #[test]
    fn saved_rules() {
        let usual = "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n-A INPUT -p icmp -j ACCEPT\n-A INPUT -p tcp -m multiport --dports 22,80,443 -j ACCEPT\n-A INPUT -j LOG --log-prefix \"in: \"\n";
        assert_eq!(verdict(usual, Origin::Bridge), Some(Verdict::Drop));
        assert_eq!(verdict(usual, Origin::Loopback), Some(Verdict::Drop));
        assert_eq!(verdict(&format!("-A INPUT -i lo -j ACCEPT\n{usual}"), Origin::Loopback), Some(Verdict::Accept));
        assert_eq!(
            verdict("-A INPUT -i docker0 -p tcp --dport 9000 -j ACCEPT\n", Origin::DefaultBridge),
            Some(Verdict::Accept)
        );
        assert_eq!(verdict("-A INPUT -m set --match-set office src -j ACCEPT\n", Origin::Bridge), None);
        assert_eq!(
            verdict(
                "-A INPUT -s 10.0.0.0/8 -p tcp -j REJECT --reject-with tcp-reset\n-A INPUT -j ACCEPT\n",
                Origin::Bridge
            ),
            None
        );
    }

    #[test]
    fn chains_that_never_end_are_not_followed() {
        let mut rules = String::new();
        for chain in ["INPUT A", "A B", "B C", "C D", "D E"] {
            let (from, to) = chain.split_once(' ').unwrap_or_default();
            rules += &format!("-A {from} -j {to}\n").repeat(500);
        }
        let dump = format!("*filter\n:INPUT DROP [0:0]\n{rules}-A E -j RETURN\nCOMMIT\n");
        assert!(saved(&Text::of_file(FileId(0), dump.as_str()), true).is_none());
    }

    #[test]
    fn chains_lead_to_chains() {
        let chains = ":APPS - [0:0]\n-A INPUT -p tcp -j APPS\n-A APPS -p tcp --dport 9000 -j ACCEPT\n";
        assert_eq!(verdict(chains, Origin::Bridge), Some(Verdict::Accept));
        assert_eq!(verdict("-A INPUT -j f2b-sshd\n", Origin::Bridge), None);
        assert_eq!(
            verdict("-A INPUT -j APPS\n-A APPS -s 9.9.9.9 -j RETURN\n-A APPS -j ACCEPT\n", Origin::Bridge),
            None
        );
        assert_eq!(verdict("-A INPUT -j A\n-A A -j A\n-A A -j A\n", Origin::Bridge), None);
    }
}
