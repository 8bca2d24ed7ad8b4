//! The card's end of vsmartcard's virtual reader: the driver inside pcscd listens, the card connects.
//!
//! Frames both ways are a length in two octets, big-endian, and that many octets. A frame of one octet from the reader is
//! about power (no answer) or asks for the ATR, which it does for ever and between any two commands; any other is a command
//! APDU, to be answered by a frame with response data and status word.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

/// Where the driver of a reader listens by default: the first slot.
pub const READER: &str = "127.0.0.1:35963";

/// Slots of that driver; each listens on the port after that of the one before.
pub const SLOTS: u16 = 2;

/// How long a reader may take to let a card connect. Where it has one and another waits it says nothing at all.
const CONNECTS_WITHIN: Duration = Duration::from_secs(5);

/// What a card gets to see of a frame: a command with short lengths, which is all that T=0 has, and one octet more (ISO/IEC 7816-3
/// §12.1.3). It says of the beginning of a longer command what it would say of the whole: that its length is wrong.
pub const LONGEST: usize = 4 + 1 + 255 + 1 + 1;

/// What is in the reader.
pub trait Card: Send {
    /// Answer to reset. Asked for several times a second.
    fn atr(&self) -> Vec<u8>;

    /// Power on or reset: everything volatile begins anew. An error ends the session.
    fn reset(&mut self) -> impl Future<Output = io::Result<()>> + Send;

    /// Power off.
    fn power_off(&mut self) -> impl Future<Output = io::Result<()>> + Send;

    /// Answers a command APDU of at most [`LONGEST`] octets. Must not wait for a person: the driver waits for the answer, without a
    /// limit.
    fn transmit(&mut self, command: &[u8]) -> impl Future<Output = io::Result<Vec<u8>>> + Send;
}

/// Why a reader takes no card.
#[derive(Debug, thiserror::Error)]
pub enum NoReader {
    /// Nobody listens there.
    #[error("no reader at {reader}: {why}; is pcscd running, with vsmartcard-vpcd?")]
    Nobody {
        /// Where.
        reader: String,
        /// What the system says.
        why: io::Error,
    },
    /// It does not answer.
    #[error(
        "the reader at {reader} has taken no card within {} s: another card is in it, perhaps, and one more waits; \
         take them out, or start pcscd again",
        CONNECTS_WITHIN.as_secs()
    )]
    Silent {
        /// Where.
        reader: String,
    },
}

/// The addresses of a reader, `HOST:PORT`, in the form in which they can be compared.
///
/// # Errors
/// [`NoReader`].
pub async fn find(reader: &str) -> Result<Vec<SocketAddr>, NoReader> {
    let found = timeout(CONNECTS_WITHIN, lookup_host(reader)).await;
    match found.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
        Ok(found) => Ok(found.map(plain).collect()),
        Err(why) => Err(NoReader::Nobody {
            reader: reader.to_owned(),
            why,
        }),
    }
}

