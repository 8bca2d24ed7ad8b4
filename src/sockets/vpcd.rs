//! The card's end of vsmartcard's virtual reader: the driver inside pcscd listens, the card connects.
//!
//! Frames both ways are a length in two octets, big-endian, and that many octets. A frame of one octet from the reader is
//! about power (no answer) or asks for the ATR, which it does for ever and between any two commands; any other is a command
//! APDU, to be answered by a frame with response data and status word.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Where the driver of a reader listens by default: the first slot.
pub const READER: &str = "127.0.0.1:35963";

/// What is in the reader.
pub trait Card: Send {
    /// Answer to reset. Asked for several times a second.
    fn atr(&self) -> Vec<u8>;

    /// Power on or reset: everything volatile begins anew. An error ends the session.
    fn reset(&mut self) -> impl Future<Output = io::Result<()>> + Send;

    /// Power off.
    fn power_off(&mut self) -> impl Future<Output = io::Result<()>> + Send;

    /// Answers a command APDU. Must not wait for a person: the driver waits for the answer, without a limit.
    fn transmit(&mut self, command: &[u8]) -> impl Future<Output = io::Result<Vec<u8>>> + Send;
}

/// Puts a card into the reader at this address, `HOST:PORT`.
///
/// # Errors
/// What the system says.
pub async fn connect(reader: &str) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(reader).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
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
    if !fill(stream, input, 2 + length).await? {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some(&input[2..]))
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
            let result = serve(connect(&reader).await.unwrap(), &mut card).await;
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
    async fn a_reader_that_hangs_up_in_a_frame_is_an_error() {
        let (answers, result, _) = session(&["00050102"]).await;
        assert_eq!(answers, "");
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
