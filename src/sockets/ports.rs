//! Ports: their names and numbers, binding them, and the file that tells others where they are.
//!
//! By default every service listens on loopback, on a number that speaks of its standard where there is one (8204 for TS 102 204,
//! 2775 for SMPP). `--port-base N` puts all of them on N … N+7 instead, `:0` on free ones.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use tokio::net::TcpListener;

/// A service that listens, in the order of `--port-base`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// The browser UI and the control API.
    Ui,
    /// The OpenID Provider.
    Op,
    /// The MSSP's SOAP interface.
    Mssp,
    /// The OTA platform's HTTP interface.
    Ota,
    /// The SMSC's SMPP interface.
    Smpp,
    /// The Mobile Connect discovery service.
    Discovery,
    /// The OpenID Provider behind mutual TLS.
    OpMtls,
    /// Device channels for foreign OpenID Providers.
    Channels,
}

impl Service {
    /// Every service, in the order of `--port-base`.
    pub const ALL: [Self; 8] = [
        Self::Ui,
        Self::Op,
        Self::Mssp,
        Self::Ota,
        Self::Smpp,
        Self::Discovery,
        Self::OpMtls,
        Self::Channels,
    ];

    /// Its name in messages, options and the ports file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ui => "ui",
            Self::Op => "op",
            Self::Mssp => "mssp",
            Self::Ota => "ota",
            Self::Smpp => "smpp",
            Self::Discovery => "discovery",
            Self::OpMtls => "op-mtls",
            Self::Channels => "channels",
        }
    }

    /// Its port unless told otherwise.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Ui => 8220,
            Self::Op => 8260,
            Self::Mssp => 8204,
            Self::Ota => 8248,
            Self::Smpp => 2775,
            Self::Discovery => 8261,
            Self::OpMtls => 8262,
            Self::Channels => 8270,
        }
    }
}

impl FromStr for Service {
    type Err = UnknownService;

    fn from_str(text: &str) -> Result<Self, UnknownService> {
        Self::ALL
            .into_iter()
            .find(|service| service.name() == text)
            .ok_or_else(|| UnknownService {
                got: text.to_owned(),
            })
    }
}

/// A name that is not one of [`Service::ALL`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no service {got:?}; there are {}", Service::ALL.map(Service::name).join(", "))]
pub struct UnknownService {
    got: String,
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which address and port each service is to listen on. Port 0 means a free one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ports {
    listen: IpAddr,
    ports: [u16; Service::ALL.len()],
}

/// The base that is suggested when a default port is taken.
const OTHER_BASE: u16 = 9220;

impl Default for Ports {
    fn default() -> Self {
        Self {
            listen: Ipv4Addr::LOCALHOST.into(),
            ports: Service::ALL.map(Service::default_port),
        }
    }
}

impl Ports {
    /// Loopback, a free port for each.
    pub fn free() -> Self {
        Self {
            ports: [0; Service::ALL.len()],
            ..Self::default()
        }
    }

    /// Loopback, `base` and the seven ports after it; a base of 0 means free ones.
    ///
    /// # Errors
    /// [`PortError::Base`] if that goes beyond 65535.
    pub fn from_base(base: u16) -> Result<Self, PortError> {
        if base == 0 {
            return Ok(Self::free());
        }
        let last = (Service::ALL.len() - 1) as u16;
        if base.checked_add(last).is_none() {
            return Err(PortError::Base { base });
        }
        Ok(Self {
            ports: std::array::from_fn(|index| base + index as u16),
            ..Self::default()
        })
    }

    /// The same ports on another address.
    #[must_use]
    pub fn listening_on(mut self, address: IpAddr) -> Self {
        self.listen = address;
        self
    }

    /// The same with another port for one service.
    #[must_use]
    pub fn with(mut self, service: Service, port: u16) -> Self {
        self.ports[service as usize] = port;
        self
    }

    /// The address that all of them listen on.
    pub fn listen(&self) -> IpAddr {
        self.listen
    }

    /// Where `service` is to listen.
    pub fn address(&self, service: Service) -> SocketAddr {
        SocketAddr::new(self.listen, self.ports[service as usize])
    }

