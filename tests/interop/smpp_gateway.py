"""Two SMPP programs that are not ours at midsim's SMSC: the Python library smpplib and the gateway Kannel.

usage: smpp_gateway.py MIDSIM SMPP_HOST:PORT SCRATCH

Both bind with accounts of the default world (`esme` with the number 8330, `gateway` with 8331), send each other and a
subscriber binary messages with a user data header, and get receipts. Where tcpdump and tshark are there, what passed the
wire is captured, and every PDU is read by tshark and by `midsim decode`: no malformed frame, the same fields.
"""

import http.server
import json
import os
import queue
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request

import smpplib.client
import smpplib.consts
import smpplib.exceptions

MIDSIM, SMSC, SCRATCH = sys.argv[1:4]
HOST, PORT = SMSC.rsplit(":", 1)
# Octets of a capture file without a packet.
PCAP_HEADER = 24
PORT = int(PORT)
# A phone that is there; the card knows no application of this TAR, which is all the same to the SMSC.
SUBSCRIBER = "447700900002"
# Port addressing (IEI 05) to ports without a protocol of their own: nothing that anybody on the way would look into.
HEADER = bytes.fromhex("0605043E803E81")
PATIENCE = 20
# One digit more than an address may have. tshark does not mind; midsim calls such a PDU no good one.
TOO_LONG = b"1" * 21


def check(condition, message):
    if not condition:
        sys.exit(f"smpp: {message}")


class Esme:
    """smpplib as the account `esme`, its events in a queue."""

    def __init__(self):
        self.events = queue.Queue()
        self.client = smpplib.client.Client(HOST, PORT, timeout=PATIENCE, allow_unknown_opt_params=True)
        self.client.set_message_received_handler(lambda pdu: self.events.put(("received", pdu)) and None)
        self.client.set_message_sent_handler(lambda pdu: self.events.put(("sent", pdu)))
        self.client.connect()
        self.client.bind_transceiver(system_id="esme", password="esme")

    def send(self, destination, octets, **fields):
        return self.client.send_message(
            source_addr_ton=smpplib.consts.SMPP_TON_NWSPEC,
            source_addr="8330",
            dest_addr_ton=smpplib.consts.SMPP_TON_INTL,
            dest_addr_npi=smpplib.consts.SMPP_NPI_ISDN,
            destination_addr=destination,
            esm_class=smpplib.consts.SMPP_GSMFEAT_UDHI,
            data_coding=0xF5,
            short_message=octets,
            **fields,
        )

    def next(self, kind, fits=lambda pdu: True):
        """The next event of a kind; others are read over."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            try:
                got, pdu = self.events.get_nowait()
            except queue.Empty:
                self.client.read_once(ignore_error_codes=None, auto_send_enquire_link=False)
                continue
            if got == kind and fits(pdu):
                return pdu
        sys.exit(f"smpp: smpplib waited {PATIENCE} s for {kind}")


class Kannel:
    """bearerbox bound as the account `gateway`, smsbox, and an HTTP service that smsbox passes messages to."""

    def __init__(self, folder):
        self.arrived = queue.Queue()
        arrived = self.arrived

        class Service(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                url = urllib.parse.urlsplit(self.path)
                arguments = urllib.parse.parse_qs(url.query, keep_blank_values=True, encoding="latin-1")
                arrived.put((url.path, {name: values[0] for name, values in arguments.items()}))
                self.send_response(200)
                self.send_header("Content-Type", "text/plain")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.service = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
        threading.Thread(target=self.service.serve_forever, daemon=True).start()
        at = f"http://127.0.0.1:{self.service.server_port}"
        admin, boxes, self.sendsms = free_ports(3)
        configuration = f"""
group = core
admin-port = {admin}
admin-password = TEST-ONLY
admin-interface = 127.0.0.1
smsbox-port = {boxes}
smsbox-interface = 127.0.0.1
log-level = 1

