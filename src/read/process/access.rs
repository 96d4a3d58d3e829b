//! Who may connect to the sockets of a process: what its settings leave to the one who starts it.

use crate::read::catalogue::program::Program;
use crate::read::process::Process;
use crate::site::listener::Listener;

/// As whom something runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub user: String,
    /// `None`: not visible.
    pub group: Option<String>,
    pub umask: u32,
}

impl Identity {
    pub fn is_root(&self) -> bool {
        is_root(&self.user)
    }

    pub fn root() -> Identity {
        Identity { user: "root".to_owned(), group: Some("root".to_owned()), umask: 0o022 }
    }
}

pub fn is_root(user: &str) -> bool {
    matches!(user, "root" | "0")
}

/// Scripts, hooks and code with one of these may change who may use a socket after it was made.
const CHANGES: &[&str] = &["chmod ", "chmod(", "chown ", "chown(", "chgrp ", "setfacl"];

pub fn may_change(text: &str) -> bool {
    CHANGES.iter().any(|change| text.contains(change))
}

/// Whether it is known what the program of a process does with its sockets.
pub fn has_known_access(process: &Process) -> bool {
    process.program.is_some_and(|program| is_pool(program) || program.access.is_some())
}

fn is_pool(program: &Program) -> bool {
    program.reader.as_deref() == Some("php-fpm")
}

/// Puts in the owner, the group and the mode that the program itself leaves open. Only where it is known what the program
/// does with its sockets.
pub fn complete(listener: &mut Listener, process: &Process, identity: &Identity) {
    let Some(program) = process.program.filter(|_| has_known_access(process)) else { return };
    if process.changes_user {
        listener.access = None;
    }
    let Some(access) = listener.access.as_mut() else { return };
    if is_pool(program) && access.admitted.is_some() {
        access.mode = Some(0o660);
    }
    if identity.is_root() {
        access.needs_root = None;
    } else if access.needs_root.is_some() {
        access.owner = None;
        access.group = None;
    } else if access.owner.is_some() || access.group.is_some() {
        // Whether the user may give its socket away depends on its groups.
        return;
    }
    access.owner.get_or_insert_with(|| identity.user.clone());
    access.group = access.group.take().or(identity.group.clone());
    access.mode.get_or_insert(0o777 & !identity.umask);
}