    /// Refuses to be reachable from other machines unless an admin token is set.
    ///
    /// # Errors
    /// [`PortError::Exposed`], whose text names the options that would make it safe.
    pub fn check_exposure(&self, has_admin_token: bool) -> Result<(), PortError> {
        if has_admin_token || self.listen.to_canonical().is_loopback() {
            return Ok(());
        }
        Err(PortError::Exposed {
            address: self.listen,
        })
    }

    /// Binds the port of `service`.
    ///
    /// # Errors
    /// [`PortError`], which says what to try instead.
    pub async fn bind(&self, service: Service) -> Result<TcpListener, PortError> {
        let address = self.address(service);
        TcpListener::bind(address)
            .await
            .map_err(|error| self.bind_error(service, address, &error))
    }

    fn bind_error(&self, service: Service, address: SocketAddr, error: &io::Error) -> PortError {
        let port = address.port();
        match error.kind() {
            io::ErrorKind::AddrInUse => PortError::InUse {
                port,
                service,
                suggestion: self.another_base(),
            },
            io::ErrorKind::PermissionDenied => PortError::Privileged { port, service },
            _ => PortError::Bind {
                address,
                service,
                detail: error.to_string(),
            },
        }
    }

    /// A base that shares no port with this one.
    fn another_base(&self) -> u16 {
        let free = |base: u16| {
            !self
                .ports
                .iter()
                .any(|port| (base..base + 8).contains(port))
        };
        (0..40)
            .map(|step| OTHER_BASE + step * 1_000)
            .find(|base| free(*base))
            .unwrap_or(OTHER_BASE)
    }
}

/// Why a port cannot be used, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PortError {
    /// `--port-base` is too high.
    #[error("--port-base {base} leaves no room for 8 ports; use one up to 65528")]
    Base {
        /// The base given.
        base: u16,
    },
    /// The system refused.
    #[error("cannot listen on {address} ({service}): {detail}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Whose it would be.
        service: Service,
        /// The system's words.
        detail: String,
    },
    /// Other machines could reach the control API, and nothing would stop them.
    #[error(
        "refusing to listen on {address} without an admin token: whoever reaches this machine could drive it; \
         add --admin-token-file FILE (or set MIDSIM_ADMIN_TOKEN), or use --listen 127.0.0.1"
    )]
    Exposed {
        /// The address.
        address: IpAddr,
    },
    /// The ports file cannot be written.
    #[error("cannot write the ports file {}: {detail}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// The system's words.
        detail: String,
    },
    /// Somebody else listens there.
    #[error("port {port} ({service}) is in use; try --port-base {suggestion}")]
    InUse {
        /// The port.
        port: u16,
        /// Whose it would be.
        service: Service,
        /// A base that shares no port with the one tried.
        suggestion: u16,
    },
    /// The port is reserved for privileged processes.
    #[error("port {port} ({service}) needs privileges; try --port-base 8220")]
    Privileged {
        /// The port.
        port: u16,
        /// Whose it would be.
        service: Service,
    },
}

