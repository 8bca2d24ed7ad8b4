//! The SMSC over SMPP: submit_sm to many phones, each answered after its commit, beside a bare rusmpp echo.

use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use ota::smpp::{BindMode, CommandId, CommandStatus, EsmeConfig, HEADER, Header, Limits};
use ota::smpp::{Session, SessionEvent, ShortMessage};
use ota_wire::secret::Secret;
use rusmpp_core::command::owned::Command;
use rusmpp_core::decode::owned::DecodeWithLength as _;
use rusmpp_core::encode::Length as _;
use rusmpp_core::encode::owned::Encode as _;
use rusmpp_core::pdus::owned::{BindTransceiverResp, Pdu, SubmitSmResp};
use rusmpp_core::types::owned::COctetString;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::Result;
use super::driver::{self, Driven};
use super::server::{Server, World};
use super::timing::{self, Spread};

/// How clients use their sessions: so many, each with so many requests unanswered. Ten is what gateways are usually set to.
const USUAL: Load = Load {
    sessions: 8,
    window: 10,
};
/// As many as our SMSC lets a client have, and more than disks need to be kept busy.
const WIDE: Load = Load {
    sessions: 4,
    window: 500,
};

#[derive(Clone, Copy)]
struct Load {
    sessions: u64,
    window: usize,
}

/// Phones that the messages go to.
const PHONES: u64 = 200_000;
const ROUND: Duration = Duration::from_millis(1500);
const ROUNDS: usize = 5;
/// Octets of user data, header included.
const USER_DATA: usize = 100;

/// Rounds of the echo, of the SMSC in memory and of the SMSC on disk, in turn.
pub(crate) fn run() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let world = World::out_of_coverage(PHONES)?;
        let disk = Folder::new()?;
        let echo = Server::smpp_echo()?;
        let memory = Server::smsc(&world, None).await?;
        let disk = Server::smsc(&world, Some(&disk.0)).await?;
        let works = [
            (&echo, USUAL),
            (&memory, USUAL),
            (&echo, WIDE),
            (&memory, WIDE),
            (&disk, WIDE),
        ];
        let mut seen = [const { Vec::new() }; 5];
        for turn in 0..=ROUNDS {
            for ((server, load), rounds) in works.iter().zip(&mut seen) {
                let workers =
                    (0..load.sessions).map(|session| submits(server.address, *load, session));
                let round = driver::measure(server, workers).await?;
                // The first round only warms up.
                if turn > 0 {
                    rounds.push(round);
                }
            }
        }
        let names = [
            "in memory, 8 × 10 open",
            "in memory, 4 × 500 open",
            "with --data-dir, 4 × 500 open",
        ];
        let aims = [
            "aim: at least 20 % of bare",
            "no aim",
            "aim: at least 30000 a second",
        ];
        let compared = [(1, 0), (3, 2), (4, 2)];
        for ((name, aim), (ours, bare)) in names.iter().zip(aims).zip(compared) {
            let rate =
                |of: usize, by: fn(&Driven) -> f64| Spread::of(seen[of].iter().map(by).collect());
            let (per_second, per_cpu) = (Driven::per_second, Driven::per_cpu_second);
            let (wall, cpu) = (rate(ours, per_second), rate(ours, per_cpu));
            let (bare_wall, bare_cpu) = (rate(bare, per_second), rate(bare, per_cpu));
            println!(
                "  {name}: {wall} submit_sm/s, {:.0} % of a bare rusmpp echo ({bare_wall}); \
                 {cpu} per CPU-second of the server, {:.0} % ({aim})",
                100.0 * wall.median / bare_wall.median,
                100.0 * cpu.median / bare_cpu.median,
            );
        }
        Ok(())
    })
}

/// Binds, keeps the window full for so long and waits for the last answers; how many were taken.
async fn submits(smsc: SocketAddr, load: Load, session: u64) -> Result<u32> {
    let mut stream = bound(smsc).await?;
    let template = template()?;
    let destination = template
        .windows(6)
        .position(|octets| octets == b"447700")
        .ok_or("no destination")?;
    let end = timing::now() + ROUND;
    let (mut sequence, mut open, mut taken) = (1_u32, 0_usize, 0_u32);
    let mut phone = session * (PHONES / load.sessions);
    let (mut received, mut batch) = (BytesMut::with_capacity(64 << 10), Vec::new());
    loop {
        batch.clear();
        if open < load.window && timing::now() < end {
            while open < load.window {
                sequence += 1;
                phone = (phone + 1) % PHONES;
                let at = batch.len();
                batch.extend_from_slice(&template);
                batch[at + 12..at + HEADER].copy_from_slice(&sequence.to_be_bytes());
                let digits = (World::FIRST_NUMBER + phone).to_string();
                batch[at + destination..][..digits.len()].copy_from_slice(digits.as_bytes());
                open += 1;
            }
        }
        stream.write_all(&batch).await?;
        if open == 0 {
            return Ok(taken);
        }
        if stream.read_buf(&mut received).await? == 0 {
            return Err("the server hung up".into());
        }
        while let Some(header) = Header::parse(&received) {
            let length = header.length as usize;
            if received.len() < length {
                break;
            }
            received.advance(length);
            match (header.id, header.status) {
                (CommandId::SUBMIT_SM_RESP, CommandStatus::ROK) => taken += 1,
                other => return Err(format!("{other:?} instead of a submit_sm_resp").into()),
            }
            open -= 1;
        }
    }
}

