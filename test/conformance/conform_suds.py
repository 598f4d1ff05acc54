"""The procedures through suds:  python3 conform_suds.py WSDL-URL"""

import base64
from decimal import Decimal

import suds
import suds.client

import procedures


class Suds:
    Fault = suds.WebFault

    def __init__(self, wsdl):
        self.client = suds.client.Client(wsdl, cache=None)

    def call(self, operation, arguments):
        return getattr(self.client.service, operation)(**arguments)

    def binary(self, data):
        return base64.b64encode(data).decode("ascii")

    def data(self, binary):
        return base64.b64decode(binary)

    def own(self, run):
        """As the vendor's samples for suds 0.4 to 0.6 do it: every object is made by name, also by an element's."""
        create = lambda name: self.client.factory.create("ns0:" + name)
        context = create("clientContext")
        context.clientRequestTimeout = 0
        context.initiatorPrincipalId = create("initiatorPrincipalId")
        context.initiatorPrincipalId.type, context.initiatorPrincipalId.id = "TERMINALID", "demo-terminal"
        context.password = "demo-secret"
        invoice = create("invoice")
        invoice.paymentMode, invoice.acknowledgmentMode = "IMMEDIATE_DEBIT", "NO_ACKNOWLEDGMENT"
        invoice.title = procedures.TITLE
        invoice.invoiceRows = create("invoiceRows")
        row = invoice.invoiceRows.invoiceRow = create("invoiceRow")
        row.itemDescription = procedures.TITLE
        row.itemTotalAmount = create("itemTotalAmount")
        row.itemTotalAmount.value, row.itemTotalAmount.currency = "500", "SEK"
        invoice.totalAmount = create("totalAmount")
        invoice.totalAmount.value, invoice.totalAmount.currency = "500", "SEK"
        sent = self.client.service.sendInvoice(context, invoice)
        run.check("sendInvoice of objects made by name", 0, sent.resultCode)
        run.buyer("pay", sent.invoiceReference)
        paid = self.client.service.getPaymentStatus(context, sent.invoiceReference)
        run.check("its status", "PAID", paid.status)
        run.check("its amount", Decimal("500"), Decimal(paid.receipt.invoice.totalAmount.value))
        run.check("its row", procedures.TITLE, paid.receipt.invoice.invoiceRows.invoiceRow[0].itemDescription)
        self.parameters(run, create)

    def parameters(self, run, create):
        reseller = create("clientContext")
        reseller.clientRequestTimeout, reseller.password = 0, procedures.PASSWORD
        reseller.initiatorPrincipalId = create("principalId")
        for name, value in procedures.RESELLER.items():
            setattr(reseller.initiatorPrincipalId, name, value)
        entry = create("parameter")
        entry.key, entry.value = "TERMINALID", "demo-terminal"
        parameters = create("parameterMap")
        parameters.parameter = create("mapArray")
        parameters.parameter.entry = [entry]
        marked = self.client.service.markTransactionPeriod(reseller, parameters)
        run.check("markTransactionPeriod of objects made by name", 0, marked.resultCode)
        run.check("its scope", "demo-terminal", run.side("GET", "/ledger")["periods"][-1].get("terminal"))


procedures.main("suds", Suds)
