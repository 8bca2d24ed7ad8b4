#!/usr/bin/env python3
"""Drives the MSSP with zeep, an independent SOAP client, through the WSDL that the MSSP serves.

usage: mssp_zeep.py BASE_URL MSISDN [AP_ID AP_PWD]

BASE_URL is the MSSP's, like http://127.0.0.1:8204. MSISDN must belong to a user who signs. The script makes a
signature in messaging mode synch, one in asynchClientServer with MSS_StatusQuery, and a request with a wrong password,
prints what came back, and exits 0 if all of it was as TS 102 204 has it, 1 if not, 2 if it was called wrongly.

Needs: pip install zeep
"""

import datetime
import secrets
import sys
import time
from urllib.parse import urlsplit

import zeep
from zeep.transports import Transport

PROFILE = "http://uri.gsma.com/mobileconnect/LoA3"
TEXT = "Log in to Example Bank?"
POLL_SECONDS = 0.5
PATIENCE_SECONDS = 60


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


class Mssp:
    def __init__(self, base_url, msisdn, ap_id, ap_pwd):
        base_url = base_url.rstrip("/")
        transport = LoopbackOnly(urlsplit(base_url).netloc, timeout=10, operation_timeout=PATIENCE_SECONDS)
        self.client = zeep.Client(
            f"{base_url}/soap?wsdl", transport=transport, settings=zeep.Settings(strict=True)
        )
        self.signature = self.client.bind("MSS_SignatureService", "MSS_SignaturePort").MSS_Signature
        self.status = self.client.bind("MSS_SignatureService", "MSS_StatusQueryPort").MSS_StatusQuery
        self.msisdn, self.ap_id, self.ap_pwd = msisdn, ap_id, ap_pwd

    def head(self, ap_trans_id, ap_pwd=None):
        now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
        return {
            "MajorVersion": 1,
            "MinorVersion": 1,
            "AP_Info": {
                "AP_ID": self.ap_id,
                "AP_TransID": ap_trans_id,
                "AP_PWD": ap_pwd or self.ap_pwd,
                "Instant": now,
            },
            "MSSP_Info": {"MSSP_ID": {}},
        }

    def sign(self, mode, ap_pwd=None):
        ap_trans_id = "Z" + secrets.token_hex(8)
        response = self.signature(
            MSS_SignatureReq={
                **self.head(ap_trans_id, ap_pwd),
                "MessagingMode": mode,
                "TimeOut": PATIENCE_SECONDS,
                "MobileUser": {"MSISDN": self.msisdn},
                "DataToBeSigned": {"_value_1": TEXT, "MimeType": "text/plain", "Encoding": "UTF-8"},
                "SignatureProfile": {"mssURI": PROFILE},
            }
        )
        check(response.AP_Info.AP_TransID == ap_trans_id, "the answer has another AP_TransID")
        check(response.MobileUser.MSISDN == self.msisdn, "the answer has another MSISDN")
        check(response.MSSP_TransID, "the answer has no MSSP_TransID")
        check(response.MSSP_Info.MSSP_ID.URI, "the answer does not say which MSSP it is from")
        return response

    def query(self, signature):
        response = self.status(
            MSS_StatusReq={
                **self.head(signature.AP_Info.AP_TransID),
                "MSSP_TransID": signature.MSSP_TransID,
            }
        )
        check(response.MobileUser.MSISDN == self.msisdn, "the status has another MSISDN")
        return response


def code(response):
    return int(response.Status.StatusCode.Value)


def check_signed(response, what):
    check(code(response) == 502, f"{what} ended with {code(response)}, expected 502")
    octets = response.MSS_Signature.Base64Signature
    check(len(octets) == 8, f"{what} gave a signature of {len(octets)} octets, expected a MAC of 8")
    return octets.hex()


def synch(mssp):
    response = mssp.sign("synch")
    return f"{response.MSSP_TransID} 502 {check_signed(response, 'synch')}"


def asynch(mssp):
    signature = mssp.sign("asynchClientServer")
    check(code(signature) == 100, f"the request was answered with {code(signature)}, expected 100")
    check(signature.MSS_Signature is None, "the first answer already has a signature")
    outstanding = 0
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        status = mssp.query(signature)
        if code(status) != 504:
            mac = check_signed(status, "asynchClientServer")
            return f"{signature.MSSP_TransID} 100, {outstanding} times 504, 502 {mac}"
        outstanding += 1
        time.sleep(POLL_SECONDS)
    raise Failure(f"still outstanding after {PATIENCE_SECONDS} seconds")


def refused(mssp):
    try:
        mssp.sign("asynchClientServer", ap_pwd="wrong")
    except zeep.exceptions.Fault as fault:
        subcodes = [name.localname for name in fault.subcodes]
        check(subcodes == ["_104"], f"the fault has subcodes {subcodes}, expected _104")
        check(fault.message == "UNAUTHORIZED_ACCESS", f"the fault's reason is {fault.message}")
        check(fault.detail is not None and len(fault.detail) == 1, "the fault has no detail")
        return f"_104 {fault.message}: {fault.detail[0].text}"
    raise Failure("a wrong AP_PWD was accepted")


def main(arguments):
    if len(arguments) not in (2, 4):
        print(__doc__, file=sys.stderr)
        return 2
    base_url, msisdn, *ap = arguments
    ap_id, ap_pwd = ap or ("http://midsim.test/ap", "midsim-ap")
    try:
        mssp = Mssp(base_url, msisdn, ap_id, ap_pwd)
        for step in (synch, asynch, refused):
            print(f"{step.__name__}: {step(mssp)}", flush=True)
    except (Failure, zeep.exceptions.Error, OSError) as error:
        print(f"failed: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
