package sandbox

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
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

// element is an element of a request. Its text is all character data directly inside it.
type element struct {
	space, name string
	text        string
	null        bool // xsi:nil
	must        bool // soap:mustUnderstand
	kids        []*element
}

// child gives the first child of that name; nil if there is none, or e is nil. The child is in no namespace, as the schema
// says, or in that of the service or the envelope, where SOAP stacks with a default namespace put it. A child that is
// xsi:nil counts as absent.
func (e *element) child(name string) *element {
	if all := e.children(name); len(all) > 0 {
		return all[0]
	}
	return nil
}

// children gives all children of that name, as child does the first.
func (e *element) children(name string) (all []*element) {
	if e == nil {
		return nil
	}
	for _, k := range e.kids {
		if k.name == name && !k.null && (k.space == "" || k.space == nsSEQR || k.space == nsSOAP) {
			all = append(all, k)
		}
	}
	return all
}

// raw gives the text of a child as it was sent; empty if there is no such child.
func (e *element) raw(name string) string {
	if k := e.child(name); k != nil {
		return k.text
	}
	return ""
}

// word gives the text of a child without the white space around it.
func (e *element) word(name string) string { return strings.TrimSpace(e.raw(name)) }

// errDTD is the answer to a DTD, which could declare entities.
var errDTD = errors.New("document type definitions are not accepted")

// readDocument gives the document element. A message has nothing beside it but comments and white space.
func readDocument(d *xml.Decoder) (*element, error) {
	document, err := readElement(d, xml.StartElement{}, 0, nil)
	switch {
	case err != nil:
		return nil, err
	case strings.TrimSpace(document.text) != "":
		return nil, errors.New("text outside the document element")
	case len(document.kids) == 0:
		return nil, errors.New("the message is empty")
	case len(document.kids) > 1:
		return nil, errors.New("something follows the document element")
	}
	return document.kids[0], nil
}

// readElement reads an element from behind its start tag to its end tag. It is at that depth, where the bindings are in
// force; at depth 0 it is the document, which ends with the message. The decoder gives raw tokens, because it would take
// a prefix that is not declared for a namespace.
func readElement(d *xml.Decoder, start xml.StartElement, depth int, bindings []binding) (*element, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("more than %d elements inside one another", maxDepth)
	}
	e := &element{name: start.Name.Local}
	bindings, err := e.resolve(start, bindings)
	if err != nil {
		return nil, err
	}
	var text []byte
	for {
		token, err := d.RawToken()
		switch t := token.(type) {
		case xml.StartElement:
			child, err := readElement(d, t, depth+1, bindings)
			if err != nil {
				return nil, err
			}
			e.kids = append(e.kids, child)
		case xml.CharData:
			text = append(text, t...)
		case xml.Directive:
			return nil, errDTD
		case xml.EndElement:
			if t.Name != start.Name {
				return nil, fmt.Errorf("</%s> closes nothing that is open", t.Name.Local)
			}
			e.text = string(text)
			return e, nil
		}
		switch {
		case errors.Is(err, io.EOF) && depth == 0:
			e.text = string(text)
			return e, nil
		case errors.Is(err, io.EOF):
			return nil, fmt.Errorf("the message ends inside <%s>", e.name)
		case err != nil:
			return nil, err
		}
	}
}

// binding is a namespace declaration in force.
type binding struct{ prefix, uri string }

// resolve sets what the names and attributes of a start tag say of the element. It gives the bindings that are in force
// inside.
func (e *element) resolve(start xml.StartElement, bindings []binding) (_ []binding, err error) {
	for _, a := range start.Attr {
		switch {
		case a.Name.Space == "xmlns":
			bindings = append(bindings, binding{a.Name.Local, a.Value})
		case a.Name.Space == "" && a.Name.Local == "xmlns":
			bindings = append(bindings, binding{"", a.Value})
		}
	}
	if len(bindings) > maxNames {
		return nil, fmt.Errorf("more than %d namespace declarations in force", maxNames)
	}
	if e.space, err = uriOf(start.Name.Space, bindings); err != nil {
		return nil, err
	}
	for _, a := range start.Attr {
		if a.Name.Space == "" || a.Name.Space == "xmlns" {
			continue
		}
		space, err := uriOf(a.Name.Space, bindings)
		if err != nil {
			return nil, err
		}
		value := strings.TrimSpace(a.Value)
		yes := value == "true" || value == "1"
		switch {
		case space == nsXSI && a.Name.Local == "nil":
			e.null = yes
		case space == nsSOAP && a.Name.Local == "mustUnderstand":
			e.must = yes
		}
	}
	return bindings, nil
}

func uriOf(prefix string, bindings []binding) (string, error) {
	for _, b := range slices.Backward(bindings) {
		if b.prefix == prefix {
			return b.uri, nil
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
