"""The certification procedures and the refusals, for any SOAP stack that Python has.

A stack is an object with these, and knows nothing about the service but its WSDL:

    call(operation, arguments)   the answer's <return>; absent elements are None or missing
    Fault                        the exception that a SOAP Fault becomes
    binary(data), data(binary)   how the stack hands over base64Binary, there and back
    own(run)                     checks of its own, if it has any

Buyers pay and time passes over the sandbox's own addresses.
"""

import hashlib
import json
import sys
import time
import traceback
import urllib.parse
import urllib.request
import xml.etree.ElementTree as ElementTree
from decimal import Decimal

TERMINAL = {"id": "demo-terminal", "type": "TERMINALID"}
RESELLER = {"id": "demo-reseller", "type": "RESELLERUSER", "userId": "9900"}
PASSWORD = "demo-secret"
TITLE = "Kaffe & <bröd> \U0001F35E"


def main(name, make):
    """Runs everything with the stack that make(wsdl) gives, prints the count, and exits."""
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} WSDL-URL")
    run = Run(name, make, sys.argv[1])
    try:
        run.everything()
    except Exception:  # whatever a stack may throw is a failed check
        run.failed += 1
        print("FAIL", traceback.format_exc())
    print(f"{run.passed} passed, {run.failed} failed")
    sys.exit(1 if run.failed else 0)


def get(answer, *path):
    """An element inside an answer; None where the stack leaves it out."""
    for name in path:
        answer = getattr(answer, name, None)
    return answer


def sek(value):
    return {"currency": "SEK", "value": Decimal(value)}


def parameters(**values):
    return {"parameter": {"entry": [{"key": k, "value": v} for k, v in values.items()]}}


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


