"""SCP03 as GlobalPlatform's amendment D has it, written again with pycryptodome, against a card on a pipe.

    scp03.py MIDSIM CARD [OPTION OF `midsim sim stdio`]...

Opens sessions at every security level, reads the status of the applet, locks and unlocks it, loads keys and uses them.
"""

import secrets
import subprocess
import sys

from Crypto.Cipher import AES
from Crypto.Hash import CMAC

AID = bytes.fromhex("A000000003000000")
APPLET = b"\xf0MIDMID"
TEST_KEY = bytes(range(0x40, 0x50))
# TEST ONLY: that of fixtures/world.toml.
MASTER = bytes.fromhex("54455354204f4e4c59206d696473696d206d6173746572206b65792054455354")


def cmac(key, data):
    return CMAC.new(key, data, AES).digest()


def kdf(key, constant, bits, context):
    return cmac(key, bytes(11) + bytes([constant, 0]) + bits.to_bytes(2, "big") + b"\x01" + context)


def derived(label, iccid, version):
    """A key of the card from the master key, SP 800-108 (ota/wire/docs/keys.md)."""
    fixed = label.encode() + b"\0" + iccid.encode() + bytes([version]) + (128).to_bytes(4, "big")
    return cmac(MASTER, (1).to_bytes(4, "big") + fixed)


class Card:
    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def exchange(self, apdu):
        self.process.stdin.write(apdu.hex() + "\n")
        self.process.stdin.flush()
        answer = bytes.fromhex(self.process.stdout.readline())
        return answer[:-2], answer[-2:].hex()

    def send(self, header, data=b"", expect="9000"):
        """A command with data; response data is fetched as T=0 has it."""
        answer, sw = self.exchange(bytes.fromhex(header) + bytes([len(data)]) + data)
        if sw.startswith("61"):
            answer, sw = self.exchange(bytes([data and int(header[:2], 16) or 0x80, 0xC0, 0, 0, int(sw[2:], 16)]))
        assert sw == expect, f"{header} {data.hex()}: expected {expect}, got {sw}"
        return answer


class Channel:
    def __init__(self, card, keys, version, level, expect_i):
        self.card, self.level, self.counter, self.chaining = card, level, 0, bytes(16)
        enc, mac, self.dek = keys
        host = secrets.token_bytes(8)
        answer = card.send(f"8050{version:02x}00", host)
        assert answer[10:13] == bytes([version, 3, expect_i]), answer.hex()
        challenge, cryptogram, sequence = answer[13:21], answer[21:29], answer[29:]
        if expect_i & 0x10:
            assert len(sequence) == 3
            assert challenge == kdf(enc, 2, 64, sequence + AID)[:8], "pseudo-random challenge"
        else:
            assert not sequence
        self.sequence = int.from_bytes(sequence, "big")
        context = host + challenge
        self.enc, self.mac, self.rmac = (kdf(key, n, 128, context) for key, n in ((enc, 4), (mac, 6), (mac, 7)))
        assert cryptogram == kdf(self.mac, 0, 64, context)[:8], "cryptogram of the card"
        card.send(f"8482{level:02x}00", self.sign(f"8482{level:02x}00", kdf(self.mac, 1, 64, context)[:8]))

    def sign(self, header, data):
        head = bytes.fromhex(header) + bytes([len(data) + 8])
        self.chaining = cmac(self.mac, self.chaining + head + data)
        return data + self.chaining[:8]

    def iv(self, first):
        block = bytes([first]) + self.counter.to_bytes(15, "big")
        return AES.new(self.enc, AES.MODE_ECB).encrypt(block)

    def send(self, header, data=b"", expect="9000"):
        if self.level == 0:
            return self.card.send("80" + header, data, expect)
        header = "84" + header
        self.counter += 1
        if self.level & 2 and data:
            padded = data + b"\x80" + bytes(-(len(data) + 1) % 16)
            data = AES.new(self.enc, AES.MODE_CBC, self.iv(0)).encrypt(padded)
        answer = self.card.send(header, self.sign(header, data), expect)
        if expect != "9000":
            assert not answer
            return answer
        if self.level & 0x10:
            answer, mac = answer[:-8], answer[-8:]
            assert mac == cmac(self.rmac, self.chaining + answer + bytes.fromhex(expect))[:8], "R-MAC"
        if self.level & 0x20 and answer:
            answer = AES.new(self.enc, AES.MODE_CBC, self.iv(0x80)).decrypt(answer).rstrip(b"\0")
            assert answer[-1] == 0x80
            answer = answer[:-1]
        return answer

    def put_key(self, version, keys, replaces=0, expect="9000"):
        data, check = bytes([version]), bytes([version])
        for key in keys:
            kcv = AES.new(key, AES.MODE_ECB).encrypt(b"\1" * 16)[:3]
            wrapped = AES.new(self.dek, AES.MODE_CBC, bytes(16)).encrypt(key)
            data += bytes([0x88, len(wrapped) + 1, len(key)]) + wrapped + b"\3" + kcv
            check += kcv
        answer = self.send(f"d8{replaces:02x}81", data, expect)
        assert expect != "9000" or answer == check, answer.hex()


