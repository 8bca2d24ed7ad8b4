"""A handset made of a PC/SC reader and two URLs, and its owner: the card of a running midsim is asked through pcscd for the user's
approval while an RP waits at the OP. Needs PyPI's pyscard. Environment: MIDSIM_UI_URL, MIDSIM_OP_URL, as `midsim exec` sets them.
"""

import base64
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

from smartcard.CardConnection import CardConnection
from smartcard.Exceptions import CardConnectionException, NoCardException
from smartcard.System import readers

NUMBER = "+447700900002"
UI = os.environ["MIDSIM_UI_URL"] + "/api/v1"
OP = os.environ["MIDSIM_OP_URL"]


def call(url, body=None, headers=None):
    """Status and JSON of a request; POST if there is a body."""
    request = urllib.request.Request(url, body, headers or {})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            octets = answer.read()
            return answer.status, json.loads(octets) if octets else None
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def api(path, value=None):
    body = None if value is None else json.dumps(value).encode()
    status, answer = call(UI + path, body, {"Content-Type": "application/json"})
    assert status < 300, (path, status, answer)
    return answer


class Handset:
    """The terminal of TS 102 223, as far as one dialogue needs it."""

    def __init__(self, user):
        self.user = user
        self.screen = []

    def connect(self):
        # The reader sees the card within half a second.
        for _ in range(200):
            try:
                self.card = readers()[0].createConnection()
                self.card.connect(CardConnection.T0_protocol)
                break
            except (IndexError, NoCardException, CardConnectionException):
                time.sleep(0.05)
        else:
            sys.exit("no card in the reader")
        # No more than this handset can do: SMS-PP download, DISPLAY TEXT, GET INPUT, SEND SHORT MESSAGE. No timers, no menu.
        assert self.apdu("8010000004" + "03000502")[0] == 0x90

    def apdu(self, command):
        data, sw1, sw2 = self.card.transmit(list(bytes.fromhex(command)))
        if sw1 == 0x61:
            data, sw1, sw2 = self.card.transmit([0x00, 0xC0, 0x00, 0x00, sw2])
        self.data = bytes(data)
        return sw1, sw2

    # The handset, in ten lines.
    def play(self):
        sent = 0
        while not sent:
            for message in api(f"/handsets/{NUMBER}/inbox?wait=30s")["messages"]:
                tpdu = bytes.fromhex(message["tpdu"])
                value = bytes.fromhex("82028381") + b"\x8b" + length(tpdu) + tpdu
                value = b"\xd1" + length(value) + value
                sw1, sw2 = self.apdu("80C20000" + (bytes([len(value)]) + value).hex())
                while sw1 == 0x91:
                    self.apdu(f"80120000{sw2:02x}")
                    answer, sms = self.perform(objects(objects(self.data)[0xD0], 0x7F))
                    sent += sms
                    sw1, sw2 = self.apdu("80140000" + (bytes([len(answer)]) + answer).hex())

    def perform(self, command):
        """TERMINAL RESPONSE to a proactive command, and whether a message was sent."""
        details = command[0x01]
        head = b"\x81\x03" + details + b"\x82\x02\x82\x81\x83\x01"
        if details[1] == 0x13:
            sent = api(f"/handsets/{NUMBER}/outbox", {"tpdu": command[0x0B].hex()})
            assert sent["cause"] is None, sent
            return head + b"\x00", 1
        assert details[1] in (0x21, 0x23), details.hex()
        if details[1] == 0x23:
            assert details[2] & 0x04 and command[0x11] == b"\x04\x08", "hidden, 4 to 8 digits"
        self.screen.append(text(command[0x0D]))
        result, typed = next(self.user)
        typed = b"" if typed is None else b"\x8d" + length(typed) + typed
        return head + bytes([result]) + typed, 0


def length(octets):
    return bytes([len(octets)]) if len(octets) < 0x80 else bytes([0x81, len(octets)])


def objects(octets, mask=0xFF):
    """TLV objects by tag."""
    found = {}
    while octets:
        start = 3 if octets[1] == 0x81 else 2
        end = start + octets[start - 1]
        found[octets[0] & mask] = octets[start:end]
        octets = octets[end:]
    return found


def text(value):
    coding, octets = value[0], value[1:]
    if coding == 0x04:
        return octets.decode("ascii")
    assert coding == 0x00, value.hex()
    bits = int.from_bytes(octets, "little")
    return "".join(chr(bits >> (7 * n) & 0x7F) for n in range(len(octets) * 8 // 7)).rstrip("\0")


OK = (0x00, None)
CANCEL = (0x10, None)


def pin(digits):
    return 0x00, b"\x04" + digits.encode()


def flow(handset_user):
    """Starts a flow, plays the handset; what the OP then says, and what the screen showed."""
    headers = {"Authorization": "Basic " + base64.b64encode(b"poll:poll-secret").decode()}
    form = {"scope": "openid", "acr_values": "mod-mf", "login_hint": NUMBER, "binding_message": "W4SCT"}
    status, begun = call(OP + "/bc-authorize", urllib.parse.urlencode(form).encode(), headers)
    assert status == 200, begun
    form = {"grant_type": "urn:openid:params:grant-type:ciba", "auth_req_id": begun["auth_req_id"]}
    form = urllib.parse.urlencode(form).encode()
    status, answer = call(OP + "/token", form, headers)
    assert (status, answer["error"]) == (400, "authorization_pending"), "the MSSP waits for the user"
    handset = Handset(iter(handset_user))
    handset.connect()
    handset.play()
    handset.card.disconnect()
    while True:
        # No faster than the OP allows.
        api("/clock/advance", {"seconds": begun["interval"] + 5})
        status, answer = call(OP + "/token", form, headers)
        if status == 200:
            assert answer["id_token"]
            return "tokens", handset.screen
        if answer["error"] not in ("authorization_pending", "slow_down"):
            return answer["error"], handset.screen


def main():
    api(f"/sims/{NUMBER}/attach", {})
    for name, user, outcome, screens, tries in [
        ("approve", [OK, pin("1234")], "tokens", 2, 3),
        ("wrong PIN twice, then right", [OK, pin("0000"), OK, pin("9999"), OK, pin("1234")], "tokens", 6, 3),
        ("cancel", [CANCEL], "access_denied", 1, 3),
        ("cancel at the PIN", [OK, CANCEL], "access_denied", 2, 3),
        ("block", [OK, pin("0000"), OK, pin("0000"), OK, pin("0000")], "access_denied", 6, 0),
        ("blocked", [], "access_denied", 0, 0),
    ]:
        result, screen = flow(user)
        sim = api(f"/sims/{NUMBER}")
        print(f"{name}: {result}; {' / '.join(screen)}")
        assert result == outcome, (name, result)
        assert len(screen) == screens, (name, screen)
        assert not screen or "W4SCT" in screen[0], (name, screen)
        assert sim["pin_tries"] == tries, (name, sim)


main()
