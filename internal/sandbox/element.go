package sandbox

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

const (
	maxBody  = 1 << 20 // bytes of one request
	maxDepth = 64      // elements inside elements
	maxNames = 256     // namespace declarations in force

	nsSOAP   = "http://schemas.xmlsoap.org/soap/envelope/"
	nsSOAP12 = "http://www.w3.org/2003/05/soap-envelope"
	nsSEQR   = "http://external.interfaces.ers.seamless.com/"
	nsXSI    = "http://www.w3.org/2001/XMLSchema-instance"
	nsXML    = "http://www.w3.org/XML/1998/namespace"
)

// element is a piece of a request. Text is all character data directly inside it.
type element struct {
	space, name string
	text        string
	null        bool // xsi:nil
	must        bool // soap:mustUnderstand
	kids        []*element

	more []byte // the text so far, where it comes in pieces
}

// child finds the first child of that name that belongs to the message: in no namespace as the schema says, or in the
// service's or the envelope's, where stacks with a default namespace put it. One marked xsi:nil counts as absent.
func (e *element) child(name string) *element {
	if e == nil {
		return nil
	}
	for _, k := range e.kids {
		if k.is(name) {
			return k
		}
	}
	return nil
}

func (e *element) children(name string) []*element {
	var all []*element
	if e == nil {
		return nil
	}
	for _, k := range e.kids {
		if k.is(name) {
			all = append(all, k)
		}
	}
	return all
}

func (e *element) is(name string) bool {
	return e.name == name && !e.null && (e.space == "" || e.space == nsSEQR || e.space == nsSOAP)
}

// raw is the text of a child as it was sent; word is the same without the white space around it.
func (e *element) raw(name string) string {
	if k := e.child(name); k != nil {
		return k.text
	}
	return ""
}

func (e *element) word(name string) string { return strings.TrimSpace(e.raw(name)) }

// binding is one namespace declaration in force.
type binding struct {
	prefix, uri string
	depth       int
}

// reader builds the element tree from raw tokens: namespaces and nesting are its own business, so that it can be
// strict about depth and DTDs and lenient about nothing else.
type reader struct {
	bindings []binding
	open     []*element
	names    []xml.Name // as written, to compare with the end tag
	root     *element
}

var errDTD = errors.New("document type declarations are not accepted")

func readElements(doc []byte) (*element, error) {
	d := xml.NewDecoder(bytes.NewReader(doc))
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil } // toUTF8 has been here
	var r reader
	for {
		token, err := d.RawToken()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		if err := r.take(token); err != nil {
			return nil, err
		}
	}
	switch {
	case len(r.open) > 0:
		return nil, fmt.Errorf("the message ends inside <%s>", r.open[len(r.open)-1].name)
	case r.root == nil:
		return nil, errors.New("the message is empty")
	}
	return r.root, nil
}

func (r *reader) take(token xml.Token) error {
	switch t := token.(type) {
	case xml.StartElement:
		return r.start(t)
	case xml.EndElement:
		return r.end(t)
	case xml.CharData:
		return r.chars(t)
	case xml.Directive:
		return errDTD
	}
	return nil
}

func (r *reader) start(t xml.StartElement) error {
	if len(r.open) == maxDepth {
		return fmt.Errorf("more than %d elements inside one another", maxDepth)
	}
	if r.root != nil && len(r.open) == 0 {
		return errors.New("something follows the document element")
	}
	depth := len(r.open) + 1
	for _, a := range t.Attr {
		switch {
		case a.Name.Space == "xmlns":
			r.bindings = append(r.bindings, binding{a.Name.Local, a.Value, depth})
		case a.Name.Space == "" && a.Name.Local == "xmlns":
			r.bindings = append(r.bindings, binding{"", a.Value, depth})
		}
	}
	if len(r.bindings) > maxNames {
		return fmt.Errorf("more than %d namespace declarations in force", maxNames)
	}
	space, err := r.resolve(t.Name.Space)
	if err != nil {
		return err
	}
	e := &element{space: space, name: t.Name.Local}
	if err := r.attributes(e, t.Attr); err != nil {
		return err
	}
	if depth == 1 {
		r.root = e
	} else {
		parent := r.open[depth-2]
		parent.kids = append(parent.kids, e)
	}
	r.open, r.names = append(r.open, e), append(r.names, t.Name)
	return nil
}

func (r *reader) attributes(e *element, attrs []xml.Attr) error {
	for _, a := range attrs {
		if a.Name.Space == "" || a.Name.Space == "xmlns" {
			continue
		}
		space, err := r.resolve(a.Name.Space)
		if err != nil {
			return err
		}
		yes := strings.TrimSpace(a.Value) == "true" || strings.TrimSpace(a.Value) == "1"
		switch {
		case space == nsXSI && a.Name.Local == "nil":
			e.null = yes
		case space == nsSOAP && a.Name.Local == "mustUnderstand":
			e.must = yes
		}
	}
	return nil
}

func (r *reader) resolve(prefix string) (string, error) {
	for i := len(r.bindings) - 1; i >= 0; i-- {
		if r.bindings[i].prefix == prefix {
			return r.bindings[i].uri, nil
		}
	}
	switch prefix {
	case "":
		return "", nil
	case "xml":
		return nsXML, nil
	}
	return "", fmt.Errorf("namespace prefix %.40q is not declared", prefix)
}

func (r *reader) end(t xml.EndElement) error {
	last := len(r.open) - 1
	if last < 0 || r.names[last] != t.Name {
		return fmt.Errorf("</%s> closes nothing that is open", t.Name.Local)
	}
	if e := r.open[last]; e.more != nil {
		e.text, e.more = string(e.more), nil
	}
	r.open, r.names = r.open[:last], r.names[:last]
	for n := len(r.bindings); n > 0 && r.bindings[n-1].depth > last; n-- {
		r.bindings = r.bindings[:n-1]
	}
	return nil
}

func (r *reader) chars(t xml.CharData) error {
	if len(r.open) == 0 {
		if len(bytes.TrimSpace(t)) > 0 {
			return errors.New("text outside the document element")
		}
		return nil
	}
	e := r.open[len(r.open)-1]
	if e.text == "" {
		if len(e.kids) > 0 && len(bytes.TrimSpace(t)) == 0 {
			return nil // indentation between children
		}
		e.text = string(t)
	} else {
		if e.more == nil {
			e.more = []byte(e.text)
		}
		e.more = append(e.more, t...)
	}
	return nil
}