def life_cycle(channel):
    answer = channel.send("f24002", bytes.fromhex("4f00"))
    assert answer[:2] == b"\xe3" + bytes([len(answer) - 2]) and APPLET in answer, answer.hex()
    return answer[answer.index(b"\x9f\x70\x01") + 3]


def main():
    midsim, name, *options = sys.argv[1:]
    card = Card([midsim, "sim", "stdio", name, *options])
    iccid_ef = None
    card.send("00a4000c", bytes.fromhex("2fe2"))
    iccid_ef, sw = card.exchange(bytes.fromhex("00b000000a"))
    assert sw == "9000"
    iccid = iccid_ef.hex().translate({}).upper()
    iccid = "".join(iccid[i + 1] + iccid[i] for i in range(0, 20, 2)).rstrip("F")
    lab = bool(options)
    i = 0x60 if lab else 0x70
    keys = (TEST_KEY,) * 3 if lab else tuple(derived(f"SCP03-{part}", iccid, 0x30) for part in ("ENC", "MAC", "DEK"))
    card.send("00a40400", AID)
    sequences = []
    for level in (0x00, 0x01, 0x03, 0x11, 0x13, 0x33):
        channel = Channel(card, keys, 0x30, level, i)
        sequences.append(channel.sequence)
        assert life_cycle(channel) == 0x07
        channel.send("f04080", APPLET)
        assert life_cycle(channel) == 0x87, "locked"
        channel.send("f04007", APPLET)
        assert life_cycle(channel) == 0x07, "unlocked"
        channel.send("f04080", b"\xf0nobody", expect="6a88")
    assert lab or sequences == list(range(1, 7)), sequences

    # Keys of one's own: the session goes on with the old ones, the next one begins with the new.
    new = tuple(secrets.token_bytes(16) for _ in range(3))
    channel = Channel(card, keys, 0x30, 0x33, i)
    channel.put_key(0x31, new)
    channel.put_key(0x31, new, expect="6a80")
    channel.put_key(0x32, new, replaces=0x32, expect="6a88")
    channel.put_key(0x03, new)
    assert life_cycle(channel) == 0x07
    channel = Channel(card, new, 0x31, 0x33, i)
    channel.put_key(0x30, new, replaces=0x30)
    Channel(card, new, 0x30, 0x03, i)
    information = card.exchange(bytes.fromhex("80ca00e000"))
    assert information[1].startswith("6c")
    information, sw = card.exchange(bytes.fromhex("80ca00e0") + bytes([int(information[1][2:], 16)]))
    for number in (1, 2, 3):
        assert bytes([0xC0, 4, number, 0x03, 0x88, 16]) in information, "the new OTA key set"

    # Whoever changes an octet ends the session.
    channel = Channel(card, new, 0x31, 0x03, i)
    channel.chaining = bytes(16)
    channel.send("f24002", bytes.fromhex("4f00"), expect="6988")
    channel.send("f24002", bytes.fromhex("4f00"), expect="6985")
    card.process.stdin.close()
    assert card.process.wait() == 0
    print(f"SCP03 at six levels, i = {i:02X}: the card and pycryptodome agree")


main()
