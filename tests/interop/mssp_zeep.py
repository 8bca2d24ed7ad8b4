#!/usr/bin/env python3
"""Drives the MSSP with zeep, an independent SOAP client, through the WSDL that the MSSP serves.

usage: mssp_zeep.py BASE_URL MSISDN [AP_ID AP_PWD]

BASE_URL is the MSSP's, like http://127.0.0.1:8204. MSISDN must belong to a user of the default world who signs. The
script calls all six operations, in all three messaging modes, receives a notification at an HTTP server of its own, and
sees what users who do not sign lead to. It prints what came back, and exits 0 if all of it was as TS 102 204 has it,
1 if not, 2 if it was called wrongly.

With MSS_XSD, the path of the standard's schema, every answer is validated against it too; without, against the schema
that the MSSP serves only.

Needs: pip install zeep
"""

import datetime
import http.server
import os
import secrets
import sys
import threading
import time
from urllib.parse import urlsplit

import zeep
from lxml import etree
from zeep.plugins import HistoryPlugin
from zeep.transports import Transport

MSS = "http://uri.etsi.org/TS102204/v1.1.2#"
ENV = "http://www.w3.org/2003/05/soap-envelope"
PROFILE = "http://uri.gsma.com/mobileconnect/LoA3"
TEXT = "Log in to Example Bank?"
POLL_SECONDS = 0.5
PATIENCE_SECONDS = 60
# After so long, a notification that is not acknowledged comes again.
AGAIN_SECONDS = 2


class Failure(Exception):
    """Something was not as it has to be."""


class LoopbackOnly(Transport):
    """Refuses to load anything that the MSSP does not serve itself, such as a schema from w3.org."""

    def __init__(self, host, **settings):
        super().__init__(**settings)
        self.host = host

    def load(self, url):
        if urlsplit(url).netloc != self.host:
            raise Failure(f"the WSDL leads away from {self.host}, to {url}")
        return super().load(url)


def check(condition, message):
    if not condition:
        raise Failure(message)


class Validator(HistoryPlugin):
    """Holds every answer against the schema of the standard."""

    def __init__(self, path):
        super().__init__()
        self.schema = etree.XMLSchema(file=path) if path else None
        self.validated = 0

    def ingress(self, envelope, http_headers, operation):
        body = envelope.find(f"{{{ENV}}}Body")
        if body[0].tag != f"{{{ENV}}}Fault":
            self.validate(body[0][0])
        return super().ingress(envelope, http_headers, operation)

    def validate(self, part):
        if self.schema is None:
            return
        # rpc style: the part stands in no namespace, its type is the schema's.
        message = etree.fromstring(etree.tostring(part))
        message.tag = f"{{{MSS}}}{etree.QName(message).localname}"
        if message.tag == f"{{{MSS}}}MSS_StatusResp":
            # The one later addition: a notification has to say which transaction it is about.
            message.attrib.pop("MSSP_TransID", None)
        try:
            self.schema.assertValid(message)
        except etree.DocumentInvalid as error:
            raise Failure(f"not valid: {error}\n{etree.tostring(message).decode()}") from error
        self.validated += 1