/// Writes `{"ui": 8220, …}` to `file`: under another name first and then renamed, so that whoever waits for the file never reads
/// half of it. To be called when everything is ready.
///
/// # Errors
/// [`PortError::File`].
pub fn write_ports_file(
    file: &Path,
    bound: impl IntoIterator<Item = (Service, u16)>,
) -> Result<(), PortError> {
    let ports: BTreeMap<_, _> = bound
        .into_iter()
        .map(|(service, port)| (service.name(), port))
        .collect();
    let failed = |error: io::Error| PortError::File {
        file: file.to_owned(),
        detail: error.to_string(),
    };
    let text = serde_json::to_string(&ports).map_err(|error| failed(error.into()))?;
    let mut name = file.as_os_str().to_owned();
    name.push(format!(".{}", std::process::id()));
    let unfinished = PathBuf::from(name);
    fs::write(&unfinished, text + "\n").map_err(failed)?;
    fs::rename(&unfinished, file).map_err(|error| {
        // What matters is the first error.
        let _ = fs::remove_file(&unfinished);
        failed(error)
    })
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    fn numbers(ports: &Ports) -> Vec<u16> {
        let number = |service| ports.address(service).port();
        Service::ALL.into_iter().map(number).collect()
    }

    async fn bind(ports: &Ports, service: Service) -> Result<TcpListener, String> {
        let bound = ports.bind(service).await;
        bound.map_err(|error| error.to_string())
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_io().build().unwrap().block_on(future)
    }

    #[test]
    fn the_defaults_are_those_of_the_documentation() {
        let expected = [8220, 8260, 8204, 8248, 2775, 8261, 8262, 8270];
        assert_eq!(numbers(&Ports::default()), expected);
        let names = Service::ALL.map(Service::name).join(" ");
        assert_eq!(names, "ui op mssp ota smpp discovery op-mtls channels");
        for (index, service) in Service::ALL.into_iter().enumerate() {
            assert_eq!(service as usize, index);
        }
    }

    #[test]
    fn a_base_numbers_them_in_order() {
        let expected: Vec<_> = (9220..9228).collect();
        assert_eq!(numbers(&Ports::from_base(9220).unwrap()), expected);
        assert_eq!(numbers(&Ports::from_base(0).unwrap()), [0; 8]);
        assert!(Ports::from_base(65_528).is_ok());
        let error = Ports::from_base(65_529).unwrap_err();
        assert!(error.to_string().contains("65528"));
        let one = Ports::from_base(9220).unwrap().with(Service::Op, 0);
        assert_eq!(one.address(Service::Op).port(), 0);
    }

    #[test]
    fn a_port_in_use_is_named_with_a_way_out() {
        block_on(async {
            let holder = bind(&Ports::free(), Service::Ui).await.unwrap();
            let port = holder.local_addr().unwrap().port();
            let ports = Ports::default().with(Service::Ui, port);
            let error = bind(&ports, Service::Ui).await.unwrap_err();
            let suggestion = ports.another_base();
            assert_eq!(
                error,
                format!("port {port} (ui) is in use; try --port-base {suggestion}")
            );
        });
        assert_eq!(Ports::default().another_base(), 9220);
        assert_eq!(Ports::from_base(9225).unwrap().another_base(), 10_220);
    }

    #[test]
    fn an_address_that_is_not_ours_is_named() {
        let elsewhere = Ports::free().listening_on(Ipv4Addr::new(192, 0, 2, 1).into());
        let error = block_on(bind(&elsewhere, Service::Op)).unwrap_err();
        assert!(
            error.starts_with("cannot listen on 192.0.2.1:0 (op): "),
            "{error}"
        );
    }

    #[test]
    fn others_may_not_reach_an_unguarded_instance() {
        let on = |address: IpAddr| Ports::default().listening_on(address);
        for address in [
            Ipv4Addr::LOCALHOST.into(),
            Ipv4Addr::new(127, 9, 9, 9).into(),
            Ipv6Addr::LOCALHOST.into(),
            Ipv4Addr::LOCALHOST.to_ipv6_mapped().into(),
        ] {
            assert_eq!(on(address).check_exposure(false), Ok(()));
        }
        for address in [
            Ipv4Addr::UNSPECIFIED.into(),
            Ipv6Addr::UNSPECIFIED.into(),
            Ipv4Addr::new(192, 168, 1, 2).into(),
        ] {
            assert_eq!(on(address).check_exposure(true), Ok(()));
            let error = on(address).check_exposure(false).unwrap_err();
            assert!(error.to_string().contains("--admin-token-file"));
        }
    }

    #[test]
    fn the_ports_file_appears_whole() {
        let name = format!("midsim-ports-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        fs::create_dir_all(&directory).unwrap();
        let file = directory.join("ports.json");
        fs::write(&file, "old").unwrap();
        write_ports_file(&file, [(Service::Ui, 1), (Service::OpMtls, 2)]).unwrap();
        assert_eq!(
            fs::read_to_string(&file).unwrap(),
            "{\"op-mtls\":2,\"ui\":1}\n"
        );
        let left: Vec<_> = fs::read_dir(&directory).unwrap().collect();
        assert_eq!(left.len(), 1);

        let nowhere = directory.join("missing").join("ports.json");
        let error = write_ports_file(&nowhere, []).unwrap_err().to_string();
        assert!(error.starts_with("cannot write the ports file"), "{error}");
        fs::remove_dir_all(directory).unwrap();
    }
}
