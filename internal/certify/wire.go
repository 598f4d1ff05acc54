package certify

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

// node is an element of a message, whatever it is. The methods of a nil one find nothing.
type node struct {
	XMLName xml.Name
	Text    string  `xml:",chardata"`
	Kids    []*node `xml:",any"`
}

// payload reads a SOAP message and gives the first element in its Body.
func payload(message []byte) (*node, error) {
	root, err := parse(message)
	if err != nil {
		return nil, err
	}
	body := root.at("Body")
	if root.XMLName.Local != "Envelope" || body == nil || len(body.Kids) == 0 {
		return nil, errors.New("not a SOAP envelope with a body")
	}
	return body.Kids[0], nil
}

func parse(document []byte) (*node, error) {
	d := xml.NewDecoder(bytes.NewReader(document))
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil } // recorded as UTF-8 whatever it was
	root := &node{}
	if err := d.Decode(root); err != nil {
		return nil, err
	}
	return root, nil
}

// at follows a path of child elements; nil where it leads nowhere.
func (n *node) at(path ...string) *node {
	for _, name := range path {
		kids := n.all(name)
		if len(kids) == 0 {
			return nil
		}
		n = kids[0]
	}
	return n
}

// all gives the child elements of that name.
func (n *node) all(name string) []*node {
	if n == nil {
		return nil
	}
	var out []*node
	for _, k := range n.Kids {
		if k.XMLName.Local == name {
			out = append(out, k)
		}
	}
	return out
}

// word gives the text at the end of a path, without the spaces around it.
func (n *node) word(path ...string) string {
	if n = n.at(path...); n == nil {
		return ""
	}
	return strings.TrimSpace(n.Text)
}

// parameter gives the value of an entry of a parameterMap.
func (n *node) parameter(key string) string {
	for _, e := range n.at("parameters", "parameter").all("entry") {
		if e.word("key") == key {
			return e.word("value")
		}
	}
	return ""
}
