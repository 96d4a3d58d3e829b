//! Scripts that set up a firewall, command by command. Whether and when somebody runs them is not known.

use crate::read::firewall::iptables::{self, Chains, To};
use crate::site::firewall::{Firewall, Interface, Network, PacketRule, Verdict};
use crate::source::{Span, Spanned, Text};
use crate::syntax::command_line::{Command, shell};

/// A command with its words as far as they are plain.
struct Plain<'c> {
    words: Vec<Option<Text>>,
    command: &'c Command,
}

impl Plain<'_> {
    /// The words behind the program's name, when the program is this one; `None` in it: what it is is not known.
    fn of(&self, program: &str) -> Option<&[Option<Text>]> {
        let name = |word: &Option<Text>| {
            word.as_ref().map(|word| word.as_str().rsplit('/').next().unwrap_or_default().to_owned())
        };
        let skip = usize::from(self.words.first().and_then(name).as_deref() == Some("sudo"));
        let (first, rest) = self.words.get(skip..)?.split_first()?;
        (name(first)? == program).then_some(rest)
    }
}

fn each(scripts: &[Text], program: &str, mut act: impl FnMut(&[Option<Text>], &Command)) {
    for text in scripts.iter().filter(|text| text.as_str().contains(program)) {
        let script = shell(text);
        for command in &script.commands {
            let words = command.words.iter().map(|word| word.literal()).collect();
            let plain = Plain { words, command };
            if let Some(rest) = plain.of(program) {
                act(rest, plain.command);
            }
        }
    }
}

/// Everything that scripts tell ufw, taken together. The order of the scripts is not known, so whatever one of them
/// allows is allowed.
pub fn ufw(scripts: &[Text]) -> Option<Firewall> {
    let mut policy: Option<Spanned<Verdict>> = None;
    let mut enabled: Option<Span> = None;
    let mut disabled = false;
    let mut rules = Vec::new();
    each(scripts, "ufw", |words, command| {
        let known: Vec<&str> = words.iter().map(|word| word.as_ref().map_or("", Text::as_str)).collect();
        let known: Vec<&str> = known.into_iter().filter(|word| !matches!(*word, "--force" | "--dry-run")).collect();
        match known.as_slice() {
            ["enable", ..] if !command.conditional => enabled = Some(command.span),
            ["disable", ..] => disabled = true,
            ["default", verdict, rest @ ..] if !rest.contains(&"outgoing") && !rest.contains(&"routed") => {
                let verdict = match *verdict {
                    "deny" if !command.conditional => Verdict::Drop,
                    "reject" if !command.conditional => Verdict::Reject,
                    _ => Verdict::Accept,
                };
                // One that allows everything outweighs the others.
                if policy.is_none_or(|known| known.value != Verdict::Accept) {
                    policy = Some(Spanned::new(verdict, command.span));
                }
            }
            ["default", ..] => {}
            _ => rules.extend(allowed(&known, command.span)),
        }
    });
    // ufw denies what comes in unless it is told otherwise.
    let policy = policy.or(enabled.map(|place| Spanned::new(Verdict::Drop, place)))?;
    (enabled.is_some() && !disabled).then(|| Firewall { tool: "ufw".to_owned(), certain: false, rules, policy })
}

/// `allow 80/tcp`, `insert 1 limit ssh`, `allow in on docker0 from 172.16.0.0/12 to any port 80 proto tcp`
fn allowed(words: &[&str], place: Span) -> Option<PacketRule> {
    let at = words.iter().position(|word| matches!(*word, "allow" | "limit"))?;
    if words[..at].iter().any(|word| matches!(*word, "route" | "delete")) {
        return None;
    }
    let mut rule = PacketRule {
        verdict: Verdict::Accept,
        interface: None,
        source: None,
        destination: None,
        ports: None,
        unclear: false,
        place,
    };
    let mut rest = words[at + 1..].iter().copied();
    while let Some(word) = rest.next() {
        let mut value = || rest.next().unwrap_or_default();
        match word {
            "out" => return None,
            "in" | "log" | "log-all" => {}
            "on" => rule.interface = Some(Interface { name: value().to_owned(), negated: false }),
            "comment" => break,
            "proto" => {
                if !matches!(value(), "tcp" | "any") {
                    return None;
                }
            }
            "from" | "to" => {
                let written = value();
                let network = Network::parse(written);
                rule.unclear |= network.is_none() && written != "any";
                if word == "from" {
                    rule.source = network;
                } else {
                    rule.destination = network;
                }
            }
            "port" | "app" => {
                rule.ports = ports(value());
                rule.unclear |= rule.ports.is_none();
            }
            simple => {
                let (port, protocol) = simple.split_once('/').unwrap_or((simple, "tcp"));
                if protocol == "udp" {
                    return None;
                }
                rule.ports = ports(port);
                rule.unclear |= rule.ports.is_none();
            }
        }
    }
    Some(rule)
}