class Mssp:
    def __init__(self, base_url, msisdn, ap_id, ap_pwd):
        base_url = base_url.rstrip("/")
        transport = LoopbackOnly(urlsplit(base_url).netloc, timeout=10, operation_timeout=PATIENCE_SECONDS)
        self.validator = Validator(os.environ.get("MSS_XSD"))
        self.client = zeep.Client(
            f"{base_url}/soap?wsdl",
            transport=transport,
            settings=zeep.Settings(strict=True),
            plugins=[self.validator],
        )
        self.msisdn, self.ap_id, self.ap_pwd = msisdn, ap_id, ap_pwd

    def call(self, operation, **message):
        port = self.client.bind("MSS_SignatureService", f"{operation}Port")
        return port[operation](**message)

    def head(self, ap_trans_id=None, ap_pwd=None, ap_url=None):
        now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
        return {
            "MajorVersion": 1,
            "MinorVersion": 1,
            "AP_Info": {
                "AP_ID": self.ap_id,
                "AP_TransID": ap_trans_id or "Z" + secrets.token_hex(8),
                "AP_PWD": ap_pwd or self.ap_pwd,
                "Instant": now,
                "AP_URL": ap_url,
            },
            "MSSP_Info": {"MSSP_ID": {}},
        }

    def sign(self, mode, msisdn=None, ap_pwd=None, ap_url=None):
        msisdn = msisdn or self.msisdn
        head = self.head(ap_pwd=ap_pwd, ap_url=ap_url)
        response = self.call(
            "MSS_Signature",
            MSS_SignatureReq={
                **head,
                "MessagingMode": mode,
                "TimeOut": PATIENCE_SECONDS,
                "MobileUser": {"MSISDN": msisdn},
                "DataToBeSigned": {"_value_1": TEXT, "MimeType": "text/plain", "Encoding": "UTF-8"},
                "SignatureProfile": {"mssURI": PROFILE},
            },
        )
        check(response.AP_Info.AP_TransID == head["AP_Info"]["AP_TransID"], "the answer has another AP_TransID")
        check(response.MobileUser.MSISDN == msisdn, "the answer has another MSISDN")
        check(response.MSSP_TransID, "the answer has no MSSP_TransID")
        check(response.MSSP_Info.MSSP_ID.URI, "the answer does not say which MSSP it is from")
        return response

    def query(self, signature):
        response = self.call(
            "MSS_StatusQuery",
            MSS_StatusReq={
                **self.head(signature.AP_Info.AP_TransID),
                "MSSP_TransID": signature.MSSP_TransID,
            },
        )
        check(response.MobileUser.MSISDN == signature.MobileUser.MSISDN, "the status has another MSISDN")
        return response

    def result(self, signature):
        """The last status of a transaction, and how often it was outstanding before."""
        outstanding = 0
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            status = self.query(signature)
            if code(status) != 504:
                return status, outstanding
            outstanding += 1
            time.sleep(POLL_SECONDS)
        raise Failure(f"still outstanding after {PATIENCE_SECONDS} seconds")


class ApServer:
    """The AP's side of MSS_Notification."""

    def __init__(self, mssp):
        self.mssp, self.seen, self.arrived = mssp, [], threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                envelope = etree.fromstring(self.rfile.read(int(self.headers["Content-Length"])))
                answer = outer.take(self.headers["Content-Type"], envelope)
                self.send_response(200)
                self.send_header("Content-Type", "application/soap+xml; charset=utf-8")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/notify"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, content_type, envelope):
        wrapper = envelope.find(f"{{{ENV}}}Body")[0]
        client = self.mssp.client
        kind = client.get_type(f"{{{MSS}}}MSS_StatusRespType")
        notification = kind.parse_xmlelement(wrapper[0], client.wsdl.types)
        self.seen.append((content_type, etree.QName(wrapper).localname, wrapper[0], notification))
        answer = etree.Element(f"{{{ENV}}}Envelope")
        operation = etree.SubElement(etree.SubElement(answer, f"{{{ENV}}}Body"), "MSS_NotificationResponse")
        receipt = zeep.xsd.Element("MSS_ReceiptReq", client.get_type(f"{{{MSS}}}MSS_ReceiptReqType"))
        receipt.render(
            operation,
            receipt(
                **self.mssp.head(),
                MSSP_TransID=notification.MSSP_TransID,
                MobileUser={"MSISDN": notification.MobileUser.MSISDN},
                Status={"StatusCode": {"Value": 600}},
            ),
        )
        self.arrived.set()
        return etree.tostring(answer)


def code(response):
    return int(response.Status.StatusCode.Value)


def check_signed(response, what):
    check(code(response) == 502, f"{what} ended with {code(response)}, expected 502")
    octets = response.MSS_Signature.Base64Signature
    check(len(octets) == 8, f"{what} gave a signature of {len(octets)} octets, expected a MAC of 8")
    return octets.hex()


def check_fault(call, number, reason):
    try:
        call()
    except zeep.exceptions.Fault as fault:
        subcodes = [name.localname for name in fault.subcodes]
        check(subcodes == [f"_{number}"], f"the fault has subcodes {subcodes}, expected _{number}")
        check(fault.message == reason, f"the fault's reason is {fault.message}")
        check(fault.detail is not None and len(fault.detail) == 1, "the fault has no detail")
        return f"_{number} {fault.message}: {fault.detail[0].text}"
    raise Failure(f"expected fault {number}")


def synch(mssp):
    response = mssp.sign("synch")
    return f"{response.MSSP_TransID} 502 {check_signed(response, 'synch')}"


def asynch(mssp):
    signature = mssp.sign("asynchClientServer")
    check(code(signature) == 100, f"the request was answered with {code(signature)}, expected 100")
    check(signature.MSS_Signature is None, "the first answer already has a signature")
    status, outstanding = mssp.result(signature)
    mac = check_signed(status, "asynchClientServer")
    return f"{signature.MSSP_TransID} 100, {outstanding} times 504, 502 {mac}"


