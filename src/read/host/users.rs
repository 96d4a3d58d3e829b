//! Users and groups of a server: /etc/passwd and /etc/group.

use std::collections::BTreeMap;

use crate::site::machine::User;
use crate::source::Text;

/// Every user with its groups, the primary one first; empty when one of the two files is not there.
pub fn users(passwd: Option<&Text>, group: Option<&Text>) -> Vec<User> {
    let (Some(passwd), Some(group)) = (passwd, group) else { return Vec::new() };
    let mut by_number: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut by_member: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in lines(group) {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, number, rest @ ..] = fields.as_slice() else { continue };
        by_number.entry(number).or_default().push(name);
        for member in rest.iter().flat_map(|names| names.split(',')).filter(|member| !member.is_empty()) {
            by_member.entry(member.trim()).or_default().push(name);
        }
    }
    let user = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        let (name, number) = (fields.first()?, fields.get(3)?);
        let mut groups: Vec<String> = Vec::new();
        for group in [by_number.get(number), by_member.get(name)].into_iter().flatten().flatten() {
            if !groups.iter().any(|known| known == group) {
                groups.push((*group).to_owned());
            }
        }
        Some(User { name: (*name).to_owned(), groups })
    };
    lines(passwd).filter_map(user).collect()
}

fn lines(text: &Text) -> impl Iterator<Item = &str> {
    text.as_str().lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', '+']))
}

#[cfg(test)]
mod tests {
    use super::users;
    use crate::source::Sources;

    #[test]
    fn primary_and_further_groups() {
        let mut sources = Sources::default();
        let passwd = sources.add(
            "passwd",
            "root:x:0:0::/root:/bin/sh\nweb:x:33:33::/:\n\nshop:x:1001:1001::/home/shop:/bin/sh\nhalf\n",
        );
        let group = sources.add("group", "root:x:0:\nweb:x:33:\nshop:x:1001:web,other\n");
        let all = users(Some(&sources.text(passwd)), Some(&sources.text(group)));
        let shown: Vec<String> = all.iter().map(|user| format!("{} {}", user.name, user.groups.join("+"))).collect();
        assert_eq!(shown, ["root root", "web web+shop", "shop shop"]);
        assert!(users(Some(&sources.text(passwd)), None).is_empty());
    }
}