/// Ports, or the name of an application that a package brings.
fn ports(text: &str) -> Option<Vec<(u16, u16)>> {
    let one = |port| vec![(port, port)];
    match text {
        "OpenSSH" => Some(one(22)),
        "Nginx HTTP" | "Apache" | "WWW" => Some(one(80)),
        "Nginx HTTPS" | "Apache Secure" | "WWW Secure" => Some(one(443)),
        "Nginx Full" | "Apache Full" | "WWW Full" => Some(vec![(80, 80), (443, 443)]),
        _ => iptables::ports(text),
    }
}

/// Everything that scripts tell iptables about what comes in.
pub fn iptables(scripts: &[Text]) -> Option<Firewall> {
    let mut chains = Chains::default();
    let mut policy: Option<Spanned<Verdict>> = None;
    each(scripts, "iptables", |words, command| {
        let known: Vec<&str> = words.iter().map(|word| word.as_ref().map_or("", Text::as_str)).collect();
        let known = match known.as_slice() {
            ["-t", "filter", rest @ ..] => rest,
            ["-t", ..] => return,
            ["-w", rest @ ..] => rest,
            rest => rest,
        };
        match known {
            ["-P" | "--policy", "INPUT", verdict] => {
                let verdict = iptables::policy(verdict).filter(|_| !command.conditional).unwrap_or(Verdict::Accept);
                // The last one stays.
                policy = Some(Spanned::new(verdict, command.span));
            }
            ["-F" | "--flush"] if !command.conditional => chains.clear(None),
            ["-F" | "--flush", chain] if !command.conditional => chains.clear(Some(chain)),
            [append @ ("-A" | "--append" | "-I" | "--insert"), chain, rest @ ..] => {
                let numbered = append.contains('I') && rest.first().is_some_and(|word| word.parse::<u16>().is_ok());
                let Some(mut rule) = iptables::rule(&rest[usize::from(numbered)..], command.span) else { return };
                rule.rule.unclear |= command.conditional || words.iter().any(Option::is_none);
                // A command that may be run for anything at all.
                if rest.contains(&"") && rule.to != To::Verdict {
                    rule.to = To::Verdict;
                    rule.rule.verdict = Verdict::Accept;
                }
                if append.contains('I') {
                    chains.insert(chain, rule);
                } else {
                    chains.add(chain, rule);
                }
            }
            _ => {}
        }
    });
    let rules = chains.flat("INPUT")?;
    Some(Firewall { tool: "iptables".to_owned(), certain: false, rules, policy: policy? })
}

#[cfg(test)]
mod tests {
    use super::{iptables, ufw};
    use crate::site::firewall::{Firewall, Origin, Verdict};
    use crate::source::{FileId, Text};

    fn verdict(read: fn(&[Text]) -> Option<Firewall>, script: &str) -> Option<Verdict> {
        let firewall = read(&[Text::of_file(FileId(0), script)])?;
        firewall.judge(Origin::Bridge, 9000).map(|(verdict, _)| verdict)
    }

    #[test]
    fn what_ufw_is_told() {
        let base = "ufw default deny incoming\nufw default allow outgoing\nufw allow OpenSSH\nufw allow 80,443/tcp\n";
        assert_eq!(verdict(ufw, base), None);
        let on = format!("{base}sudo ufw --force enable\n");
        assert_eq!(verdict(ufw, &on), Some(Verdict::Drop));
        for allow in ["9000", "8999:9001/tcp", "from 172.16.0.0/12 to any port 9000 proto tcp", "from 172.16.0.0/12"] {
            assert_eq!(verdict(ufw, &format!("{on}ufw allow {allow}\n")), Some(Verdict::Accept), "{allow}");
        }
        for allow in ["\"$PORT\"/tcp", "in on br-1234", "Cockpit", "proto tcp from 172.18.0.0/16"] {
            assert_eq!(verdict(ufw, &format!("{on}ufw allow {allow}\n")), None, "{allow}");
        }
        for allow in ["9000/udp", "from 203.0.113.9 to any port 9000", "in on eth0 to any port 9000", "out 9000"] {
            assert_eq!(verdict(ufw, &format!("{on}ufw allow {allow}\n")), Some(Verdict::Drop), "{allow}");
        }
        assert_eq!(verdict(ufw, &format!("{on}ufw disable\n")), None);
    }

    #[test]
    fn what_iptables_is_told() {
        let base = "iptables -F\niptables -P INPUT DROP\niptables -A INPUT -i lo -j ACCEPT\n";
        assert_eq!(verdict(iptables, base), Some(Verdict::Drop));
        assert_eq!(
            verdict(iptables, &format!("{base}iptables -I INPUT 1 -p tcp --dport 9000 -j ACCEPT\n")),
            Some(Verdict::Accept)
        );
        assert_eq!(
            verdict(
                iptables,
                &format!("{base}for p in 1 9000; do iptables -A INPUT -p tcp --dport $p -j ACCEPT; done\n")
            ),
            None
        );
        assert_eq!(verdict(iptables, "iptables -A INPUT -j DROP\n"), None);
    }
}
