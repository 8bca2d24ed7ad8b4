//! Which addresses midsim may be talked into calling.
//!
//! Notification endpoints, AP_URLs and the like come from others. An address is judged after the name was resolved and before
//! that very address is connected to, so that a name that resolves differently a moment later gains nothing. Loopback and public
//! addresses pass; private and special ones pass when allowed by network; what no endpoint can sensibly have (link-local with the
//! metadata services of clouds, multicast, reserved) never passes. Networks: IANA special-purpose registries (RFC 6890).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// What may be called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    allowed: Vec<Network>,
}

impl Policy {
    /// The default policy, which also lets `networks` pass.
    pub fn allowing(networks: impl IntoIterator<Item = Network>) -> Self {
        Self {
            allowed: networks.into_iter().collect(),
        }
    }

    /// Judges one address.
    ///
    /// # Errors
    /// [`Denied`], whose text says how to allow it if that is possible.
    pub fn check(&self, address: IpAddr) -> Result<(), Denied> {
        // An IPv4-mapped address is connected to as the IPv4 address it holds.
        let address = address.to_canonical();
        let class = Class::of(address);
        let allowed = match class {
            Class::Loopback | Class::Public => true,
            Class::Never(_) => false,
            Class::Unless(_) => self.allowed.iter().any(|network| network.contains(address)),
        };
        if allowed {
            return Ok(());
        }
        Err(Denied { address, class })
    }
}

/// An address that may not be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denied {
    address: IpAddr,
    class: Class,
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.address;
        match self.class {
            Class::Unless(kind) => write!(
                f,
                "{address} is {kind}; if it is meant, allow it with --allow-notify {address}/{}",
                bits(address)
            ),
            Class::Never(kind) => write!(f, "{address} is {kind}, which midsim never calls"),
            Class::Loopback | Class::Public => write!(f, "{address}"),
        }
    }
}

impl std::error::Error for Denied {}

/// A network in CIDR notation, such as `10.0.0.0/8`; a lone address is a network of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// Whether `address` is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                in_v4(address, network.octets(), self.prefix)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                in_v6(address, network.segments(), self.prefix)
            }
            _ => false,
        }
    }
}