group = smsc
smsc = smpp
smsc-id = midsim
host = {HOST}
port = {PORT}
transceiver-mode = true
smsc-username = gateway
smsc-password = gateway
system-type = ""
enquire-link-interval = 5

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {self.sendsms}
sendsms-interface = 127.0.0.1
global-sender = 8331
log-level = 1

group = sendsms-user
username = test
password = TEST-ONLY
concatenation = false

group = sms-service
keyword = default
catch-all = true
max-messages = 0
get-url = "{at}/message?from=%p&to=%P&udh=%u&data=%b"
"""
        file = os.path.join(folder, "kannel.conf")
        with open(file, "w", encoding="ascii") as out:
            out.write(configuration)
        self.dlr = f"{at}/receipt?state=%d"
        programs = [("bearerbox", admin), ("smsbox", self.sendsms)]
        self.processes = []
        for program, port in programs:
            log = open(os.path.join(folder, f"{program}.log"), "wb")
            process = subprocess.Popen([shutil.which(program), file], stdout=log, stderr=log)
            self.processes.append(process)
            until = time.monotonic() + PATIENCE
            while not answers(port):
                check(process.poll() is None, f"{program} ended; see {log.name}")
                check(time.monotonic() < until, f"{program} does not listen; see {log.name}")
                time.sleep(0.05)

    def send(self, destination, header, data):
        arguments = {
            "username": "test",
            "password": "TEST-ONLY",
            "from": "8331",
            "to": destination,
            "udh": header,
            "text": data,
            "coding": "1",
            "dlr-mask": "3",
            "dlr-url": self.dlr,
        }
        url = f"http://127.0.0.1:{self.sendsms}/cgi-bin/sendsms?{urllib.parse.urlencode(arguments)}"
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            check(answer.status == 202, f"sendsms answered {answer.status} {answer.read()}")

    def next(self, path):
        while True:
            try:
                got, arguments = self.arrived.get(timeout=PATIENCE)
            except queue.Empty:
                sys.exit(f"smpp: Kannel brought no {path} in {PATIENCE} s")
            if got == path:
                return arguments

    def stop(self):
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Raw:
    """The account `esme`, bound to send: PDUs that smpplib has no words for, by hand from SMPP 3.4."""

    def __init__(self):
        self.socket = socket.create_connection((HOST, PORT), PATIENCE)
        self.sequence = 0
        status, _ = self.ask(0x00000002, b"esme\0esme\0\0\x34\0\0\0")
        check(status == 0, f"bind_transmitter is answered {status:08x}")

    def ask(self, command, body):
        """Status and body of the answer."""
        self.sequence += 1
        self.socket.sendall(struct.pack(">IIII", 16 + len(body), command, 0, self.sequence) + body)
        length, kind, status, sequence = struct.unpack(">IIII", self.read(16))
        check((kind, sequence) == (command | 0x80000000, self.sequence), f"{command:08x} is answered by {kind:08x}")
        return status, self.read(length - 16)

    def read(self, count):
        octets = b""
        while len(octets) < count:
            more = self.socket.recv(count - len(octets))
            check(more, "the SMSC hung up")
            octets += more
        return octets

    def close(self):
        self.ask(0x00000006, b"")
        self.socket.close()


def several_receivers(kannel):
    """§4.5 submit_multi to Kannel, to the subscriber and to nobody; §4.7 data_sm to Kannel; a wrong field."""
    raw = Raw()
    address = lambda text: b"\x01\x01" + text + b"\0"
    receivers = [b"8331", SUBSCRIBER.encode(), b"447700999999"]
    to = bytes([len(receivers)]) + b"".join(b"\x01" + address(receiver) for receiver in receivers)
    data = HEADER + b"to several"
    end = b"\x40\0\0\0\0\0\0\xf5\0" + bytes([len(data)]) + data
    status, body = raw.ask(0x00000021, b"\0" + address(b"8330") + to + end)
    check(status == 0, f"submit_multi is answered {status:08x}")
    message_id, rest = body.split(b"\0", 1)
    wanted = b"\x01" + address(receivers[2]) + struct.pack(">I", smpplib.consts.SMPP_ESME_RINVDSTADR)
    check(message_id and rest == wanted, f"submit_multi_resp has {body.hex()}")
    got = kannel.next("/message")
    check(got["data"] == "to several", f"Kannel got {got['data']!r} of a submit_multi")

    data = HEADER + bytes(range(32, 127))
    payload = struct.pack(">HH", 0x0424, len(data)) + data
    status, body = raw.ask(0x00000103, b"\0" + address(b"8330") + address(b"8331") + b"\x40\0\xf5" + payload)
    check(status == 0 and body.endswith(b"\0") and len(body) > 1, f"data_sm is answered {status:08x} {body.hex()}")
    got = kannel.next("/message")
    check(got["data"].encode("latin-1") == bytes(range(32, 127)), f"Kannel got {got['data']!r} of a data_sm")

    status, body = raw.ask(0x00000004, b"\0" + address(b"8330") + address(TOO_LONG) + end)
    check((status, body) == (smpplib.consts.SMPP_ESME_RINVDSTADR, b""), f"a long address is answered {status:08x}")
    raw.close()


def conversation(folder):
    # A stranger is sent away.
    stranger = smpplib.client.Client(HOST, PORT)
    stranger.connect()
    try:
        stranger.bind_transceiver(system_id="esme", password="wrong")
        sys.exit("smpp: a wrong password binds")
    except smpplib.exceptions.PDUError as error:
        check(error.args[1] == smpplib.consts.SMPP_ESME_RINVPASWD, f"a wrong password is answered {error}")
    stranger.disconnect()

    esme = Esme()
    kannel = Kannel(folder)
    try:
        # smpplib to Kannel: kept until Kannel has bound, header and octets as they were.
        octets = bytes(range(100, 180))
        esme.send("8331", HEADER + octets)
        check(esme.next("sent").message_id, "submit_sm_resp without message_id")
        got = kannel.next("/message")
        check(got["udh"].encode("latin-1") == HEADER, f"Kannel got the header {got['udh']!r}")
        check(got["data"].encode("latin-1") == octets, f"Kannel got {got['data']!r}")
        check((got["from"], got["to"]) == ("8330", "8331"), f"Kannel got it from {got['from']} to {got['to']}")

        # Kannel to smpplib, every octet there is.
        for data in (bytes(range(128)), bytes(range(128, 256))):
            kannel.send("8330", HEADER, data)
            got = esme.next("received", lambda pdu: not pdu.esm_class & 0x3C)
            check(got.short_message == HEADER + data, f"smpplib got {got.short_message.hex()}")
            check(got.esm_class & 0x40, "smpplib got no UDHI")
            check(got.source_addr == b"8331", f"smpplib got it from {got.source_addr}")

        # Both to a subscriber, with receipts.
        esme.send(SUBSCRIBER, HEADER + b"to the phone", registered_delivery=1)
        message_id = esme.next("sent").message_id
        receipt = esme.next("received", lambda pdu: pdu.esm_class & 0x3C == 0x04)
        check(receipt.receipted_message_id.rstrip(b"\0") == message_id, "a receipt for another message")
        check(b"stat:DELIVRD" in receipt.short_message, f"smpplib got the receipt {receipt.short_message}")
        kannel.send("+" + SUBSCRIBER, HEADER, b"to the phone as well")
        check(kannel.next("/receipt")["state"] == "1", "Kannel got another receipt than delivered")

        several_receivers(kannel)

        # Nobody has that number.
        esme.send("447700999999", HEADER)
        try:
            esme.next("sent")
            sys.exit("smpp: a message to nobody is taken")
        except smpplib.exceptions.PDUError as error:
            check(error.args[1] == smpplib.consts.SMPP_ESME_RINVDSTADR, f"a message to nobody is answered {error}")
        esme.client.unbind()
        esme.client.disconnect()
    finally:
        kannel.stop()


class Capture:
    """tcpdump on the loopback interface."""

    def __init__(self, folder):
        self.file = os.path.join(folder, "smpp.pcap")
        if os.path.exists(self.file):
            os.remove(self.file)
        self.process = subprocess.Popen(
            ["tcpdump", "-i", "lo", "--immediate-mode", "-U", "-s", "0", "-B", "4096", "-w", self.file, f"tcp port {PORT}"],
            stderr=subprocess.PIPE,
            text=True,
        )
        line = self.process.stderr.readline()
        while line and "listening on" not in line:
            line = self.process.stderr.readline()
        self.works = bool(line) and self.begun()

    def begun(self):
        """Whether what passes gets into the file: it says that it listens a little before it does."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            socket.create_connection((HOST, int(PORT))).close()
            if os.path.exists(self.file) and os.path.getsize(self.file) > PCAP_HEADER:
                return True
        return False

    def stop(self):
        time.sleep(0.3)
        self.process.send_signal(signal.SIGINT)
        self.process.wait(PATIENCE)


