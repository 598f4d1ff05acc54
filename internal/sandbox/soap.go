package sandbox

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"sync"
)

// serveService is the merchant interface: its description on GET, its calls on POST.
func (s *Sandbox) serveService(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodPost:
		s.serveCall(w, r)
	case http.MethodGet, http.MethodHead:
		if describe, asked := asksForWSDL(r); asked {
			serveWSDL(w, r, describe)
			return
		}
		writeProblem(w, http.StatusBadRequest, "POST SOAP messages here; the description is at "+r.URL.Path+"?wsdl")
	default:
		notAllowed(w, "GET, POST")
	}
}

var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// serveCall reads one message, lets the faults have their way, performs the operation and answers.
func (s *Sandbox) serveCall(w http.ResponseWriter, r *http.Request) {
	o, op, bad := s.readCall(r)
	if bad != nil {
		s.log.Debug().Str("fault", bad.reason).Msg("a message that is no call")
		writeFault(w, bad)
		return
	}
	p := s.faults.pick(o.name)
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
	ext := newWriter()
	defer ext.done()
	answer := s.perform(o, op, ext)
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
		ext.b = ext.b[:0]
	}
	writeReply(w, o, answer, ext)
}

func (s *Sandbox) readCall(r *http.Request) (*operation, *element, *soapFault) {
	body := bodies.Get().(*bytes.Buffer)
	defer bodies.Put(body)
	body.Reset()
	if _, err := body.ReadFrom(io.LimitReader(r.Body, maxBody+1)); err != nil {
		return nil, nil, clientFault("the message cannot be read")
	}
	if body.Len() > maxBody {
		_, _ = io.CopyN(io.Discard, r.Body, maxDrain) // a client that is still writing would not see the answer
		return nil, nil, clientFault("the message is larger than %d bytes", maxBody)
	}
	op, bad := readEnvelope(body.Bytes(), r.Header.Get("Content-Type"))
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
	out := newWriter()
	defer out.done()
	out.raw(envelopeStart + `<ns2:`)
	out.raw(o.name)
	out.raw(`Response xmlns:ns2="` + nsSEQR + `"><return>`)
	out.optional("ersReference", r.ers)
	out.integer("resultCode", int64(r.code))
	text := r.code.String()
	if r.note != "" {
		text += ": " + r.note
	}
	out.leaf("resultDescription", text)
	out.b = append(out.b, ext.b...)
	if len(ext.b) == 0 && o.name == "getPaymentStatus" {
		out.integer("version", 0) // the schema wants one even where there is no status
	}
	if r.late != nil {
		r.late(out)
	}
	out.raw(`</return></ns2:`)
	out.raw(o.name)
	out.raw(`Response>` + envelopeEnd)
	writeXML(w, http.StatusOK, out.b)
}

func writeFault(w http.ResponseWriter, f *soapFault) {
	out := newWriter()
	defer out.done()
	out.raw(envelopeStart + `<soap:Fault>`)
	out.leaf("faultcode", f.code)
	out.leaf("faultstring", f.reason)
	out.raw(`</soap:Fault>` + envelopeEnd)
	writeXML(w, http.StatusInternalServerError, out.b)
}

func writeXML(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "text/xml; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that has gone needs no answer
}