impl From<IpAddr> for Network {
    /// A network of one.
    fn from(address: IpAddr) -> Self {
        let address = address.to_canonical();
        Self {
            address,
            prefix: bits(address),
        }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let wrong = || NetworkError(text.to_owned());
        let (address, prefix) = text
            .split_once('/')
            .map_or((text, None), |(a, p)| (a, Some(p)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let most = bits(address);
        let prefix = prefix.map_or(Ok(most), str::parse).map_err(|_| wrong())?;
        if prefix > most {
            return Err(wrong());
        }
        Ok(Self { address, prefix })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// Not a network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a network; write it as 10.0.0.0/8 or fd00::/8")]
pub struct NetworkError(String);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Loopback,
    Public,
    /// Denied, whatever is configured.
    Never(&'static str),
    /// Denied unless its network is allowed.
    Unless(&'static str),
}

const LINK_LOCAL: Class = Class::Never("a link-local address");
const METADATA: Class = Class::Never("a metadata service");
const MULTICAST: Class = Class::Never("a multicast address");
const RESERVED: Class = Class::Never("a reserved address");
const DOCUMENTATION: Class = Class::Unless("an address for documentation");
const PRIVATE: Class = Class::Unless("a private address");
const SPECIAL: Class = Class::Unless("a special-purpose address");
const TRANSLATED: Class = Class::Unless("a translated address");

/// The first row that holds the address decides.
const V4: [([u8; 4], u8, Class); 19] = [
    ([127, 0, 0, 0], 8, Class::Loopback),
    ([0, 0, 0, 0], 8, RESERVED),
    ([10, 0, 0, 0], 8, PRIVATE),
    ([100, 100, 100, 200], 32, METADATA),
    ([100, 64, 0, 0], 10, PRIVATE),
    ([168, 63, 129, 16], 32, METADATA),
    ([169, 254, 0, 0], 16, LINK_LOCAL),
    ([172, 16, 0, 0], 12, PRIVATE),
    ([192, 0, 0, 192], 32, METADATA),
    ([192, 0, 0, 0], 24, SPECIAL),
    ([192, 0, 2, 0], 24, DOCUMENTATION),
    ([192, 88, 99, 0], 24, TRANSLATED),
    ([192, 168, 0, 0], 16, PRIVATE),
    ([198, 18, 0, 0], 15, SPECIAL),
    ([198, 51, 100, 0], 24, DOCUMENTATION),
    ([203, 0, 113, 0], 24, DOCUMENTATION),
    ([224, 0, 0, 0], 4, MULTICAST),
    ([255, 255, 255, 255], 32, RESERVED),
    ([240, 0, 0, 0], 4, RESERVED),
];

/// The first row that holds the address decides.
const V6: [([u16; 8], u8, Class); 18] = [
    ([0, 0, 0, 0, 0, 0, 0, 1], 128, Class::Loopback),
    ([0, 0, 0, 0, 0, 0, 0, 0], 128, RESERVED),
    ([0, 0, 0, 0, 0, 0, 0, 0], 96, TRANSLATED),
    ([0x64, 0xFF9B, 0, 0, 0, 0, 0, 0], 96, TRANSLATED),
    ([0x64, 0xFF9B, 1, 0, 0, 0, 0, 0], 48, TRANSLATED),
    ([0x100, 0, 0, 0, 0, 0, 0, 0], 64, RESERVED),
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 32, TRANSLATED),
    ([0x2001, 0xDB8, 0, 0, 0, 0, 0, 0], 32, DOCUMENTATION),
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 23, SPECIAL),
    ([0x2002, 0, 0, 0, 0, 0, 0, 0], 16, TRANSLATED),
    ([0x3FFF, 0, 0, 0, 0, 0, 0, 0], 20, DOCUMENTATION),
    ([0x5F00, 0, 0, 0, 0, 0, 0, 0], 16, SPECIAL),
    ([0xFD00, 0xEC2, 0, 0, 0, 0, 0, 0x254], 128, METADATA),
    ([0xFD20, 0xCE, 0, 0, 0, 0, 0, 0x254], 128, METADATA),
    ([0xFC00, 0, 0, 0, 0, 0, 0, 0], 7, PRIVATE),
    ([0xFE80, 0, 0, 0, 0, 0, 0, 0], 10, LINK_LOCAL),
    ([0xFEC0, 0, 0, 0, 0, 0, 0, 0], 10, PRIVATE),
    ([0xFF00, 0, 0, 0, 0, 0, 0, 0], 8, MULTICAST),
];

impl Class {
    fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::of_v4(address),
            IpAddr::V6(address) => Self::of_v6(address),
        }
    }

    fn of_v4(address: Ipv4Addr) -> Self {
        V4.iter()
            .find(|(network, prefix, _)| in_v4(address, *network, *prefix))
            .map_or(Self::Public, |(_, _, class)| *class)
    }

    fn of_v6(address: Ipv6Addr) -> Self {
        let class = V6
            .iter()
            .find(|(network, prefix, _)| in_v6(address, *network, *prefix))
            .map_or(Self::Public, |(_, _, class)| *class);
        // What stands for an IPv4 address is never more welcome than that.
        match embedded_v4(address).map(Self::of_v4) {
            Some(never @ Self::Never(_)) => never,
            _ => class,
        }
    }
}

/// The IPv4 address that a translator would call: NAT64 (RFC 6052, 8215), IPv4-compatible, 6to4 (RFC 3056).
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let part = |high: u16, low: u16| Some(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)));
    match address.segments() {
        // `::1` and `::` have names of their own.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0, 0, 0, 0, 0, 0, high, low] | [0x64, 0xFF9B, 0 | 1, .., high, low] => part(high, low),
        [0x2002, high, low, ..] => part(high, low),
        _ => None,
    }
}

fn in_v4(address: Ipv4Addr, network: [u8; 4], prefix: u8) -> bool {
    let differing = u32::from(address) ^ u32::from(Ipv4Addr::from(network));
    differing.leading_zeros() >= u32::from(prefix)
}

fn in_v6(address: Ipv6Addr, network: [u16; 8], prefix: u8) -> bool {
    let differing = u128::from(address) ^ u128::from(Ipv6Addr::from(network));
    differing.leading_zeros() >= u32::from(prefix)
}

