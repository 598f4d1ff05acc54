package sandbox

import (
	"io"
	"net/http"
	"strconv"
)

// serveService is the merchant interface: its description on GET, its calls on POST.
func (s *Sandbox) serveService(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodPost:
		s.serveCall(w, r)
	case http.MethodGet, http.MethodHead:
		if doc, asked := wsdlOf(r); asked {
			serveWSDL(w, r, doc)
			return
		}
		writeProblem(w, http.StatusBadRequest, "POST SOAP messages here; the description is at "+r.URL.Path+"?wsdl")
	default:
		notAllowed(w, "GET, POST")
	}
}

// serveCall reads one message, applies the faults that are set for its operation, performs it and answers.
func (s *Sandbox) serveCall(w http.ResponseWriter, r *http.Request) {
	o, request, bad := readCall(r)
	if bad != nil {
		s.log.Debug().Str("fault", bad.reason).Msg("a message that is no call")
		writeFault(w, bad)
		return
	}
	p := s.faults.pick(o.Name)
	end := func() {}
	if p.delay > 0 {
		var ok bool
		end, ok = s.delay(r.Context(), p.delay)
		defer end()
		if !ok {
			panic(http.ErrAbortHandler)
		}
	}
	switch p.failure {
	case FaultDropBefore:
		panic(http.ErrAbortHandler)
	case FaultHTTP500:
		http.Error(w, "Internal Server Error", http.StatusInternalServerError)
	case FaultSOAP:
		writeFault(w, &soapFault{"soap:Server", "internal error"})
	case FaultResultCode:
		writeReply(w, o, reply{code: p.code})
	default:
		answer := s.perform(o, request)
		if answer.after != nil {
			answer.after()
		}
		end() // a client that is slow to read does not delay the clock
		switch p.failure {
		case FaultDropAfter:
			panic(http.ErrAbortHandler)
		case FaultResultCodeAfter:
			answer = reply{code: p.code}
		}
		writeReply(w, o, answer)
	}
}

func readCall(r *http.Request) (*operation, *element, *soapFault) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return nil, nil, clientFault("the message cannot be read")
	}
	if len(body) > maxBody {
		_, _ = io.CopyN(io.Discard, r.Body, maxDiscarded) // a client that is still writing would not see the answer
		return nil, nil, clientFault("the message is larger than %d bytes", maxBody)
	}
	request, bad := readEnvelope(body, r.Header.Get("Content-Type"))
	if bad != nil {
		return nil, nil, bad
	}
	o := findOperation(request.name)
	if o == nil {
		return nil, nil, clientFault("there is no operation %.80q", request.name)
	}
	return o, request, nil
}

const (
	// maxDiscarded is how many bytes of a message that is too large are read.
	maxDiscarded = 16 << 20

	envelopeStart = `<?xml version="1.0" encoding="UTF-8"?>` +
		`<soap:Envelope xmlns:soap="` + nsSOAP + `"><soap:Body>`
	envelopeEnd = `</soap:Body></soap:Envelope>`
)

// writeReply answers with the fields that all answers have, and those of the operation unless it was refused.
func writeReply(w http.ResponseWriter, o *operation, r reply) {
	var out writer
	out.WriteString(envelopeStart + `<ns2:` + o.Name + `Response xmlns:ns2="` + nsSEQR + `"><return>`)
	out.optional("ersReference", r.ers)
	out.integer("resultCode", int64(r.code))
	text := r.code.String()
	if r.note != "" {
		text += ": " + r.note
	}
	out.leaf("resultDescription", text)
	switch {
	case r.code == success && r.fields != nil:
		r.fields(&out)
	case o.Name == "getPaymentStatus":
		out.integer("version", 0) // the schema wants one even where there is no status
	}
	out.WriteString(`</return></ns2:` + o.Name + `Response>` + envelopeEnd)
	writeXML(w, http.StatusOK, out.Bytes())
}

func writeFault(w http.ResponseWriter, f *soapFault) {
	var out writer
	out.WriteString(envelopeStart + `<soap:Fault>`)
	out.leaf("faultcode", f.code)
	out.leaf("faultstring", f.reason)
	out.WriteString(`</soap:Fault>` + envelopeEnd)
	writeXML(w, http.StatusInternalServerError, out.Bytes())
}

func writeXML(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "text/xml; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that has gone needs no answer
}
