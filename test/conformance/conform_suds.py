"""The procedures through suds:  python3 conform_suds.py WSDL-URL"""

import base64

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


procedures.main("suds", Suds)
