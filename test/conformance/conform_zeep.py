"""The procedures through zeep:  python3 conform_zeep.py WSDL-URL"""

import zeep

import procedures


class Zeep:
    Fault = zeep.exceptions.Fault

    def __init__(self, wsdl):
        # strict: an answer that does not keep to the schema is an error, not a guess
        self.client = zeep.Client(wsdl, settings=zeep.Settings(strict=True))

    def call(self, operation, arguments):
        return getattr(self.client.service, operation)(**arguments)

    def binary(self, data):
        return data

    def data(self, binary):
        return binary


procedures.main("zeep", Zeep)
