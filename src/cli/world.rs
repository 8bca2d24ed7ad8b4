//! `midsim world`: who exists.

use clap::Args;
use serde_json::json;

use super::{OK, USAGE, WorldOptions, complain, print_json};
use crate::world::Client;

/// Show the default world: numbers, clients and credentials
#[derive(Args)]
pub(super) struct ShowWorld {
    #[command(flatten)]
    world: WorldOptions,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

impl ShowWorld {
    pub(super) fn run(self) -> u8 {
        let world = match self.world.load() {
            Ok(world) => world,
            Err(error) => return complain(&error, USAGE),
        };
        if self.json {
            let subscribers: Vec<_> = world
                .named()
                .map(|s| {
                    json!({
                        "msisdn": s.msisdn.to_string(), "iccid": s.iccid.digits(), "imsi": s.imsi.digits(),
                        "about": s.about, "claims": s.claims, "coverage": s.coverage, "pin_blocked": s.pin_blocked,
                        "puk_blocked": s.puk_blocked, "mssp_state": s.mssp_state,
                    })
                })
                .collect();
            let clients: Vec<_> = world
                .clients
                .iter()
                .map(|c| json!({"client_id": c.id, "name": c.name, "mode": format!("{:?}", c.mode).to_lowercase()}))
                .collect();
            return print_json(
                &json!({"schema_version": 1, "subscribers": subscribers, "clients": clients,
                "short_code": world.operator.short_code, "smsc": world.operator.smsc.to_string()}),
            );
        }
        println!("{:<15} {:<20} {:<16} its user", "MSISDN", "ICCID", "IMSI");
        for s in world.named() {
            println!(
                "{:<15} {:<20} {:<16} {}",
                s.msisdn.to_string(),
                s.iccid.digits(),
                s.imsi.digits(),
                s.about
            );
        }
        let (secret, others): (Vec<_>, Vec<_>) =
            world.clients.iter().partition(|c| c.secret.is_some());
        let ids = |clients: Vec<&Client>| {
            let ids: Vec<_> = clients.iter().map(|c| c.id.as_str()).collect();
            ids.join(", ")
        };
        println!(
            "\nclients {} (secret: the id and `-secret`), {} (private_key_jwt); applet PIN 1234, PUK 12345678",
            ids(secret),
            ids(others)
        );
        println!(
            "short code of the OTA platform {}, SMSC {}",
            world.operator.short_code, world.operator.smsc
        );
        OK
    }
}
