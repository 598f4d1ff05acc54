package sandbox

import (
	"errors"
	"fmt"
)

// soapFault is the answer to a message that is no call of the service.
type soapFault struct{ code, reason string }

func clientFault(format string, args ...any) *soapFault {
	return &soapFault{"soap:Client", fmt.Sprintf(format, args...)}
}

// readEnvelope finds the operation element in a SOAP 1.1 message.
func readEnvelope(raw []byte, contentType string) (*element, *soapFault) {
	d, err := newDecoder(raw, contentType)
	if err != nil {
		return nil, clientFault("%v", err)
	}
	root, err := readDocument(d)
	if errors.Is(err, errDTD) {
		return nil, clientFault("%v", err)
	}
	if err != nil {
		return nil, clientFault("malformed XML: %v", err)
	}
	if root.name == "Envelope" && root.space == nsSOAP12 {
		return nil, &soapFault{"soap:VersionMismatch", "this service speaks SOAP 1.1"}
	}
	if root.name != "Envelope" || root.space != nsSOAP {
		return nil, &soapFault{"soap:VersionMismatch", fmt.Sprintf("the document element is not a SOAP 1.1 Envelope but {%.80s}%.80s", root.space, root.name)}
	}
	return operationOf(root)
}

func operationOf(envelope *element) (*element, *soapFault) {
	var body *element
	for _, part := range envelope.kids {
		switch {
		case part.space != nsSOAP:
		case part.name == "Header":
			for _, h := range part.kids {
				if h.must {
					return nil, &soapFault{"soap:MustUnderstand", fmt.Sprintf("header %.80s is not understood", h.name)}
				}
			}
		case part.name == "Body" && body == nil:
			body = part
		}
	}
	switch {
	case body == nil:
		return nil, clientFault("the envelope has no Body")
	case len(body.kids) == 0:
		return nil, clientFault("the Body is empty")
	}
	request := body.kids[0]
	if request.space != nsSEQR {
		return nil, clientFault("operation %.80s is in namespace %.120q, not %q", request.name, request.space, nsSEQR)
	}
	return request, nil
}
