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
			s.wsdl.serve(w, r, doc)
			return
		}
		writeProblem(w, http.StatusBadRequest, "POST SOAP messages here; the description is at "+r.URL.Path+"?wsdl")
	default:
		notAllowed(w, "GET, POST")
	}
}

// serveCall reads one message, lets the faults have their way, performs the operation and answers.
func (s *Sandbox) serveCall(w http.ResponseWriter, r *http.Request) {
	o, op, bad := s.readCall(r)
	if bad != nil {
		s.log.Debug().Str("fault", bad.reason).Msg("a message that is no call")
		writeFault(w, bad)
		return
	}
	p := s.faults.pick(o.Name)
	var held *delayed // nil unless a fault delays the call
	if p.delay > 0 {
		var goOn bool
		held, goOn = s.pause(r.Context(), p.delay)
		defer held.over()
		if !goOn {
			panic(http.ErrAbortHandler)
		}
	}
	switch p.blow {
	case FaultDropBefore:
		panic(http.ErrAbortHandler)
	case FaultHTTP500:
		http.Error(w, "Internal Server Error", http.StatusInternalServerError)
		return
	case FaultSOAP:
		writeFault(w, &soapFault{"soap:Server", "internal error"})
		return
	case FaultResultCode:
		writeReply(w, o, reply{code: p.code}, &writer{})
		return
	}
	var ext writer
	answer := s.perform(o, op, &ext)
	held.hasMade()
	if answer.after != nil {
		answer.after()
	}
	held.over() // a client that is slow to read does not hold the clock up
	switch p.blow {
	case FaultDropAfter:
		panic(http.ErrAbortHandler)
	case FaultResultCodeAfter:
		writeReply(w, o, reply{code: p.code}, &writer{})
		return
	}
	if answer.code != success {
		ext.Reset()
	}
	writeReply(w, o, answer, &ext)
}

func (s *Sandbox) readCall(r *http.Request) (*operation, *element, *soapFault) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return nil, nil, clientFault("the message cannot be read")
	}
	if len(body) > maxBody {
		_, _ = io.CopyN(io.Discard, r.Body, maxDrain) // a client that is still writing would not see the answer
		return nil, nil, clientFault("the message is larger than %d bytes", maxBody)
	}
	op, bad := readEnvelope(body, r.Header.Get("Content-Type"))
	if bad != nil {
		return nil, nil, bad
	}
	o := findOperation(op.name)
	if o == nil {
		return nil, nil, clientFault("there is no operation %.80q", op.name)
	}
	return o, op, nil
}

// maxDrain bounds what is read, and forgotten, of a message that is too large.
const maxDrain = 16 << 20

const (
	envelopeStart = `<?xml version="1.0" encoding="UTF-8"?>` +
		`<soap:Envelope xmlns:soap="` + nsSOAP + `"><soap:Body>`
	envelopeEnd = `</soap:Body></soap:Envelope>`
)

// writeReply answers with the base fields, what the operation has put into ext, and what it has left for now.
func writeReply(w http.ResponseWriter, o *operation, r reply, ext *writer) {
	var out writer
	out.WriteString(envelopeStart + `<ns2:`)
	out.WriteString(o.Name)
	out.WriteString(`Response xmlns:ns2="` + nsSEQR + `"><return>`)
	out.optional("ersReference", r.ers)
	out.integer("resultCode", int64(r.code))
	text := r.code.String()
	if r.note != "" {
		text += ": " + r.note
	}
	out.leaf("resultDescription", text)
	out.Write(ext.Bytes())
	if ext.Len() == 0 && o.Name == "getPaymentStatus" {
		out.integer("version", 0) // the schema wants one even where there is no status
	}
	if r.late != nil {
		r.late(&out)
	}
	out.WriteString(`</return></ns2:`)
	out.WriteString(o.Name)
	out.WriteString(`Response>` + envelopeEnd)
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