/// The same address as everybody writes it.
fn plain(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip().to_canonical() {
        // Whoever connects to no address in particular comes to themselves.
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// Puts a card into the reader, which was found at these addresses. That it connects does not mean that the reader has it: the
/// driver lets one card wait for another to leave, see [`asked`].
///
/// # Errors
/// [`NoReader`].
pub async fn connect(reader: &str, at: &[SocketAddr]) -> Result<TcpStream, NoReader> {
    let connected = timeout(CONNECTS_WITHIN, TcpStream::connect(at)).await;
    let connected = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    let reader = reader.to_owned();
    match connected.and_then(|stream| stream.set_nodelay(true).map(|()| stream)) {
        Ok(stream) => Ok(stream),
        Err(why) if why.kind() == io::ErrorKind::TimedOut => Err(NoReader::Silent { reader }),
        Err(why) => Err(NoReader::Nobody { reader, why }),
    }
}

/// Waits until the reader says something to its card, which is how it shows that it has it; `false` if it hangs up.
///
/// # Errors
/// When the connection breaks.
pub async fn asked(stream: &TcpStream) -> io::Result<bool> {
    Ok(stream.peek(&mut [0]).await? > 0)
}

/// Plays the card until the reader hangs up.
///
/// # Errors
/// When the connection breaks, or the card fails.
pub async fn serve(mut stream: TcpStream, card: &mut impl Card) -> io::Result<()> {
    const POWER_OFF: u8 = 0x00;
    const POWER_ON: u8 = 0x01;
    const RESET: u8 = 0x02;
    const ATR: u8 = 0x04;
    let mut input = Vec::with_capacity(512);
    let mut output = Vec::with_capacity(512);
    while let Some(frame) = receive(&mut stream, &mut input).await? {
        let answer = match *frame {
            [] => continue,
            [POWER_OFF] => {
                card.power_off().await?;
                continue;
            }
            [POWER_ON | RESET] => {
                card.reset().await?;
                continue;
            }
            [ATR] => card.atr(),
            // Controls that this version of the driver has not got.
            [_] => continue,
            ref command => card.transmit(command).await?,
        };
        output.clear();
        // A response has at most 258 octets.
        output.extend(
            u16::try_from(answer.len())
                .unwrap_or(u16::MAX)
                .to_be_bytes(),
        );
        output.extend_from_slice(&answer);
        stream.write_all(&output).await?;
    }
    Ok(())
}

/// The next frame; `None` when the reader hung up between two.
async fn receive<'a>(
    stream: &mut TcpStream,
    input: &'a mut Vec<u8>,
) -> io::Result<Option<&'a [u8]>> {
    input.clear();
    if !fill(stream, input, 2).await? {
        return Ok(None);
    }
    let length = usize::from(u16::from_be_bytes([input[0], input[1]]));
    let kept = length.min(LONGEST);
    if !fill(stream, input, 2 + kept).await? {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    skip(stream, length - kept).await?;
    Ok(Some(&input[2..]))
}

/// Reads so many octets and forgets them.
async fn skip(stream: &mut TcpStream, length: usize) -> io::Result<()> {
    let rest = &mut stream.take(length as u64);
    let skipped = tokio::io::copy(rest, &mut tokio::io::sink()).await?;
    if skipped < length as u64 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}

/// Reads until `input` has `length` octets; `false` if the reader hangs up before.
async fn fill(stream: &mut TcpStream, input: &mut Vec<u8>, length: usize) -> io::Result<bool> {
    while input.len() < length {
        // Older drivers send length and body apart; Nagle's algorithm there and delayed acknowledgements here would make
        // 50 ms of each command. The option is not sticky.
        #[cfg(target_os = "linux")]
        stream.set_quickack(true)?;
        let missing = (length - input.len()) as u64;
        if stream.take(missing).read_buf(input).await? == 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// Answers with what it got, and counts what happened to its power.
    #[derive(Default)]
    struct Echo(Vec<&'static str>);

    impl Card for Echo {
        fn atr(&self) -> Vec<u8> {
            vec![0x3B, 0x00]
        }

        async fn reset(&mut self) -> io::Result<()> {
            self.0.push("reset");
            Ok(())
        }

        async fn power_off(&mut self) -> io::Result<()> {
            self.0.push("off");
            Ok(())
        }

        async fn transmit(&mut self, command: &[u8]) -> io::Result<Vec<u8>> {
            Ok([command, &[0x90, 0x00]].concat())
        }
    }

    /// What a reader sends, and what it must get back.
    async fn session(sent: &[&str]) -> (String, io::Result<()>, Vec<&'static str>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let reader = listener.local_addr().unwrap().to_string();
        let card = tokio::spawn(async move {
            let mut card = Echo::default();
            let at = find(&reader).await.unwrap();
            let stream = connect(&reader, &at).await.unwrap();
            let result = serve(stream, &mut card).await;
            (result, card.0)
        });
        let (mut stream, _) = listener.accept().await.unwrap();
        for octets in sent {
            stream
                .write_all(&hex::decode(octets).unwrap())
                .await
                .unwrap();
        }
        stream.shutdown().await.unwrap();
        let mut answers = Vec::new();
        stream.read_to_end(&mut answers).await.unwrap();
        let (result, power) = card.await.unwrap();
        (hex::encode(answers), result, power)
    }

    #[tokio::test]
    async fn only_commands_and_the_question_for_the_atr_are_answered() {
        let (answers, result, power) = session(&[
            "000101", "000104", "000102", "000409", "b00000", "000104", "000100", "000107", "0000",
        ])
        .await;
        // 0004 09b00000 came in two pieces.
        assert_eq!(answers, "00023b00000609b00000900000023b00");
        assert!(result.is_ok());
        assert_eq!(power, ["reset", "reset", "off"]);
    }

    #[tokio::test]
    async fn no_more_of_a_frame_is_kept_than_a_command_can_have() {
        let frame = format!("ffff{}", "ab".repeat(65_535));
        let (answers, result, _) = session(&[&frame, "000401020304"]).await;
        let kept = "ab".repeat(LONGEST);
        assert_eq!(answers, format!("0108{kept}90000006010203049000"));
        assert!(result.is_ok());
        let (answers, result, _) = session(&[&frame[..1000]]).await;
        assert_eq!(answers, "");
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[tokio::test]
    async fn a_reader_that_hangs_up_in_a_frame_is_an_error() {
        let (answers, result, _) = session(&["00050102"]).await;
        assert_eq!(answers, "");
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