def notification(mssp):
    server = ApServer(mssp)
    signature = mssp.sign("asynchServerServer", ap_url=server.url)
    check(code(signature) == 100, f"the request was answered with {code(signature)}, expected 100")
    check(server.arrived.wait(PATIENCE_SECONDS), "no notification came")
    content_type, wrapper, part, seen = server.seen[0]
    check(content_type.startswith("application/soap+xml"), f"the notification is {content_type}")
    check(wrapper == "MSS_Notification", f"the notification is a {wrapper}")
    mssp.validator.validate(part)
    check(seen.MSSP_TransID == signature.MSSP_TransID, "the notification has another MSSP_TransID")
    check(seen.AP_Info.AP_TransID == signature.AP_Info.AP_TransID, "the notification has another AP_TransID")
    mac = check_signed(seen, "asynchServerServer")
    check(check_signed(mssp.query(signature), "the query") == mac, "the query gives another signature")
    time.sleep(AGAIN_SECONDS + 1)
    check(len(server.seen) == 1, f"{len(server.seen)} notifications, although the first was acknowledged")
    return f"{seen.MSSP_TransID} 502 {mac}"


def receipt(mssp):
    signature = mssp.sign("synch")

    def send():
        return mssp.call(
            "MSS_Receipt",
            MSS_ReceiptReq={
                **mssp.head(),
                "MSSP_TransID": signature.MSSP_TransID,
                "MobileUser": {"MSISDN": mssp.msisdn},
                "Message": {"_value_1": "Welcome", "MimeType": "text/plain", "Encoding": "UTF-8"},
            },
        )

    check(code(send()) == 100, "the receipt was not accepted")
    return "100, again: " + check_fault(send, 101, "WRONG_PARAM")


def profile_query(mssp):
    response = mssp.call(
        "MSS_ProfileQuery", MSS_ProfileReq={**mssp.head(), "MobileUser": {"MSISDN": mssp.msisdn}}
    )
    uris = [profile.mssURI for profile in response.SignatureProfile]
    check(code(response) == 100 and PROFILE in uris, f"{PROFILE} is not among {uris}")
    return f"100, {len(uris)} profiles"


def registration(mssp):
    def register(msisdn):
        return mssp.call("MSS_Registration", MSS_RegistrationReq={**mssp.head(), "MobileUser": {"MSISDN": msisdn}})

    check(code(register(mssp.msisdn)) == 408, "the registration was not done")
    return "408, of nobody: " + check_fault(lambda: register("+15005550006"), 407, "REGISTRATION_NOK")


def handshake(mssp):
    methods = ["Signature", "Registration", "Notification", "ProfileQuery", "Receipt", "Status"]
    response = mssp.call(
        "MSS_Handshake",
        MSS_HandshakeReq={
            **mssp.head(),
            "SecureMethods": {f"MSS_{method}": True for method in methods},
            "Certificates": {},
            "RootCAs": {},
            "SignatureAlgList": {},
        },
    )
    secured = [method for method in methods if response.SecureMethods[f"MSS_{method}"]]
    check(secured == [], f"the MSSP secures {secured}")
    check(response.MSSP_TransID, "the answer has no MSSP_TransID")
    return "nothing is to be signed"


def refused(mssp):
    return check_fault(lambda: mssp.sign("asynchClientServer", ap_pwd="wrong"), 104, "UNAUTHORIZED_ACCESS")


def users(mssp):
    """What happens at the handset, seen from here."""
    seen = []
    for msisdn, number, reason in [
        ("+447700900004", 401, "USER_CANCEL"),
        ("+447700900006", 402, "PIN_NR_BLOCKED"),
        ("+447700900010", 109, "UNSUPPORTED_PROFILE"),
    ]:
        seen.append(check_fault(lambda msisdn=msisdn: mssp.sign("synch", msisdn), number, reason))
        signature = mssp.sign("asynchClientServer", msisdn)
        seen.append(check_fault(lambda signature=signature: mssp.result(signature), number, reason))
    return f"{len(seen)} faults"


STEPS = (synch, asynch, notification, receipt, profile_query, registration, handshake, refused, users)


def main(arguments):
    if len(arguments) not in (2, 4):
        print(__doc__, file=sys.stderr)
        return 2
    base_url, msisdn, *ap = arguments
    ap_id, ap_pwd = ap or ("http://midsim.test/ap", "midsim-ap")
    try:
        mssp = Mssp(base_url, msisdn, ap_id, ap_pwd)
        for step in STEPS:
            print(f"{step.__name__}: {step(mssp)}", flush=True)
        print(f"validated: {mssp.validator.validated} answers")
    except (Failure, zeep.exceptions.Error, OSError) as error:
        print(f"failed: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