def tshark(file, *arguments):
    command = ["tshark", "-r", file, "-d", f"tcp.port=={PORT},smpp", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def pdus(file):
    """Every PDU of the capture, cut from the streams as tshark puts them together."""
    streams = {int(line) for line in tshark(file, "-T", "fields", "-e", "tcp.stream").split()}
    for stream in sorted(streams):
        dump = tshark(file, "-q", "-z", f"follow,tcp,raw,{stream}")
        sides = ["", ""]
        for line in dump.splitlines():
            digits = line.strip()
            if digits and all(digit in "0123456789abcdef" for digit in digits):
                sides[line.startswith("\t")] += digits
        for octets in map(bytes.fromhex, sides):
            while octets:
                (length,) = struct.unpack(">I", octets[:4])
                check(16 <= length <= len(octets), f"a stream cut short at {octets[:16].hex()}")
                yield octets[:length]
                octets = octets[length:]


# tshark's name of a field, ours, and what it is; for bits, the mask of them.
FIELDS = {
    "smpp.command_id": ("command_id", "number"),
    "smpp.command_status": ("command_status", "number"),
    "smpp.sequence_number": ("sequence_number", "number"),
    "smpp.system_id": ("system_id", "text"),
    "smpp.system_type": ("system_type", "text"),
    "smpp.message_id": ("message_id", "text"),
    "smpp.service_type": ("service_type", "text"),
    "smpp.source_addr_ton": ("source_addr_ton", "number"),
    "smpp.source_addr_npi": ("source_addr_npi", "number"),
    "smpp.source_addr": ("source_addr", "text"),
    "smpp.dest_addr_ton": ("dest_addr_ton", "number"),
    "smpp.dest_addr_npi": ("dest_addr_npi", "number"),
    "smpp.destination_addr": ("destination_addr", "text"),
    "smpp.error_status_code": ("error_status_code", "number"),
    "smpp.esm.submit.msg_mode": ("esm_class", 0x03),
    "smpp.esm.submit.msg_type": ("esm_class", 0x3C),
    "smpp.esm.submit.features": ("esm_class", 0xC0),
    "smpp.protocol_id": ("protocol_id", "number"),
    "smpp.priority_flag": ("priority_flag", "number"),
    "smpp.regdel.receipt": ("registered_delivery", 0x03),
    "smpp.regdel.acks": ("registered_delivery", 0x0C),
    "smpp.replace_if_present_flag": ("replace_if_present_flag", "number"),
    "smpp.data_coding": ("data_coding", "number"),
    "smpp.sm_default_msg_id": ("sm_default_msg_id", "number"),
    "smpp.sm_length": ("sm_length", "number"),
    "smpp.message": ("short_message", "octets"),
    "smpp.receipted_message_id": ("receipted_message_id", "octet text"),
    "smpp.message_state": ("message_state", "number"),
}


def compare(folder, all_pdus):
    """Each PDU as one frame for tshark, and as one argument for `midsim decode`."""
    lines = []
    for pdu in all_pdus:
        for at in range(0, len(pdu), 16):
            lines.append(f"{at:06x} {pdu[at:at + 16].hex(' ')}")
        lines.append("")
    text, one_each = os.path.join(folder, "pdus.txt"), os.path.join(folder, "pdus.pcap")
    with open(text, "w", encoding="ascii") as out:
        out.write("\n".join(lines) + "\n")
    subprocess.run(["text2pcap", "-q", "-T", f"{PORT},{PORT}", text, one_each], check=True, capture_output=True)
    names = list(FIELDS)
    columns = [argument for name in names for argument in ("-e", name)]
    table = tshark(one_each, "-T", "fields", "-E", "separator=|", "-E", "occurrence=f", *columns)
    rows = table.splitlines()
    check(len(rows) == len(all_pdus), f"tshark sees {len(rows)} PDUs of {len(all_pdus)}")
    compared = 0
    for pdu, row in zip(all_pdus, rows):
        theirs = dict(zip(names, row.split("|")))
        ours = decoded(pdu)
        for name, (own_name, kind) in FIELDS.items():
            value = ours.get(own_name)
            if theirs[name] in ("", "(Default)"):
                # tshark leaves out what is empty, and the status of requests.
                nothing = not value or not value.strip("0")
                check(nothing, f"{own_name} of {pdu.hex()}: tshark has nothing, midsim {value!r}")
                continue
            check(value is not None, f"{own_name} of {pdu.hex()}: tshark has {theirs[name]!r}, midsim nothing")
            if isinstance(kind, int):
                got, wanted = (int(value, 16) & kind) // (kind & -kind), int(theirs[name], 0)
                check(got == wanted, f"{own_name} of {pdu.hex()}: tshark has {wanted} in {kind:02X}, midsim {got}")
                compared += 1
                continue
            got = {
                "number": lambda: int(value, 16),
                "text": lambda: value,
                "octets": lambda: value.lower(),
                "octet text": lambda: bytes.fromhex(value).rstrip(b"\0").decode(),
            }[kind]()
            wanted = int(theirs[name], 0) if kind == "number" else theirs[name].replace(":", "")
            check(got == wanted, f"{own_name} of {pdu.hex()}: tshark has {wanted!r}, midsim {got!r}")
            compared += 1
    return compared


def decoded(pdu):
    """Field by field, as `midsim decode` has it."""
    output = subprocess.run([MIDSIM, "decode", "--as", "smpp", "--json", pdu.hex()], check=True, capture_output=True, text=True)
    [reading] = json.loads(output.stdout)["readings"]
    values = {}
    for node in reading["tree"]["children"]:
        octets = pdu[node["start"]:node["end"]]
        # Of several receivers tshark tells the first one, too.
        values.setdefault(node["name"], octets.hex() if node["name"] == "short_message" else node["value"])
    return values


def main():
    os.makedirs(SCRATCH, exist_ok=True)
    capture = Capture(SCRATCH) if shutil.which("tcpdump") and shutil.which("tshark") else None
    try:
        conversation(SCRATCH)
    finally:
        # It would outlive us, and hold our output open.
        if capture is not None:
            capture.stop()
    print("smpplib and Kannel sent and received binary messages")
    if capture is None or not capture.works:
        print("SKIPPED smpp capture: no tcpdump and tshark that may capture here")
        return
    malformed = tshark(capture.file, "-Y", "_ws.malformed || _ws.expert.severity == error", "-T", "fields", "-e", "frame.number")
    check(not malformed.strip(), f"tshark calls frames {malformed.split()} of {capture.file} malformed")
    seen = list(pdus(capture.file))
    kinds = {pdu[4:8].hex() for pdu in seen}
    for wanted in ("00000009", "80000009", "00000004", "80000004", "00000005", "80000005", "00000021", "80000021", "00000103", "80000103"):
        check(wanted in kinds, f"no PDU {wanted} was captured")
    # One of a kind and length says as much as a hundred enquire_links.
    different = list({(pdu[4:8], len(pdu), pdu[16:]): pdu for pdu in seen if TOO_LONG not in pdu}.values())
    print(f"tshark and midsim agree in {compare(SCRATCH, different)} fields of {len(different)} different PDUs")


main()
