//! Units that are kept from the connections which a proxy makes to them, or which they make as a proxy.

use crate::read::host::service::Running;
use crate::read::host::walls::{Barrier, BarrierKind};
use crate::site::Site;
use crate::site::listener::{Endpoint, Listener};
use crate::site::trouble::{CutOff, Trouble, UnitTrouble, UnitWhy};

/// States it for each unit that is asked, or that asks; for the rest it is taken as it was meant.
pub fn judge(site: &mut Site, all: &mut [Running], is_asked: &dyn Fn(&Listener) -> bool) {
    let heard: Vec<Endpoint> = all.iter().flat_map(|it| &it.listeners).map(|it| it.endpoint.clone()).collect();
    for running in all {
        let is_proxy = !running.service.proxies.is_empty();
        for barrier in std::mem::take(&mut running.barriers) {
            let meant = running.apart.iter().find(|it| is_asked(it) && !heard.contains(&it.endpoint)).cloned();
            let own = running.listeners.iter().find(|it| is_kept(&barrier, it) && (is_proxy || is_asked(it)));
            let place = meant.as_ref().or(own).map(|it| it.place);
            let of_proxy = is_proxy && !matches!(barrier.kind, BarrierKind::Families { .. });
            if place.is_none() && !of_proxy {
                continue;
            }
            let setting = barrier.setting.value;
            let why = match barrier.kind {
                BarrierKind::Families { internet, .. } => {
                    let family = if internet { "unix sockets" } else { "internet sockets" };
                    UnitWhy::NoFamily { setting, family, listener: place }
                }
                BarrierKind::Network => UnitWhy::CutOff { setting, kind: CutOff::OwnNetwork, listener: place },
                BarrierKind::Addresses => {
                    let listener = place.filter(|_| !is_proxy);
                    UnitWhy::CutOff { setting, kind: CutOff::Addresses, listener }
                }
            };
            let unit = running.service.name.clone();
            site.troubles.push(Trouble::Unit(UnitTrouble { unit, place: barrier.setting.span, why }));
            running.listeners.extend(meant);
        }
    }
}

fn is_kept(barrier: &Barrier, listener: &Listener) -> bool {
    match (barrier.kind, &listener.endpoint) {
        (BarrierKind::Families { internet, .. }, Endpoint::Tcp { .. }) => !internet,
        (BarrierKind::Families { unix, .. }, Endpoint::Unix { .. }) => !unix,
        (BarrierKind::Addresses, Endpoint::Tcp { .. }) => true,
        (BarrierKind::Addresses, Endpoint::Unix { .. }) | (BarrierKind::Network, _) => false,
    }
}
