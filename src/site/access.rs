//! Who may connect to a unix socket: it takes the right to write to the socket, and to search every folder above it
//! (unix(7), path_resolution(7)).

use crate::site::Site;
use crate::site::listener::{Endpoint, SocketAccess};
use crate::site::machine::{Folder, Kind, Machine, MachineId};
use crate::site::proxy::{Proxy, ProxyId};
use crate::site::reach::{Certainty, ListenerId};
use crate::site::sockets::normal;

/// What keeps a proxy from a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Barrier {
    /// The proxy's user.
    pub user: String,
    /// Index into the folders of the machine; `None`: the socket itself.
    pub folder: Option<usize>,
    pub owner: String,
    pub group: String,
    /// Permission bits.
    pub mode: u32,
    pub certainty: Certainty,
}

/// What keeps the proxy from connecting; `None` when nothing is known to.
pub fn barrier(site: &Site, proxy: ProxyId, id: ListenerId) -> Option<Barrier> {
    let proxy = site.proxy(proxy);
    let home = proxy.machine?;
    let person = Person::of(site, proxy, home, id.machine)?;
    let (machine, listener) = (site.machine(id.machine), site.listener(id));
    let Endpoint::Unix { path } = &listener.endpoint else { return None };
    if let Some(access) = &listener.access
        && let Some(barrier) = at_socket(&person, access)
    {
        return Some(barrier);
    }
    if id.machine != home {
        return None;
    }
    let path = normal(path);
    let real = machine.real_paths.get(&path).unwrap_or(&path);
    let is_on_the_way = |folder: &Folder| is_above(folder, &path) || is_above(folder, real);
    let mut folders = machine.folders.iter().enumerate().filter(|(_, folder)| is_on_the_way(folder));
    folders.find_map(|(number, folder)| {
        let certainty = person.is_kept_out(Some(&folder.owner), Some(&folder.group), folder.mode, 0o1)?;
        let certainty = if folder.may_let_in { Certainty::Likely } else { certainty };
        Some(Barrier {
            user: person.user.to_owned(),
            folder: Some(number),
            owner: folder.owner.clone(),
            group: folder.group.clone(),
            mode: folder.mode,
            certainty,
        })
    })
}

fn at_socket(person: &Person<'_>, access: &SocketAccess) -> Option<Barrier> {
    let mode = access.mode?;
    if let Some(admitted) = &access.admitted {
        let is_listed = admitted.users.iter().any(|user| user == person.user);
        let may_be_listed = match &person.groups {
            Some(groups) => admitted.groups.iter().any(|group| groups.contains(&group.as_str())),
            None => !admitted.groups.is_empty(),
        };
        if is_listed || may_be_listed {
            return None;
        }
    }
    let certainty = person.is_kept_out(access.owner.as_deref(), access.group.as_deref(), mode, 0o2)?;
    Some(Barrier {
        user: person.user.to_owned(),
        folder: None,
        owner: access.owner.clone()?,
        group: access.group.clone()?,
        mode,
        certainty,
    })
}

fn is_above(folder: &Folder, path: &str) -> bool {
    path.strip_prefix(folder.path.trim_end_matches('/')).is_some_and(|rest| rest.starts_with('/'))
}

/// The user that a proxy connects as.
struct Person<'s> {
    user: &'s str,
    /// `None`: the files do not say.
    groups: Option<Vec<&'s str>>,
    /// The socket belongs to another machine, where names stand for other numbers.
    is_stranger: bool,
}

impl<'s> Person<'s> {
    fn of(site: &'s Site, proxy: &'s Proxy, home: MachineId, there: MachineId) -> Option<Person<'s>> {
        let user = proxy.user.as_ref()?.value.as_str();
        let machine = site.machine(home);
        let is_stranger = home != there;
        // The groups of an image's own user are known only as long as nothing is built on the image.
        if is_stranger && !(is_official(machine) && user == "nginx") {
            return None;
        }
        if !is_stranger && machine.kind == Kind::Container {
            return None;
        }
        let known = machine.users.iter().find(|known| known.name == user);
        let listed = known.map(|known| known.groups.iter().map(String::as_str).collect::<Vec<&str>>());
        let mut groups = if is_stranger { Some(vec![user]) } else { listed };
        if let (Some(groups), Some(group)) = (&mut groups, &proxy.group) {
            groups.push(&group.value);
        }
        Some(Person { user, groups, is_stranger })
    }

    /// Whether the mode keeps this user from what `bit` (4, 2, 1) allows.
    fn is_kept_out(&self, owner: Option<&str>, group: Option<&str>, mode: u32, bit: u32) -> Option<Certainty> {
        let allows = |shift: u32| mode & (bit << shift) != 0;
        if is_root(self.user) || (allows(0) && allows(3) && allows(6)) {
            return None;
        }
        let (owner, group) = (owner?, group?);
        if self.is_stranger && !(is_numbered_elsewhere(owner) && is_numbered_elsewhere(group)) {
            return None;
        }
        if owner == self.user {
            return (!allows(6)).then_some(Certainty::Proven);
        }
        let kept_out = |shift| if allows(shift) { None } else { Some(Certainty::Proven) };
        match &self.groups {
            Some(groups) if groups.contains(&group) => kept_out(3),
            Some(_) => kept_out(0),
            // The group of a user is called like it, unless somebody took care that it is not.
            None if group == self.user => kept_out(3),
            None if allows(3) == allows(0) => kept_out(0),
            None => (!allows(0)).then_some(Certainty::Likely),
        }
    }
}

/// An image that is run as it comes.
fn is_official(machine: &Machine) -> bool {
    let Some(image) = machine.image.as_ref().filter(|_| !machine.built_here) else { return false };
    let name = image.value.split(':').next().unwrap_or_default();
    matches!(name.trim_start_matches("docker.io/").trim_start_matches("library/"), "nginx")
}

fn is_root(user: &str) -> bool {
    matches!(user, "root" | "0")
}

/// Users whose numbers are others than that of `nginx` in its official image, 101: root is 0, www-data is 33 on Debian and
/// 82 on Alpine.
fn is_numbered_elsewhere(name: &str) -> bool {
    matches!(name, "root" | "www-data") || name.parse::<u32>().is_ok_and(|number| number != 101)
}
