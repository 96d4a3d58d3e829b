//! Settings of php-fpm's pools for which it does not start (fpm_conf.c of php-src): then none of its sockets is there.

use std::collections::BTreeMap;

use crate::read::app::php_fpm::{self, Pool};
use crate::read::host::packaged;
use crate::read::host::server::Server;
use crate::site::Site;
use crate::site::trouble::{PoolTrouble, PoolWhy, Trouble};
use crate::source::{Span, Text};

/// Reads the pools of every php-fpm of the server.
pub fn troubles(site: &mut Site, server: &Server<'_>) {
    let passwd = server.text("/etc/passwd").filter(|text| names(text, "root"));
    for (main, _) in packaged::php_fpm_mains(server) {
        let Some(text) = server.text(&main) else { continue };
        let find = |path: &str| server.find(path);
        let list = |path: &str| server.list(path);
        let pools = php_fpm::pools(&text, "/usr", &find, &list).pools;
        let mut listens: BTreeMap<&str, (&str, Span)> = BTreeMap::new();
        for pool in &pools {
            let mut add = |place: Span, why: PoolWhy| {
                site.troubles.push(Trouble::Pool(PoolTrouble { pool: pool.name.value.clone(), place, why }));
            };
            if let Some((place, why)) = numbers(pool) {
                add(place, why);
            }
            if let Some(listen) = pool.get("listen") {
                if let Some(path) = listen.as_str().strip_prefix("unix:") {
                    let path = format!("/{}", path.trim_start_matches('/'));
                    add(listen.whole(), PoolWhy::Prefix { path });
                }
                match listens.get(listen.as_str()) {
                    Some((other, there)) => {
                        let listen_of = listen.as_str().to_owned();
                        let why = PoolWhy::SameListen { listen: listen_of, other: (*other).to_owned(), there: *there };
                        add(listen.whole(), why);
                    }
                    None => drop(listens.insert(listen.as_str(), (&pool.name.value, listen.whole()))),
                }
            }
            let user = pool.get("user").filter(|user| is_name(user.as_str()));
            if let (Some(user), Some(passwd)) = (user, &passwd)
                && !names(passwd, user.as_str())
            {
                let why = PoolWhy::UnknownUser { user: user.as_str().to_owned(), passwd: passwd.span(0..0) };
                add(user.whole(), why);
            }
        }
    }
}

fn is_name(user: &str) -> bool {
    !user.is_empty() && !user.contains('$') && !user.bytes().all(|byte| byte.is_ascii_digit())
}

fn names(passwd: &Text, user: &str) -> bool {
    passwd.as_str().lines().any(|line| line.split(':').next() == Some(user))
}

/// The first number of processes that php-fpm refuses, in the order in which it looks at them.
fn numbers(pool: &Pool) -> Option<(Span, PoolWhy)> {
    let refused = |place: &Text, message: String, other: Option<&Text>| {
        Some((place.whole(), PoolWhy::Numbers { message, other: other.map(Text::whole) }))
    };
    let number = |key: &str| pool.get(key).and_then(|text| Some((text, text.as_str().trim().parse::<i64>().ok()?)));
    let children = number("pm.max_children")?;
    if children.1 < 1 {
        return refused(children.0, "`pm.max_children` has to be at least 1".to_owned(), None);
    }
    if pool.get("pm")?.as_str().trim() != "dynamic" {
        return None;
    }
    let (least, most) = (number("pm.min_spare_servers")?, number("pm.max_spare_servers")?);
    for (name, one) in [("pm.min_spare_servers", least), ("pm.max_spare_servers", most)] {
        if one.1 < 1 {
            return refused(one.0, format!("`{name}` has to be at least 1"), None);
        }
        if one.1 > children.1 {
            return refused(one.0, format!("`{name}` is more than `pm.max_children`"), Some(children.0));
        }
    }
    if most.1 < least.1 {
        let message = "`pm.max_spare_servers` is less than `pm.min_spare_servers`";
        return refused(most.0, message.to_owned(), Some(least.0));
    }
    let start = number("pm.start_servers")?;
    // Without a positive number php-fpm chooses one.
    if start.1 > most.1 {
        return refused(start.0, "`pm.start_servers` is more than `pm.max_spare_servers`".to_owned(), Some(most.0));
    }
    if start.1 > 0 && start.1 < least.1 {
        return refused(start.0, "`pm.start_servers` is less than `pm.min_spare_servers`".to_owned(), Some(least.0));
    }
    None
}