fn bits(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn verdict(policy: &Policy, address: &str) -> Result<(), String> {
        let checked = policy.check(address.parse().unwrap());
        checked.map_err(|denied| denied.to_string())
    }

    fn network(text: &str) -> Network {
        text.parse().unwrap()
    }

    #[test]
    fn loopback_and_public_addresses_pass() {
        for address in [
            "127.0.0.1",
            "127.255.0.9",
            "::1",
            "::ffff:127.0.0.1",
            "8.8.8.8",
            "100.63.0.1",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00::1",
        ] {
            assert_eq!(verdict(&Policy::default(), address), Ok(()), "{address}");
        }
    }

    #[test]
    fn private_and_special_addresses_pass_only_when_allowed() {
        let cases = [
            ("10.1.2.3", "10.0.0.0/8"),
            ("172.31.255.255", "172.16.0.0/12"),
            ("192.168.0.1", "192.168.0.1"),
            ("100.64.0.1", "100.64.0.0/10"),
            ("192.0.0.8", "192.0.0.0/24"),
            ("192.0.2.1", "192.0.2.0/24"),
            ("192.88.99.1", "192.88.99.0/24"),
            ("198.19.0.1", "198.18.0.0/15"),
            ("198.51.100.1", "0.0.0.0/0"),
            ("203.0.113.9", "203.0.113.0/24"),
            ("::ffff:10.1.2.3", "10.0.0.0/8"),
            ("::8.8.8.8", "::/96"),
            ("64:ff9b::808:808", "64:ff9b::/96"),
            ("64:ff9b:1::808:808", "64:ff9b:1::/48"),
            ("2001:0:1::1", "2001::/32"),
            ("2001:db8::1", "2001:db8::/32"),
            ("2001:2::1", "2001::/23"),
            ("2002:808:808::1", "2002::/16"),
            ("3fff::1", "3fff::/20"),
            ("5f00::1", "5f00::/16"),
            ("fd12::1", "fd00::/8"),
            ("fec0::1", "fec0::/10"),
        ];
        for (address, allowed) in cases {
            let denied = verdict(&Policy::default(), address).unwrap_err();
            assert!(denied.contains("--allow-notify"), "{address}: {denied}");
            let elsewhere = Policy::allowing([network("10.9.9.9/32"), network("fdff::/16")]);
            assert!(verdict(&elsewhere, address).is_err(), "{address}");
            let policy = Policy::allowing([network(allowed)]);
            assert_eq!(verdict(&policy, address), Ok(()), "{address} in {allowed}");
        }
    }

    #[test]
    fn what_is_nobodys_endpoint_never_passes() {
        let everything = Policy::allowing([network("0.0.0.0/0"), network("::/0")]);
        for address in [
            "169.254.169.254",
            "169.254.0.1",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "fe80::1",
            "fd00:ec2::254",
            "fd20:ce::254",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "0.0.0.0",
            "0.1.2.3",
            "::",
            "224.0.0.1",
            "239.255.255.250",
            "ff02::1",
            "240.0.0.1",
            "255.255.255.255",
            "100::1",
        ] {
            let denied = verdict(&everything, address).unwrap_err();
            assert!(
                denied.ends_with("which midsim never calls"),
                "{address}: {denied}"
            );
        }
        let said = verdict(&everything, "169.254.169.254").unwrap_err();
        assert_eq!(
            said,
            "169.254.169.254 is a link-local address, which midsim never calls"
        );
    }

    #[test]
    fn networks_are_read_and_written() {
        for text in ["10.0.0.0/8", "0.0.0.0/0", "fd00::/8", "::1/128"] {
            assert_eq!(network(text).to_string(), text);
        }
        assert_eq!(network("10.1.1.1").to_string(), "10.1.1.1/32");
        for text in [
            "",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "ten",
            "10.0.0.0/8/8",
            "10.0.0.0/-1",
        ] {
            let error = text.parse::<Network>().unwrap_err();
            assert!(error.to_string().contains("is not a network"));
        }
    }

    proptest! {
        #[test]
        fn a_network_holds_what_shares_its_first_bits(
            a in any::<u32>(), b in any::<u32>(), prefix in 0..=32_u8,
        ) {
            let network = network(&format!("{}/{prefix}", Ipv4Addr::from(a)));
            let shared = (0..u32::from(prefix)).all(|bit| (a ^ b) & (1 << (31 - bit)) == 0);
            prop_assert_eq!(network.contains(Ipv4Addr::from(b).into()), shared);
        }

        /// The standard library's own predicates, where it has stable ones.
        #[test]
        fn agrees_with_the_standard_library(raw in any::<u32>()) {
            let address = Ipv4Addr::from(raw);
            let denied = Policy::default().check(address.into()).is_err();
            let suspicious = address.is_private() || address.is_link_local() || address.is_multicast()
                || address.is_broadcast() || address.is_documentation() || address.is_unspecified();
            prop_assert!(denied || !suspicious);
            if address.is_loopback() {
                prop_assert!(!denied);
            }
        }
    }
}