class Run:
    def __init__(self, name, make, wsdl):
        self.name, self.make = name, make
        self.base = "{0.scheme}://{0.netloc}".format(urllib.parse.urlsplit(wsdl))
        self.passed = self.failed = 0
        self.stack = make(wsdl)

    # what a test is made of

    def check(self, what, want, got):
        if want == got:
            self.passed += 1
            return
        self.failed += 1
        print(f"FAIL {what}: want {want!r}, got {got!r}")

    def digits(self, what, count, got):
        self.check(f"{what} {got!r} has {count} digits", True, str(got).isdigit() and len(str(got)) == count)

    def side(self, method, path, body=None):
        request = urllib.request.Request(self.base + path, data=body, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def buyer(self, does, reference):
        self.side("POST", f"/wallet/{reference}/{does}")

    def wait(self, seconds):
        self.side("POST", f"/clock/advance?d={seconds}s")

    def call(self, code, operation, who=TERMINAL, secret=PASSWORD, **arguments):
        context = {
            "channel": "WS", "clientId": "Conformance AB", "clientReference": f"{self.name} 1",
            "clientRequestTimeout": 0, "initiatorPrincipalId": who,
        }
        if secret is not None:
            context["password"] = secret
        answer = self.stack.call(operation, {"context": context, **arguments})
        self.check(f"{operation} {get(answer, 'resultDescription')}", code, get(answer, "resultCode"))
        return answer

    def invoice(self, total, **more):
        return {
            "paymentMode": "IMMEDIATE_DEBIT", "acknowledgmentMode": "NO_ACKNOWLEDGMENT", "title": TITLE,
            "clientInvoiceId": self.name, "cashierId": "Åsa", "totalAmount": sek(total),
            "invoiceRows": {"invoiceRow": [{
                "itemDescription": TITLE, "itemQuantity": Decimal("2"), "itemTaxRate": Decimal("12"),
                "itemTotalAmount": sek(total),
            }]},
            **more,
        }

    def issue(self, total, who=TERMINAL, secret=PASSWORD, **more):
        sent = self.call(0, "sendInvoice", who, secret, invoice=self.invoice(total, **more))
        return get(sent, "invoiceReference")

    def status(self, reference, who=TERMINAL, secret=PASSWORD, version=0):
        return self.call(0, "getPaymentStatus", who, secret, invoiceReference=reference, invoiceVersion=version)

    def state(self, *args):
        return get(self.status(*args), "status")

    def refund(self, code, payment, amount, who=TERMINAL, secret=PASSWORD):
        return self.call(code, "refundPayment", who, secret, ersReference=payment, invoice=self.invoice(amount))

    def mark(self, **chosen):
        more = {"parameters": parameters(**chosen)} if chosen else {}
        period = get(self.call(0, "markTransactionPeriod", RESELLER, **more), "transactionPeriodId")
        self.digits("transactionPeriodId", 25, period)
        return period

    def report(self, report, root, period, **chosen):
        """The rows of a report of a period that is ready, as a list of dictionaries."""
        answer = self.call(0, "executeReport", RESELLER, reportId=f"Reconciliation/{report}.xml",
                           parameters=parameters(transactionPeriodId=period, **chosen))
        document = get(answer, "report")
        content = self.stack.data(get(document, "content"))
        self.check(f"title of {report}", f"{report}_{period}.xml", get(document, "title"))
        self.check(f"mimeType of {report}", "text/html", get(document, "mimeType"))
        self.check(f"both forms of {report}", get(document, "contentString"), content.decode("utf-8"))
        tree = ElementTree.fromstring(content)
        self.check(f"root of {report}", root, tree.tag)
        self.check(f"period in {report}", period, tree.findtext("Meta/TransactionPeriodId"))
        return [{e.tag: e.text for e in row} for row in tree.findall("Row")]

    def not_ready(self, report, period, **chosen):
        self.call(2, "executeReport", RESELLER, reportId=f"Reconciliation/{report}.xml",
                  parameters=parameters(transactionPeriodId=period, **chosen))

    # the procedures

    def everything(self):
        self.webshop()
        self.point_of_sale()
        self.reservation()
        self.loyalty()
        self.refused_principals()
        self.refused_invoices()
        self.refused_payments()
        self.faults()
        if hasattr(self.stack, "own"):
            self.stack.own(self)
        for address in ("/soap/merchant/cashregister-2?wsdl", "/extclientproxy/service/v2?singleWsdl"):
            self.stack = self.make(self.base + address)
            self.check(address, "ISSUED", self.state(self.issue("1")))

    def webshop(self):
        self.mark()
        self.send_and_fetch()
        self.cancel()
        self.give_back()
        period = self.mark()
        self.not_ready("Shop", period)
        self.wait(5)
        shop = self.report("Shop", "ResellerTransactionSummary", period)
        self.check("sales", ("2", "249.50000"), (shop[0]["SalesCount"], shop[0]["SalesTotal"]))
        terminals = self.report("STD_RECON_002", "TerminalTransactionSummary", period)
        self.check("terminal", ("demo-terminal", "249.50000"), (terminals[0]["TerminalId"], terminals[0]["SalesTotal"]))
        details = self.report("STD_RECON_003", "TransactionDetails", period)
        self.check("transactions", ["149.50000", "100.00000", "-40.25000", "-59.75000"], [r["SalesAmount"] for r in details])

    def send_and_fetch(self):
        sent = self.call(0, "sendInvoice", invoice=self.invoice("149.50"))
        reference = get(sent, "invoiceReference")
        self.digits("invoiceReference", 13, reference)
        self.check("invoiceQRCode", f"HTTP://SEQR.SE/R{reference}", get(sent, "invoiceQRCode"))
        issued = self.status(reference)
        self.check("before the scan", "ISSUED", get(issued, "status"))
        self.check("no ersReference before PAID", None, get(issued, "ersReference"))
        self.buyer("scan", reference)
        self.buyer("pay", reference)
        paid = self.status(reference, version=get(issued, "version"))
        self.check("after the payment", "PAID", get(paid, "status"))
        self.check("the version has risen", True, get(paid, "version") > get(issued, "version"))
        self.digits("ersReference", 25, get(paid, "ersReference"))
        self.check("paymentReference", get(paid, "ersReference"), get(paid, "receipt", "paymentReference"))
        bill = get(paid, "receipt", "invoice")
        self.check("the amount comes back", Decimal("149.50"), get(bill, "totalAmount", "value"))
        self.check("the title comes back", TITLE, get(bill, "title"))
        self.check("the row comes back", TITLE, get(bill, "invoiceRows", "invoiceRow")[0].itemDescription)
        self.wait(30)
        self.check("what was fetched stays paid", "PAID", self.state(reference))
        again = self.issue("10")
        self.wait(30)
        self.check("unpaid after 30 seconds", "ISSUED", self.state(again))
        forgotten = self.issue("11")
        self.buyer("pay", forgotten)
        self.wait(30)
        self.check("paid, and not fetched for 30 seconds", "CANCELED", self.state(forgotten))
        self.receipts(reference, get(paid, "ersReference"))

    def receipts(self, reference, payment):
        html = "<html><body>Tack för köpet!</body></html>".encode("utf-8")
        self.call(0, "submitPaymentReceipt", ersReference=payment)
        self.call(0, "submitPaymentReceipt", ersReference=payment, receiptDocument={
            "mimeType": "Base64", "receiptData": self.stack.binary(html), "receiptType": "PAYMENT_RECEIPT"})
        kept = [r for r in self.side("GET", "/ledger")["receipts"] if r["invoiceReference"] == reference]
        self.check("receipts", [0, len(html)], [r["size"] for r in kept])
        self.check("the content arrives", hashlib.sha256(html).hexdigest(), kept[1]["sha256"])

    def cancel(self):
        reference = self.issue("25")
        self.check("before canceling", "ISSUED", self.state(reference))
        self.call(0, "cancelInvoice", invoiceReference=reference)
        self.check("after canceling", "CANCELED", self.state(reference))

    def give_back(self):
        reference = self.issue("100")
        self.check("before the payment", "ISSUED", self.state(reference))
        self.buyer("pay", reference)
        payment = get(self.status(reference), "ersReference")
        part = get(self.refund(0, payment, "40.25"), "ersReference")
        self.digits("the ersReference of a refund", 25, part)
        self.check("is not the payment’s", True, part != payment)
        self.refund(0, payment, "59.75")

    def point_of_sale(self):
        secret, seqr = "till-secret", f"{self.name}{time.time_ns()}"
        till = get(self.call(0, "registerTerminal", RESELLER, externalTerminalId=f"till-{seqr}", password=secret,
                             name="Kassa 1"), "terminalId")
        who = {"id": till, "type": "TERMINALID"}
        self.call(0, "assignSeqrId", who, secret, seqrId=seqr)
        first, second = self.issue("12", who, secret), self.issue("80", who, secret)
        self.check("a newer invoice replaces the last", "CANCELED", self.state(first, who, secret))
        self.check("before the scan at the till", "ISSUED", self.state(second, who, secret))
        self.check("the static code leads to the live invoice", f"/R{second}", self.location(f"/Q{seqr}"))
        self.buyer("pay", second)
        payment = get(self.status(second, who, secret), "ersReference")
        self.call(0, "submitPaymentReceipt", who, secret, ersReference=payment)
        self.call(0, "cancelInvoice", who, secret, invoiceReference=self.issue("9", who, secret))
        self.refund(0, payment, "80", who, secret)
        self.close_till(till)
        self.call(0, "unregisterTerminal", who, secret)
        self.call(29, "sendInvoice", who, secret, invoice=self.invoice("1"))

    def close_till(self, till):
        period = self.mark(TERMINALID=till)
        self.not_ready("STD_RECON_006", period, TERMINALID=till)
        self.wait(5)
        cashiers = self.report("STD_RECON_006", "CashierTransactionSummary", period, TERMINALID=till)
        self.check("sales at the till", ("1", "80.00000"), (cashiers[0]["SalesCount"], cashiers[0]["SalesTotal"]))
        details = self.report("STD_RECON_007", "TransactionDetails", period, TERMINALID=till)
        self.check("transactions at the till", [(till, "Åsa", "80.00000"), (till, "Åsa", "-80.00000")],
                   [(r["TerminalId"], r["CashierId"], r["SalesAmount"]) for r in details])

    def location(self, path):
        try:
            with urllib.request.build_opener(NoRedirect).open(self.base + path, timeout=30):
                return None
        except urllib.error.HTTPError as redirect:
            with redirect:
                return redirect.headers["Location"]

    def reservation(self):
        reference = self.issue("100", paymentMode="RESERVATION_REQUIRED", commitReservationTimeout=600)
        self.call(96, "commitReservation", invoiceReference=reference)
        self.buyer("pay", reference)
        self.check("a reservation", "RESERVED", self.state(reference))
        self.call(0, "commitReservation", amount=sek("75.50"), invoiceReference=reference)
        taken = self.status(reference)
        self.check("a committed reservation", "PAID", get(taken, "status"))
        self.check("its amount", Decimal("75.50"), get(taken, "receipt", "invoice", "totalAmount", "value"))

    def loyalty(self):
        reference = self.issue("100", acknowledgmentMode="REQUIRE_ACKNOWLEDGMENT")
        self.buyer("scan", reference)
        asked = self.status(reference)
        self.check("loyalty", "PENDING_ISSUER_ACKNOWLEDGE", get(asked, "status"))
        token = get(asked, "customerTokens", "token")[0]
        self.check("an unanswered token", 0, token.status)
        answer = {"description": token.description, "id": token.id, "status": 1, "value": token.value}
        self.call(0, "updateInvoice", invoiceReference=reference, invoice=self.invoice("90"), tokens=[answer])
        self.buyer("pay", reference)
        paid = self.status(reference)
        self.check("with the new total", Decimal("90"), get(paid, "receipt", "invoice", "totalAmount", "value"))

    # the refusals

    def refused_principals(self):
        bill = self.invoice("1")
        self.call(20, "sendInvoice", secret="wrong-secret", invoice=bill)
        self.call(20, "sendInvoice", secret=None, invoice=bill)
        self.call(29, "sendInvoice", {"type": "TERMINALID"}, invoice=bill)
        self.call(29, "sendInvoice", {"id": "demo-terminal", "type": "PERSON"}, invoice=bill)
        self.call(29, "sendInvoice", {"id": "nobody", "type": "TERMINALID"}, invoice=bill)
        self.call(37, "markTransactionPeriod", {"id": "nobody", "type": "RESELLERUSER", "userId": "9900"})
        self.call(37, "markTransactionPeriod", {"id": "demo-reseller", "type": "RESELLERUSER", "userId": "1"})
        self.call(20, "sendInvoice", secret="abc", invoice=bill)
        weak = self.call(0, "registerTerminal", RESELLER, externalTerminalId=f"weak-{time.time_ns()}", password="abc", name="Weak")
        who = {"id": get(weak, "terminalId"), "type": "TERMINALID"}
        self.call(21, "sendInvoice", who, "abc", invoice=bill)
        self.call(21, "getPaymentStatus", who, "abc", invoiceReference="1", invoiceVersion=0)
        self.call(21, "unregisterTerminal", who, "abc")
        self.call(53, "assignSeqrId", seqrId="not one!")

    def refused_invoices(self):
        self.call(49, "sendInvoice", invoice=self.invoice("1", totalAmount=sek("2")))
        self.call(49, "sendInvoice", invoice=self.invoice("0"))
        self.call(64, "sendInvoice", invoice=self.invoice("1", notificationUrl="ftp://shop.example/paid"))
        self.call(54, "cancelInvoice", invoiceReference="4711")
        self.call(54, "getPaymentStatus", invoiceReference="4711", invoiceVersion=0)
        self.call(54, "commitReservation", invoiceReference="4711")
        canceled = self.issue("1")
        self.call(0, "cancelInvoice", invoiceReference=canceled)
        self.call(95, "cancelInvoice", invoiceReference=canceled)
        self.call(96, "commitReservation", invoiceReference=canceled)

    def refused_payments(self):
        reference = self.issue("1")
        self.buyer("confirm", reference)
        self.call(51, "cancelInvoice", invoiceReference=reference)
        self.buyer("pay", reference)
        self.call(50, "cancelInvoice", invoiceReference=reference)
        payment = get(self.status(reference), "ersReference")
        self.refund(23, "4711", "1")
        self.call(23, "submitPaymentReceipt", ersReference="4711")
        euros = {"totalAmount": {"currency": "EUR", "value": Decimal("1")}}
        self.call(49, "refundPayment", ersReference=payment, invoice=euros)
        self.refund(98, payment, "1.01")
        self.refund(0, payment, "1")
        self.refund(98, payment, "0.01")
        self.call(91, "requestTopup")

    def faults(self):
        self.check("benchmarkingNop", 0, get(self.stack.call("benchmarkingNop", {}), "resultCode"))
        self.side("PUT", "/faults", b'{"benchmarkingNop":[{"kind":"fault","count":1}]}')
        try:
            self.stack.call("benchmarkingNop", {})
            self.check("a SOAP fault is thrown", True, False)
        except self.stack.Fault as fault:
            self.check(f"a SOAP fault is thrown: {fault}", True, "internal error" in str(fault))