async fn bound(smsc: SocketAddr) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(smsc).await?;
    stream.set_nodelay(true)?;
    let mut session = esme()?;
    while let Some(octets) = session.poll_transmit() {
        stream.write_all(&octets).await?;
    }
    let mut octets = [0; 64];
    let read = stream.read(&mut octets).await?;
    session.handle_bytes(&octets[..read], jiff::Timestamp::UNIX_EPOCH);
    match session.poll_event() {
        Some(SessionEvent::Bound { .. }) => Ok(stream),
        other => Err(format!("{other:?} instead of a bind").into()),
    }
}

fn esme() -> Result<Session> {
    let config = EsmeConfig {
        system_id: "midsim".into(),
        password: Secret::new(b"midsim".to_vec()),
        system_type: String::new(),
        mode: BindMode::Transmitter,
        limits: Limits {
            report_pdus: false,
            ..Limits::default()
        },
    };
    Ok(Session::esme(config, jiff::Timestamp::UNIX_EPOCH)?)
}

/// A submit_sm like those of the platform.
fn template() -> Result<Vec<u8>> {
    let mut user_data = vec![0xA5; USER_DATA];
    user_data[..3].copy_from_slice(&[0x02, 0x70, 0x00]);
    let message = ShortMessage {
        source: "8220".into(),
        destination: World::FIRST_NUMBER.to_string(),
        destination_ton: 1,
        destination_npi: 1,
        esm_class: 0x40,
        protocol_id: 0x7F,
        data_coding: 0xF6,
        short_message: user_data,
        ..ShortMessage::default()
    };
    let pdu = ota::smpp::Pdu::SubmitSm(Box::new(message));
    Ok(pdu.encode(CommandStatus::ROK, 0)?)
}

/// What this binary does when it is told to: reads each PDU and writes each answer with rusmpp, and nothing else.
pub(crate) fn echo() -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!(
            "{}",
            serde_json::json!({ "address": listener.local_addr()?.to_string() })
        );
        std::io::stdout().flush()?;
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(answer(stream));
        }
    })
}

async fn answer(mut stream: TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut received = BytesMut::with_capacity(64 << 10);
    let mut sent = BytesMut::new();
    loop {
        if stream.read_buf(&mut received).await? == 0 {
            return Ok(());
        }
        while let Some(length) = received.first_chunk().map(|it| u32::from_be_bytes(*it)) {
            if received.len() < length as usize {
                break;
            }
            let mut pdu = received.split_to(length as usize);
            pdu.advance(4);
            let body = pdu.len();
            let (command, _) = Command::decode(&mut pdu, body).map_err(|why| format!("{why:?}"))?;
            let response: Pdu = match command.pdu() {
                Some(Pdu::SubmitSm(_)) => {
                    let id = COctetString::from_slice(b"0123456789ABCDEF\0");
                    SubmitSmResp::new(id.map_err(|why| format!("{why:?}"))?, Vec::new()).into()
                }
                _ => BindTransceiverResp::new(COctetString::empty(), None).into(),
            };
            let id = command.id();
            let mut response = Command::new(command.status(), command.sequence_number(), response);
            if id == rusmpp_core::CommandId::BindTransmitter {
                response.set_pdu(rusmpp_core::pdus::owned::BindTransmitterResp::new(
                    COctetString::empty(),
                    None,
                ));
            }
            let length = u32::try_from(4 + response.length())?;
            sent.extend_from_slice(&length.to_be_bytes());
            response.encode(&mut sent);
            // As `Framed::send` of rusmpp's codec does it.
            stream.write_all_buf(&mut sent).await?;
        }
    }
}

/// A folder that is gone when this is dropped.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new() -> Result<Self> {
        // Where the build is, since /tmp may be memory.
        let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("smsc-bench-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left behind lies in the build's folder.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
